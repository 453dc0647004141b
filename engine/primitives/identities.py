"""Rows that pass their input on unchanged."""

import numpy as np

from ..row import pick, primitive

__all__ = ["detach", "hook", "identity", "pick"]


@primitive(x=None, kind="identity", latex=r"\operatorname{{detach}}({x})")
def detach(xp, x):
    """The same data, as a constant: no gradient flows back through it.

    >>> import engine
    >>> engine.detach(engine.Value(2.0)).requires_grad
    False
    """
    return x


def _hook_rule(xp, g, out, x, function):
    changed = function(g.copy() if isinstance(g, np.ndarray) else g)  # the array may be on its way elsewhere too
    return g if changed is None else changed


@primitive(x=_hook_rule, kind="identity", latex="{x}")
def hook(xp, x, *, function):
    """The same data; on its way back the gradient is given to `function`, which may return another one.

    >>> import engine
    >>> x = engine.Value(2.0)
    >>> (engine.hook(x, function=lambda g: 10 * g) * 3).backward()
    >>> x.grad
    30.0
    """
    return x


@primitive(x=lambda xp, g, out, x: g, kind="identity", analytic=True, latex="{x}")
def identity(xp, x):
    """The same data, as a node of its own: a place for a label, or an argument to differentiate by."""
    return x
