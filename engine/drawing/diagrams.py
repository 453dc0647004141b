"""Diagrams: the description of a drawing written as DOT, as Mermaid and as text."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from typing import Any

import graphviz

from ..notation import LETTERS

# Colours of Okabe and Ito, which colour-blind readers tell apart; every kind has a shape of its own besides.
THEMES: dict[str, dict[str, Any]] = {
    "light": {
        "paper": "#ffffff", "ink": "#1a1a1a", "quiet": "#595959", "edge": "#767676", "gradient": "#a33f00",
        "path": "#e69f00", "cluster": "#f6f6f4", "rim": "#c4c4c0",
        "variable": ("#0072b2", "#e3f0f8"), "constant": ("#8a8a8a", "#f2f2f2"), "result": ("#5a5a5a", "#ffffff"),
        "output": ("#d55e00", "#fdeee4"), "module": ("#009e73", "#e2f4ee"),
    },
    "dark": {
        "paper": "#15171c", "ink": "#f0f0f0", "quiet": "#b4b4b4", "edge": "#8f949c", "gradient": "#ffb070",
        "path": "#f0e442", "cluster": "#1d2026", "rim": "#454a54",
        "variable": ("#56b4e9", "#11303f"), "constant": ("#9a9a9a", "#26282d"), "result": ("#c4c4c4", "#1f2228"),
        "output": ("#ff8c3a", "#40230d"), "module": ("#2fc79a", "#0d3329"),
    },
}  # fmt: skip
SHAPES = {
    "variable": {"style": "filled"},
    "constant": {"shape": "note", "style": "filled"},
    "result": {},
    "output": {"peripheries": "2"},
    "module": {"shape": "component", "style": "filled"},
}
BRACKETS = {
    "variable": ('["', '"]'),
    "constant": ('[/"', '"/]'),
    "result": ('("', '")'),
    "output": ('(["', '"])'),
    "module": ('[["', '"]]'),
}
PADDED = '<table border="0" cellborder="0" cellpadding="3"><tr><td>'


# The forms. Each writes the same lines for a node.


def _lines(node: Mapping[str, Any]) -> dict[str, str]:
    """What is written on a node, by what it says; none of it is empty."""
    name, expression = node["name"], node["expression"]
    value, shape = node["value"], tuple(node["shape"])
    if node["kind"] == "module":
        lines = {"name": name, "expression": expression, "quiet": f"{shape} {node['dtype']}" if shape else ""}
        return {role: text for role, text in lines.items() if text}
    lines = {"name": name, "expression": expression and f"= {expression}", "value": value or ""}
    if shape:
        lines["quiet"] = f"{shape} {node['dtype']}"
    if node["gradient"] is not None:
        lines["gradient"] = f"grad {node['gradient']}"
    return {role: text for role, text in lines.items() if text} or {"quiet": node["kind"]}


def _edge_lines(edge: Mapping[str, Any], derivatives: bool) -> list[str]:
    """What is written on an edge: the local derivative by name and by number."""
    if not derivatives or edge["derivative"] is None:
        return []
    derivative, number = edge["derivative"], edge["factor"]
    if number is None or re.fullmatch(r"−?[\d.]+", derivative):
        return [derivative]
    return [derivative, number if number.startswith(("from", "all")) else f"= {number}"]


def _width(edge: Mapping[str, Any]) -> str:
    """The width of a line that is lit."""
    return f"{1.5 + 4 * edge['weight']:.1f}"


def dot(shown: Mapping[str, Any], derivatives: bool) -> str:
    """Return a description in DOT, with its ids on the groups that Graphviz makes of nodes, edges and clusters."""
    theme = THEMES[shown["theme"]]
    rim, fill = theme["result"]
    usual = {"shape": "box", "style": "filled,rounded", "color": rim, "fillcolor": fill, "penwidth": "1.2"}
    font = {"fontname": "Helvetica,Arial,sans-serif", "fontcolor": theme["ink"]}
    graph = graphviz.Digraph(
        graph_attr={
            **font, "label": _bold(shown["title"]), "labelloc": "t", "fontsize": "15", "rankdir": shown["direction"],
            "bgcolor": theme["paper"], "nodesep": "0.25", "ranksep": "0.45", "pad": "0.2",
        },
        node_attr={**font, **usual, "fontsize": "12", "margin": "0.12,0.06"},
        edge_attr={**font, "fontsize": "10", "color": theme["edge"], "arrowsize": "0.7"},
    )  # fmt: skip
    if len(shown["nodes"]) > 500:
        graph.graph_attr |= {"mclimit": "0.2", "nslimit": "2"}  # fewer rounds of tidying up, seconds and not minutes
    clusters = {
        cluster["id"]: graphviz.Digraph(
            f"cluster_{cluster['id']}",
            graph_attr={
                "id": cluster["id"], "label": f"<{_html(cluster['title'])}>", "labeljust": "l", "fontsize": "12",
                "style": "filled,rounded", "fillcolor": theme["cluster"], "color": theme["rim"], "margin": "10",
                "fontcolor": theme["quiet"],
            },
        )
        for cluster in shown["clusters"]
    }  # fmt: skip
    home = {name: clusters[cluster["id"]] for cluster in shown["clusters"] for name in cluster["nodes"]}
    lit = {edge[end] for edge in shown["edges"] if edge["weight"] is not None for end in ("from", "to")}
    for node in shown["nodes"]:
        rim, fill = theme[node["kind"]]
        look = {**SHAPES[node["kind"]]}
        if node["kind"] != "result":
            look |= {"color": rim, "fillcolor": fill}
        if node["id"] in lit:
            look["penwidth"] = "3"
        lines = _lines(node)
        hint = graphviz.escape(", ".join([f"{node['kind']} {node['op'] or ''}".strip(), *lines.values()]))
        home.get(node["id"], graph).node(node["id"], _label(lines, theme), id=node["id"], tooltip=hint, **look)
    for cluster in reversed(shown["clusters"]):
        clusters.get(cluster["parent"], graph).subgraph(clusters[cluster["id"]])
    for edge in shown["edges"]:
        line = {} if edge["differentiable"] else {"style": "dashed"}
        if edge["weight"] is not None:
            line |= {"color": theme["path"], "penwidth": _width(edge), "arrowsize": "0.5"}
        if written := _edge_lines(edge, derivatives):
            line["label"] = f"<{PADDED}{'<br/>'.join(map(_html, written))}</td></tr></table>>"
        graph.edge(edge["from"], edge["to"], id=edge["id"], **line)
    return graph.source


def _html(text: str) -> str:
    return html.escape(text, quote=False)


def _bold(text: str) -> str:
    return f"<<b>{_html(text)}</b>>"


def _label(lines: Mapping[str, str], theme: Mapping[str, Any]) -> str:
    """The lines of a node as Graphviz's HTML: the name and how it was computed share the first if they are short."""
    written: list[str] = []
    together = len(lines.get("name", "") + lines.get("expression", "")) < LETTERS
    for role, text in lines.items():
        text = _html(text)
        if role == "name":
            text = f"<b>{text}</b>"
        elif text.startswith("= ") and together and written:
            written[-1] += f" {text}"
            continue
        elif role in ("quiet", "gradient"):
            text = f'<font color="{theme[role]}">{text}</font>'
        written.append(text)
    return f"<{'<br/>'.join(written)}>"


def mermaid(shown: Mapping[str, Any], derivatives: bool) -> str:
    """Return a description in Mermaid."""
    theme = THEMES[shown["theme"]]
    nodes = {node["id"]: _mermaid_node(node) for node in shown["nodes"]}
    within: dict[str | None, list[str]] = {None: []}
    for cluster in shown["clusters"]:
        title = f'subgraph {cluster["id"]}["{_entities(cluster["title"])}"]'
        within[cluster["id"]] = [title, *[f"  {nodes.pop(name)}" for name in cluster["nodes"]]]
    within[None] += nodes.values()
    for cluster in reversed(shown["clusters"]):
        inner = within[cluster["id"]]
        indent = "  " * (cluster["parent"] is not None)
        within[cluster["parent"]] += [f"{indent}{line}" for line in [*inner, "end"]]
    look = "dark" if shown["theme"] == "dark" else "default"
    title = json.dumps(shown["title"], ensure_ascii=False)
    written = ["---", f"title: {title}", "config:", f"  theme: {look}", "---", f"flowchart {shown['direction']}"]
    written += [f"  {line}" for line in within[None]]
    for place, edge in enumerate(shown["edges"]):
        arrow = "-->" if edge["differentiable"] else "-.->"
        lines = "<br/>".join(map(_entities, _edge_lines(edge, derivatives)))
        written.append(f"  {edge['from']} {arrow}" + (f'|"{lines}"|' if lines else "") + f" {edge['to']}")
        if edge["weight"] is not None:
            written.append(f"  linkStyle {place} stroke:{theme['path']},stroke-width:{_width(edge)}px")
    for kind in SHAPES:
        rim, fill = theme[kind]
        if members := [node["id"] for node in shown["nodes"] if node["kind"] == kind]:
            written.append(f"  classDef {kind} stroke:{rim},fill:{fill},color:{theme['ink']}")
            written.append(f"  class {','.join(members)} {kind}")
    return "\n".join(written) + "\n"


def _mermaid_node(node: Mapping[str, Any]) -> str:
    left, right = BRACKETS[node["kind"]]
    lines = _lines(node)
    first = " ".join([_entities(lines.pop(role)) for role in ("name", "expression") if role in lines])
    return f"{node['id']}{left}{'<br/>'.join([*([first] if first else []), *map(_entities, lines.values())])}{right}"


def _entities(text: str) -> str:
    """Text without anything that Mermaid or HTML could read as its own."""
    return re.sub(r"[^\w .,=+'()/×·−–…²³→∂ᵀ]|(?<=^\d)\.(?= )", lambda sign: f"#{ord(sign[0])};", text)


def text(shown: Mapping[str, Any], derivatives: bool) -> str:
    """Return a description as a table, one node on a line; numbers without a name stand in the expressions only."""
    named = {node["id"]: node["name"] or node["value"] or node["kind"] for node in shown["nodes"]}
    lit = {edge[end] for edge in shown["edges"] if edge["weight"] is not None for end in ("from", "to")}
    arriving: dict[str, list[Mapping[str, Any]]] = {}
    for edge in shown["edges"]:
        arriving.setdefault(edge["to"], []).append(edge)
    header = {"mark": "", "node": "node", "value": "value", "shape": "shape", "gradient": "gradient", "scope": "scope"}
    rows = [header]
    for node in shown["nodes"]:
        if not node["name"] and node["kind"] == "constant":
            continue
        parts = node["name"], node["expression"]
        joint = ": " if node["kind"] == "module" else " = "
        row = {
            "mark": "*" if node["id"] in lit else "",
            "node": joint.join([part for part in parts if part]),
            "value": node["value"] or "",
            "shape": f"{tuple(node['shape'])} {node['dtype']}" if node["shape"] else "",
            "gradient": node["gradient"] or "",
            "scope": node["scope"],
        }
        rows.append(row)
        for edge in arriving.get(node["id"], ()):
            if lines := _edge_lines(edge, derivatives):
                rows.append({"node": f"  by {named[edge['from']]}: {' '.join(lines)}"})
    columns = [column for column in header if any(row.get(column) for row in rows[1:])]
    widths = {column: max([len(row.get(column, "")) for row in rows]) for column in columns}
    table = ["  ".join([row.get(column, "").ljust(widths[column]) for column in columns]).rstrip() for row in rows]
    return "\n".join([shown["title"], "", *table])
