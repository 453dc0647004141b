"""Settings and states: what optimisers and schedules may be told, and the flat dicts that they are saved in.

A state is a dict whose values are only arrays, ints, floats, bools and strings, so that a safetensors file with some
JSON can hold it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from engine import errors

from .initializers import chosen

SWITCHES = {"nesterov", "centered", "amsgrad", "cycle_momentum"}
COUNTS = {
    "max_iterations": 1,
    "max_evaluations": 1,
    "history_size": 1,
    "every": 1,
    "duration": 1,
    "patience": 0,
    "cooldown": 0,
}
FRACTIONS = {"momentum", "beta1", "beta2", "smoothing", "start", "warm_up", "base_momentum", "max_momentum"}
POSITIVE = {"epsilon", "max_norm", "limit", "start_divisor", "end_divisor"}
CHOICES = {
    "unit": ("epoch", "step"),
    "mode": ("min", "max"),
    "threshold_mode": ("relative", "absolute"),
    "anneal": ("cosine", "linear"),
}


def setting(owner: str, name: str, value: Any) -> Any:
    """Return a setting in its own type; raise DomainError for one that `owner` cannot work with.

    Names mean the same everywhere: the tables above say which are switches, counts, fractions below 1, positive
    numbers and choices. All others are numbers that are not negative.

    >>> setting("SGD", "momentum", 0)
    0.0
    """
    if name in CHOICES:
        return chosen(value if isinstance(value, str) else repr(value), {each: each for each in CHOICES[name]}, name)
    if name in SWITCHES:
        if isinstance(value, bool | np.bool_):
            return bool(value)
        need = "True or False"
    elif name in COUNTS:
        if isinstance(value, int | np.integer) and not isinstance(value, bool) and value >= COUNTS[name]:
            return int(value)
        need = f"a whole number of at least {COUNTS[name]}"
    else:
        try:
            number = math.nan if isinstance(value, str) else float(value)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if 0 <= number < (1 if name in FRACTIONS else math.inf) and (number or name not in POSITIVE):
            return number
        least = "positive" if name in POSITIVE else "not negative"
        need = f"a number that is {least} and {'less than 1' if name in FRACTIONS else 'finite'}"
    raise errors.DomainError(f"{name}={value!r} was given. It is a setting of {owner}. Give {need}.")


def check_state(owner: str, expected: Mapping[str, Any], given: Any) -> None:
    """Raise an error unless `given` has the names of `expected`, with values of the same types, shapes and dtypes.

    The first name says whose state it is. A number may come as a float or as an array without axes.
    """
    if not isinstance(given, Mapping):
        raise errors.DataError(
            f"{owner} was given a state of type {type(given).__name__}. A state is the dict that state_dict() returns. "
            f"Give one that was saved from {owner}."
        )
    whose = next(iter(expected))
    if given.get(whose) != expected[whose]:
        raise errors.DomainError(
            f"{owner} was given the state of {given.get(whose, 'something else')!r}. Another {whose} remembers other "
            f"things, and nothing was loaded. Give a state that {owner} saved with state_dict()."
        )
    missing = [name for name in expected if name not in given]
    unexpected = [name for name in given if name not in expected]
    if missing or unexpected:
        lists = [f"{len(names)} {what} ({_some(names)})" for names, what in
                 ((missing, "missing"), (unexpected, "unexpected")) if names]  # fmt: skip
        raise errors.DomainError(
            f"{owner} was given a state with names that are {' and '.join(lists)}. It does not belong to these "
            f"parameters and settings, and nothing was loaded. Make {owner} as the one that was saved."
        )
    for name, mine in expected.items():
        _check_entry(owner, name, mine, given[name])


def _check_entry(owner: str, name: str, mine: Any, value: Any) -> None:
    kind: type[errors.EngineError] = errors.DataError
    if isinstance(mine, np.ndarray | float):
        numeric = isinstance(value, np.ndarray | np.number | float | int) and not isinstance(value, bool)
        array, like = np.asarray(value if numeric else None), np.asarray(mine)
        if array.shape != like.shape:
            kind = errors.ShapeError
        elif array.dtype == like.dtype or (not like.ndim and array.dtype.kind in "fiu"):
            return
        need = f"an array of shape {like.shape} and dtype {like.dtype}" if like.ndim else "a number"
    elif type(value) is type(mine) and (not isinstance(mine, int) or value >= 0):
        return
    else:
        need = f"one like {mine!r}"
    wrong = f"an array of shape {value.shape} and dtype {value.dtype}" if isinstance(value, np.ndarray) else repr(value)
    raise kind(
        f"The entry {name!r} of the state is {wrong}. {owner} needs {need} there, and nothing was loaded. "
        f"Give a state that {owner} saved with state_dict() for the same parameters."
    )


def _some(names: list[str]) -> str:
    return ", ".join(map(repr, names[:4])) + (", ..." if len(names) > 4 else "")
