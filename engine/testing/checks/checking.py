"""Check gradients against numerical derivatives: those of the engine to any order, and those written by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ...errors import DataError
from .comparisons import Comparison, Settings
from .handwritten import HandWritten
from .recorded import Recorded
from .verdicts import agree, judge

MODES = {"reverse": ["reverse"], "forward": ["forward"], "both": ["reverse", "forward"]}
KINKS = ["raise", "skip", "subgradient"]


def check_gradients(
    f: Callable[..., Any],
    *args: Any,
    order: int = 1,
    mode: str = "reverse",
    fast: bool = False,
    kinks: str = "raise",
    wrt: int | Sequence[int] | None = None,
    rtol: float | None = None,
    atol: float | None = None,
) -> Comparison:
    """Compare the derivatives of f at `args` with numerical ones, and return the pair that lies farthest apart.

    The arguments are numbers, arrays, nodes, and nested lists, tuples and dicts of them. f is called with a Value for
    each float and a Tensor for each array of floats; everything else, integers too, is handed on and held fixed. It
    returns a node or a structure of nodes, the same ones each time. `wrt` names the positions of the arguments to
    differentiate by, where these are not all.

    With `order=2` the gradient itself, as a function of the arguments and of the gradient that arrives at the result,
    is checked too, and so on. `mode` is "reverse" (what `vjp` gives), "forward" (`jvp`) or "both". With `fast=True`
    one derivative in a random direction is compared, and all of them only where it disagrees. An entry whose
    derivatives from the left and from the right differ lies at a kink: it is reported (`kinks="raise"`), left out
    ("skip"), or right if it lies between the two ("subgradient").

    The numerical derivative is computed in double precision: by complex steps through the recorded graph where each
    row of it is analytic, else by extrapolated differences with an estimate of their error. The tolerance `rtol` is
    relative to each derivative and `atol` absolute; left out, they follow from the coarsest dtype on the way.

    Raises GradientError, an AssertionError, when a derivative is wrong; its `worst` is the Comparison.

    >>> import engine, numpy as np
    >>> worst = check_gradients(lambda x, y: engine.sin(x) * y, 0.5, np.array([1.0, 2.0]), order=2)
    >>> worst.excess < 1
    True
    >>> check_gradients(engine.relu, np.array([-1.0, 0.0]), kinks="skip").skipped
    1
    """
    if type(order) is not int or order < 1:
        raise DataError(
            f"check_gradients was given order={order!r}. It is the highest derivative to check. "
            "Write order=1 for gradients, order=2 for their own gradients as well."
        )
    _known("check_gradients", "mode", mode, list(MODES))
    _check_settings("check_gradients", f, fast, kinks, rtol, atol)
    function = Recorded.of(f, args, wrt)
    comparisons = []
    for number in range(1, order + 1):
        if number > 1:
            function = function.gradient(number)
        settings = Settings(order=number, kinks=kinks, fast=fast, rtol=rtol, atol=atol)
        comparisons += [judge(function, replace(settings, mode=one)) for one in MODES[mode]]
        if mode == "both" and not fast:
            comparisons.append(agree(function, settings))
    worst = max(comparisons, key=lambda comparison: comparison.excess)
    return replace(worst, skipped=sum(comparison.skipped for comparison in comparisons))


def check_gradient(
    f: Callable[..., Any],
    gradient: Callable[..., Any],
    *args: Any,
    fast: bool = False,
    kinks: str = "raise",
    wrt: int | Sequence[int] | None = None,
    rtol: float | None = None,
    atol: float | None = None,
) -> Comparison:
    """Compare a gradient that was written by hand with the numerical one, and return the pair farthest apart.

    f is any function of numbers and arrays: NumPy's, or one of another library that takes and returns arrays.
    `gradient(*args)` returns, for a result that is one number, an array of the shape of the argument; for an array the
    Jacobian, of shape result shape + argument shape. Where there are several floating-point arguments it returns a
    tuple, one entry for each; with `wrt`, one for each position that it names, or for all. Everything else is as in
    `check_gradients`. Data of single precision are widened, if f computes in double precision then; else steps and
    tolerances follow from the precision it has.

    Raises GradientError when a derivative is wrong, and ShapeError when `gradient` returns other shapes.

    >>> import numpy as np
    >>> check_gradient(np.sin, np.cos, 0.5).excess < 1
    True
    >>> check_gradient(np.sin, lambda x: 1.001 * np.cos(x), 0.5)
    Traceback (most recent call last):
        ...
    engine.errors.GradientError: The derivative of result by args[0] is 0.878..., and 0.877... by differences ...
    """
    _check_settings("check_gradient", f, fast, kinks, rtol, atol)
    _check_function("check_gradient", gradient)
    return judge(
        HandWritten(f, gradient, args, wrt), Settings(mode="given", kinks=kinks, fast=fast, rtol=rtol, atol=atol)
    )


def _check_settings(who: str, f: Any, fast: Any, kinks: Any, rtol: Any, atol: Any) -> None:
    _check_function(who, f)
    _known(who, "fast", fast, [False, True])
    _known(who, "kinks", kinks, KINKS)
    for name, value in {"rtol": rtol, "atol": atol}.items():
        if value is not None and not (isinstance(value, int | float | np.floating) and 0 <= float(value) < np.inf):
            raise DataError(
                f"{who} was given {name}={value!r}. It says how far apart two derivatives may be. "
                "Give a finite number that is not negative, or None to have it follow from the dtype."
            )


def _check_function(who: str, f: Any) -> None:
    if not callable(f):
        raise DataError(
            f"{who} was given {f!r} of type {type(f).__name__} in the place of a function. "
            "It calls the function itself, at many arguments. Write the function first and its arguments after it."
        )


def _known(who: str, name: str, value: object, allowed: list[Any]) -> None:
    if not isinstance(value, bool | str) or value not in allowed:
        raise DataError(
            f"{who} was given {name}={value!r}. The setting is one of {', '.join(map(repr, allowed))}. "
            "Write one of them."
        )
