"""Module: a part of a model, whose attributes are the tree."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from reprlib import recursive_repr
from typing import Any, Self

import numpy as np

import engine
from engine import Tensor, Value

LEAVES = (Value, Tensor)
LISTS = (list, tuple)


class Module:
    """The base of everything that is trained: keep its parts as attributes in `__init__`, and write `forward`.

    There is nothing to register. Values and Tensors that are leaves are parameters, plain arrays are buffers, modules
    are children; lists, tuples and dicts are walked. What is reached twice counts once, under its first name, and a
    result that was computed and kept is no part of the tree.

    A node that is made during a call has the path of the modules as its `origin`. The module called first has the name
    of its class there, those below it the names of their places, as in `"Sequential/Linear 0"`; one that joins them
    after that, of its class.

    >>> class Line(Module):
    ...     def __init__(self):
    ...         self.slope, self.offset = Value(2.0), Value(1.0)
    ...
    ...     def forward(self, x):
    ...         return self.slope * x + self.offset
    >>> line = Line()
    >>> line(3.0), line.parameters()
    (Value(7.0), [Value(2.0), Value(1.0)])
    """

    training: bool = True
    _name: str | None = None  # how the tree calls this module; given when a module is called that has none

    def forward(self, *inputs: Any, **settings: Any) -> Any:
        """Compute the output; every module writes its own."""
        raise NotImplementedError(
            f"{type(self).__name__} was called, and it has no forward(). A module computes its output there. "
            "Write `def forward(self, x):` in the class, and call the module itself, as in model(x)."
        )

    def __call__(self, *inputs: Any, **settings: Any) -> Any:
        """Return forward(...), computed in a scope that has the module's name."""
        with engine.scope(self._name or self._name_tree()):
            return self.forward(*inputs, **settings)

    def _name_tree(self) -> str:
        """Call this module by its class, and all below it by their place in the module that holds them.

        A place that is only a number says its class too.
        """
        for module in reversed(self.modules()):  # so that of two names the first one stays
            for name, child in module.named_children():
                child._name = f"{type(child).__name__} {name}" if name.isdecimal() else name
        self._name = type(self).__name__
        return self._name

    def _attributes(self) -> Iterable[tuple[str, Any]]:
        """What this module holds, by name."""
        return vars(self).items()

    def parameters(self) -> list[Any]:
        """Return what is trained: the leaves of the tree, in the order of the attributes."""
        return [node for _, node in self.named_parameters()]

    def named_parameters(self) -> list[tuple[str, Any]]:
        """Return the parameters with their names, such as `("0.weight", Tensor(...))`."""
        return [(name, part) for name, part in _walk(self) if isinstance(part, LEAVES)]

    def buffers(self) -> list[np.ndarray]:
        """Return the plain arrays of the tree, which belong to the model and are not trained."""
        return [array for _, array in self.named_buffers()]

    def named_buffers(self) -> list[tuple[str, np.ndarray]]:
        """Return the buffers with their names."""
        return [(name, part) for name, part in _walk(self) if isinstance(part, np.ndarray)]

    def modules(self) -> list[Module]:
        """Return this module and all modules below it."""
        return [module for _, module in self.named_modules()]

    def named_modules(self) -> list[tuple[str, Module]]:
        """Return this module under the name `""`, and all below it with their names."""
        return [(name, part) for name, part in _walk(self) if isinstance(part, Module)]

    def children(self) -> list[Module]:
        """Return the modules that this one holds itself."""
        return [module for _, module in self.named_children()]

    def named_children(self) -> list[tuple[str, Module]]:
        """Return the modules that this one holds itself, with their names."""
        return [(name, part) for name, part in _walk(self, deep=False) if isinstance(part, Module) and name]

    def train(self, mode: bool = True) -> Self:
        """Put this module and all below it into training mode, and return it."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """Put this module and all below it into evaluation mode, and return it."""
        return self.train(False)

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for parameter in self.parameters():
            parameter.grad = None

    @recursive_repr()
    def __repr__(self) -> str:
        lines = [
            f"{name}: {repr(part) if isinstance(part, Module) else _summary(part)}"
            for name, part in _walk(self, deep=False)
            if part is not self
        ]
        return tree(self, lines)


def tree(module: Module, lines: list[str]) -> str:
    """Return a module's class with its parts indented below."""
    body = "".join(f"\n{line}" for line in lines).replace("\n", "\n  ")
    return f"{type(module).__name__}({body}\n)" if lines else f"{type(module).__name__}()"


def _walk(root: Module, deep: bool = True) -> Iterator[tuple[str, Any]]:
    """The root and its parts, each once, with names like `layers.0.weight`: modules, parameters and buffers.

    With `deep=False` the parts of the modules that the root holds are left out.
    """
    seen: set[int] = set()

    def visit(name: str, part: Any) -> Iterator[tuple[str, Any]]:
        if isinstance(part, LEAVES):
            if part.op is None and id(part) not in seen:
                seen.add(id(part))
                yield name, part
            return
        within: Iterable[tuple[Any, Any]]
        if isinstance(part, Module):
            within = part._attributes() if deep or part is root else ()
        elif isinstance(part, LISTS):
            within = enumerate(part)
        elif isinstance(part, dict):
            within = part.items()
        elif isinstance(part, np.ndarray):
            within = ()
        else:
            return
        if id(part) in seen:
            return
        seen.add(id(part))
        if not isinstance(part, (*LISTS, dict)):
            yield name, part
        for key, inner in within:
            yield from visit(f"{name}.{key}" if name else str(key), inner)

    return visit("", root)


def _summary(part: Any) -> str:
    """A parameter or buffer in one line: a number, or what it is, its shape and dtype."""
    if isinstance(part, Value):
        return repr(part)
    kind = "Tensor" if isinstance(part, Tensor) else "array"
    return f"{kind} of shape {part.shape}, {part.dtype}"
