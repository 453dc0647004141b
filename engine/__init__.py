"""chainrule's engine: numbers and arrays that remember how they were computed, and every derivative of them.

>>> import engine
>>> x = engine.Value(3.0)
>>> y = x**2 + 1
>>> y.backward()
>>> x.grad
6.0
"""

# Numbers and arrays that remember.
from .value import Value
from .tensor import Tensor

# What can be done with them, under NumPy's names.
from .primitives import (
    # arithmetic
    add, divide, multiply, negative, power, reciprocal, subtract,
    # elementwise
    absolute, arctan, astype, cos, cosh, erf, erfc, exp, expm1, floor, leaky_relu, log, log1p, logaddexp, maximum,
    minimum, relu, round, sigmoid, sign, sin, sinh, softplus, sqrt, tan, tanh, where,
    # comparisons
    all, any, argmax, argmin, equal, greater, greater_equal, isfinite, isnan, less, less_equal, logical_and,
    logical_not, logical_or, not_equal,
    # reductions and accumulations
    cumprod, cumsum, log_softmax, logsumexp, max, mean, mean_square, min, norm, prod, softmax,
    softmax_cross_entropy, sum, var,
    # shapes and indexing
    broadcast_to, concatenate, expand_dims, pad, reshape, split, squeeze, stack, transpose, unstack,
    # contractions and convolutions
    convolution, linear, matmul, overlap_add, sliding_window_view, transposed_convolution, window_correlation,
    # identities
    detach, hook,
)  # fmt: skip
from .functions import (
    average_pool, clip, diagonal, dot, einsum, elu, flip, gelu, log_sigmoid, max_pool, moveaxis, ones_like, outer,
    ravel, roll, silu, square, std, swapaxes, take, tile, trace, zeros_like,
)  # fmt: skip
from . import random

# What is recorded.
from .graph import no_grad, scope, topological_order
from .row import primitive

# Derivatives.
from .backward import gradients
from .derivatives import grad, hessian, hvp, jacobian, jvp, value_and_grad, vjp
from .evaluation import evaluate

# Seeing them: names, paths, formulas, worked solutions, drawings, and where a NaN came from.
from .waypoints import count_paths, label, paths
from .notation import formula
from .explanation import explain, why
from .worksheets import worksheet
from .anomaly import detect_anomaly, find_anomaly
from .drawing import draw

from . import errors, testing

abs = absolute
pow = power

__all__ = [
    "Tensor", "Value", "abs", "absolute", "add", "all", "any", "arctan", "argmax", "argmin", "astype",
    "average_pool", "broadcast_to", "clip", "concatenate", "convolution", "cos", "cosh", "count_paths", "cumprod",
    "cumsum", "detach", "detect_anomaly", "diagonal", "divide", "dot", "draw", "einsum", "elu", "equal", "erf",
    "erfc", "errors", "evaluate", "exp", "expand_dims", "explain", "expm1", "find_anomaly", "flip", "floor",
    "formula", "gelu", "grad", "gradients", "greater", "greater_equal", "hessian", "hook", "hvp", "isfinite",
    "isnan", "jacobian", "jvp", "label", "leaky_relu", "less", "less_equal", "linear", "log", "log1p",
    "log_sigmoid", "log_softmax", "logaddexp", "logical_and", "logical_not", "logical_or", "logsumexp", "matmul",
    "max", "max_pool", "maximum", "mean", "mean_square", "min", "minimum", "moveaxis", "multiply", "negative",
    "no_grad", "norm", "not_equal", "ones_like", "outer", "overlap_add", "pad", "paths", "pow", "power",
    "primitive", "prod", "random", "ravel", "reciprocal", "relu", "reshape", "roll", "round", "scope", "sigmoid",
    "sign", "silu", "sin", "sinh", "sliding_window_view", "softmax", "softmax_cross_entropy", "softplus", "split",
    "sqrt", "square", "squeeze", "stack", "std", "subtract", "sum", "swapaxes", "take", "tan", "tanh", "testing",
    "tile", "topological_order", "trace", "transpose", "transposed_convolution", "unstack", "value_and_grad", "var",
    "vjp", "where", "why", "window_correlation", "worksheet", "zeros_like",
]  # fmt: skip
