"""Labels: nodes under the names of the variables that hold them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import DataError
from ..graph import Node, describe


def label(mapping_or_pairs: Any = None, /, **names: Any) -> None:
    """Give nodes the names of the variables that hold them, as in `label(locals())` or `label(x=x, z=z)`.

    The first label of a node stays. Names that begin with an underscore are skipped, and so is all that is no node.
    A node inside a list, tuple or dict is called `w[0]` or `w["a"]`, unless a variable holds it too.

    Raises DataError for anything but a mapping from names, or pairs of a name and what it stands for.

    >>> import engine
    >>> x = engine.Value(2.0)
    >>> w = [x * x, x + 1]
    >>> engine.label(x=x, w=w)
    >>> x.label, w[1].label
    ('x', 'w[1]')
    """
    given = {} if mapping_or_pairs is None else mapping_or_pairs
    try:
        if isinstance(given, Node | str):
            raise TypeError
        found = [(name, thing) for name, thing in (given.items() if isinstance(given, Mapping) else given)]
        wrong = [name for name, _ in found if not isinstance(name, str)]
    except (TypeError, ValueError):
        wrong = [given]
    if wrong:
        what = describe(wrong[0]) if isinstance(wrong[0], Node) else repr(wrong[0])
        raise DataError(
            f"label() was given {what} of type {type(wrong[0]).__name__} where names belong. "
            "It reads label(mapping_or_pairs, **names). "
            "Write label(locals()), label(x=x, z=z) or label([('x', x), ('z', z)])."
        )
    found = [(name, thing) for name, thing in [*found, *names.items()] if not name.startswith("_")]
    seen = set()
    for name, thing in found:  # it grows: what variables hold comes first, then what their containers hold
        if isinstance(thing, Node):
            thing.label = thing.label or name
        elif isinstance(thing, list | tuple | dict) and id(thing) not in seen:
            seen.add(id(thing))
            for key, part in thing.items() if isinstance(thing, dict) else enumerate(thing):
                if isinstance(part, Node | list | tuple | dict):
                    found.append((f'{name}["{key}"]' if isinstance(key, str) else f"{name}[{key!r}]", part))
