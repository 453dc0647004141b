"""Parameters of estimators: each declared once, as a field of a dataclass, with its default and what it may be.

scikit-learn reads an estimator's parameters from the signature of its `__init__`, which a dataclass writes, and wants
them checked in `fit`, never before.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from numbers import Integral, Real
from typing import Any

import numpy as np

from engine import errors

from ..initializers import chosen

Check = Callable[[Any, str, Any], None]
"""Raises DomainError for a value of the parameter of that name, given to that estimator, which it may not have."""


def parameter(default: Any, check: Check | None = None, **settings: Any) -> Any:
    """Declare a parameter with its default and its check."""
    return dataclasses.field(default=default, metadata={"check": check}, **settings)


def number(default: float, interval: str) -> Any:
    """Declare a number in an interval, such as `"[0, 1)"`."""
    return parameter(default, _within(interval, Real, "a number", ()))


def whole(default: Any, interval: str, *others: Any) -> Any:
    """Declare a whole number in an interval, or one of `others`."""
    return parameter(default, _within(interval, Integral, "a whole number", others))


def flag(default: bool, levels: bool = False) -> Any:
    """Declare a choice between True and False, or also levels 0, 1, 2, ..., as of verbosity."""

    def check(estimator: Any, name: str, value: Any) -> None:
        if not isinstance(value, bool | np.bool_) and not (levels and isinstance(value, Integral)):
            raise _refused(estimator, name, value, "It is True or False.")

    return parameter(default, check)


def choice(default: str, *names: str, functions: bool = False, **settings: Any) -> Any:
    """Declare a choice between names; a function may stand in for them with `functions=True`."""

    def check(estimator: Any, name: str, value: Any) -> None:
        if not (functions and callable(value)):
            chosen(value if isinstance(value, str) else repr(value), dict.fromkeys(names), name)

    return parameter(default, check, **settings)


def check_parameters(estimator: Any) -> None:
    """Raise DomainError for the first parameter that is not what it was declared to be."""
    for field in dataclasses.fields(estimator):
        if check := field.metadata["check"]:
            check(estimator, field.name, getattr(estimator, field.name))


def _within(interval: str, kind: type, what: str, others: tuple[Any, ...]) -> Check:
    low, high = map(float, interval[1:-1].split(","))
    bounds = [bound for bound, bracket in ((low, interval[0]), (high, interval[-1])) if bracket in "[]"]

    def allowed(value: Any) -> bool:
        if isinstance(value, str):
            return value in others
        if isinstance(value, bool) or not isinstance(value, Real):
            return False
        within = low < float(value) < high or value in bounds
        return within and (isinstance(value, kind) or value == math.inf)

    def check(estimator: Any, name: str, value: Any) -> None:
        if not allowed(value):
            alternatives = "".join(f", or {other!r}" for other in others)
            raise _refused(estimator, name, value, f"It is {what} in {interval}{alternatives}.")

    return check


def _refused(estimator: Any, name: str, value: Any, rule: str) -> errors.DomainError:
    default = type(estimator).__dataclass_fields__[name].default
    return errors.DomainError(
        f"{name}={value!r} was given to {type(estimator).__name__}. {rule} Write for example {name}={default!r}."
    )
