"""The table on which gradient checkers are tested: functions, the right gradient of each, and wrong ones.

A checker must pass each right gradient and refuse each wrong one, at every point that is named. Two kinds of entries:

- `Written`: a NumPy function beside a gradient that somebody wrote by hand. For a scalar result the gradient has the
  shape of the argument, else it is the Jacobian, of shape result shape + argument shape; a tuple for many arguments.
- `Ruled`: a forward and one rule for each input, in any namespace `xp` with NumPy's names, so that ours and others can
  make a primitive of it. A mistake may show at the first order or only at the second.

What is wrong with a gradient stands beside it in words. `tests/test_reference_functions.py` runs the table through
`engine.testing`, and `python -m benchmarks gradcheck` also through the checkers of other libraries.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import engine
from engine.testing import Comparison, check_gradient, check_gradients

Function = Callable[..., Any]


@dataclass(frozen=True, kw_only=True)
class Written:
    """A NumPy function, the right gradient, and gradients that are wrong."""

    name: str
    function: Function
    right: Function
    wrong: dict[str, Function]
    at: list[Any]
    """The points: an argument, or a tuple of them."""
    kinks: str = "raise"
    """What the checker is told to do about kinks: with anything but "raise", each point lies at one."""
    order: int = 1  # a gradient is nothing more


@dataclass(frozen=True, kw_only=True)
class Ruled:
    """A forward with one right rule for each input, and rules that are wrong, which stand in for the right ones."""

    name: str
    function: Function
    right: dict[str, Function]
    wrong: dict[str, dict[str, Function]]
    at: list[Any]
    kinks: str = "raise"
    order: int = 1
    """The order at which the mistakes show: below it, the wrong rules are right."""
    within: Function = lambda op, xp, *args: op(*args)
    """The function that is checked, made of the primitive and its arguments."""
    analytic: bool = False
    """Whether the forward may be evaluated at complex numbers."""
    kind: str = "general"


Reference = Written | Ruled


# Helpers for gradients.


def spread(slopes: Any, x: Any) -> np.ndarray:
    """Return the Jacobian of an entry-by-entry function, from its slopes at x, which was broadcast to their shape."""
    slopes, x = np.asarray(slopes), np.asarray(x)
    places = np.broadcast_to(np.arange(x.size).reshape(x.shape), slopes.shape)
    own = places[..., None] == np.arange(x.size)
    return np.where(own, slopes[..., None], slopes.dtype.type(0)).reshape(slopes.shape + x.shape)


def softmax(x: np.ndarray) -> np.ndarray:
    """Return exp(x) / sum(exp(x)) of a vector."""
    powers = np.exp(x - x.max())
    return powers / powers.sum()


def sigmoid(x: Any) -> Any:
    """Return 1 / (1 + exp(-x))."""
    return 1 / (1 + np.exp(-x))


def root(a: Any) -> Any:
    """Return the x with x**3 + x = a, up to 1e-9: as a function of a it goes in tiny steps."""
    low, high = 0.0 * a - 4.0, 0.0 * a + 4.0
    for _ in range(33):
        middle = (low + high) / 2
        low, high = np.where(middle**3 + middle < a, (middle, high), (low, middle))
    return (low + high) / 2


def fixed(x: Any) -> Any:
    """Return the data of a node, a tensor or a box of any library as a constant, which forgot where it came from."""
    if hasattr(x, "detach"):
        return x.detach()
    while hasattr(x, "_value"):  # a box of HIPS autograd, perhaps in another
        x = x._value
    return x


def bent(x: Any, factor: float) -> Any:
    """Return x itself, whose derivative is wrong by a factor: a mistake that shows one order later."""
    constant = fixed(x)
    return constant + factor * (x - constant)


def in_single(f: Function) -> Function:
    """Return f as a program that works in float32, whatever it is given."""

    @functools.wraps(f)
    def single(*args: Any) -> Any:
        return f(*[np.asarray(x, np.float32) for x in args])

    return single


def single(*numbers: Any) -> np.ndarray:
    """Return a float32 array."""
    return np.array(numbers, np.float32)


VECTOR = np.array([0.5, -1.25, 2.0])
SIGNS = np.array([-2.0, -0.75, 0.4, 1.5])
MANY = np.linspace(-3.0, 3.0, 40)
MATRIX = np.array([[1.5, -0.5, 0.25], [0.75, 2.0, -1.0]])
TALL = np.array([[1.0, 0.5], [-0.25, 2.0], [0.75, -1.5]])
SQUARE = np.array([[3.0, 0.5, -0.25], [0.5, 2.0, 0.75], [-0.5, 0.25, 4.0]])
HILBERT = 1 / (np.arange(6)[:, None] + np.arange(6) + 1)  # the classic of bad condition
NORMAL = np.random.default_rng(0).normal(size=50)
POSITIONS = np.array([0, 2, 2])
for _array in (VECTOR, SIGNS, MANY, MATRIX, TALL, SQUARE, HILBERT, NORMAL, POSITIONS):
    _array.flags.writeable = False  # no checker writes into what it is given


# The table.

ANALYTIC = [
    Written(
        name="sine",
        function=np.sin,
        right=lambda x: spread(np.cos(x), x),
        wrong={
            "0.1 % too large": lambda x: spread(1.001 * np.cos(x), x),
            "the sign": lambda x: spread(-np.cos(x), x),
        },
        at=[0.3, -2.0, VECTOR],
    ),
    Written(
        name="cube",
        function=lambda x: x**3,
        right=lambda x: spread(3 * x**2, x),
        wrong={
            "0.1 % too large": lambda x: spread(3.003 * x**2, x),
            "the factor 3 is missing": lambda x: spread(x**2, x),
        },
        at=[0.7, -20.0, VECTOR],
    ),
    Written(
        name="exponential",
        function=lambda x: np.exp(2 * x),
        right=lambda x: spread(2 * np.exp(2 * x), x),
        wrong={
            "the inner derivative is missing": lambda x: spread(np.exp(2 * x), x),
            "0.1 % too small": lambda x: spread(1.998 * np.exp(2 * x), x),
        },
        at=[0.0, 1.5, VECTOR],
    ),
    Written(
        name="logarithm",
        function=np.log,
        right=lambda x: spread(1 / x, x),
        wrong={
            "0.1 % too large": lambda x: spread(1.001 / x, x),
            "to the base of 10": lambda x: spread(1 / (x * np.log(10)), x),
        },
        at=[0.5, 3.0, 100.0],
    ),
    Written(
        name="square root",
        function=np.sqrt,
        right=lambda x: spread(0.5 / np.sqrt(x), x),
        wrong={"the factor 1/2 is missing": lambda x: spread(1 / np.sqrt(x), x)},
        at=[2.0, 0.01, 400.0],
    ),
    Written(
        name="tangent",
        function=np.tan,
        right=lambda x: spread(1 + np.tan(x) ** 2, x),
        wrong={"minus for plus": lambda x: spread(1 - np.tan(x) ** 2, x)},
        at=[0.6, -1.2, 1.5],
    ),
    Written(
        name="sigmoid",
        function=sigmoid,
        right=lambda x: spread(sigmoid(x) * (1 - sigmoid(x)), x),
        wrong={
            "the second factor is missing": lambda x: spread(sigmoid(x), x),
            "0.1 % too large": lambda x: spread(1.001 * sigmoid(x) * (1 - sigmoid(x)), x),
        },
        at=[0.25, -4.0, VECTOR],
    ),
    Written(
        name="hyperbolic tangent",
        function=np.tanh,
        right=lambda x: spread(1 - np.tanh(x) ** 2, x),
        wrong={"the square is missing": lambda x: spread(1 - np.tanh(x), x)},
        at=[0.4, -1.1, VECTOR],
    ),
    Written(
        name="reciprocal",
        function=lambda x: 1 / x,
        right=lambda x: spread(-1 / x**2, x),
        wrong={"the sign": lambda x: spread(1 / x**2, x), "0.1 %": lambda x: spread(-1.001 / x**2, x)},
        at=[0.5, -3.0],
    ),
    Written(
        name="arc tangent",
        function=np.arctan,
        right=lambda x: spread(1 / (1 + x**2), x),
        wrong={"0.1 % of x squared": lambda x: spread(1 / (1 + 1.003 * x**2), x)},
        at=[1.0, -2.0, 10.0],
    ),
    Written(
        name="bell curve",
        function=lambda x: np.exp(-(x**2) / 2),
        right=lambda x: spread(-x * np.exp(-(x**2) / 2), x),
        wrong={"the sign": lambda x: spread(x * np.exp(-(x**2) / 2), x)},
        at=[0.5, -1.5, VECTOR],
    ),
    Written(
        name="polynomial in two variables",
        function=lambda x, y: x**2 * y + y**3,
        right=lambda x, y: (2 * x * y, x**2 + 3 * y**2),
        wrong={
            "one term of the second is missing": lambda x, y: (2 * x * y, 3 * y**2),
            "the two are swapped": lambda x, y: (x**2 + 3 * y**2, 2 * x * y),
            "0.1 % in the second": lambda x, y: (2 * x * y, 1.001 * (x**2 + 3 * y**2)),
        },
        at=[(1.5, -0.5), (2.0, 3.0)],
    ),
    Written(
        name="nearly constant",
        function=lambda x: 5.0 + 0.0 * x,
        right=lambda x: spread(0.0 * x, x),
        wrong={"a slope of 0.001": lambda x: spread(0.001 + 0.0 * x, x)},
        at=[2.0, VECTOR],
    ),
    Written(
        name="Rosenbrock's valley",
        function=lambda x: np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2),
        right=lambda x: (
            np.append(-400 * x[:-1] * (x[1:] - x[:-1] ** 2) - 2 * (1 - x[:-1]), 0.0)
            + np.append(0.0, 200 * (x[1:] - x[:-1] ** 2))
        ),
        wrong={
            "201 for 200 in one term": lambda x: (
                np.append(-400 * x[:-1] * (x[1:] - x[:-1] ** 2) - 2 * (1 - x[:-1]), 0.0)
                + np.append(0.0, 201 * (x[1:] - x[:-1] ** 2))
            ),
        },
        at=[np.array([-1.2, 1.0, 0.5]), np.array([0.5, 0.75, 2.0, -1.0])],
    ),
]

KINKED = [
    Written(
        name="rectifier",
        function=lambda x: np.maximum(x, 0),
        right=lambda x: spread(np.where(x > 0, 1.0, 0.0), x),
        wrong={
            "0.1 % at positive inputs": lambda x: spread(np.where(x > 0, 1.001, 0.0), x),
            "1 at negative inputs": lambda x: spread(np.ones_like(x), x),
        },
        at=[SIGNS, np.array([-1e-3, 1e-3]), np.array([1e-5, -1e-5])],
    ),
    Written(
        name="rectifier, at its kink",
        function=lambda x: np.maximum(x, 0),
        right=lambda x: spread(np.where(x > 0, 1.0, 0.0), x),
        wrong={
            "2 at the kink": lambda x: spread(np.where(x > 0, 1.0, np.where(x < 0, 0.0, 2.0)), x),
            "below 0 at the kink": lambda x: spread(np.where(x > 0, 1.0, np.where(x < 0, 0.0, -0.01)), x),
            "beside the kink": lambda x: spread(np.where(x > 0, 1.001, 0.0), x),
        },
        at=[np.array([0.0, 1.0, -2.0])],
        kinks="subgradient",
    ),
    Written(
        name="absolute value",
        function=np.abs,
        right=lambda x: spread(np.sign(x), x),
        wrong={"the sign at negative inputs": lambda x: spread(np.ones_like(x), x)},
        at=[SIGNS, np.array([-1e-5, 2e-5]), np.array([-1e-7])],
    ),
    Written(
        name="absolute value, at its kink",
        function=np.abs,
        right=lambda x: spread(np.sign(x), x),
        wrong={"beyond 1 at the kink": lambda x: spread(np.where(x == 0, 1.5, np.sign(x)), x)},
        at=[np.array(0.0), np.array([3.0, 0.0])],
        kinks="subgradient",
    ),
    Written(
        name="leaky rectifier",
        function=lambda x: np.where(x > 0, x, 0.01 * x),
        right=lambda x: spread(np.where(x > 0, 1.0, 0.01), x),
        wrong={"0.02 at negative inputs": lambda x: spread(np.where(x > 0, 1.0, 0.02), x)},
        at=[SIGNS],
    ),
    Written(
        name="clip",
        function=lambda x: np.clip(x, -1, 1),
        right=lambda x: spread(np.where(abs(x) < 1, 1.0, 0.0), x),
        wrong={"it clips at 2": lambda x: spread(np.where(abs(x) < 2, 1.0, 0.0), x)},
        at=[np.array([-1.5, 0.5, 0.999, 1.001])],
    ),
    Written(
        name="larger of two",
        function=np.maximum,
        right=lambda x, y: (spread(np.where(x > y, 1.0, 0.0), x), spread(np.where(x > y, 0.0, 1.0), y)),
        wrong={
            "the two are swapped": lambda x, y: (
                spread(np.where(x > y, 0.0, 1.0), x),
                spread(np.where(x > y, 1.0, 0.0), y),
            )
        },
        at=[(VECTOR, np.array([0.4, -1.0, 1.0]))],
    ),
    Written(
        name="larger of two, at a tie",
        function=np.maximum,
        right=lambda x, y: (spread((1 + np.sign(x - y)) / 2, x), spread((1 - np.sign(x - y)) / 2, y)),
        wrong={
            "beyond either side": lambda x, y: (
                spread((1 + np.sign(x - y)) / 2 - (x == y), x),
                spread((1 - np.sign(x - y)) / 2, y),
            )
        },
        at=[(np.array([1.0, 2.0]), np.array([1.0, 0.5]))],
        kinks="subgradient",
    ),
    Written(
        name="largest entry",
        function=np.max,
        right=lambda x: np.where(x == x.max(), 1.0, 0.0),
        wrong={"spread over all": lambda x: np.full(x.shape, 1 / x.size), "0.1 %": lambda x: 1.001 * (x == x.max())},
        at=[VECTOR, MATRIX],
    ),
    Written(
        name="distance",
        function=lambda x: np.abs(x - 1).sum(),
        right=lambda x: np.sign(x - 1),
        wrong={"the sign below 1": lambda x: np.ones_like(x)},
        at=[SIGNS],
    ),
    Written(
        name="hinge",
        function=lambda x: np.maximum(1 - x, 0).mean(),
        right=lambda x: np.where(x < 1, -1.0, 0.0) / x.size,
        wrong={"the mean became a sum": lambda x: np.where(x < 1, -1.0, 0.0)},
        at=[SIGNS],
    ),
    Written(
        name="Huber's loss",
        function=lambda x: np.where(abs(x) < 1, x**2 / 2, abs(x) - 0.5).sum(),
        right=lambda x: np.clip(x, -1, 1),
        wrong={"it is never cut off": lambda x: x},
        at=[SIGNS, np.array([1.0, -1.0, 0.5, 2.0])],
    ),
    Written(
        name="step of the second derivative",
        function=lambda x: np.maximum(x, 0) ** 2,
        right=lambda x: spread(2 * np.maximum(x, 0), x),
        wrong={"negative inputs count": lambda x: spread(2 * x, x)},
        at=[SIGNS, np.array([0.0, -1e-3, 1.0])],
    ),
    Written(
        name="steps between whole numbers",
        function=np.floor,
        right=lambda x: spread(0.0 * x, x),
        wrong={"the slope of x": lambda x: spread(1.0 + 0.0 * x, x)},
        at=[0.5, np.array([-1.25, 3.9])],
    ),
    Written(
        name="norm, at zero",
        function=lambda x: np.sqrt(np.sum(x**2)),
        right=lambda x: x / max(np.sqrt(np.sum(x**2)), 1e-300),
        wrong={"beyond 1": lambda x: np.full(x.shape, 1.25)},
        at=[np.zeros(2)],
        kinks="subgradient",
    ),
    Written(
        name="root by bisection, to nine digits",
        function=root,
        right=lambda a: spread(1 / (3 * root(a) ** 2 + 1), a),
        wrong={
            "1 %": lambda a: spread(1.01 / (3 * root(a) ** 2 + 1), a),
            "minus for plus": lambda a: spread(1 / (3 * root(a) ** 2 - 1), a),
        },
        at=[0.5, np.array([0.3, -1.25, 1.7])],
    ),
]

SMALL_MEASURE = [
    Written(
        name="sine, wrong in places",
        function=np.sin,
        right=lambda x: spread(np.cos(x), x),
        wrong={
            "the sign at negative inputs": lambda x: spread(np.cos(x) * np.where(x < 0, -1, 1), x),
            "0.1 % beyond 2.9": lambda x: spread(np.cos(x) * np.where(x > 2.9, 1.001, 1), x),
            "0.1 % between 0.2 and 0.25": lambda x: spread(np.cos(x) * np.where((x > 0.2) & (x < 0.25), 1.001, 1), x),
            "NaN below -2.9": lambda x: spread(np.where(x < -2.9, np.nan, np.cos(x)), x),
            "infinite below -2.9": lambda x: spread(np.where(x < -2.9, np.inf, np.cos(x)), x),
        },
        at=[MANY, abs(VECTOR)],
    ),
    Written(
        name="square, wrong in places",
        function=lambda x: x**2,
        right=lambda x: spread(2 * x, x),
        wrong={
            "0.1 % where x is whole": lambda x: spread(2 * x * np.where(x == np.round(x), 1.001, 1), x),
            "one entry": lambda x: spread(2 * x + 0.01 * (np.arange(x.size) == 7), x),
            "off the diagonal": lambda x: spread(2 * x, x) + 0.01 * np.eye(x.size, k=x.size - 1),
        },
        at=[np.linspace(-3, 3, 13)],
    ),
    Written(
        name="product of all",
        function=np.prod,
        right=lambda x: np.array([np.prod(np.delete(x, i)) for i in range(x.size)]),
        wrong={"divides by x, and says 0 at 0": lambda x: np.where(x == 0, 0, np.prod(x) / np.where(x == 0, 1, x))},
        at=[np.array([2.0, 0.0, -1.5]), np.array([1.0, 2.0, 3.0])],
    ),
    Written(
        name="power with a variable exponent",
        function=lambda x, y: x**y,
        right=lambda x, y: (spread(y * x ** (y - 1), x), spread(np.log(x) * x**y, y)),
        wrong={
            "no logarithm below 1": lambda x, y: (
                spread(y * x ** (y - 1), x),
                spread(np.log(np.maximum(x, 1)) * x**y, y),
            )
        },
        at=[(np.array([0.5, 2.0, 3.0]), np.array([1.5, -1.0, 2.0]))],
    ),
    Written(
        name="one among many",
        function=lambda x: np.sin(x).sum(),
        right=np.cos,
        wrong={
            "1 % in one entry": lambda x: np.cos(x) * np.where(np.arange(x.size) == x.size // 3, 1.01, 1),
            "the sign in the last entry": lambda x: np.cos(x) * np.where(np.arange(x.size) == x.size - 1, -1, 1),
        },
        at=[np.linspace(-3, 3, 300)],
    ),
]

ILL_CONDITIONED = [
    Written(
        name="cancellation: x - sin(x)",
        function=lambda x: x - np.sin(x),
        right=lambda x: spread(2 * np.sin(x / 2) ** 2, x),
        wrong={"the factor 2 is missing": lambda x: spread(np.sin(x / 2) ** 2, x)},
        at=[0.1, 0.01, 1.0],
    ),
    Written(
        name="cancellation: (1 - cos(x)) / x**2",
        function=lambda x: (1 - np.cos(x)) / x**2,
        right=lambda x: spread((x * np.sin(x) - 2 * (1 - np.cos(x))) / x**3, x),
        wrong={"the sign": lambda x: spread(-(x * np.sin(x) - 2 * (1 - np.cos(x))) / x**3, x)},
        at=[0.1, 0.5, 2.0],
    ),
    Written(
        name="near a pole",
        function=lambda x: 1 / (x - 1),
        right=lambda x: spread(-1 / (x - 1) ** 2, x),
        wrong={"0.1 %": lambda x: spread(-1.001 / (x - 1) ** 2, x)},
        at=[1.001, 0.99, 1.00001],
    ),
    Written(
        name="logarithm near the edge",
        function=np.log,
        right=lambda x: spread(1 / x, x),
        wrong={"0.1 %": lambda x: spread(1.001 / x, x)},
        at=[1e-4, 1e-6, np.array([1e-5, 1.0])],
    ),
    Written(
        name="large offset",
        function=lambda x: x**2 + 1e8,
        right=lambda x: spread(2 * x, x),
        wrong={"0.1 %": lambda x: spread(2.002 * x, x), "the factor 2 is missing": lambda x: spread(x, x)},
        at=[1.5, VECTOR],
    ),
    Written(
        name="fast oscillation",
        function=lambda x: np.sin(1000 * x),
        right=lambda x: spread(1000 * np.cos(1000 * x), x),
        wrong={"0.1 %": lambda x: spread(1001 * np.cos(1000 * x), x)},
        at=[0.3, 1.0],
    ),
    Written(
        name="steep step",
        function=lambda x: np.tanh(1e4 * x),
        right=lambda x: spread(1e4 / np.cosh(1e4 * x) ** 2, x),
        wrong={"0.1 %": lambda x: spread(1.001e4 / np.cosh(1e4 * x) ** 2, x)},
        at=[0.0, 1e-4],
    ),
    Written(
        name="flat end",
        function=np.tanh,
        right=lambda x: spread(1 / np.cosh(x) ** 2, x),
        wrong={"1": lambda x: spread(np.ones_like(x), x)},
        at=[8.0, np.array([-9.0, 0.5])],
    ),
    Written(
        name="solution of Hilbert's equations",
        function=lambda b: np.linalg.solve(HILBERT, b),
        right=lambda b: np.linalg.inv(HILBERT),
        wrong={
            "0.1 %": lambda b: 1.001 * np.linalg.inv(HILBERT),
            "the largest entry": lambda b: np.linalg.inv(HILBERT) * np.where(np.linalg.inv(HILBERT) > 4e6, 1.01, 1),
        },
        at=[np.ones(6)],
    ),
    Written(
        name="log of a sum of exponentials, far out",
        function=lambda x: x.max() + np.log(np.exp(x - x.max()).sum()),
        right=softmax,
        wrong={"0.1 %": lambda x: 1.001 * softmax(x), "not normalised": lambda x: np.exp(x - x.max())},
        at=[np.array([1000.0, 999.0, 998.5]), np.array([-1000.0, -1000.5])],
    ),
    Written(
        name="variance of nearly equal numbers",
        function=lambda x: np.mean((x - x.mean()) ** 2),
        right=lambda x: 2 * (x - x.mean()) / x.size,
        wrong={"divided by n - 1": lambda x: 2 * (x - x.mean()) / (x.size - 1)},
        at=[np.array([100.0, 100.1, 99.9, 100.2]), VECTOR],
    ),
    Written(
        name="determinant of a nearly singular matrix",
        function=np.linalg.det,
        right=lambda a: np.linalg.det(a) * np.linalg.inv(a).T,
        wrong={"not transposed": lambda a: np.linalg.det(a) * np.linalg.inv(a)},
        at=[np.array([[1.0, 2.0], [0.4999, 1.0]]), SQUARE],
    ),
    Written(
        name="small derivative beside a large one",
        function=lambda x: 1e6 * np.sin(x[0]) + 1e-3 * np.cos(x[1]),
        right=lambda x: np.array([1e6 * np.cos(x[0]), -1e-3 * np.sin(x[1])]),
        wrong={"the sign of the small one": lambda x: np.array([1e6 * np.cos(x[0]), 1e-3 * np.sin(x[1])])},
        at=[np.array([0.5, 1.25])],
    ),
    Written(
        name="near a vertical tangent",
        function=lambda x: np.sqrt(1 - x**2),
        right=lambda x: spread(-x / np.sqrt(1 - x**2), x),
        wrong={
            "0.1 %": lambda x: spread(-1.001 * x / np.sqrt(1 - x**2), x),
            "the sign": lambda x: spread(x / np.sqrt(1 - x**2), x),
        },
        at=[0.999, -0.999999],
    ),
]

SCALES = [
    Written(
        name="tiny results",
        function=lambda x: 1e-20 * x**2,
        right=lambda x: spread(2e-20 * x, x),
        wrong={"0.1 %": lambda x: spread(2.002e-20 * x, x), "the sign": lambda x: spread(-2e-20 * x, x)},
        at=[1.5, VECTOR],
    ),
    Written(
        name="large results",
        function=lambda x: 1e20 * x**2,
        right=lambda x: spread(2e20 * x, x),
        wrong={"0.1 %": lambda x: spread(2.002e20 * x, x)},
        at=[1.5, VECTOR],
    ),
    Written(
        name="tiny inputs",
        function=lambda x: np.sin(1e8 * x),
        right=lambda x: spread(1e8 * np.cos(1e8 * x), x),
        wrong={"0.1 %": lambda x: spread(1.001e8 * np.cos(1e8 * x), x)},
        at=[1e-8, np.array([2e-9, -3e-8])],
    ),
    Written(
        name="large inputs",
        function=lambda x: x**2,
        right=lambda x: spread(2 * x, x),
        wrong={"0.1 %": lambda x: spread(2.002 * x, x)},
        at=[1e10, np.array([3e6, -2e8])],
    ),
    Written(
        name="large inputs, ordinary results",
        function=lambda x: np.exp(1e-7 * x),
        right=lambda x: spread(1e-7 * np.exp(1e-7 * x), x),
        wrong={"0.1 %": lambda x: spread(1.001e-7 * np.exp(1e-7 * x), x)},
        at=[1e7, np.array([-2e6, 5e6])],
    ),
    Written(
        name="inputs of very different sizes",
        function=lambda x: np.sum(np.array([1e-6, 1.0, 1e6]) * np.sin(np.array([1e-6, 1.0, 1e6]) * x)),
        right=lambda x: np.array([1e-12, 1.0, 1e12]) * np.cos(np.array([1e-6, 1.0, 1e6]) * x),
        wrong={
            "0.1 % of the largest": lambda x: np.array([1e-12, 1.0, 1.001e12]) * np.cos(np.array([1e-6, 1.0, 1e6]) * x)
        },
        at=[np.array([1e5, 0.5, 3e-7])],
    ),
    Written(
        name="physical constants",
        function=lambda m, v: m * v**2 / 2,
        right=lambda m, v: (v**2 / 2, m * v),
        wrong={"the mass is missing": lambda m, v: (v**2 / 2, v), "0.1 %": lambda m, v: (v**2 / 2, 1.001 * m * v)},
        at=[(9.1e-31, 2.2e6)],
    ),
    Written(
        name="square of a tiny number",
        function=lambda x: x**2,
        right=lambda x: spread(2 * x, x),
        wrong={"the sign": lambda x: spread(-2 * x, x)},
        at=[1e-3, np.array([1e-4, -1e-3])],
    ),
]

BROADCASTING = [
    Written(
        name="product of a matrix and a row",
        function=lambda x, y: x * y,
        right=lambda x, y: (spread(y + 0 * x, x), spread(x + 0 * y, y)),
        wrong={
            "only where a row is repeated": lambda x, y: (
                spread(y + 0 * x, x),
                spread((x + 0 * y) * (1 if x.shape == y.shape else 1.001), y),
            )
        },
        at=[(MATRIX, VECTOR), (MATRIX, MATRIX + 1), (VECTOR, MATRIX)],
    ),
    Written(
        name="outer difference",
        function=lambda x, y: (x[:, None] - y) ** 2,
        right=lambda x, y: (
            2 * (x[:, None] - y)[:, :, None] * np.eye(x.size)[:, None],
            -2 * (x[:, None] - y)[:, :, None] * np.eye(y.size),
        ),
        wrong={
            "the sign of the second": lambda x, y: (
                2 * (x[:, None] - y)[:, :, None] * np.eye(x.size)[:, None],
                2 * (x[:, None] - y)[:, :, None] * np.eye(y.size),
            )
        },
        at=[(VECTOR, SIGNS)],
    ),
    Written(
        name="shift by one number",
        function=lambda x, c: np.sum((x + c) ** 2),
        right=lambda x, c: (2 * (x + c), 2 * np.sum(x + c)),
        wrong={"not summed over the copies": lambda x, c: (2 * (x + c), 2 * np.mean(x + c))},
        at=[(VECTOR, 0.5), (MATRIX, -1.0)],
    ),
    Written(
        name="columns by a column",
        function=lambda x, c: (x / c).sum(),
        right=lambda x, c: (np.ones_like(x) / c, -(x / c**2).sum(axis=1, keepdims=True)),
        wrong={
            "summed along the wrong axis": lambda x, c: (np.ones_like(x) / c, -(x / c**2).sum(axis=0)[: c.size, None])
        },
        at=[(MATRIX, np.array([[2.0], [-0.5]]))],
    ),
]

REDUCTIONS = [
    Written(
        name="mean of squares",
        function=lambda x: np.mean(x**2),
        right=lambda x: 2 * x / x.size,
        wrong={"a sum": lambda x: 2 * x, "0.1 %": lambda x: 2.002 * x / x.size},
        at=[VECTOR, MATRIX],
    ),
    Written(
        name="sums of rows",
        function=lambda x: x.sum(axis=1),
        right=lambda x: np.eye(len(x))[:, :, None] * np.ones_like(x),
        wrong={"all rows": lambda x: np.ones((len(x), *x.shape))},
        at=[MATRIX],
    ),
    Written(
        name="norm",
        function=lambda x: np.sqrt(np.sum(x**2)),
        right=lambda x: x / np.sqrt(np.sum(x**2)),
        wrong={"not divided": lambda x: x, "divided by the square": lambda x: x / np.sum(x**2)},
        at=[VECTOR, MATRIX],
    ),
    Written(
        name="softmax",
        function=softmax,
        right=lambda x: np.diag(softmax(x)) - np.outer(softmax(x), softmax(x)),
        wrong={
            "only the diagonal": lambda x: np.diag(softmax(x) - softmax(x) ** 2),
            "0.1 %": lambda x: 1.001 * (np.diag(softmax(x)) - np.outer(softmax(x), softmax(x))),
        },
        at=[VECTOR, 10 * VECTOR],
    ),
    Written(
        name="cross-entropy",
        function=lambda x: -np.log(softmax(x)[1]),
        right=lambda x: softmax(x) - np.eye(x.size)[1],
        wrong={"the target is missing": softmax, "the sign": lambda x: np.eye(x.size)[1] - softmax(x)},
        at=[VECTOR, SIGNS],
    ),
    Written(
        name="running sum",
        function=np.cumsum,
        right=lambda x: np.tri(x.size),
        wrong={"from the other end": lambda x: np.tri(x.size).T, "one entry too few": lambda x: np.tri(x.size, k=-1)},
        at=[VECTOR, SIGNS],
    ),
    Written(
        name="normalised",
        function=lambda x: (x - x.mean()) / np.sqrt(np.mean((x - x.mean()) ** 2)),
        right=lambda x: (
            (np.eye(x.size) - 1 / x.size - np.outer(x - x.mean(), x - x.mean()) / (x.size * x.var())) / x.std()
        ),
        wrong={
            "the deviation is held fixed": lambda x: (np.eye(x.size) - 1 / x.size) / x.std(),
            "the mean is held fixed": lambda x: (
                (np.eye(x.size) - np.outer(x - x.mean(), x - x.mean()) / (x.size * x.var())) / x.std()
            ),
        },
        at=[VECTOR, SIGNS],
    ),
]

MATRICES = [
    Written(
        name="matrix times vector",
        function=lambda a, x: a @ x,
        right=lambda a, x: (np.eye(len(a))[:, :, None] * x, a),
        wrong={"0.1 % in the matrix": lambda a, x: (np.eye(len(a))[:, :, None] * x, 1.001 * a)},
        at=[(MATRIX, VECTOR)],
    ),
    Written(
        name="quadratic form",
        function=lambda x: x @ SQUARE @ x,
        right=lambda x: (SQUARE + SQUARE.T) @ x,
        wrong={"as if it were symmetric": lambda x: 2 * SQUARE @ x},
        at=[VECTOR],
    ),
    Written(
        name="trace of a product",
        function=lambda a, b: np.trace(a @ b),
        right=lambda a, b: (b.T, a.T),
        wrong={"0.1 %": lambda a, b: (b.T, 1.001 * a.T), "the sign": lambda a, b: (-b.T, a.T)},
        at=[(MATRIX, TALL)],
    ),
    Written(
        name="inverse",
        function=np.linalg.inv,
        right=lambda a: -np.einsum("ik,lj->ijkl", np.linalg.inv(a), np.linalg.inv(a)),
        wrong={"transposed": lambda a: -np.einsum("ik,lj->ijlk", np.linalg.inv(a), np.linalg.inv(a))},
        at=[SQUARE],
    ),
    Written(
        name="logarithm of a determinant",
        function=lambda a: np.log(np.linalg.det(a)),
        right=lambda a: np.linalg.inv(a).T,
        wrong={"not transposed": lambda a: np.linalg.inv(a), "0.1 %": lambda a: 1.001 * np.linalg.inv(a).T},
        at=[SQUARE],
    ),
    Written(
        name="least squares",
        function=lambda w, x: np.mean((x @ w - np.arange(len(x))) ** 2),
        right=lambda w, x: (
            2 * x.T @ (x @ w - np.arange(len(x))) / len(x),
            2 * np.outer(x @ w - np.arange(len(x)), w) / len(x),
        ),
        wrong={
            "the rows are not averaged": lambda w, x: (
                2 * x.T @ (x @ w - np.arange(len(x))),
                2 * np.outer(x @ w - np.arange(len(x)), w) / len(x),
            )
        },
        at=[(np.array([0.5, -1.0]), TALL)],
    ),
]

INDEXING = [
    Written(
        name="entries picked, one of them twice",
        function=lambda x: x[POSITIONS] ** 2,
        right=lambda x: 2 * x[POSITIONS][:, None] * np.eye(x.size)[POSITIONS],
        wrong={
            "the repeated one counts once": lambda x: (
                np.array([2, 2, 0])[:, None] * x[POSITIONS][:, None] * np.eye(x.size)[POSITIONS]
            )
        },
        at=[VECTOR],
    ),
    Written(
        name="sum of entries picked, one of them twice",
        function=lambda x: np.sum(x[POSITIONS] ** 2),
        right=lambda x: 2 * x * np.bincount(POSITIONS, minlength=x.size),
        wrong={"the repeated one counts once": lambda x: 2 * x * (np.bincount(POSITIONS, minlength=x.size) > 0)},
        at=[VECTOR],
    ),
    Written(
        name="differences of neighbours",
        function=np.diff,
        right=lambda x: np.eye(x.size - 1, x.size, k=1) - np.eye(x.size - 1, x.size),
        wrong={"the sign": lambda x: np.eye(x.size - 1, x.size) - np.eye(x.size - 1, x.size, k=1)},
        at=[VECTOR, SIGNS],
    ),
    Written(
        name="in order of size",
        function=np.sort,
        right=lambda x: np.eye(x.size)[np.argsort(x)],
        wrong={"the inverse permutation": lambda x: np.eye(x.size)[np.argsort(np.argsort(x))]},
        at=[np.array([2.0, 0.5, 3.0, -1.0])],
    ),
    Written(
        name="transposed and flattened",
        function=lambda x: x.T.ravel(),
        right=lambda x: np.eye(x.size).reshape(x.size, *x.shape[::-1]).swapaxes(1, 2),
        wrong={"flattened without transposing": lambda x: np.eye(x.size).reshape(x.size, *x.shape)},
        at=[MATRIX],
    ),
]

FLOAT32 = [
    Written(
        name="sine of float32",
        function=np.sin,
        right=lambda x: spread(np.cos(x), x),
        wrong={
            "0.1 %": lambda x: spread(np.float32(1.001) * np.cos(x), x),
            "the sign": lambda x: spread(-np.cos(x), x),
        },
        at=[single(0.5, -1.25, 2.0), np.float32(0.3) * np.ones((), np.float32)],
    ),
    Written(
        name="mean of squares of float32",
        function=lambda x: np.mean(x**2),
        right=lambda x: 2 * x / x.size,
        wrong={"0.1 %": lambda x: np.float32(2.002) * x / x.size},
        at=[NORMAL.astype(np.float32)],
    ),
    Written(
        name="softmax of float32",
        function=softmax,
        right=lambda x: np.diag(softmax(x)) - np.outer(softmax(x), softmax(x)),
        wrong={"only the diagonal": lambda x: np.diag(softmax(x) - softmax(x) ** 2)},
        at=[single(0.5, -1.25, 2.0)],
    ),
    Written(
        name="matrix product of float32",
        function=lambda a, x: a @ x,
        right=lambda a, x: (np.eye(len(a), dtype=a.dtype)[:, :, None] * x, a),
        wrong={"0.1 %": lambda a, x: (np.eye(len(a), dtype=a.dtype)[:, :, None] * x, np.float32(1.001) * a)},
        at=[(MATRIX.astype(np.float32), VECTOR.astype(np.float32))],
    ),
    Written(
        name="sine, in float32 inside",
        function=in_single(np.sin),
        right=in_single(lambda x: spread(np.cos(x), x)),
        wrong={"0.2 %": in_single(lambda x: spread(np.float32(1.002) * np.cos(x), x))},
        at=[single(0.5, -1.25, 2.0), VECTOR],
    ),
    Written(
        name="exponential, in float32 inside",
        function=in_single(lambda x: np.exp(x).sum()),
        right=in_single(np.exp),
        wrong={"0.2 %": in_single(lambda x: np.float32(1.002) * np.exp(x)), "0": in_single(np.zeros_like)},
        at=[single(0.5, -1.25, 2.0), np.array(1.5)],
    ),
    Written(
        name="sum of squares, in float32 inside",
        function=in_single(lambda x: np.sum(x * x)),
        right=in_single(lambda x: 2 * x),
        wrong={"the factor 2 is missing": in_single(lambda x: x)},
        at=[NORMAL.astype(np.float32), 1000 * NORMAL[:3]],
    ),
    Written(
        name="rectifier of float32",
        function=lambda x: np.maximum(x, 0),
        right=lambda x: spread((x > 0).astype(x.dtype), x),
        wrong={"1 at negative inputs": lambda x: spread(np.ones_like(x), x)},
        at=[single(0.5, -1.25, 0.01)],
    ),
    Written(
        name="large numbers of float32",
        function=lambda x: x**2,
        right=lambda x: spread(2 * x, x),
        wrong={"0.1 %": lambda x: spread(np.float32(2.002) * x, x)},
        at=[single(3e6, -2e8)],
    ),
    Written(
        name="square of float16",
        function=lambda x: x**2,
        right=lambda x: spread(2 * x, x),
        wrong={"the factor 2 is missing": lambda x: spread(x, x)},
        at=[np.array([0.5, -1.25, 2.0], np.float16)],
    ),
]

PRIMITIVES = [
    Ruled(
        name="primitive sine",
        function=lambda xp, x: xp.sin(x),
        right={"x": lambda xp, g, out, x: g * xp.cos(x)},
        wrong={
            "0.1 %": {"x": lambda xp, g, out, x: 1.001 * g * xp.cos(x)},
            "the sign at negative inputs": {
                "x": lambda xp, g, out, x: g * xp.cos(x) * xp.where(xp.less(x, 0), -1.0, 1.0)
            },
            "0.1 % below -1": {"x": lambda xp, g, out, x: g * xp.cos(x) * xp.where(xp.less(x, -1), 1.001, 1.0)},
        },
        at=[VECTOR, -1.5, MATRIX.astype(np.float32) - 1],
        analytic=True,
        kind="elementwise",
    ),
    Ruled(
        name="primitive exponential, by its result",
        function=lambda xp, x: xp.exp(x),
        right={"x": lambda xp, g, out, x: g * out},
        wrong={"the factor of the result is missing": {"x": lambda xp, g, out, x: g * 1.0}},
        at=[VECTOR, 1.5],
        analytic=True,
        kind="elementwise",
    ),
    Ruled(
        name="primitive product",
        function=lambda xp, x, y: x * y,
        right={"x": lambda xp, g, out, x, y: g * y, "y": lambda xp, g, out, x, y: g * x},
        wrong={
            "the inputs are swapped": {
                "x": lambda xp, g, out, x, y: g * x,
                "y": lambda xp, g, out, x, y: g * y,
            },
            "0.1 % where y is repeated": {
                "y": lambda xp, g, out, x, y: g * x if y.shape == out.shape else 1.001 * (g * x)
            },
        },
        at=[(MATRIX, VECTOR), (MATRIX, np.array(0.75))],
        analytic=True,
        kind="elementwise",
    ),
    Ruled(
        name="primitive matrix product",
        function=lambda xp, x, y: x @ y,
        right={"x": lambda xp, g, out, x, y: g @ y.T, "y": lambda xp, g, out, x, y: x.T @ g},
        wrong={
            "0.1 % in the second": {"y": lambda xp, g, out, x, y: 1.001 * (x.T @ g)},
            "the sign of the first": {"x": lambda xp, g, out, x, y: -(g @ y.T)},
        },
        at=[(MATRIX, TALL)],
        analytic=True,
        kind="contraction",
    ),
    Ruled(
        name="primitive sum of squares",
        function=lambda xp, x: xp.sum(x * x),
        right={"x": lambda xp, g, out, x: g * 2 * x},
        wrong={"the factor 2 is missing": {"x": lambda xp, g, out, x: g * x}},
        at=[VECTOR, MATRIX, single(0.5, 1.5)],
        analytic=True,
    ),
    Ruled(
        name="primitive rectifier",
        function=lambda xp, x: xp.where(xp.greater(x, 0), x, 0.0 * x),
        right={"x": lambda xp, g, out, x: g * xp.where(xp.greater(x, 0), 1.0, 0.0)},
        wrong={
            "1 at negative inputs": {"x": lambda xp, g, out, x: g * 1.0},
            "0.1 %": {"x": lambda xp, g, out, x: g * xp.where(xp.greater(x, 0), 1.001, 0.0)},
        },
        at=[SIGNS, SIGNS.astype(np.float32)],
        kind="elementwise",
    ),
    Ruled(
        name="primitive rectifier, at its kink",
        function=lambda xp, x: xp.where(xp.greater(x, 0), x, 0.0 * x),
        right={"x": lambda xp, g, out, x: g * xp.where(xp.greater(x, 0), 1.0, 0.0)},
        wrong={
            "2 at the kink": {
                "x": lambda xp, g, out, x: g * xp.where(xp.greater(x, 0), 1.0, xp.where(xp.less(x, 0), 0.0, 2.0))
            }
        },
        at=[np.array([0.0, -1.0, 2.0]), 0.0],
        kinks="subgradient",
        kind="elementwise",
    ),
    Ruled(
        name="primitive within a network",
        function=lambda xp, x: xp.tanh(x),
        right={"x": lambda xp, g, out, x: g * (1 - out * out)},
        wrong={
            "0.1 %": {"x": lambda xp, g, out, x: g * (1.001 - 1.001 * out * out)},
            "the square is missing": {"x": lambda xp, g, out, x: g * (1 - out)},
        },
        within=lambda op, xp, x, v, w: xp.sum(op(op(x @ v) @ w) ** 2),
        at=[(MATRIX, 0.5 * TALL, TALL.T)],
        analytic=True,
        kind="elementwise",
    ),
    Ruled(
        name="primitive within a loop",
        function=lambda xp, x: xp.sin(x),
        right={"x": lambda xp, g, out, x: g * xp.cos(x)},
        wrong={"0.1 %": {"x": lambda xp, g, out, x: 1.001 * g * xp.cos(x)}},
        within=lambda op, xp, x: op(op(op(op(op(x))))) * x,
        at=[VECTOR, 0.75],
        analytic=True,
        kind="elementwise",
    ),
    Ruled(
        name="primitive used by several",
        function=lambda xp, x: x * x * x,
        right={"x": lambda xp, g, out, x: g * 3 * x * x},
        wrong={"the factor 3 is missing": {"x": lambda xp, g, out, x: g * x * x}},
        within=lambda op, xp, x: op(x) + xp.exp(op(x)) * x,
        at=[np.array([0.5, -1.25, 1.0]), 0.75],
        analytic=True,
        kind="elementwise",
    ),
]

SECOND_ORDER = [
    Ruled(
        name="cube, to second order",
        function=lambda xp, x: x * x * x,
        right={"x": lambda xp, g, out, x: g * (3 * x * x)},
        wrong={
            "0.1 %": {"x": lambda xp, g, out, x: g * bent(3 * x * x, 1.001)},
            "the sign": {"x": lambda xp, g, out, x: g * bent(3 * x * x, -1.0)},
            "the rule reads numbers": {"x": lambda xp, g, out, x: g * fixed(3 * x * x)},
        },
        at=[0.3, -20.0, VECTOR],
        order=2,
        analytic=True,
        kind="elementwise",
    ),
    Ruled(
        name="sine, to second order",
        function=lambda xp, x: xp.sin(x),
        right={"x": lambda xp, g, out, x: g * xp.cos(x)},
        wrong={
            "0.1 %": {"x": lambda xp, g, out, x: g * bent(xp.cos(x), 1.001)},
            "0.1 % at negative inputs": {
                "x": lambda xp, g, out, x: g * xp.where(xp.less(x, 0), bent(xp.cos(x), 1.001), xp.cos(x))
            },
        },
        at=[VECTOR, MATRIX.astype(np.float32)],
        order=2,
        analytic=True,
        kind="elementwise",
    ),
    Ruled(
        name="exponential, to second order",
        function=lambda xp, x: xp.exp(x),
        right={"x": lambda xp, g, out, x: g * out},
        wrong={"the result is a constant": {"x": lambda xp, g, out, x: g * fixed(out)}},
        at=[VECTOR, 0.5],
        order=2,
        analytic=True,
        kind="elementwise",
    ),
    Ruled(
        name="doubling, to second order",
        function=lambda xp, x: 2.0 * x,
        right={"x": lambda xp, g, out, x: 2.0 * g},
        wrong={
            "what arrives is a constant": {"x": lambda xp, g, out, x: 2.0 * fixed(g) + 0.0 * x},
            "0.1 % of what arrives": {"x": lambda xp, g, out, x: 2.0 * bent(g, 1.001)},
        },
        at=[VECTOR, 1.5],
        order=2,
        analytic=True,
        kind="elementwise",
    ),
    Ruled(
        name="product, to second order",
        function=lambda xp, x, y: x * y,
        right={"x": lambda xp, g, out, x, y: g * y, "y": lambda xp, g, out, x, y: g * x},
        wrong={
            "the mixed derivative is 0": {"x": lambda xp, g, out, x, y: g * fixed(y)},
            "0.1 % in the mixed derivative": {"y": lambda xp, g, out, x, y: g * bent(x, 1.001)},
        },
        at=[(VECTOR, VECTOR + 1), (MATRIX, VECTOR), (2.0, 3.0)],
        order=2,
        analytic=True,
        kind="elementwise",
    ),
    Ruled(
        name="matrix product, to second order",
        function=lambda xp, x, y: x @ y,
        right={"x": lambda xp, g, out, x, y: g @ y.T, "y": lambda xp, g, out, x, y: x.T @ g},
        wrong={"0.1 %": {"y": lambda xp, g, out, x, y: bent(x, 1.001).T @ g}},
        at=[(MATRIX, TALL)],
        order=2,
        analytic=True,
        kind="contraction",
    ),
    Ruled(
        name="sum of squares, to second order",
        function=lambda xp, x: xp.sum(x * x),
        right={"x": lambda xp, g, out, x: g * 2 * x},
        wrong={"the rule reads numbers": {"x": lambda xp, g, out, x: g * 2 * fixed(x)}},
        at=[VECTOR, MATRIX],
        order=2,
        analytic=True,
    ),
    Ruled(
        name="reciprocal, to second order",
        function=lambda xp, x: 1.0 / x,
        right={"x": lambda xp, g, out, x: -g * out * out},
        wrong={"one of two factors is a constant": {"x": lambda xp, g, out, x: -g * out * fixed(out)}},
        at=[VECTOR, 1e-2],
        order=2,
        analytic=True,
        kind="elementwise",
    ),
    Ruled(
        name="network, to second order",
        function=lambda xp, x: xp.tanh(x),
        right={"x": lambda xp, g, out, x: g * (1 - out * out)},
        wrong={"0.1 %": {"x": lambda xp, g, out, x: g * bent(1 - out * out, 1.001)}},
        within=lambda op, xp, x, w: xp.sum(op(x @ w) ** 2),
        at=[(MATRIX, TALL)],
        order=2,
        analytic=True,
        kind="elementwise",
    ),
]

GROUPS: dict[str, list[Reference]] = {
    "analytic": ANALYTIC,
    "kinks": KINKED,
    "small measure": SMALL_MEASURE,
    "ill-conditioned": ILL_CONDITIONED,
    "scales": SCALES,
    "broadcasting": BROADCASTING,
    "reductions": REDUCTIONS,
    "matrices": MATRICES,
    "indexing": INDEXING,
    "float32": FLOAT32,
    "primitives": PRIMITIVES,
    "second order": SECOND_ORDER,
}


# How a checker reads it.


def arguments(point: Any) -> tuple[Any, ...]:
    """Return a point as a tuple of arguments."""
    return point if isinstance(point, tuple) else (point,)


def rows(gradient: Any) -> list[np.ndarray]:
    """Return what a gradient gave, a list with one entry for each argument."""
    return [np.asarray(part) for part in (gradient if isinstance(gradient, tuple) else (gradient,))]


def mistaken(entry: Reference, mistake: str, point: Any) -> bool:
    """Return whether a mistake shows at a point: the small ones do not at all of them."""
    if isinstance(entry, Ruled):
        return True
    args = arguments(point)
    pairs = zip(rows(entry.right(*args)), rows(entry.wrong[mistake](*args)), strict=True)
    return any(not np.array_equal(right, wrong) for right, wrong in pairs)


def check(entry: Reference, mistake: str | None, point: Any, **options: Any) -> Comparison:
    """Check an entry at a point by `engine.testing`, with its right gradient or with the one that has the mistake."""
    options = {"kinks": entry.kinks} | options
    if isinstance(entry, Written):
        gradient = entry.right if mistake is None else entry.wrong[mistake]
        return check_gradient(entry.function, gradient, *arguments(point), **options)
    op = primitive(entry, mistake)
    options = {"order": entry.order} | options
    return check_gradients(lambda *args: entry.within(op, engine, *args), *arguments(point), **options)


def primitive(entry: Ruled, mistake: str | None) -> Function:
    """Return the primitive of an entry, with the right rules or with those that have the mistake."""

    @functools.wraps(entry.function)
    def forward(xp: Any, *inputs: Any) -> Any:
        return entry.function(xp, *inputs)

    forward.__name__ = entry.name.replace(",", "").replace(" ", "_")
    return engine.primitive(kind=entry.kind, analytic=entry.analytic, **rules(entry, mistake))(forward)


def rules(entry: Ruled, mistake: str | None) -> dict[str, Function]:
    """Return one rule for each input."""
    return entry.right if mistake is None else entry.right | entry.wrong[mistake]
