"""The summary of a model: a table of its modules, as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

import engine
from engine import Tensor, Value

if TYPE_CHECKING:
    from .module import Module

WIDTH = 80
"""The columns that a table should keep to; long names are cut in the middle for it."""


def summarize(model: Module, inputs: tuple[Any, ...], settings: dict[str, Any]) -> str:
    """Return the table that `Module.summary` describes."""
    modules = dict(model.named_modules())
    shapes = _shapes(model, inputs, settings) if inputs or settings else None
    figures = {name: [0, 0, 0] for name in modules}  # parameters, those that are trained, bytes
    for name, part in [*model.named_parameters(), *model.named_buffers()]:
        owner = name
        while owner not in modules:
            owner = owner.rpartition(".")[0]
        if isinstance(part, Value | Tensor):
            size, memory = np.size(part.data), np.asarray(part.data).nbytes
            own = size, size if part.requires_grad else 0, memory
        else:
            own = 0, 0, part.nbytes
        figures[owner] = [sum(pair) for pair in zip(figures[owner], own)]

    rows = [["name", "class", "output", "parameters", "trainable", "bytes"]]
    for name, module in modules.items():
        size, trained, memory = figures[name]
        numbers = [f"{size:,}" if size else "", f"{trained:,}" if size else "", f"{memory:,}" if memory else ""]
        rows.append([_indented(name, modules), type(module).__name__, (shapes or {}).get(name, ""), *numbers])
    rows.append(["total", "", "", *[f"{sum(column):,}" for column in zip(*figures.values())]])
    return _table(rows if shapes is not None else [[*row[:2], *row[3:]] for row in rows])


def _shapes(model: Module, inputs: tuple[Any, ...], settings: dict[str, Any]) -> dict[str, str]:
    """What comes out of each module in one call, in words: of several calls in the call, the last one's."""
    names = {id(module): name for name, module in model.named_modules()}
    shapes: dict[str, str] = {}

    def note(module: Module, inputs: tuple[Any, ...], output: Any) -> None:
        shapes[names[id(module)]] = _shape(output)

    with model.evaluating(), engine.no_grad(), model.register_forward_hook(note, "*"):
        model(*inputs, **settings)
    return shapes


def _shape(output: Any) -> str:
    """The shape of an output, or those of several."""
    if isinstance(output, list | tuple) and output:
        shapes = list(dict.fromkeys(map(_shape, output)))  # many single numbers, or a sequence's output and state
        return f"{len(output)} x {shapes[0]}" if len(shapes) == 1 else _shortened(", ".join(shapes), 24)
    shaped = isinstance(output, Value | Tensor | np.ndarray | np.generic | float | int)
    return str(getattr(output, "shape", ())) if shaped else type(output).__name__


def _indented(name: str, modules: dict[str, Module]) -> str:
    """A module's name inside the module that holds it, further to the right the deeper it stands."""
    depth, holder = 0, ""
    for end in [place for place, letter in enumerate(name) if letter == "."]:
        if name[:end] in modules:
            depth, holder = depth + 1, name[: end + 1]
    return "  " * depth + name.removeprefix(holder)


def _table(rows: list[list[str]]) -> str:
    """Columns below headings, numbers to the right; the total below a line."""
    others = sum(max(map(len, column)) + 2 for column in list(zip(*rows))[1:])
    rows = [[_shortened(name, max(WIDTH - others, 12)), *row] for name, *row in rows]
    widths = [max(map(len, column)) for column in zip(*rows)]
    rule = ["-" * width for width in widths]
    lines = []
    for row in [rows[0], rule, *rows[1:-1], rule, rows[-1]]:
        cells = [f"{cell:{'>' if len(row) - column <= 3 else '<'}{widths[column]}}" for column, cell in enumerate(row)]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _shortened(text: str, width: int) -> str:
    cut = (width - 1) // 2
    return text if len(text) <= width else f"{text[: width - 1 - cut]}…{text[-cut:]}"
