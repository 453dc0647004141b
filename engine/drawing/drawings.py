"""Draw a graph, and what can be done with the drawing."""

from __future__ import annotations

import html
import math
from collections.abc import Callable
from functools import cached_property
from pathlib import Path as File
from typing import Any

import numpy as np

from ..backward import _seed, by_itself, pull_back
from ..errors import DataError, GraphError, LayoutError, MissingExtraError
from ..files import form_of, write_file
from ..graph import Node, describe, topological_order
from ..notation import LETTERS, names_of, shortened, whole
from ..structure import flatten
from ..waypoints import Path, Paths
from . import diagrams
from .outline import LISTED, Outline
from .page import standalone
from .pictures import picture


def draw(
    output: Any,
    *,
    values: bool = True,
    gradients: bool = True,
    gradient: Any = None,
    derivatives: bool = False,
    constants: bool = True,
    depth: int | None = None,
    collapse: bool = True,
    paths: Node | Path | Paths | None = None,
    backward: bool = False,
    direction: str = "LR",
    theme: str = "light",
    limit: int | None = 2000,
) -> Drawing:
    """Draw the graph that a node, or a list, tuple or dict of nodes, was computed in.

    The drawing computes the gradient of every node by itself and writes to no `.grad`; a node without one shows none.
    The gradient is that of one number; `gradient` is what arrives at an output of another shape, or at each of several
    outputs. `values` shows what nodes hold, `derivatives` the local derivative on each edge, `constants` the leaves
    without label that require no grad. Scopes are drawn as clusters, those below `depth` as one node each, and with
    `collapse` three or more equal siblings too. `paths`, a node or what `engine.paths` returns, lights the way from
    there to the output, the wider the more it contributes. `backward` draws the graph of the gradients of all leaves.
    The `direction` is "LR" or "TB", the `theme` "light" or "dark". A graph of more than `limit` nodes is drawn by its
    scopes or labelled nodes, and says so in its title.

    Raises GraphError for what is no node, DataError for settings that do not exist, and as `engine.gradients` and
    `engine.paths` do.

    >>> import engine
    >>> x = engine.Value(3.0, label="x")
    >>> E = x * x + 1
    >>> print(draw(E, derivatives=True))
    E
    <BLANKLINE>
    node        value  gradient
    x           3      6
    v3 = x²     9      1
      by x: x = 3
      by x: x = 3
    E = v3 + 1  10     1
      by v3: 1
    """
    outputs, _ = flatten(output)
    _check(outputs, output, depth=depth, limit=limit, direction=direction, theme=theme, paths=paths)
    seeds, note = _seeds(outputs, gradient) if gradients and not backward else ({}, "")
    titles: dict[Node, str] = {}
    forward: set[Node] = set()
    if backward:
        forward = set(topological_order(*outputs))
        names = ", ".join(dict.fromkeys([shortened(node.label or describe(node)) for node in outputs]))
        outputs, titles = _backward_graph(outputs, gradient, names)
    outline = Outline(outputs, seeds, titles, forward, constants=constants, depth=depth, collapse=collapse, limit=limit)
    notes = [*outline.notes, *([note] if note else [])]
    highlight = Paths(outputs[0], paths) if isinstance(paths, Node) else paths
    if highlight is not None:
        notes.append(_way(outline, highlight))
    names = f"backward graph of {names}" if backward else ", ".join([outline.names[node] for node in outline.outputs])
    title = "; ".join([shortened(names, 3 * LETTERS), *notes])
    shown = outline.describe(values)
    if derivatives:
        shown["edges"] = outline.differentiated(shown["edges"])
    if highlight is not None:
        _light(outline, shown["edges"], highlight)
    return Drawing(outline, {"title": title, "direction": direction, "theme": theme, **shown}, derivatives)


class Drawing:
    """The picture of a graph in any form; made by `draw`.

    `description` is plain data that can be written as JSON: nodes, edges, clusters and paths.
    """

    def __init__(self, outline: Outline, shown: dict[str, Any], derivatives: bool) -> None:
        self._outline, self._shown, self._derivatives = outline, shown, derivatives

    def __repr__(self) -> str:
        return f"<drawing of {self._shown['title']}: {len(self._shown['nodes'])} nodes>"

    @cached_property
    def description(self) -> dict[str, Any]:
        """Everything a reader may ask for: what is drawn, the local derivatives of all edges, and the paths."""
        found, counts = self._outline.listed
        return {
            **self._shown,
            "edges": self._outline.differentiated(self._shown["edges"]),
            "paths": found,
            "counts": counts,
            "unlisted": self._outline.unlisted,
        }

    @cached_property
    def source(self) -> str:
        """The drawing in DOT, the language of Graphviz."""
        return diagrams.dot(self._shown, self._derivatives)

    @cached_property
    def mermaid(self) -> str:
        """The drawing in Mermaid, which Markdown viewers draw."""
        return diagrams.mermaid(self._shown, self._derivatives)

    def text(self) -> str:
        """The drawing as a table, one node on a line, inputs first."""
        return diagrams.text(self._shown, self._derivatives)

    def svg(self) -> str:
        """The picture as SVG; its groups carry the ids of `description`. Raises what `picture` raises."""
        return self.picture("svg").decode()

    def picture(self, format: str) -> bytes:
        """The picture as "svg", "png" or "pdf".

        Raises MissingExtraError where there is neither the program `dot` nor pygraphviz, and LayoutError where one
        breaks down over it.
        """
        return picture(self.source, format)

    def html(self) -> str:
        """The page that stands alone; without a program that can draw it, it shows the text form."""
        return standalone(self.description, self._repr_svg_(), self.text())

    def save(self, path: str | File) -> None:
        """Write the form that the name of the file ends in: .svg, .png, .pdf, .dot, .mmd, .txt or .html.

        Raises DataError for another ending, OSError where the file cannot be written, and as `picture` does.
        """
        write_file(path, form_of(path, FORMS)(self))

    def __str__(self) -> str:
        return self.text()

    def _repr_svg_(self) -> str | None:
        try:
            return self.svg()
        except (MissingExtraError, LayoutError):
            return None

    def _repr_html_(self) -> str:
        svg = self._repr_svg_()
        shown = f"<pre>{html.escape(self.text())}</pre>" if svg is None else svg[svg.index("<svg") :]
        return f'<div style="overflow: auto">{shown}</div>'

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        svg = self._repr_svg_()
        return {
            "text/plain": self.text(),
            **({"text/html": self._repr_html_()} if svg is None else {"image/svg+xml": svg}),
        }


FORMS: dict[str, Callable[[Drawing], str | bytes]] = {
    ".svg": Drawing.svg,
    ".png": lambda drawing: drawing.picture("png"),
    ".pdf": lambda drawing: drawing.picture("pdf"),
    ".dot": lambda drawing: drawing.source,
    ".mmd": lambda drawing: drawing.mermaid,
    ".txt": Drawing.text,
    ".html": Drawing.html,
}


# What is asked for.


def _check(nodes: list[Any], output: Any, **settings: Any) -> None:
    for node in nodes or [output]:
        if not isinstance(node, Node):
            raise GraphError(
                f"draw() was given {shortened(repr(node))} of type {type(node).__name__}. "
                "Only a node knows the graph that it was computed in. Give a Value, a Tensor, or a list of them."
            )
    for name, lowest in (("depth", 0), ("limit", 1)):
        number = settings[name]
        if number is not None and (not isinstance(number, int) or isinstance(number, bool) or number < lowest):
            raise DataError(
                f"draw() was given {name}={number!r}. It counts {'scopes' if name == 'depth' else 'nodes'}. "
                f"Give a whole number of at least {lowest}, or None for no bound."
            )
    for name, choices in (("direction", ("LR", "TB")), ("theme", ("light", "dark"))):
        if settings[name] not in choices:
            raise DataError(
                f"draw() was given {name}={settings[name]!r}. It is one of {choices}. "
                f"Write {name}={choices[0]!r} or {name}={choices[1]!r}."
            )
    if not isinstance(settings["paths"], Node | Path | Paths | None):
        raise DataError(
            f"draw() was given paths={shortened(repr(settings['paths']))}. It says from where paths are to be lit. "
            "Give the node that they start from, or what engine.paths(E, x) returns."
        )


def _seeds(outputs: list[Node], gradient: Any, create_graph: bool = False) -> tuple[dict[Node, Any], str]:
    """What arrives at which outputs, and in words why there is nothing."""
    if gradient is not None:
        given = (
            [gradient] if len(outputs) == 1 else list(gradient) if isinstance(gradient, list | tuple) else [gradient]
        )
        if len(given) != len(outputs):
            raise DataError(
                f"draw() was given {len(outputs)} outputs and gradients for {len(given)}. "
                "The gradient= says what arrives at each output. Give a list with one for each, in their order."
            )
        return {node: _seed(node, g, create_graph) for node, g in zip(outputs, given) if node._requires_grad}, ""
    moving = list(dict.fromkeys([node for node in outputs if node._requires_grad]))
    if not moving:
        return {}, "no gradients: nothing requires grad"
    if len(moving) > 1:
        return {}, "no gradients: several outputs, and no gradient= for each"
    if shape := np.shape(moving[0]._value):
        return {}, f"no gradients: shape {shape}, and no gradient="
    return {moving[0]: _seed(moving[0], None, create_graph)}, ""


def _backward_graph(outputs: list[Node], gradient: Any, name: str) -> tuple[list[Node], dict[Node, str]]:
    """The gradients of all leaves as a graph of their own, and what each is called."""
    seeds, why = _seeds(outputs, gradient, create_graph=True)
    if not seeds:
        raise GraphError(
            f"The backward graph of {name} was to be drawn ({why}). It starts from what arrives at the outputs. "
            "Draw one number that requires grad, or give gradient=."
        )
    order = topological_order(*seeds, differentiable=True)
    leaves = [node for node in order if not node.inputs]
    names = names_of(topological_order(*outputs), outputs[0] if len(outputs) == 1 else None)
    above = f"∂{shortened(names.get(outputs[0], ''))}" if len(outputs) == 1 else "∂"
    titles: dict[Node, str] = {}
    results = by_itself(pull_back, seeds, leaves, True)
    for x, g in zip(leaves, results):
        title = f"{above}/∂{shortened(names.get(x, 'x'))}"
        titles[g] = f"{titles[g]}, {title}" if g in titles else title
    return results, titles


def _way(outline: Outline, paths: Path | Paths) -> str:
    """The paths to be lit, in words."""
    ends = paths.nodes if isinstance(paths, Path) else (paths.output, paths.input)
    if not outline.position.keys() >= set(ends):
        raise GraphError(
            f"draw() was given {paths!r} to light. It leads through another graph than the one that is drawn. "
            "Take the paths from the output that you draw, as in engine.paths(E, x)."
        )
    if isinstance(paths, Path):
        return f"path {shortened(paths.arrow, 3 * LETTERS)}"
    return f"{whole(paths.count)} path{'s' * (paths.count != 1)} from {outline.names[paths.input]}"


def _light(outline: Outline, edges: list[dict[str, Any]], paths: Path | Paths) -> None:
    """Give the edges on the paths their weight, from 0 to 1: their part in the largest contributions."""
    listed = [paths] if isinstance(paths, Path) else paths.largest(LISTED)
    sizes = {} if isinstance(paths, Path) else dict.fromkeys(outline.between(paths.output, paths.input), 0.0)
    for path in listed:
        size = float(np.linalg.norm(np.ravel(path.contribution)))
        for edge in outline.edges_along(path):
            sizes[edge] = sizes.get(edge, 0.0) + size
    largest = max([size for size in sizes.values() if math.isfinite(size)], default=0.0) or 1.0
    for each in edges:
        if each["id"] in sizes:
            part = sizes[each["id"]] / largest
            each["weight"] = round(part, 3) if math.isfinite(part) else 1.0
