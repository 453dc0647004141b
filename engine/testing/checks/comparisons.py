"""What a check was asked for, and what it found: one derivative computed twice, and its report."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """What a check was asked for."""

    order: int = 1
    mode: str = "reverse"
    kinks: str = "raise"
    fast: bool = False
    rtol: float | None = None
    atol: float | None = None
    blame: bool = True
    """Whether to look for the operation that is to blame."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """One derivative, computed twice: entry `index` of an argument, entry `result_index` of a result.

    >>> from engine.testing import check_gradients
    >>> print(check_gradients(lambda x: x**3, 2.0))
    result by args[0], at 2.0
      analytic     12.0 (reverse mode)
      numerical    12.0 (complex step)
      error        0.0 estimated, 1.8e-07 tolerated
      distance     0.0 ulps
    """

    order: int
    argument: str
    index: tuple[int, ...]
    result: str
    result_index: tuple[int, ...]
    analytic: float
    numerical: float
    error: float
    """The estimated error of the numerical derivative."""
    tolerance: float
    """How far apart the two may be."""
    method: str
    """`"complex step"`, `"differences"` or, where two modes are compared, `"forward mode"`."""
    op: str | None = None
    """The operation, where the function is a single one."""
    mode: str = "reverse"
    """How the analytic derivative was computed: `"reverse"`, `"forward"` or `"given"` by hand."""
    at: float | None = None
    """The number that stands at `index` of the argument."""
    left: float | None = None
    right: float | None = None
    """The one-sided derivatives; None where the check had no need of them."""
    kink: bool = False
    """Whether the one-sided derivatives differ."""
    unit: float = float(np.finfo(float).eps)
    """The relative precision of the coarsest dtype on the way."""
    skipped: int = 0
    """How many entries were left out because there is a kink at them."""
    first_wrong: str | None = None
    """The first operation along the way whose own rule is wrong, with its label and its scope."""

    @property
    def excess(self) -> float:
        """The distance of the two derivatives over the tolerance: above 1 is wrong, and NaN counts as infinite."""
        distance = abs(self.analytic - self.numerical)
        return distance / self.tolerance if distance == distance else np.inf

    @property
    def ulps(self) -> float:
        """The distance of the two derivatives in units in the last place."""
        if self.analytic == self.numerical:
            return 0.0
        size = max(abs(self.analytic), abs(self.numerical))
        if not np.isfinite(size):
            return np.inf
        last_place = 2.0 ** np.floor(np.log2(size)) * self.unit
        return float(abs(self.analytic - self.numerical) / max(last_place, 5e-324))

    @property
    def place(self) -> str:
        """Which derivative it is: `result[0] by args[1]`."""
        order = "" if self.order == 1 else f" (order {self.order})"
        return f"{self.result}{subscript(self.result_index)} by {self.argument}{subscript(self.index)}{order}"

    def __str__(self) -> str:
        mode = "given" if self.mode == "given" else f"{self.mode} mode"
        rows = {
            "analytic": f"{self.analytic!r} ({mode})",
            "numerical": f"{self.numerical!r} ({self.method})",
            "left, right": None if self.left is None else f"{self.left!r}, {self.right!r}",
            "error": f"{self.error:.1e} estimated, {self.tolerance:.1e} tolerated".replace("0.0e+00", "0.0"),
            "distance": f"{self.ulps:.3g} ulps" if self.ulps else "0.0 ulps",
            "skipped": f"{self.skipped} entries at kinks" if self.skipped else None,
            "first wrong": self.first_wrong,
        }
        at = "" if self.at is None else f", at {self.at!r}"
        return "\n".join([self.place + at, *(f"  {name:<12} {row}" for name, row in rows.items() if row)])


def subscript(index: tuple[int, ...]) -> str:
    """Return an index as it is written behind a name.

    >>> subscript((0, 2)), subscript(())
    ('[0, 2]', '')
    """
    return f"[{', '.join(map(str, index))}]" if index else ""
