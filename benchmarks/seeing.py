"""Readers of a graph: paths of a 50-layer, 50-wide network, a drawing of 10 000 nodes, and anomaly detection."""

import random
from collections.abc import Callable
from statistics import median
from time import perf_counter

LAYERS, WIDTH, NODES = 50, 50, 10_000


def network(labelled: bool) -> tuple:
    """Return the output and the input of layers of units, each a sum of products with every unit of the one before."""
    from engine import Value, tanh

    draw = random.Random(0)
    x = Value(0.5, label="x")
    units = [x * draw.gauss(0, 1) for _ in range(WIDTH)]
    for layer in range(LAYERS - 1):
        if labelled:
            for place, unit in enumerate(units):
                unit.label = f"h{layer}_{place}"
        units = [tanh(sum(Value(draw.gauss(0, WIDTH**-0.5)) * unit for unit in units)) for _ in range(WIDTH)]
    return sum(units), x


def chain() -> object:
    from engine import Value

    node = x = Value(0.5)
    for _ in range(NODES // 3):  # each time a constant, a product and a sum
        node = node * 0.9 + x
    return node


def timed(action: Callable[[], object], rounds: int) -> list[float]:
    seconds = []
    for _ in range(rounds):
        start = perf_counter()
        action()
        seconds.append(perf_counter() - start)
    return seconds


def run(rounds: int) -> list[dict]:
    """Print and return seconds: graphs are built off the clock."""
    import engine

    print(f"\n{__doc__}")
    found: dict[str, list[float]] = {}
    for labelled in (False, True):
        E, x = network(labelled)
        kind = "labelled units" if labelled else "no labels"

        def count_and_rank(E=E, x=x) -> object:
            return engine.count_paths(E, x), engine.paths(E, x).largest(10)

        digits = len(str(engine.count_paths(E, x)))
        found[f"count and 10 largest of 10^{digits - 1} paths, {kind}"] = timed(count_and_rank, min(rounds, 5))
        del E, x, count_and_rank
    node = chain()
    found["DOT of 10 000 nodes, whole"] = timed(lambda: engine.draw(node, limit=None).source, rounds)
    found["DOT of 10 000 nodes, collapsed"] = timed(lambda: engine.draw(node).source, rounds)

    def step() -> None:
        chain().backward()  # type: ignore[attr-defined]

    def watched() -> None:
        with engine.detect_anomaly():
            step()

    before = timed(step, rounds)
    found["graph of 10 000 nodes and its sweep, under detect_anomaly()"] = timed(watched, min(rounds, 5))
    found["the same before and after it, not watched"] = before + timed(step, rounds)
    for name, seconds in found.items():
        print(f"  {median(seconds):8.3f} s   ({min(seconds):.3f} … {max(seconds):.3f})   {name}")
    after = found["the same before and after it, not watched"][rounds:]
    print(f"  not watched, after / before: {median(after) / median(before):.3f} of medians")
    return [{"title": __doc__, "seconds": found}]
