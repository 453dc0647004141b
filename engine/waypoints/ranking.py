"""Ranking: the largest products of factors along paths, best first, without listing the others.

Sizes are compared in logarithms, where nothing over- or underflows. What has no logarithm, a product with NaN, Inf or
zeros in it, has a rank instead.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator
from functools import cache
from itertools import count
from typing import Any

from ..graph import Node
from .hops import Hops

# What a product is, if not an ordinary number, because of the factors in it: a set of these kinds, held as an integer.
NAN, INF, ZERO, CUT = 1, 2, 4, 8
ORDINARY = 2  # the rank of an ordinary product: NaN has 0, an infinite one 1, zero 3


def best_first(hops: Hops) -> Iterator[tuple[Node, ...]]:
    """The paths between numbers from the largest product to the smallest, NaN first; each from the output on.

    Each step takes the path that loses least against the largest one, and keeps its rivals for later: they leave it at
    one way-point each, and are worth the largest path from there on. What a path loses is exactly 0 for the largest
    one, so that rounding can never send the search astray among very many that are equal.
    """
    sizes = _sizes(hops)
    order = count()  # equals come in the order in which they were found
    heap: list[Any] = [(_rank(0, sizes[hops.output][0]), 0.0, next(order), 0.0, 0, (hops.output, None))]
    while heap:
        *_, lost, kinds, nodes = heapq.heappop(heap)
        while hops.down[node := nodes[0]]:
            rivals: list[Any] = []
            most = sizes[node][1]
            for lower, factor in zip(hops.down[node], hops.factors(node)):
                kind, size = _size(factor)
                reachable, rest = sizes[lower]
                rank = _rank(kinds | kind, reachable)
                loss = lost + (most - (size + rest)) if not kinds | kind and rest > -math.inf else 0.0
                key = loss if rank == ORDINARY else 0.0
                rivals.append((rank, key, next(order), loss, kinds | kind, (lower, nodes)))
            best = min(rivals)
            for rival in rivals:
                if rival is not best:
                    heapq.heappush(heap, rival)
            *_, lost, kinds, nodes = best
        path = []
        while nodes:
            node, nodes = nodes
            path.append(node)
        yield tuple(reversed(path))


def _sizes(hops: Hops) -> dict[Node, tuple[int, float]]:
    """For each way-point the kinds of products that lead down from it, and the logarithm of the largest ordinary one.

    The kinds are a set of sets, again held as an integer.
    """
    sizes: dict[Node, tuple[int, float]] = {}
    for node, down in hops.down.items():
        reachable, most = (0, -math.inf) if down else (1, 0.0)
        for lower, factor in zip(down, hops.factors(node) if down else ()):
            kind, size = _size(factor)
            there, rest = sizes[lower]
            reachable |= _with(there, kind) if kind else there
            if size + rest > most:
                most = size + rest
        sizes[node] = reachable, most
    return sizes


def _size(factor: float | None) -> tuple[int, float]:
    """The kind of a factor, and the logarithm of its size if it is an ordinary one."""
    if factor is None:
        return CUT, -math.inf
    if factor and math.isfinite(factor):
        return 0, math.log(abs(factor))
    return NAN if math.isnan(factor) else INF if factor else ZERO, -math.inf


@cache
def _rank(kinds: int, reachable: int) -> int:
    """The best rank of a product that is of these kinds so far and may become one of those reachable."""

    def rank(kinds: int) -> int:
        if kinds & CUT or kinds == ZERO:
            return 3
        return 0 if kinds & NAN or kinds == INF | ZERO else 1 if kinds else ORDINARY

    return min([rank(kinds | rest) for rest in range(16) if reachable >> rest & 1])


@cache
def _with(reachable: int, kind: int) -> int:
    """Each set of kinds in `reachable` with one kind more."""
    return sum({1 << (kinds | kind) for kinds in range(16) if reachable >> kinds & 1})
