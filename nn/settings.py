"""Settings and states: what optimisers and schedules may be told, and the flat dicts that they are saved in.

A class says of its settings what they may be, as in `momentum: float = interval("[0, 1)")`. A setting of which it says
nothing may be whatever can be saved.

A state is a dict whose values are only arrays, ints, floats, bools, strings and None, so that a safetensors file with
some JSON can hold it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from engine import errors

Setting = tuple[str, Callable[[Any], bool], Callable[[Any], Any]]
"""What a setting may be: in words, as a test, and the type that it gets.

No class, because CPython reads `self.momentum` faster where `type(self).momentum` is of a built-in type.
"""


def interval(bounds: str = "[0, inf)") -> Any:
    """Declare a number in an interval that is open above, such as `"[0, 1)"`."""
    low, high = map(float, bounds[1:-1].split(","))

    def fits(value: Any) -> bool:
        return not isinstance(value, str) and (low < float(value) < high or (bounds[0] == "[" and value == low))

    return f"a number in {bounds}", fits, float


def whole(least: int, optional: bool = False) -> Any:
    """Declare a whole number, or None if it is optional."""

    def fits(value: Any) -> bool:
        if value is None:
            return optional
        return isinstance(value, int) and not isinstance(value, bool) and value >= least

    wanted = f"a whole number of at least {least}" + (", or None" if optional else "")
    return wanted, fits, lambda value: value


def flag() -> Any:
    """Declare a choice between True and False."""
    return "True or False", lambda value: isinstance(value, bool), bool


def choice(*names: str) -> Any:
    """Declare a choice between names."""
    return " or ".join(map(repr, names)), lambda value: isinstance(value, str) and value in names, str


def checked(declared: Setting, owner: str, name: str, value: Any) -> Any:
    """Return a setting in its own type; raise DomainError for one that does not fit.

    >>> checked(interval("[0, 1)"), "SGD", "momentum", 0)
    0.0
    """
    wanted, fits, kind = declared
    value = value.item() if isinstance(value, np.generic) else value
    try:
        if fits(value):
            return kind(value)
    except (TypeError, ValueError, OverflowError):
        pass  # what cannot even be compared does not fit
    raise errors.DomainError(f"{name}={value!r} was given. It is a setting of {owner}. Give {wanted}.")


def setting(owner: Any, name: str, value: Any) -> Any:
    """Return a setting as the class of its owner declares it, or else any that can be saved."""
    declared = getattr(type(owner), name, None)
    if not isinstance(declared, tuple):
        wanted = "a number, a string, True, False or None, which can be saved"
        declared = wanted, lambda value: isinstance(value, bool | int | float | str | None), lambda value: value
    return checked(declared, type(owner).__name__, name, value)


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
    elif type(value) is type(mine) and (not isinstance(mine, int) or value >= min(mine, 0)):
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
