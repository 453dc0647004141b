"""THE TABLE: what each operation is. One file for each kind of operation, one row for each operation.

As a namespace it answers to NumPy's names, like `numpy` itself and `engine.scalars`; rules that run in it record.
"""

from .arithmetic import add, divide, multiply, negative, power, subtract
from .elementwise import absolute, astype, cos, exp, expm1, leaky_relu, log, log1p, maximum, minimum, relu, sigmoid, sign, sin, softplus, sqrt, tan, tanh, where
from .comparisons import argmax, argmin, equal, greater, greater_equal, isfinite, isnan, less, less_equal, logical_and, logical_not, logical_or, not_equal
from .reductions import log_softmax, logsumexp, max, mean, min, norm, prod, softmax, sum, var
from .shapes import broadcast_to, concatenate, expand_dims, reshape, split, squeeze, stack, transpose, values
from .indexing import add_at, getitem, scatter, set_at
from .contractions import linear, matmul
from .random import standard_integers, standard_normal, standard_permutation, standard_uniform
from .identities import detach, hook, identity, pick

ROWS = {
    function.primitive.name: function.primitive
    for function in (
        add,
        divide,
        multiply,
        negative,
        power,
        subtract,
        absolute,
        astype,
        cos,
        exp,
        expm1,
        leaky_relu,
        log,
        log1p,
        maximum,
        minimum,
        relu,
        sigmoid,
        sign,
        sin,
        softplus,
        sqrt,
        tan,
        tanh,
        where,
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
        log_softmax,
        logsumexp,
        max,
        mean,
        min,
        norm,
        prod,
        softmax,
        sum,
        var,
        broadcast_to,
        concatenate,
        expand_dims,
        reshape,
        split,
        squeeze,
        stack,
        transpose,
        values,
        add_at,
        getitem,
        scatter,
        set_at,
        linear,
        matmul,
        standard_integers,
        standard_normal,
        standard_permutation,
        standard_uniform,
        detach,
        hook,
        identity,
        pick,
    )
}
"""Every row of the table, by name."""
