"""Module: a part of a model, whose attributes are the tree."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from fnmatch import fnmatchcase
from reprlib import recursive_repr
from typing import Any, NamedTuple, Self

import numpy as np

import engine
from engine import Tensor, Value, errors

from .summary import summarize

LEAVES = (Value, Tensor)
LISTS = (list, tuple)


class StateError(errors.EngineError, ValueError):
    """A state that does not fit what it is to be loaded into."""


class IncompatibleKeys(NamedTuple):
    """The names of a model that a state did not have, and those of the state that the model does not have."""

    missing_keys: list[str]
    unexpected_keys: list[str]


class Module:
    """The base of everything that is trained: keep its parts as attributes in `__init__`, and write `forward`.

    There is nothing to register. Values and Tensors that are leaves are parameters, plain arrays are buffers, modules
    are children; lists, tuples and dicts are walked. What is reached twice counts once, under its first name, and a
    result that was computed and kept is no part of the tree: write `Tensor(array * 0.1)`, not `Tensor(array) * 0.1`.

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
    _hooks: deque[Hook] | None = None  # a deque, because lists are walked and a hook is no part of the tree

    def forward(self, *inputs: Any, **settings: Any) -> Any:
        """Compute the output; every module writes its own."""
        raise NotImplementedError(
            f"{type(self).__name__} was called, and it has no forward(). A module computes its output there. "
            "Write `def forward(self, x):` in the class, and call the module itself, as in model(x)."
        )

    def __call__(self, *inputs: Any, **settings: Any) -> Any:
        """Return forward(...), computed in a scope that has the module's name, or what the hooks make of it."""
        with engine.scope(self._name or self._name_tree()):
            if self._hooks is None:
                return self.forward(*inputs, **settings)
            output = self.forward(*inputs, **settings)
            for hook in tuple(self._hooks):
                replacement = hook(self, inputs, output)
                output = output if replacement is None else replacement
            return output

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

    def get_submodule(self, name: str) -> Module:
        """Return the module that `named_modules()` calls so, such as `"layers.0"`; this one is called `""`.

        Raises DomainError for an unknown name, with the closest known one.
        """
        return _named(name, self.named_modules(), "a submodule", exactly=True)[0]

    def state_dict(self) -> dict[str, np.ndarray]:
        """Return copies of all parameters and buffers by name; a Value is an array of shape ().

        What is shared stands there once, under its first name.

        >>> from nn import Linear
        >>> {name: array.shape for name, array in Linear(3, 2).state_dict().items()}
        {'weight': (2, 3), 'bias': (2,)}
        """
        return {name: np.array(_data(part)) for name, part in self._state().items()}

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True) -> IncompatibleKeys:
        """Take over the parameters and buffers of a `state_dict()`, converted to the dtypes that they have here.

        With `strict=False` names that only one of the two has are passed over. Returns these names, as PyTorch does.

        Raises StateError, which lists all that is missing, unexpected, of another shape or of another kind of number;
        nothing is loaded then.

        >>> from nn import Linear
        >>> model, twin = Linear(3, 2), Linear(3, 2, bias=False)
        >>> twin.load_state_dict(model.state_dict(), strict=False)
        IncompatibleKeys(missing_keys=[], unexpected_keys=['bias'])
        >>> bool((twin.weight.data == model.weight.data).all())
        True
        """
        if not isinstance(state, Mapping):
            raise StateError(
                f"{state!r:.100} of type {type(state).__name__} was given as a state. "
                f"It was to be loaded into {type(self).__name__}, and a state is a dict of arrays by name. "
                "Give what state_dict() of such a model returned; load_weights(model, path) reads a file."
            )
        parts = self._state()
        loaded, complaints = [], []
        missing, unexpected = [name for name in parts if name not in state], [x for x in state if x not in parts]
        if strict:
            complaints += [f"missing {', '.join(map(repr, missing))}"] if missing else []
            complaints += [f"unexpected {', '.join(map(repr, unexpected))}"] if unexpected else []
        elif parts and not parts.keys() & state.keys():
            complaints.append("it has none of the names here")
        for name in [name for name in parts if name in state]:
            try:
                loaded.append((parts[name], _fitting(state[name], parts[name])))
            except StateError as error:
                complaints.append(f"{name!r} {error}")
        if complaints:
            raise StateError(
                f"The state does not fit this {type(self).__name__}: {'; '.join(complaints)}. "
                "Nothing was changed by load_state_dict. Give the state of a model that is built in the same way"
                f"{', or strict=False to pass over missing and unexpected names' if strict else ''}."
            )
        for part, array in loaded:
            if isinstance(part, LEAVES):
                part.data = array
            else:
                part[...] = array
        return IncompatibleKeys(missing, unexpected)

    def _state(self) -> dict[str, Any]:
        """The parameters and buffers by name; an error where two have the same one."""
        named = [(name, part) for name, part in _walk(self) if not isinstance(part, Module)]
        state = dict(named)
        if len(state) < len(named):
            twice = next(name for name, part in named if state[name] is not part)
            raise StateError(
                f"Two parts of this {type(self).__name__} are called {twice!r}. A state has one array for each name. "
                "Give the key of a dict in the model another name, without dots."
            )
        return state

    def freeze(self, names: str = "*") -> Self:
        """Keep parameters as they are: they require no gradient, so that optimisers pass them over.

        `names` says which, as in `"0.weight"`, `"*.bias"`, or `"encoder"` for all below it; without it, all are. A
        frozen BatchNorm still counts its running means while it is in training mode.

        Returns this module. Raises DomainError where no parameter has such a name.

        >>> from nn import Linear, Sequential
        >>> model = Sequential(Linear(2, 3), Linear(3, 1))
        >>> model.layers[0].freeze()
        Linear(2, 3)
        >>> [name for name, parameter in model.named_parameters() if parameter.requires_grad]
        ['1.weight', '1.bias']
        """
        for parameter in self._parameters_called(names):
            parameter.requires_grad = False
            parameter.grad = None  # an optimiser would still use it
        return self

    def unfreeze(self, names: str = "*") -> Self:
        """Train parameters again, those of the given names or all; see `freeze`."""
        for parameter in self._parameters_called(names):
            if parameter.dtype.kind == "f":
                parameter.requires_grad = True
        return self

    def _parameters_called(self, names: str) -> list[Any]:
        named = self.named_parameters()
        return _named(names, named, "the parameters", below=True) if names != "*" else [part for _, part in named]

    def register_forward_hook(self, hook: Hook, names: str = "") -> HookHandle:
        """Call `hook(module, inputs, output)` after each call of this module; what it returns replaces the output.

        A hook that returns None leaves the output as it is. `names` says which modules below this one are meant, as in
        `"0"` or `"encoder.*"`; `""` is this one itself. The result has `remove()`, and removes the hook at the end of
        a `with` block.

        Raises DomainError where no module has such a name.

        >>> from nn import ReLU, Sequential, Tanh
        >>> model = Sequential(Tanh(), ReLU())
        >>> with model.register_forward_hook(lambda module, inputs, output: print(module, inputs, output), "1"):
        ...     y = model(0.0)
        ReLU() (0.0,) 0.0
        """
        if not callable(hook):
            raise errors.DataError(
                f"{hook!r} was given as a hook. It is called with (module, inputs, output) after each call. "
                "Give a function of these three."
            )
        return HookHandle(_named(names, self.named_modules(), "the modules of a hook"), hook)

    def summary(self, *inputs: Any, **settings: Any) -> str:
        """Return a table of all modules: names, classes, numbers of parameters, how many are trained, bytes.

        With an example of the inputs it also says the shape of each module's output. The model is called once for
        that, in evaluation mode and without recording. Each parameter counts once, at the module that holds it; bytes
        are those of parameters and buffers.

        >>> from nn import MLP
        >>> print(MLP([4, 8, 3]).summary(np.ones((32, 4))))
        name   class   output   parameters  trainable  bytes
        -----  ------  -------  ----------  ---------  -----
               MLP     (32, 3)
        0      Linear  (32, 8)          40         40    320
        1      ReLU    (32, 8)
        2      Linear  (32, 3)          27         27    216
        -----  ------  -------  ----------  ---------  -----
        total                           67         67    536
        """
        return summarize(self, inputs, settings)

    def train(self, mode: bool = True) -> Self:
        """Put this module and all below it into training mode, and return it."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """Put this module and all below it into evaluation mode, and return it."""
        return self.train(False)

    @contextmanager
    def evaluating(self) -> Iterator[Self]:
        """Put this module and all below it into evaluation mode for a `with` block, then back into the modes they had.

        >>> from nn import Dropout
        >>> layer = Dropout(0.5)
        >>> with layer.evaluating():
        ...     print(layer.training)
        False
        >>> layer.training
        True
        """
        modes = [(module, module.training) for module in self.modules()]
        try:
            yield self.eval()
        finally:
            for module, mode in modes:
                module.training = mode

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for parameter in self.parameters():
            parameter.grad = None

    @recursive_repr()
    def __repr__(self) -> str:
        lines = [
            f"{name}: {repr(part) if isinstance(part, Module) else _summary(part)}"
            for name, part in _walk(self, deep=False, results=True)
            if part is not self
        ]
        return tree(self, lines)


Hook = Callable[[Module, tuple[Any, ...], Any], Any]


class HookHandle:
    """What `register_forward_hook` returns: it removes the hook again."""

    def __init__(self, modules: list[Module], hook: Hook) -> None:
        self._modules, self._hook = modules, hook
        for module in modules:
            if module._hooks is None:
                module._hooks = deque()
            module._hooks.append(hook)

    def remove(self) -> None:
        """Call the hook no longer."""
        while self._modules:
            module = self._modules.pop()
            if module._hooks and self._hook in module._hooks:
                module._hooks.remove(self._hook)
            if not module._hooks:
                module._hooks = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.remove()


def tree(module: Module, lines: list[str]) -> str:
    """Return a module's class with its parts indented below."""
    body = "".join(f"\n{line}" for line in lines).replace("\n", "\n  ")
    return f"{type(module).__name__}({body}\n)" if lines else f"{type(module).__name__}()"


def _walk(root: Module, deep: bool = True, results: bool = False) -> Iterator[tuple[str, Any]]:
    """The root and its parts, each once, with names like `layers.0.weight`: modules, parameters and buffers.

    With `deep=False` the parts of the modules that the root holds are left out. With `results=True` there are also
    the computed nodes through which a gradient would pass.
    """
    seen: set[int] = set()

    def visit(name: str, part: Any) -> Iterator[tuple[str, Any]]:
        if isinstance(part, LEAVES):
            if (part.op is None or (results and part.requires_grad)) and id(part) not in seen:
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


def _named(
    pattern: str, named: list[tuple[str, Any]], what: str, exactly: bool = False, below: bool = False
) -> list[Any]:
    """The part that is called so; else those whose name the pattern matches, or that stand below such a name."""
    found = [part for name, part in named if name == pattern]
    if not found and not exactly:
        patterns = (pattern, f"{pattern}.*") if below else (pattern,)
        found = [part for name, part in named if any(fnmatchcase(name, each) for each in patterns)]
    if not found:
        known = [name for name, _ in named]
        close = get_close_matches(str(pattern), known, n=1)
        raise errors.DomainError(
            f"{pattern!r} was given as the name of {what}. Nothing here is called so"
            f"{f', but there is {close[0]!r}' if close else ''}. The names are {', '.join(map(repr, known)) or 'none'}."
        )
    return found


def _data(part: Any) -> Any:
    return part.data if isinstance(part, LEAVES) else part


def _fitting(given: Any, part: Any) -> np.ndarray:
    """What is given for a parameter or buffer, in its dtype; StateError says what does not fit, in half a sentence."""
    mine = np.asarray(_data(part))
    try:
        array = np.asarray(_data(given))
    except Exception as error:
        raise StateError(f"is no array ({type(given).__name__})") from error
    if array.shape != mine.shape:
        raise StateError(f"has the shape {array.shape} in place of {mine.shape}")
    if array.dtype.kind not in ("iu" if mine.dtype.kind in "iu" else mine.dtype.kind):
        raise StateError(f"holds {array.dtype} in place of {mine.dtype}")
    if isinstance(part, np.ndarray) and not part.flags.writeable:
        raise StateError("cannot be written to")
    with np.errstate(all="ignore"):
        result = array.astype(mine.dtype)
    if not np.array_equal(result, array) and (mine.dtype.kind != "f" or (np.isinf(result) & np.isfinite(array)).any()):
        raise StateError(f"holds numbers out of the range of {mine.dtype}")
    return result


def _summary(part: Any) -> str:
    """A parameter or buffer in one line: a number, or what it is, its shape and dtype; or that it is neither."""
    if isinstance(part, LEAVES) and part.op is not None:
        return f"a result of {part.op.name}, not a parameter"
    if isinstance(part, Value):
        return repr(part)
    kind = "Tensor" if isinstance(part, Tensor) else "array"
    return f"{kind} of shape {part.shape}, {part.dtype}"
