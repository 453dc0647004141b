"""Mutants: make one mistake after the other in a derivative, and see which of them some tests notice."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import DataError, GradientError
from .targets import Probe, target_of

Test = Callable[[], Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Mutant:
    """One mistake that was made on purpose, and what the tests said to it."""

    name: str
    killed: bool
    by: str
    """The test that noticed it, and the error it raised; empty where none did."""
    advice: str
    """What a test must do to notice it."""

    def __repr__(self) -> str:
        return f"<mutant: {self.name}>"


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class Mutations:
    """The mutants of one primitive or gradient; its text is a report of those that nobody noticed."""

    target: str
    mutants: tuple[Mutant, ...]
    """Those that change a value on the inputs tried."""
    equivalent: tuple[str, ...]
    """The names of those that change none, or cannot be computed at all: they say nothing about the tests."""

    @property
    def killed(self) -> tuple[Mutant, ...]:
        """The mutants that some test noticed."""
        return tuple([mutant for mutant in self.mutants if mutant.killed])

    @property
    def survivors(self) -> tuple[Mutant, ...]:
        """The mutants that no test noticed."""
        return tuple([mutant for mutant in self.mutants if not mutant.killed])

    def __repr__(self) -> str:
        return f"<mutations of {self.target!r}: {len(self.killed)} killed, {len(self.survivors)} survived>"

    def __str__(self) -> str:
        noticed = f"The tests notice {len(self.killed)} of {len(self.mutants)} mutants of {self.target!r}"
        apart = f"; {len(self.equivalent)} more change no value on the inputs tried" if self.equivalent else ""
        lines = [f"{noticed}{apart}."]
        if self.survivors:
            lines.append("They miss:")
        for mutant in self.survivors:
            lines += [f"  - {mutant.name}", f"    {mutant.advice}"]
        return "\n".join(lines)


def mutate(
    target: Any, tests: Test | Iterable[Test], *, inputs: Iterable[Sequence[Any]] | None = None, order: int = 1
) -> Mutations:
    """Make mistakes in the rules of a primitive, or in a function that computes a gradient, and see which tests notice.

    `target` is a primitive, or a Python function with a hand-written gradient; `tests` a function of no arguments, or
    several, that raise when something is wrong. They run once as it is, and once under each mutant until one raises:
    give Hypothesis few examples and no phase to shrink. Everybody who calls the target meets the mutant, whatever
    name it goes by; it is put back whatever happens.

    `inputs`, a list of tuples of arguments, says where a mutant must change a value to count: by default on what
    engine.testing.layouts says of a primitive, on the arguments that the tests use, and for a function of one's own on
    these with their signs changed, too. With `order=2` there are mutants that are wrong at second order only.

    Raises DataError for a target that cannot be mutated or is never called, and GradientError for tests that fail
    already. Not for use in several threads at once.

    >>> def gradient(x):  # of x**2
    ...     return 2 * x
    >>> def test():
    ...     assert gradient(2.0) == 4.0
    >>> print(mutate(gradient, test))
    The tests notice 6 of 7 mutants of 'gradient'; 2 more change no value on the inputs tried.
    They miss:
      - the gradient has the wrong sign where x is negative
        Try negative entries of x too, for example with engine.testing.strategies.arrays().
    """
    if type(order) is not int or order < 1:
        raise DataError(
            f"mutate was given order={order!r}. It is the highest derivative that the tests look at. "
            "Write order=1 for gradients, order=2 for their own gradients as well."
        )
    todo = [tests] if callable(tests) else list(tests) if isinstance(tests, Iterable) else [tests]
    if not all(map(callable, todo)):
        raise DataError(
            f"mutate was given the tests {tests!r}. Each is a function of no arguments, which raises for a mistake. "
            "Write mutate(target, test), or mutate(target, [test, other_test])."
        )
    mutated = target_of(target, order)
    with mutated.watched():
        for test in todo:
            _run_unchanged(test, mutated.name)
    probes = _sound(mutated.probes(inputs))
    mutants, equivalent, seen = [], [], set()
    for mistake, put in mutated.mistakes():
        with put(mistake.mutant):
            results = [_outcome(probe) for probe, _ in probes]
            if probes and not _changed(results, [before for _, before in probes]):
                equivalent.append(mistake.name)
                continue
            if (bits := _bits(results)) in seen:
                continue  # another one computes the same
            seen.add(bits)
            by = _noticed(todo)
        mutants.append(Mutant(name=mistake.name, killed=bool(by), by=by, advice=mistake.advice))
    return Mutations(target=mutated.name, mutants=tuple(mutants), equivalent=tuple(equivalent))


def _run_unchanged(test: Test, name: str) -> None:
    try:
        test()
    except Exception as error:
        raise GradientError(
            f"The test {_name(test)} fails on {name!r} as it is, with a {type(error).__name__}. "
            "It ran before any mutation. Give mutate tests that pass."
        ) from error


def _noticed(tests: Sequence[Test]) -> str:
    """Which of the tests fails, and how; empty where all pass."""
    for test in tests:
        try:
            test()
        except (KeyboardInterrupt, SystemExit, GeneratorExit):
            raise
        except BaseException as error:  # pytest.fail is no Exception
            return f"{_name(test)}: {type(error).__name__}: {str(error).strip().partition(chr(10))[0]}".removesuffix(
                ": "
            )
    return ""


def _name(test: Test) -> str:
    return getattr(test, "__name__", repr(test)).replace("<lambda>", "the lambda")


def _sound(probes: Iterable[Probe]) -> list[tuple[Probe, list[Any]]]:
    """The probes that give finite numbers on the target as it is, and these numbers."""
    found = []
    for probe in probes:
        results = _outcome(probe)
        if results is not None and all(np.isfinite(x).all() for x in results):
            found.append((probe, results))
    return found


def _changed(after: Sequence[list[Any] | None], before: Sequence[list[Any]]) -> bool:
    """Whether a value is another one now; a mutant that can nowhere be computed changes none."""
    if all(results is None for results in after):
        return False
    return any(results is None or not _same(results, old) for results, old in zip(after, before, strict=True))


def _bits(outcomes: Sequence[list[Any] | None]) -> Any:
    """Something that is equal for equal outcomes; where there are none, every mutant is one of its own."""
    found = [None if results is None else tuple([x.tobytes() for x in results]) for results in outcomes]
    return tuple(found) or object()


def _outcome(probe: Probe) -> list[Any] | None:
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return [np.asarray(x) for x in probe()]
    except Exception:
        return None


def _same(results: Sequence[Any], others: Sequence[Any]) -> bool:
    """Whether two lists of arrays differ by rounding alone."""
    if [x.shape for x in results] != [x.shape for x in others]:
        return False
    for x, y in zip(results, others, strict=True):
        precision = np.finfo(x.dtype).eps ** 0.6 if x.dtype.kind == "f" else 0.0
        if not np.allclose(x, y, rtol=precision, atol=precision * abs(y).max(initial=0.0), equal_nan=True):
            return False
    return True
