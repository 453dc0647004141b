"""The stand-alone page of a drawing: one HTML file, without network, that zooms, steps and explains each node."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any


def standalone(description: Mapping[str, Any], svg: str | None, text: str) -> str:
    """Return the HTML file that shows the description of a drawing, its `svg` and its `text` form.

    `svg` is Graphviz's, with the ids of the description on its groups; where it is None the text stands in its place.
    The page runs its own script only, whatever a label says: its security policy names that script by its hash.

    >>> leaf = {"id": "n0", "name": "x", "op": None, "kind": "output", "value": "2.0", "gradient": None, "inputs": []}
    >>> page = standalone({"title": "x", "nodes": [leaf], "edges": []}, None, "x = 2.0")
    >>> page.splitlines()[0], "x = 2.0" in page
    ('<!doctype html>', True)
    """
    parts = {
        "title": html.escape(str(description.get("title") or "A computation")),
        "theme": "dark" if description.get("theme") == "dark" else "",
        "script": _hash(_template()),
        "drawing": _inline(svg) if svg is not None else "",
        "text": html.escape(text),
        "description": _escaped(description),
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda place: parts[place[1]], _template())


@cache
def _template() -> str:
    return files(__package__).joinpath("page.html").read_text("utf-8")


def _hash(template: str) -> str:
    """The name of the template's script in the security policy."""
    script = template.rpartition("<script>")[2].partition("</script>")[0]
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _inline(svg: str) -> str:
    """The svg element alone: the declarations before it belong to a file of its own."""
    return svg[max(svg.find("<svg"), 0) :].rstrip()


def _escaped(description: Mapping[str, Any]) -> str:
    """JSON that no parser of HTML can take for the end of its element."""
    written = json.dumps(description, ensure_ascii=False, separators=(",", ":"))
    return written.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
