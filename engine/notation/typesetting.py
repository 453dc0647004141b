r"""Typesetting: expressions as LaTeX, with the templates of the table (`latex=r"\sqrt{{{x}}}"`)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any, ClassVar

from .figures import decimal_latex, figure_latex, shortest
from .printing import ADD, ATOM, BESIDE, ELLIPSIS, MULTIPLY, NOT, OR, POWER, Part, Text, changed, index, setting

if TYPE_CHECKING:
    from .expressions import Expression


SIGNS = {
    "greater": ">", "greater_equal": r"\geq", "less": "<", "less_equal": r"\leq", "equal": "=",
    "not_equal": r"\neq", "logical_and": r"\wedge", "logical_or": r"\vee",
}  # fmt: skip


class Latex(Text):
    r"""LaTeX: `(y - s) \cdot W_{2} \cdot \sigma'(z)`."""

    minus, dot, hadamard, tensor = "-", r" \cdot ", r" \odot ", r" \otimes "
    infix: ClassVar[dict[str, Part]] = {name: (f" {sign} ", Text.infix[name][1]) for name, sign in SIGNS.items()}

    def bracket(self, string: str) -> str:
        return rf"\left({string}\right)" if TALL.search(string) else f"({string})"

    def symbol(self, name: str) -> str:
        return name_latex(name)

    def shape(self, shape: Sequence[int]) -> str:
        return r"\langle " + r" \times ".join(map(str, shape)) + r"\rangle"

    def number(self, value: Any) -> str:
        return decimal_latex(shortest(value))

    def figure(self, value: Any) -> str:
        return figure_latex(value, digits=None)

    def ratio(self, x: Fraction) -> Part:
        return rf"{'-' * (x < 0)}\frac{{{abs(x.numerator)}}}{{{x.denominator}}}", BESIDE

    def write_divide(self, x: Expression, parts: list[Part]) -> Part:
        return rf"\frac{{{parts[0][0]}}}{{{parts[1][0]}}}", BESIDE

    def write_power(self, x: Expression, parts: list[Part]) -> Part:
        return f"{self.within(parts[0], ATOM)}^{{{parts[1][0]}}}", POWER

    def matrix_product(self, left: Part, right: Part, chained: bool = False) -> Part:
        return rf"{left[0] if chained else self.within(left, BESIDE)}\,{self.within(right, POWER)}", BESIDE

    def transposed(self, part: Part) -> Part:
        return rf"{self.within(part, ATOM)}^{{\top}}", POWER

    def write_norm(self, x: Expression, parts: list[Part]) -> Part | None:
        return None

    def write_logical_not(self, x: Expression, parts: list[Part]) -> Part:
        return rf"\neg {self.within(parts[0], ATOM)}", NOT

    def write_getitem(self, x: Expression, parts: list[Part]) -> Part:
        return self.indexed(parts[0], index(x.params["key"], [part[0] for part in parts[1:]]))

    def write_pick(self, x: Expression, parts: list[Part]) -> Part:
        return self.indexed(parts[0], str(x.params["index"]))

    def indexed(self, part: Part, key: str) -> Part:
        key = key.replace("...", r"\ldots ")
        return rf"{{{self.within(part, ATOM)}}}_{{\left[{key}\right]}}", POWER

    def call(self, x: Expression, parts: list[Part]) -> Part:
        template: str = getattr(x.op, "latex", None) or ""
        if not template or x.op.variadic or not changed(x).keys() <= {*self.quiet, "dtype"}:  # type: ignore
            return super().call(x, parts)
        if template == "{x}":
            return parts[0]
        filled = {}
        for name, part in zip(x.op.inputs, parts, strict=True):  # type: ignore[union-attr]
            before, _, after = template.partition(f"{{{name}}}")
            enclosed = before.endswith(ENCLOSING) and after.startswith(ENCLOSED)
            filled[name] = part[0] if enclosed else self.within(part, POWER)
        return template.format(**filled), binding(template)

    def function(self, op: Any) -> str:
        if op.ours and op.name in KNOWN:
            return KNOWN[op.name]
        return rf"\operatorname{{{escaped(op.name)}}}"

    def key(self, name: str) -> str:
        return rf"\mathrm{{{escaped(name)}}}"

    def setting(self, value: Any) -> str:
        return rf"\mathrm{{{escaped(setting(value))}}}"

    def write_partial(self, x: Expression, parts: list[Part]) -> Part:
        above, below = self.within(parts[0], MULTIPLY), self.within(parts[1], ATOM)
        return rf"\frac{{\partial {above}}}{{\partial {below}}}", BESIDE

    def write_beside(self, x: Expression, parts: list[Part]) -> Part:
        return r"\,".join([self.within(part, BESIDE) for part in parts]), BESIDE


KNOWN = {"sigmoid": r"\sigma"} | {
    name: rf"\{name}" for name in ("cos", "exp", "log", "max", "min", "sin", "tan", "tanh")
}
TALL = re.compile(r"\^|\\(frac|sum|prod|sqrt|begin|left)\b")
ENCLOSING = ("{", "(", "|", ", ", r"\lVert ", r"\begin{{cases}} ", "& ", r"\\ ")
ENCLOSED = ("}", ")", ",", r"\right", r" \right", " &", r" \\")


def binding(template: str) -> int:
    """How tightly the LaTeX of a row binds."""
    if template.startswith(r"\begin"):
        return OR
    if template.endswith((")", r"\right|", r"\rVert")):
        return ATOM
    if " - " in template or " + " in template:
        return ADD
    return POWER if template.endswith("}}") else BESIDE


GREEK = {chr(i): unicodedata.name(chr(i)).rpartition(" ")[2].lower() for i in (*range(945, 962), *range(963, 970))}
del GREEK[chr(959)]  # omicron, an o
GREEK |= {"λ": "lambda", "ϕ": "varphi", "ε": "varepsilon"}
GREEK |= {letter: GREEK[letter.lower()].capitalize() for letter in "ΓΔΘΛΞΠΣΥΦΨΩ"}
SPELLED = {*GREEK.values(), "epsilon"}
ACCENTS = {"\u0300": "grave", "\u0301": "acute", "\u0302": "hat", "\u0303": "tilde", "\u0304": "bar", "\u0307": "dot",
           "\u0308": "ddot", "\u0306": "breve", "\u030a": "mathring", "\u030c": "check"}  # fmt: skip


def name_latex(name: str) -> str:
    r"""A label as LaTeX: W1 as W_{1}, Greek letters by name, accents, several letters upright.

    >>> print(name_latex("W1"), name_latex("σ"), name_latex("ŷ"), name_latex("loss"), name_latex("w[0][1]"))
    W_{1} \sigma \hat{y} \mathrm{loss} w_{0,1}
    """
    if name == ELLIPSIS:
        return r"\ldots "
    pattern = r"(?P<stem>.+?)(_?(?P<number>\d+))?(?P<keys>(\[[^\[\]]*\])*)(?P<primes>[ᵀ']*)"
    found = re.fullmatch(pattern, name, re.DOTALL)
    if not found:
        return r"\mathrm{?}"
    written = _stem_latex(found["stem"])
    places = [*filter(None, [found["number"]]), *re.findall(r"\[([^\[\]]*)\]", found["keys"])]
    if places:
        written += f"_{{{','.join(map(escaped, places))}}}"
    return written + "'" * found["primes"].count("'") + r"^{\top}" * ("ᵀ" in found["primes"])


def _stem_latex(stem: str) -> str:
    if stem in SPELLED:
        return rf"\{stem}"
    if stem == "\N{MATHEMATICAL BOLD DIGIT ONE}":
        return r"\mathbf{1}"
    first, *marks = list(unicodedata.normalize("NFD", stem))
    letter = first if first.isascii() and first.isalpha() else rf"\{GREEK[first]}" if first in GREEK else ""
    if letter and all(mark in ACCENTS for mark in marks):
        for mark in marks:
            letter = rf"\{ACCENTS[mark]}{{{letter}}}"
        return letter
    return rf"\mathrm{{{escaped(stem)}}}"


def escaped(string: str) -> str:
    """A string of any characters inside a LaTeX formula."""

    def escape(c: str) -> str:
        if c in GREEK:
            return rf"\{GREEK[c]}{{}}"
        if c in SPECIAL:
            return SPECIAL[c]
        if c.isascii():
            return c if c.isprintable() else "?"
        plain = unicodedata.normalize("NFKD", c)
        return "".join([each if each.isascii() and each.isalnum() else "" for each in plain]) or f"U+{ord(c):04X}"

    return "".join([escape(c) for c in string])


SPECIAL = {c: f"\\{c}" for c in "{}$&#_%"} | {"\\": r"\backslash{}", "^": r"\wedge{}", "~": r"\sim{}", " ": r"\ "}
LATEX = Latex()
