"""Studies: the same run under several settings, each with several seeds, spread over processes."""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import joblib
import numpy as np

Name = TypeVar("Name")


def study(
    run: Callable[..., Any], settings: Mapping[Name, Mapping[str, Any]], seeds: Iterable[int], jobs: int = 1
) -> dict[Name, list[Any]]:
    """Return what `run(seed=seed, **settings[name])` returns: under each name a list with one entry for each seed.

    The runs share nothing, so that they come out the same however many processes (`jobs`) there are. Those of one seed
    follow one another.
    """
    tasks = [joblib.delayed(run)(seed=seed, **each) for seed in seeds for each in settings.values()]
    results = list(watched(joblib.Parallel(n_jobs=jobs, return_as="generator")(tasks), len(tasks)))
    return {name: results[start :: len(settings)] for start, name in enumerate(settings)}


def watched(results: Iterable[Any], total: int, what: str = "runs") -> Iterator[Any]:
    """Hand the results on, and show how many of them there are: a bar in a terminal, lines elsewhere."""
    if sys.stderr.isatty():
        try:
            from tqdm import tqdm
        except ImportError:
            pass
        else:
            yield from tqdm(results, total=total, desc=what)
            return
    for count, result in enumerate(results, 1):
        if count % max(1, total // 10) == 0 or count == total:
            print(f"{what} {count}/{total}", file=sys.stderr, flush=True)
        yield result


def seeds_in_words(seed: int, seeds: int, use: str = "its own split, first weights and order of the batches") -> str:
    """Which seeds a study has, and what each is for."""
    return f"{seed}, for {use}" if seeds == 1 else f"{seed} to {seed + seeds - 1}, none left out, each for {use}"


def median_in_words(seeds: int, around: str = "") -> str:
    """What a figure of so many seeds is, and what is given `around` it where there are several."""
    return "the only seed" if seeds == 1 else f"the median of {seeds} seeds{around}"


def spread(numbers: Sequence[float] | np.ndarray, form: str = "{:.1%}") -> str:
    """The median of several runs in words, and the lowest and the highest where they differ."""
    middle, low, high = (form.format(float(f(numbers))) for f in (np.median, np.min, np.max))
    return middle if low == high else f"{middle} ({low} to {high})"
