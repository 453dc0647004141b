"""Printing: expressions as plain text and as Python. A style writes one operation, given its arguments.

Every printed part comes with how tightly it binds, and is bracketed where its place demands more.
"""

from __future__ import annotations

import keyword
import re
import unicodedata
from collections.abc import Sequence
from fractions import Fraction
from math import isfinite
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ..errors import DataError
from ..primitives.indexing import Array
from ..row import Primitive
from .figures import decimal, exact, figure, shortest, with_minus

if TYPE_CHECKING:
    from .expressions import Expression

Part = tuple[str, int]
OR, AND, NOT, COMPARE, ADD, NEGATE, MULTIPLY, BESIDE, POWER, ATOM = range(10)
ELLIPSIS = "…"
MARKS = ("beside", "entrywise", "outer", "prime", "partial")
"""What is written in derivatives and is no row: AB, A ⊙ B, a ⊗ b, σ'(z), ∂y/∂x."""


def write(expression: Expression, style: Any) -> str:
    """Print from the innermost parts outwards, without recursion; a part that occurs twice is printed once."""
    done: dict[int, Part] = {}
    unread = [expression]
    while unread:
        x = unread[-1]
        if waiting := [arg for arg in x.args if id(arg) not in done]:
            unread += waiting
            continue
        unread.pop()
        if id(x) not in done:
            done[id(x)] = style.leaf(x.value) if x.op is None else style.write(x, [done[id(arg)] for arg in x.args])
    return done[id(expression)][0]


class Text:
    """Plain text: `(y − s)·W2·σ'(z)`."""

    minus, dot, hadamard, tensor = "−", "·", " ⊙ ", " ⊗ "
    infix: ClassVar[dict[str, Part]] = {
        "greater": (" > ", COMPARE), "greater_equal": (" ≥ ", COMPARE), "less": (" < ", COMPARE),
        "less_equal": (" ≤ ", COMPARE), "equal": (" = ", COMPARE), "not_equal": (" ≠ ", COMPARE),
        "logical_and": (" ∧ ", AND), "logical_or": (" ∨ ", OR),  # noqa: RUF001
    }  # fmt: skip
    quiet = ("function", "key", "keepdims", "shape")
    """Settings that a reader can do without."""

    def bracket(self, string: str) -> str:
        return f"({string})"

    def within(self, part: Part, level: int) -> str:
        return part[0] if part[1] >= level else self.bracket(part[0])

    def signed(self, string: str, level: int) -> Part:
        return string, NEGATE if string.startswith(self.minus) else level

    def leaf(self, value: Any) -> Part:
        if isinstance(value, str):
            return self.symbol(value), ATOM
        if isinstance(value, np.ndarray):
            return (self.figure(value) if value.size <= 8 else self.shape(value.shape)), ATOM
        written = exact(value)
        if written is not None and written.denominator > 1 and decimal(written) is None:
            return self.signed(*self.ratio(written))
        return self.signed(self.number(value), ATOM)

    def symbol(self, name: str) -> str:
        return name

    def shape(self, shape: Sequence[int]) -> str:
        return f"⟨{'×'.join(map(str, shape))}⟩"

    def number(self, value: Any) -> str:
        return with_minus(shortest(value))

    def figure(self, value: Any) -> str:
        return figure(value, digits=None)

    def ratio(self, x: Fraction) -> Part:
        return f"{with_minus(str(x.numerator))}/{x.denominator}", MULTIPLY

    def write(self, x: Expression, parts: list[Part]) -> Part:
        if isinstance(x.op, Primitive) and not x.op.ours:
            return self.call(x, parts)
        if x.name in self.infix:
            sign, level = self.infix[x.name]
            return sign.join([self.within(part, level + 1) for part in parts]), level
        method = getattr(self, f"write_{x.name}", None)
        return (method and method(x, parts)) or self.call(x, parts)

    def write_add(self, x: Expression, parts: list[Part]) -> Part:
        written = [self.within(parts[0], ADD)]
        for part in parts[1:]:
            term = self.within(part, ADD + 1)
            negative = term.startswith(self.minus)
            written.append(f" {self.minus} {term.removeprefix(self.minus)}" if negative else f" + {term}")
        return "".join(written), ADD

    def write_negative(self, x: Expression, parts: list[Part]) -> Part:
        return self.minus + self.within(parts[0], MULTIPLY), NEGATE

    def write_multiply(self, x: Expression, parts: list[Part]) -> Part:
        factors = [self.within(parts[0], NEGATE), *[self.within(part, MULTIPLY + 1) for part in parts[1:]]]
        return self.signed(self.dot.join(factors), MULTIPLY)

    def write_divide(self, x: Expression, parts: list[Part]) -> Part:
        return self.signed(f"{self.within(parts[0], NEGATE)}/{self.within(parts[1], MULTIPLY + 1)}", MULTIPLY)

    def write_power(self, x: Expression, parts: list[Part]) -> Part:
        base, exponent = self.within(parts[0], ATOM), x.args[1].value
        if type(exponent) in (int, float) and exponent in range(-99, 100):
            return base + str(int(exponent)).translate(SUPERSCRIPTS), POWER
        return f"{base}^{self.within(parts[1], ATOM)}", POWER

    def write_matmul(self, x: Expression, parts: list[Part]) -> Part:
        return self.matrix_product(parts[0], parts[1], x.args[0].name == "matmul")

    def matrix_product(self, left: Part, right: Part, chained: bool = False) -> Part:
        if SHORT.fullmatch(left[0]) and SHORT.fullmatch(right[0]):
            return left[0] + right[0], BESIDE
        return f"{left[0] if chained else self.within(left, BESIDE)} @ {self.within(right, BESIDE)}", MULTIPLY

    def write_linear(self, x: Expression, parts: list[Part]) -> Part:
        data, weight, bias = parts
        return self.write_add(x, [self.matrix_product(data, self.transposed(weight)), bias])

    def write_transpose(self, x: Expression, parts: list[Part]) -> Part | None:
        axes = x.params.get("axes")
        matrices = axes is None or tuple(axes) == (*range(len(axes) - 2), len(axes) - 1, len(axes) - 2)
        return self.transposed(parts[0]) if matrices else None

    def transposed(self, part: Part) -> Part:
        return f"{self.within(part, ATOM)}ᵀ", ATOM

    def write_norm(self, x: Expression, parts: list[Part]) -> Part | None:
        return (f"‖{parts[0][0]}‖", ATOM) if x.params.get("axis") is None else None

    def write_logical_not(self, x: Expression, parts: list[Part]) -> Part:
        return f"¬{self.within(parts[0], ATOM)}", NOT

    def write_getitem(self, x: Expression, parts: list[Part]) -> Part:
        return f"{self.within(parts[0], ATOM)}[{index(x.params['key'], [part[0] for part in parts[1:]])}]", ATOM

    def write_pick(self, x: Expression, parts: list[Part]) -> Part:
        return f"{self.within(parts[0], ATOM)}[{x.params['index']}]", ATOM

    def call(self, x: Expression, parts: list[Part]) -> Part:
        settings = [
            f"{self.key(key)}={self.setting(value)}" for key, value in changed(x).items() if key not in self.quiet
        ]
        return self.function(x.op) + self.bracket(", ".join([part[0] for part in parts] + settings)), ATOM

    def function(self, op: Any) -> str:
        return "σ" if op.ours and op.name == "sigmoid" else op.name

    def key(self, name: str) -> str:
        return name

    def setting(self, value: Any) -> str:
        return setting(value)

    def write_prime(self, x: Expression, parts: list[Part]) -> Part:
        return f"{self.function(x.params['function'])}'{self.bracket(parts[0][0])}", ATOM

    def write_partial(self, x: Expression, parts: list[Part]) -> Part:
        return f"∂{self.within(parts[0], ATOM)}/∂{self.within(parts[1], ATOM)}", MULTIPLY

    def write_beside(self, x: Expression, parts: list[Part]) -> Part:
        strings = [self.within(part, BESIDE) for part in parts]
        if all(NEIGHBOUR.match(each) for each in strings) and not any(each[0] == "(" for each in strings[1:]):
            return "".join(strings), BESIDE
        return self.dot.join(strings), MULTIPLY

    def write_entrywise(self, x: Expression, parts: list[Part]) -> Part:
        return self.hadamard.join([self.within(part, BESIDE) for part in parts]), MULTIPLY

    def write_outer(self, x: Expression, parts: list[Part]) -> Part:
        return self.tensor.join([self.within(part, BESIDE) for part in parts]), MULTIPLY


SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
SHORT = re.compile(r"[^\W\d_][0-9]*['ᵀ]*")
NEIGHBOUR = re.compile(r"\(|[^\W\d_][0-9]*['ᵀ]*(\(|$)|𝟏ᵀ?$")  # what may stand beside another without a sign


class Python:
    """Python that computes the same again: operators where an input is a node, functions of `engine` elsewhere.

    What is made of raw numbers alone binds by RAW more: operators would treat it as Python does, and not the engine.
    """

    operators: ClassVar[dict[str, Part]] = {
        "add": ("+", ADD), "subtract": ("-", ADD), "multiply": ("*", MULTIPLY), "divide": ("/", MULTIPLY),
        "matmul": ("@", MULTIPLY),
    }  # fmt: skip

    def leaf(self, value: Any) -> Part:
        if isinstance(value, str):
            return ("..." if value == ELLIPSIS else value), ATOM
        if isinstance(value, np.ndarray):
            plain = value.size and value.dtype in (np.float64, np.int64, np.bool_)
            dtype = "" if plain else f", dtype={value.dtype.name!r}"
            empty = "" if value.size else f".reshape({value.shape})"
            return f"np.array({setting(value.tolist())}{dtype}){empty}", RAW + ATOM
        if isinstance(value, Fraction):
            return f"{value.numerator} / {value.denominator}", RAW + MULTIPLY
        return setting(value), RAW + (NEGATE if repr(value).startswith("-") else ATOM)

    def write(self, x: Expression, parts: list[Part]) -> Part:
        if not isinstance(x.op, Primitive):
            raise DataError(
                f"{TEXT.write(x, parts)[0]} was to be written as Python. It stands for a derivative, and not for "
                "something that was computed. Write formula(gradients(E, [x], create_graph=True)[0]).python()."
            )
        raw = RAW if all(level >= RAW for _, level in parts) else 0
        bare = [(string, level % RAW) for string, level in parts]
        strings = [string for string, _ in parts]
        if x.op.ours and x.name == "getitem":
            return f"{_wrapped(bare[0], ATOM)}[{index(x.params['key'], strings[1:])}]", ATOM + raw
        if x.op.ours and x.name == "pick":
            return f"{_wrapped(bare[0], ATOM)}[{x.params['index']}]", ATOM + raw
        if x.op.ours and not raw:
            if x.name in self.operators:
                sign, level = self.operators[x.name]
                return f"{_wrapped(bare[0], level)} {sign} {_wrapped(bare[1], level + 1)}", level
            if x.name == "negative":
                return f"-{_wrapped(bare[0], POWER)}", NEGATE
            if x.name == "power":
                return f"{_wrapped(bare[0], ATOM)} ** {_wrapped(bare[1], ATOM)}", POWER
        if x.op.variadic and len(x.op.inputs) == 1:
            strings = [f"[{', '.join(strings)}]"]
        given = strings + [f"{key}={setting(value)}" for key, value in changed(x).items()]
        place = "" if not x.op.ours else "engine.primitives." if x.name in PRIVATE else "engine."
        return f"{place}{x.op.name}({', '.join(given)})", ATOM + raw


RAW = 100
PRIVATE = {"add_at", "getitem", "identity", "last_set", "pick", "scatter", "set_at", "values"}
"""Rows that `engine` does not export: they stand behind methods and rules."""


def _wrapped(part: Part, level: int) -> str:
    return part[0] if part[1] >= level else f"({part[0]})"


def changed(x: Expression) -> dict[str, Any]:
    """The settings of an operation that differ from what it takes by default."""
    defaults = getattr(x.op, "defaults", {})
    return {
        key: value
        for key, value in x.params.items()
        if key not in defaults or type(value) is not type(defaults[key]) or value != defaults[key]
    }


def setting(value: Any) -> str:
    """A setting as Python."""
    if isinstance(value, np.dtype) or (isinstance(value, type) and issubclass(value, np.generic)):
        return repr(np.dtype(value).name)
    if isinstance(value, np.ndarray | np.generic):
        return setting(value.tolist())
    if isinstance(value, Array):
        return f"engine.primitives.indexing.Array({value.position})"
    if isinstance(value, list | tuple):
        inner = ", ".join([setting(each) for each in value])
        return f"[{inner}]" if isinstance(value, list) else f"({inner}{',' * (len(value) == 1)})"
    if isinstance(value, float) and not isfinite(value):
        return f"float({str(value)!r})"
    if callable(value):
        return identifier(getattr(value, "__name__", "function"))
    return repr(value)


def index(key: Sequence[Any], arrays: Sequence[str]) -> str:
    """An index as it is written between brackets."""
    written = []
    for part in key:
        if isinstance(part, slice):
            bounds = ["" if bound is None else str(bound) for bound in (part.start, part.stop, part.step)]
            written.append(":".join(bounds if bounds[2] else bounds[:2]))
        elif isinstance(part, Array):
            written.append(arrays[part.position])
        else:
            written.append("..." if part is Ellipsis else str(part))
    return ", ".join(written) or "()"


def identifier(name: str) -> str:
    """A name as Python allows it."""
    letters = [c if f"x{c}".isidentifier() else "_" for c in unicodedata.normalize("NFKC", name)]
    word = unicodedata.normalize("NFKC", "".join(letters)).strip("_")
    word = word if word.isidentifier() else f"x_{word}"
    return f"{word}_" if keyword.iskeyword(word) else word


TEXT, PYTHON = Text(), Python()
