"""Pictures: DOT laid out by Graphviz, the program `dot` or the library that pygraphviz carries."""

from __future__ import annotations

import warnings

import graphviz

from ..errors import DataError, LayoutError, MissingExtraError


def picture(source: str, format: str) -> bytes:
    """Return DOT as an "svg", "png" or "pdf".

    Raises DataError for another format, LayoutError where Graphviz breaks down over the drawing, and MissingExtraError
    where nothing is installed that draws.
    """
    if format not in ("svg", "png", "pdf"):
        raise DataError(
            f"A picture was asked for as {format!r}. Graphviz draws svg, png and pdf here. "
            "Write .picture('svg'), or .save() with a name that ends in one of them."
        )
    try:
        return graphviz.pipe("dot", format, source.encode(), quiet=True)
    except graphviz.ExecutableNotFound:
        problem = "the program dot was not found"
    except graphviz.CalledProcessError as error:
        if error.returncode < 0:  # a signal ended it; the same library would end this very process
            raise LayoutError(
                f"A drawing was to become {format}, and Graphviz's dot broke down over it "
                f"(signal {-error.returncode}). Its DOT has {source.count(chr(10))} lines. "
                "Draw less of the graph with depth= or limit=, or save as .html, .txt, .mmd or .dot."
            ) from error
        # Some are built without png and pdf.
        problem = f"the program dot failed ({' '.join((error.stderr or b'').decode(errors='replace').split())[:200]})"
    try:
        import pygraphviz
    except ImportError as error:
        raise MissingExtraError(
            f"A drawing was to become {format}: {problem}, and pygraphviz is not installed. "
            "One of the two lays a picture out; text, DOT, Mermaid and HTML need neither. "
            "Write pip install 'chainrule[draw]', or install Graphviz, or save as .html, .txt, .mmd or .dot."
        ) from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of fonts that stand in for others
        drawn: bytes = pygraphviz.AGraph(string=source).draw(format=format, prog="dot")
    return drawn
