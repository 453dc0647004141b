"""THE TABLE: what each operation is. One file for each kind of operation, one row for each operation.

As a namespace it answers to NumPy's names, like `numpy` itself and `engine.scalars`; rules that run in it record.

Where there is no derivative, a row chooses one: 0 at a kink, or the slope it states; equal parts at a tie; the limit
from inside, infinite if need be, at the edge of a domain. The tests read these lines:

| expression                   | at           | by | derivative |
| ---------------------------- | ------------ | -- | ---------- |
| `relu(x)`                    | x = 0        | x  | 0          |
| `where(greater(x, 0), x, 0)` | x = 0        | x  | 0          |
| `x * greater(x, 0)`          | x = 0        | x  | 0          |
| `absolute(x)`                | x = 0        | x  | 0          |
| `sign(x)`                    | x = 0        | x  | 0          |
| `floor(x)`                   | x = 1        | x  | 0          |
| `round(x)`                   | x = 1.5      | x  | 0          |
| `leaky_relu(x)`              | x = 0        | x  | 0.01       |
| `leaky_relu(x, slope=0.3)`   | x = 0        | x  | 0.3        |
| `elu(x)`                     | x = 0        | x  | 1          |
| `elu(x, alpha=0.3)`          | x = 0        | x  | 0.3        |
| `maximum(x, y)`              | x = 2, y = 2 | x  | 0.5        |
| `maximum(x, y)`              | x = 2, y = 2 | y  | 0.5        |
| `maximum(x, x)`              | x = 2        | x  | 1          |
| `minimum(x, y)`              | x = 2, y = 2 | x  | 0.5        |
| `minimum(x, y)`              | x = 2, y = 2 | y  | 0.5        |
| `clip(x, -1, 2)`             | x = -1       | x  | 0.5        |
| `clip(x, -1, 2)`             | x = 2        | x  | 0.5        |
| `max(stack([x, y]))`         | x = 2, y = 2 | x  | 0.5        |
| `max(stack([x, y, y, y]))`   | x = 2, y = 2 | y  | 0.75       |
| `min(stack([x, y]))`         | x = 2, y = 2 | x  | 0.5        |
| `min(stack([x, y, y, y]))`   | x = 2, y = 2 | y  | 0.75       |
| `norm(stack([x, y]))`        | x = 0, y = 0 | x  | 0          |
| `norm(x)`                    | x = 0        | x  | 0          |
| `prod(stack([x, y]))`        | x = 0, y = 3 | x  | 3          |
| `prod(stack([x, y]))`        | x = 0, y = 0 | x  | 0          |
| `sqrt(x)`                    | x = 0        | x  | inf        |
| `log(x)`                     | x = 0        | x  | inf        |
| `log1p(x)`                   | x = -1       | x  | inf        |
| `power(x, 0)`                | x = 0        | x  | 0          |
| `power(x, 0)`                | x = inf      | x  | 0          |
| `power(x, y)`                | x = 0, y = 0 | x  | 0          |
| `power(x, 1)`                | x = 0        | x  | 1          |
| `power(x, 0.5)`              | x = 0        | x  | inf        |
| `power(x, y)`                | x = 0, y = 2 | y  | 0          |
| `power(x, y)`                | x = -1, y = 2 | y | nan        |
| `power(0, y)`                | y = 2        | y  | 0          |

No line is promised for another spelling of the same function: the derivative of `relu(x) - relu(-x)` at 0 is 0, and
that of `sqrt(x) ** 2` is NaN.
"""

from ..row import Primitive
from .accumulations import cumprod, cumsum
from .arithmetic import add, divide, multiply, negative, power, reciprocal, subtract
from .comparisons import (
    all,
    any,
    argmax,
    argmin,
    equal,
    greater,
    greater_equal,
    isfinite,
    isnan,
    less,
    less_equal,
    logical_and,
    logical_not,
    logical_or,
    not_equal,
)
from .contractions import linear, matmul
from .convolutions import convolution, overlap_add, sliding_window_view, transposed_convolution, window_correlation
from .elementwise import (
    absolute,
    arctan,
    astype,
    cos,
    cosh,
    erf,
    erfc,
    exp,
    expm1,
    floor,
    leaky_relu,
    log,
    log1p,
    logaddexp,
    maximum,
    minimum,
    relu,
    round,
    sigmoid,
    sign,
    sin,
    sinh,
    softplus,
    sqrt,
    tan,
    tanh,
    where,
)
from .identities import detach, hook, identity, pick
from .indexing import add_at, getitem, last_set, scatter, set_at
from .random import standard_integers, standard_normal, standard_permutation, standard_uniform
from .reductions import (
    log_softmax,
    logsumexp,
    max,
    mean,
    mean_square,
    min,
    norm,
    prod,
    softmax,
    softmax_cross_entropy,
    sum,
    var,
)
from .shapes import (
    broadcast_to,
    concatenate,
    expand_dims,
    pad,
    reshape,
    split,
    squeeze,
    stack,
    transpose,
    unstack,
    values,
)

ROWS: dict[str, Primitive] = {
    name: row
    for name, function in list(globals().items())
    if isinstance(row := getattr(function, "primitive", None), Primitive)
}
"""Every row of the table, by name."""
