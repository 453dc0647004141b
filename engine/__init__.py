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
    absolute, astype, cos, exp, expm1, leaky_relu, log, log1p, logaddexp, maximum, minimum, relu, sigmoid, sign, sin,
    softplus, sqrt, tan, tanh, where,
    # comparisons
    argmax, argmin, equal, greater, greater_equal, isfinite, isnan, less, less_equal, logical_and, logical_not,
    logical_or, not_equal,
    # reductions
    log_softmax, logsumexp, max, mean, mean_square, min, norm, prod, softmax, sum, var,
    # shapes and indexing
    broadcast_to, concatenate, expand_dims, reshape, split, squeeze, stack, transpose, unstack,
    # contractions
    linear, matmul,
    # identities
    detach, hook,
)  # fmt: skip
from .functions import clip, dot, moveaxis, ones_like, ravel, square, std, swapaxes, zeros_like
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
    "Tensor", "Value", "abs", "absolute", "add", "argmax", "argmin", "astype", "broadcast_to", "clip",
    "concatenate", "cos", "count_paths", "detach", "detect_anomaly", "divide", "dot", "draw", "equal", "errors",
    "evaluate", "exp", "expand_dims", "explain", "expm1", "find_anomaly", "formula", "grad", "gradients", "greater",
    "greater_equal", "hessian", "hook", "hvp", "isfinite", "isnan", "jacobian", "jvp", "label", "leaky_relu",
    "less", "less_equal", "linear", "log", "log1p", "log_softmax", "logaddexp", "logical_and", "logical_not",
    "logical_or", "logsumexp", "matmul", "max", "maximum", "mean", "mean_square", "min", "minimum", "moveaxis",
    "multiply", "negative", "no_grad", "norm", "not_equal", "ones_like", "paths", "pow", "power", "primitive",
    "prod", "random", "ravel", "reciprocal", "relu", "reshape", "scope", "sigmoid", "sign", "sin", "softmax",
    "softplus", "split", "sqrt", "square", "squeeze", "stack", "std", "subtract", "sum", "swapaxes", "tan", "tanh",
    "testing", "topological_order", "transpose", "unstack", "value_and_grad", "var", "vjp", "where", "why",
    "worksheet", "zeros_like",
]  # fmt: skip
