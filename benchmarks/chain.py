"""A chain of 1 000 000 Values at the default recursion limit: build, backward, pickle, copy, free."""

import copy
import pickle
import sys
import tracemalloc
from concurrent.futures import ProcessPoolExecutor
from mmap import PAGESIZE
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter

LENGTH = 1_000_000
MEMORY = Path("/proc/self/statm")


def resident_bytes() -> int:
    """Return this process's memory as the system counts it; 0 where the system does not say."""
    return int(MEMORY.read_text().split()[1]) * PAGESIZE if MEMORY.exists() else 0


def live(traced: bool) -> dict[str, dict[str, float]]:
    """Return seconds and bytes per node of each stage in a chain's life; tracing slows the clock."""
    from engine import Value

    if traced:
        tracemalloc.start()
    figures = {}

    def stage(name, action):
        tracemalloc.reset_peak()
        (traced_before, _), resident_before = tracemalloc.get_traced_memory(), resident_bytes()
        start = perf_counter()
        result = action()
        seconds = perf_counter() - start
        (traced_after, peak), resident = tracemalloc.get_traced_memory(), resident_bytes() - resident_before
        kept, peak = traced_after - traced_before, peak - traced_before
        if traced:
            figures[name] = {"kept": kept / LENGTH, "peak": peak / LENGTH}
        else:
            figures[name] = {"seconds": seconds, "resident": resident / LENGTH}
        return result

    def build():
        node = x
        for _ in range(LENGTH):
            node = node + x
        return node

    x = Value(1.0)
    graph = [stage("build", build)]
    stage("backward", graph[0].backward)
    assert x.grad == LENGTH + 1
    text = stage("pickle", lambda: pickle.dumps(graph[0]))
    loaded = stage("unpickle", lambda: pickle.loads(text))
    copied = stage("deepcopy", lambda: copy.deepcopy(graph[0]))
    assert graph[0].data == loaded.data == copied.data == LENGTH + 1
    stage("free", graph.clear)
    return figures


def alone(traced: bool) -> dict[str, dict[str, float]]:
    """Let a chain live in a fresh process."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(live, traced).result()


def run(rounds: int) -> list[dict]:
    """Print and return the figures of two lives, one for the clock and one traced, whatever `rounds` is."""
    print(f"\n{__doc__}")
    try:
        timed, traced = alone(traced=False), alone(traced=True)
    except ModuleNotFoundError as absence:
        print(f"  ours is left out: {absence}")
        return []
    figures = {name: timed[name] | traced[name] for name in timed}
    print(f"  recursion limit {sys.getrecursionlimit()}; bytes per node that each stage adds (goal: 1024)")
    print(f"  {'stage':10}{'seconds':>9}{'kept':>9}{'peak':>9}{'resident':>9}")
    for name, stage in figures.items():
        seconds, *sizes = (stage[column] for column in ("seconds", "kept", "peak", "resident"))
        print(f"  {name:10}{seconds:9.2f}" + "".join(f"{size:9.0f}" for size in sizes))
    return [{"title": __doc__, "length": LENGTH, "stages": figures}]
