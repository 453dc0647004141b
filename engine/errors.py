"""The errors of the engine: one family, each also the built-in error that a user would catch.

Every message has three sentences: what happened (with values, shapes and names), where, and what to write instead.
"""

from typing import Any


class EngineError(Exception):
    """The base of every error the engine raises on purpose."""


class ShapeError(EngineError, ValueError):
    """Shapes that do not fit: each other, an operation, or the tensor they are meant for."""


class DomainError(EngineError, ValueError):
    """A value outside what an operation is defined for."""


class DataError(EngineError, TypeError):
    """Data of a kind the engine does not hold: text, objects, ragged lists, complex numbers."""


class IndexingError(EngineError, IndexError):
    """An index outside the tensor, or of a kind that cannot index."""


class GraphError(EngineError, RuntimeError):
    """A graph that cannot be used as asked: nothing requires grad, or its inputs changed since it was recorded."""


class AnomalyError(GraphError, FloatingPointError):
    """The first NaN or infinity that detect_anomaly() met; `anomaly`, an engine.anomaly.Anomaly, describes it."""

    anomaly: Any = None


class PrimitiveError(EngineError, TypeError):
    """A primitive that is declared wrongly: a forgotten rule, or a rule for an input it does not have."""


class UnsupportedError(EngineError, TypeError):
    """A NumPy function or a calling form that would silently lose the gradient."""


class LayoutError(EngineError, RuntimeError):
    """A drawing that Graphviz could not lay out."""


class MissingExtraError(EngineError, ImportError):
    """An optional package that is not installed; the message names the extra that brings it."""


class GradientError(EngineError, AssertionError):
    """A derivative that a numerical one contradicts; `worst` is the engine.testing.Comparison, where there is one."""

    worst: object = None
