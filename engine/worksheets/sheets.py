"""Sheets: the lines of a worksheet, and how they are shown."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np

from ..documents import Block, Document, Equation, Heading, Paragraph, Rendered, Table
from ..notation import Expression, as_expression, number, symbol

SHORT = 12  # characters of a fraction that is shown whole


@dataclass(frozen=True)
class Step:
    """One line of a worksheet: a quantity, its rule in names, the same with numbers, and the result.

    `refers` holds the numbers of the earlier steps whose results enter, `notes` what is special here, in words.
    Where the rule cannot be written with numbers, `numbers` is None.
    """

    number: int
    name: Expression
    rule: Expression
    numbers: Expression | None
    result: Any  # a number or an array, of Fractions with exact=True
    digits: int  # that the result is shown with
    refers: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()
    update: bool = False  # whether the result takes the place of what had the name before

    def line(self) -> list[Any]:
        """The step for a document: name = rule = numbers = result, nothing twice."""
        shown, whole = display(self.result, self.digits)
        members = [*([] if self.update else [self.name]), self.rule, *([self.numbers] if self.numbers else [])]
        members = [*members[:1], *[x for before, x in pairwise(members) if x.text() != before.text()]]
        if len(members) > 1 and members[-1].text() == shown.text():
            members.pop()
        start = [self.name, " ← "] if self.update else []
        return [*start, Equation(*members, shown)] if whole else [*start, Equation(*members), " ≈ ", shown]

    def data(self) -> dict[str, Any]:
        """The step as plain data; a fraction is a string such as "3/4"."""
        formulas = {"name": self.name, "rule": self.rule, "numbers": self.numbers}
        texts = {key: None if formula is None else formula.text() for key, formula in formulas.items()}
        words = {"refers": list(self.refers), "notes": list(self.notes)}
        return {"number": self.number, **texts, "result": _json(self.result), **words}

    def __str__(self) -> str:
        return f"{self.number}. " + "".join([x if isinstance(x, str) else x.text() for x in self.line()])


class Worksheet(Rendered):
    """A worked solution: what is given, the forward steps, the backward steps, and the updates of the parameters.

    `given` maps names to data; `forward`, `backward` and `updates` are lists of `Step`, numbered throughout.
    """

    def __init__(self, output: str, learning_rate: Any, digits: int, exact: bool) -> None:
        self.output, self.learning_rate, self.digits, self.exact = output, learning_rate, digits, exact
        self.given: dict[str, Any] = {}
        self.forward: list[Step] = []
        self.backward: list[Step] = []
        self.updates: list[Step] = []
        self.notes: list[str] = []  # what is special, beyond one step: constants, and where no derivative flows
        self.slopes: dict[str, str] = {}  # what f' is for the functions that the backward steps differentiate

    def data(self) -> dict[str, Any]:
        """The worksheet as plain data, ready for JSON; fractions are strings such as "3/4"."""
        given = {name: _json(x) for name, x in self.given.items()}
        parts = {name: [step.data() for step in getattr(self, name)] for name in ("forward", "backward", "updates")}
        rate = _json(self.learning_rate)
        return {"output": self.output, "learning_rate": rate, "given": given, "notes": self.notes, **parts}

    def document(self) -> Document:
        """The worksheet as a document of its own."""
        return Document(f"{self.output} and its derivatives, step by step", *self.blocks())

    def blocks(self, title: str = "") -> list[Block]:
        """What stands below the title, to be put into a larger document; its headings begin with a `title` there."""

        def heading(word: str) -> Heading:
            return Heading(f"{title}: {word}" if title else word.capitalize())

        given: list[Any] = []
        for name, x in self.given.items():
            shown, whole = display(x, self.digits)
            given += [", ", Equation(symbol(name), shown)] if whole else [", ", symbol(name), " ≈ ", shown]
        digits = f"{self.digits} significant digit{'s' if self.digits > 1 else ''}"
        rounding = (
            f"Everything is computed in fractions; ≈ stands before what is shown rounded to {digits}."
            if self.exact
            else f"Figures are shown rounded to {digits}; results are never computed from rounded ones."
        )
        blocks: list[Block] = [heading("given"), Paragraph(*given[1:], "."), Paragraph(rounding)]
        blocks += [Paragraph(f"{note}.") for note in self.notes]
        blocks += [heading("forward"), self._table(self.forward)] if self.forward else []
        blocks.append(heading("backward"))
        blocks += [Paragraph(f"With {', '.join(self.slopes.values())}.")] if self.slopes else []
        blocks += [self._table(self.backward)]
        if self.updates:
            rate, _ = display(self.learning_rate, self.digits)
            words = Paragraph("Each parameter takes a step against its derivative, at the learning rate ", rate, ".")
            blocks += [heading("update"), words, self._table(self.updates)]
        return blocks

    def _table(self, steps: list[Step]) -> Table:
        earlier = {step.number: step.name for step in self.backward}
        remarks = [_remark(step, earlier) for step in steps]
        rows = [[str(step.number), step.line(), remark] for step, remark in zip(steps, remarks, strict=True)]
        columns = 3 if any(remarks) else 2
        return Table(["Step", "Computation", "Remarks"][:columns], [row[:columns] for row in rows])


def _remark(step: Step, earlier: dict[int, Expression]) -> list[Any]:
    """Which earlier steps enter, and what is special."""
    parts: list[Any] = []
    for each in step.refers:
        parts += [" and " if parts else "with ", earlier[each], f" from step {each}"]
    for note in step.notes:
        parts += ["; " if parts else "", note]
    return parts


def display(x: Any, digits: int) -> tuple[Expression, bool]:
    """Data as an expression to be shown, and whether they are shown whole: long fractions are rounded."""
    if isinstance(x, np.ndarray):
        parts = [display(each, digits) for each in np.ravel(x).tolist()]
        array = np.array([part.value for part, _ in parts], bool if x.dtype == bool else object).reshape(x.shape)
        whole = all(whole for _, whole in parts)
        return as_expression(array if x.size <= 8 else x), whole
    if isinstance(x, Fraction) and len(number(x).text()) > SHORT and abs(x) < 1e300:
        return number(_rounded(float(x), digits)), False
    return number(_rounded(x, digits) if isinstance(x, float) else x), True


def _rounded(x: float, digits: int) -> float:
    return float(f"{x:.{digits}g}") + 0.0  # which takes the sign from a zero


def _json(x: Any) -> Any:
    if isinstance(x, np.ndarray):
        return [_json(each) for each in x]
    return str(x) if isinstance(x, Fraction) else x.item() if isinstance(x, np.generic) else x
