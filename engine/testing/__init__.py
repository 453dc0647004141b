"""The testing kit: gradients against numerical derivatives, and strategies for Hypothesis.

Needs neither pytest nor Hypothesis; only `engine.testing.strategies` does, and is imported when it is asked for.

>>> from engine.testing import check_gradients
>>> check_gradients(lambda x: x**3, 2.0).method
'complex step'
"""

from typing import Any

from ..errors import GradientError
from . import properties
from .checks import Comparison, check_gradient, check_gradients
from .mutations import mutate

__all__ = ["Comparison", "GradientError", "check_gradient", "check_gradients", "mutate", "properties", "strategies"]


def __getattr__(name: str) -> Any:
    if name == "strategies":
        import engine.testing.strategies as strategies  # `from . import` would ask this function again

        return strategies
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
