"""Drawings: a graph as DOT, Mermaid, text, SVG, PNG, PDF and a stand-alone page, all from one description.

| to see | read |
|---|---|
| what can be asked for, and what a drawing can do | `drawings.py` |
| the description: nodes, edges, clusters and paths as plain data | `outline.py` |
| which nodes are drawn by themselves, which together | `folding.py` |
| the gradients on nodes and edges | `adjoints.py` |
| the description as DOT, Mermaid and text | `diagrams.py` |
| DOT as a picture | `pictures.py` |
| the page that plays the steps | `page.py`, and what runs in the browser in `page.html` |
"""

from .drawings import Drawing, draw

__all__ = ["Drawing", "draw"]
