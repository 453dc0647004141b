"""Drawings: what is drawn, that it is true, the same bytes every time, and safe in every format.

`python tests/test_drawing.py` writes the golden files anew.
"""

import graphlib
import json
import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from messages import explained

import engine
from engine import Tensor, Value
from engine.backward import local_slope
from engine.drawing import Drawing, draw
from engine.drawing.adjoints import Adjoints
from engine.drawing.diagrams import THEMES
from engine.errors import DataError, GraphError, LayoutError, MissingExtraError, ShapeError
from engine.notation import figure
from engine.waypoints import label, paths
from nn import neurons

ROOT = Path(__file__).parent.parent
GOLDEN = Path(__file__).parent / "golden"
FORMS = {"dot": lambda drawing: drawing.source, "mmd": lambda drawing: drawing.mermaid, "txt": Drawing.text}
NOTHING_DRAWS = shutil.which("dot") is None
needs_dot = pytest.mark.skipif(NOTHING_DRAWS, reason="the program dot is not installed")


# The graphs of the examples.


def many_paths():
    """A1 with numbers: E and x."""
    x, W1, W2, r = Value(0.5), Value(2.0), Value(-1.5), Value(0.7)
    s = Value(0.2, requires_grad=False)
    z = W1 * x
    h = engine.sigmoid(z)
    y = x + W2 * h
    R = r * h
    S = (y - s) ** 2 / 2
    E = S + R
    label({name: node for name, node in locals().items() if name != "self"})
    return E, x


def layers(sizes, kind=Tensor):
    """Layers in scopes, with parameters that are written down and not drawn at random."""
    X = np.linspace(-1, 1, 2 * sizes[0]).reshape(2, sizes[0])
    x = Tensor(X, label="X", requires_grad=False)
    with engine.scope("MLP"):
        for place, (rows, columns) in enumerate(zip(sizes[1:], sizes, strict=False)):
            weight, bias = Tensor(np.linspace(-0.5, 1, rows * columns).reshape(rows, columns)), Tensor(np.zeros(rows))
            with engine.scope(str(2 * place)):
                x = engine.linear(x, weight, bias)
            with engine.scope(str(2 * place + 1)):
                x = engine.tanh(x)
    loss = (x**2).mean()
    loss.label = "loss"
    return loss


def golden_drawings():
    E, x = many_paths()
    hostile = Value(1.0, label='"<b>&\\n|{}`%%;#\n') * 2 + 1
    return {
        "many_paths": draw(E, paths=x, derivatives=True),
        "many_paths_backward": draw(many_paths()[0], backward=True, constants=False),
        "layers": draw(layers([2, 3, 1]), direction="TB", theme="dark"),
        "repeated_layers": draw(layers([3, 3, 3, 3, 1])),
        "hostile": draw(hostile, derivatives=True),
    }


def nodes(drawing):
    """The nodes of a description by their names."""
    return {node["name"]: node for node in drawing.description["nodes"]}


def names(drawing):
    return [node["name"] or node["value"] for node in drawing.description["nodes"]]


# Same graph, same bytes.


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", golden_drawings())
def test_the_same_graph_is_drawn_in_the_same_bytes(name, form):
    expected = (GOLDEN / f"{name}.{form}").read_text("utf-8")
    assert FORMS[form](golden_drawings()[name]) == expected


# Properties of random graphs.


@st.composite
def programs(draw_from):
    """A number computed from three leaves by a random program; intermediate results are used again."""
    made = [Value(draw_from(st.floats(-2, 2)), label=name) for name in "abc"]
    steps = {
        "add": engine.add, "multiply": engine.multiply, "subtract": engine.subtract, "maximum": engine.maximum,
        "sin": engine.sin, "tanh": engine.tanh, "relu": engine.relu, "double": lambda x: x * 2,
        "detach": engine.detach, "log of what is positive": lambda x: engine.where(x > 0, engine.log(x), 0.0),
    }  # fmt: skip
    for step in draw_from(st.lists(st.sampled_from(list(steps)), min_size=1, max_size=12)):
        chosen = draw_from(st.lists(st.sampled_from(made), min_size=2, max_size=2))
        with engine.scope(draw_from(st.sampled_from(["left", "left/inner", "right"]))):
            made.append(steps[step](*chosen[: 2 if step in ("add", "multiply", "subtract", "maximum") else 1]))
    return made[-1] + made[0]


@given(programs())
def test_every_gradient_is_that_of_gradients_and_none_is_written(E):
    order = engine.topological_order(E)
    drawn = {node["position"]: node["gradient"] for node in draw(E, collapse=False).description["nodes"]}
    reached = set(engine.topological_order(E, differentiable=True))
    for position, node in enumerate(order, 1):
        assert node.grad is None
        if node in reached:
            assert drawn[position] == figure(engine.gradients(E, [node])[0], 4)
        else:
            assert drawn[position] is None  # not computed is not 0


@given(programs())
def test_what_flows_back_along_the_edges_of_a_node_is_its_gradient(E):
    adjoints = Adjoints({E: 1.0})
    totals = dict.fromkeys(adjoints.arrived, 0.0) | {E: 1.0}
    for node in engine.topological_order(E, differentiable=True):
        for position, x in enumerate(node.inputs):
            if (flow := adjoints.flow(node, position)) is not None and node.op.rules[position] is not None:
                totals[x] += flow
                if np.isfinite(factor := local_slope(node, position)):
                    assert flow == pytest.approx(factor * adjoints.arrived[node], rel=1e-12, abs=1e-12)
    for node, g in adjoints.arrived.items():
        assert totals[node] == pytest.approx(g, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("taken", [False, True])
def test_each_of_two_edges_from_one_node_shows_its_own_flow(taken):
    x = Value(0.5, label="x")
    u = engine.sin(x)
    E = engine.where(taken, u, u)
    description = draw(E).description
    last = description["nodes"][-1]["id"]
    edges = {edge["name"]: edge for edge in description["edges"] if edge["to"] == last}
    shown = [(edges[name]["factor"], edges[name]["contribution"]) for name in ("x", "y")]
    assert shown == ([("1", "1"), ("0", "0")] if taken else [("0", "0"), ("1", "1")])


@given(programs(), st.sampled_from([None, 0, 1]), st.booleans(), st.sampled_from([None, 1, 3, 6]), st.booleans())
def test_a_description_is_sound_however_it_is_folded(E, depth, collapse, limit, constants):
    made = [draw(E, depth=depth, collapse=collapse, limit=limit, constants=constants) for _ in range(2)]
    description = made[0].description
    assert json.loads(json.dumps(description, allow_nan=False)) == description == made[1].description
    assert [form(made[0]) for form in FORMS.values()] == [form(made[1]) for form in FORMS.values()]
    ids = [node["id"] for node in description["nodes"]]
    place = {name: place for place, name in enumerate(ids)}
    assert len(place) == len(ids) and (limit is None or len(ids) <= max(limit, 1))
    for node in description["nodes"]:
        assert all(place[name] < place[node["id"]] for name in node["inputs"])
    assert len({edge["id"] for edge in description["edges"]}) == len(description["edges"])
    graph = {node["id"]: node["inputs"] for node in description["nodes"]}
    tuple(graphlib.TopologicalSorter(graph).static_order())
    pairs = sorted((edge["from"], edge["to"]) for edge in description["edges"])
    assert pairs == sorted((start, end) for end, starts in graph.items() for start in starts)
    inside = [name for cluster in description["clusters"] for name in cluster["nodes"]]
    assert len(set(inside)) == len(inside) and set(inside) <= set(ids)
    edges = {edge["id"] for edge in description["edges"]}
    for listed in description["paths"].values():
        assert all(edges.issuperset(path["edges"]) and place.keys() >= set(path["nodes"]) for path in listed)


@needs_dot
@settings(max_examples=30)  # each starts a program
@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=60))
def test_any_label_is_safe_in_every_form(first, second, scope):
    x = Value(1.0, label=first)
    with engine.scope(scope):
        E = engine.sin(x) * engine.tanh(x)
    E.label = second
    check_forms(draw(E, derivatives=True, paths=x))


SVG = "{http://www.w3.org/2000/svg}"


def check_forms(drawing):
    """Every form can be made; the picture holds each id of the description, and nothing of a label runs."""
    picture = ET.fromstring(drawing.svg())
    assert not [each for each in picture.iter() if each.tag.removeprefix(SVG) in ("script", "image", "foreignObject")]
    ids = {group.get("id") for group in picture.iter(f"{SVG}g")}
    description = drawing.description
    for kind in ("nodes", "edges", "clusters"):
        assert ids.issuperset(each["id"] for each in description[kind])
    # In Mermaid a label stands between quotes, and nothing in it can end it or begin anything else.
    for line in drawing.mermaid.splitlines()[6:]:
        for quoted in line.split('"')[1::2]:
            assert not set(quoted.replace("<br/>", "")) & set('"<>&\\`%{}[]|$*~^@!?')
        assert line.count('"') in (0, 2)
    assert len(drawing.text().splitlines()) <= 3 + len(description["nodes"]) + len(description["edges"])
    for form in (drawing.source, drawing.mermaid, drawing.text(), drawing.html()):
        form.encode()


HOSTILE = [
    '"', "<b>&amp;</b>", "<", "a&b", "back\\slash\\N\\l\\", "new\nline\r\t\x00", "%%{init: {}}%%", "`md` **b**",
    "\U0001f469\u200d\U0001f467", "x" * 10_000, "x" * 9_999 + "y", "\ud800", "$$x$$", "#quot;", " ", "]]>", "style: a",
    "--> n1", 'end"]; click n1 "javascript:alert(1)"', "<script>alert(1)</script>", "</svg>", "subgraph", "n1", "v3",
    "c1", "<!--",
]  # fmt: skip


@needs_dot
@pytest.mark.parametrize("hidden", [False, True], ids=["dot", "pygraphviz"])
def test_hostile_labels_are_safe_in_every_picture(hidden, monkeypatch, tmp_path):
    if hidden:
        pytest.importorskip("pygraphviz", reason="pygraphviz is not installed")
        monkeypatch.setenv("PATH", str(tmp_path))
    E = sum([Value(1.0, label=text) * 2 for text in HOSTILE])
    drawing = draw(E, direction="TB")
    check_forms(drawing)
    assert drawing.picture("png").startswith(b"\x89PNG") and drawing.picture("pdf").startswith(b"%PDF")
    drawn = [node["name"] for node in drawing.description["nodes"] if node["kind"] == "variable"]
    assert len(set(drawn)) == len(HOSTILE)  # two long labels that begin alike are told apart
    assert max(map(len, drawn)) < 50


# What stands on nodes and edges.


def test_a_node_says_what_it_is():
    E, _ = many_paths()
    drawn = nodes(draw(E))
    assert drawn["h"] | {"id": "", "inputs": []} == {
        "id": "", "position": 9, "op": "sigmoid", "name": "h", "kind": "result", "scope": "", "expression": "σ(z)",
        "value": "0.7311", "shape": [], "dtype": "float", "gradient": "1.895", "inputs": [],
    }  # fmt: skip
    assert [drawn[name]["kind"] for name in ("x", "s", "S", "E")] == ["variable", "constant", "result", "output"]
    assert drawn["s"]["gradient"] is None
    assert drawn["v10"]["expression"] == "W2·h"


def test_an_edge_has_the_local_derivative_and_what_flows_back():
    E, _ = many_paths()
    description = draw(E).description
    drawn = {node["id"]: node["name"] for node in description["nodes"]}
    edges = {(drawn[edge["from"]], drawn[edge["to"]]): edge for edge in description["edges"]}
    edge = edges["z", "h"]
    assert (edge["name"], edge["derivative"], edge["factor"], edge["contribution"]) == (
        "x",
        "σ'(z)",
        "0.1966",
        "0.3726",
    )
    assert edges["s", "v13"]["differentiable"] is False
    assert edges["s", "v13"]["derivative"] is None
    assert "σ'(z)" not in draw(E).source and "σ'(z)" in draw(E, derivatives=True).source


def test_tensors_show_shape_dtype_and_range():
    x = Tensor(np.arange(12, dtype="float32").reshape(3, 4), label="x")
    drawn = nodes(draw(x.sum()))["x"]
    assert (drawn["value"], drawn["shape"], drawn["dtype"], drawn["gradient"]) == (
        "from 0 to 11", [3, 4], "float32", "all 1",
    )  # fmt: skip
    x = Tensor([[0.0, np.nan]] * 8, label="x")
    assert nodes(draw(x.sum()))["x"]["value"] == "all 0 with NaN"
    assert nodes(draw(Tensor(np.zeros((0, 3)), label="x").sum()))["x"]["value"] == "[]"


def test_a_branch_that_was_not_taken_sends_back_zero():
    x = Tensor([-1.0, 0.0, 2.0], label="x")
    E = engine.where(x > 0, engine.log(x) * 3, 0.0).sum()
    drawing = draw(E)
    assert nodes(drawing)["x"]["gradient"] == "[0, 0, 1.5]"
    flows = [edge["contribution"] for edge in drawing.description["edges"]]
    assert not any("nan" in flow or "inf" in flow for flow in flows if flow)


def test_not_computed_is_never_zero():
    x = Value(2.0, label="x")
    k = Value(3.0, label="k", requires_grad=False)
    d = engine.detach(x)
    d.label = "d"
    E = x * k + d
    drawn = nodes(draw(E))
    assert drawn["k"]["gradient"] is None and drawn["d"]["gradient"] is None and drawn["x"]["gradient"] == "3"
    assert ">grad" not in draw(k * 2).source and "nothing requires grad" in draw(k * 2).text()
    assert "grad" not in draw(E, gradients=False).source
    zero = nodes(draw(x * 0.0 + k))["x"]
    assert zero["gradient"] == "0"


def test_several_results_and_several_outputs():
    first, second = engine.split(Tensor([1.0, 2.0, 3.0, 4.0], label="x"), 2)
    assert nodes(draw((first * second).sum()))["x"]["gradient"] == "[3, 4, 1, 2]"
    together = draw({"a": first, "b": [second, first]})
    assert "no gradients: several outputs" in together.text() and ">grad" not in together.mermaid
    assert nodes(draw([first, second], gradient=[[1.0, 2.0], [3.0, 4.0]]))["x"]["gradient"] == "[1, 2, 3, 4]"
    assert nodes(draw(first, gradient=[1.0, 2.0]))["x"]["gradient"] == "[1, 2, 0, 0]"
    assert nodes(draw(first))["x"]["gradient"] is None
    x = Value(2.0, label="x")
    assert nodes(draw([x * x, Value(1.0, requires_grad=False)]))["x"]["gradient"] == "4"


def test_a_leaf_is_a_graph():
    assert names(draw(Value(3.0, label="x"))) == ["x"]
    assert "x1" in draw(Tensor([1.0])).text()


def test_values_and_constants_can_be_left_out():
    E, _ = many_paths()
    assert "0.7311" not in draw(E, values=False, gradients=False).source
    bare = draw(E, constants=False)
    assert names(bare) == ["x", "W1", "W2", "r", "s", "z", "h", "v10", "y", "R", "v13", "v14", "S", "E"]
    assert nodes(bare)["S"]["expression"] == "v14/2"


def test_data_that_changed_afterwards_give_no_gradients():
    x = Value(2.0, label="x")
    E = x * x
    x.data = 3.0
    assert "no gradients: The data of 'x' were changed" in draw(E).text()


def test_a_drawing_does_not_depend_on_the_state_around_it():
    E, x = many_paths()
    expected = draw(E, backward=True).source, draw(E, paths=x).description
    with engine.no_grad(), np.errstate(all="raise"), engine.scope("elsewhere"):
        assert (draw(E, backward=True).source, draw(E, paths=x).description) == expected


# Paths.


def test_paths_are_lit_by_their_contribution():
    E, x = many_paths()
    drawing = draw(E, paths=x)
    drawn = {node["id"]: node["name"] for node in drawing.description["nodes"]}
    weights = {(drawn[edge["from"]], drawn[edge["to"]]): edge["weight"] for edge in drawing.description["edges"]}
    lit = {pair: weight for pair, weight in weights.items() if weight is not None}
    assert set(lit) == {
        ("x", "z"), ("z", "h"), ("h", "v10"), ("v10", "y"), ("x", "y"), ("y", "v13"), ("v13", "v14"), ("v14", "S"),
        ("S", "E"), ("h", "R"), ("R", "E"),
    }  # fmt: skip
    terms = {path.names: abs(path.contribution) for path in paths(E, x)}
    through_S = sum(size for way, size in terms.items() if "S" in way)
    assert lit["S", "E"] == 1.0
    assert lit["R", "E"] == pytest.approx(terms["x", "z", "h", "R", "E"] / through_S, abs=1e-3)
    assert drawing.description["title"] == "E; 3 paths from x"
    assert drawing.source == draw(E, paths=paths(E, x)).source


def test_one_path_is_lit_alone():
    E, x = many_paths()
    path = paths(E, x).largest(1)[0]
    drawing = draw(E, paths=path)
    assert path.arrow in drawing.description["title"]
    assert sum(edge["weight"] is not None for edge in drawing.description["edges"]) == 5
    assert drawing.text().count("*  ") == 6


def test_the_paths_of_every_variable_are_listed():
    E, _ = many_paths()
    description = draw(E).description
    x = nodes(draw(E))["x"]["id"]
    assert description["counts"][x] == "3"
    first = description["paths"][x][0]
    assert first["names"] == "x → y → S → E" and first["chain"] == "(y − s)" and first["contribution"] == "−0.7966"
    s = nodes(draw(E))["s"]["id"]
    assert s not in description["paths"]


def test_very_many_paths_are_counted_and_few_are_listed():
    x = y = Value(0.5, label="x")
    for _ in range(60):
        y = engine.sin(y) + engine.cos(y)
    drawing = draw(y, paths=x)
    assert "about 10^18 paths" in drawing.text()
    assert len(drawing.description["paths"]["n1"]) == 12


def test_paths_of_infinite_size_are_drawn():
    x = Value(0.0, label="x")
    E = engine.sqrt(x) + x
    weights = [edge["weight"] for edge in draw(E, paths=x).description["edges"]]
    assert all(0 <= weight <= 1 for weight in weights)


# Scopes, repeated siblings, large graphs.


def test_scopes_are_clusters_that_hold_their_parameters():
    description = draw(layers([2, 3, 1])).description
    titles = [(cluster["name"], cluster["title"], cluster["parent"]) for cluster in description["clusters"]]
    assert titles == [("MLP", "MLP", None), ("MLP/0", "0: linear", "c0"), ("MLP/2", "2: linear", "c0")]
    assert [len(cluster["nodes"]) for cluster in description["clusters"]] == [2, 3, 3]
    assert {node["name"] for node in description["nodes"] if not node["scope"]} == {"X", "", "v11", "loss"}


def test_depth_draws_scopes_as_one_node():
    assert names(draw(layers([2, 3, 1]), depth=0, constants=False)) == ["X", "MLP", "v11", "loss"]
    drawing = draw(layers([2, 3, 1]), depth=1, constants=False)
    assert names(drawing) == ["X", "linear", "tanh", "linear", "tanh", "v11", "loss"]
    assert [node["kind"] for node in drawing.description["nodes"]].count("module") == 4


def test_equal_siblings_are_drawn_once_and_others_are_not():
    assert "(linear → tanh) × 12" in names(draw(layers([4] * 13 + [1])))
    assert not [name for name in names(draw(layers([4] * 13 + [1]), collapse=False)) if "×" in name]
    assert not [name for name in names(draw(layers([4, 4, 4, 1]))) if "×" in name]  # two are no row
    assert not [name for name in names(draw(layers([5, 4, 3, 2, 1]))) if "×" in name]


def test_equal_siblings_side_by_side_are_drawn_once():
    drawing = draw(neurons.MLP(2, [4, 1])([1.0, 2.0]))
    assert "neurons × 4" in names(drawing)


def test_blocks_with_operations_between_them_are_drawn_once():
    x = Tensor(np.ones(3), label="x")
    for place in range(5):
        with engine.scope(f"block{place}"):
            inner = engine.tanh(engine.sin(x))
        x = x + inner
    assert names(draw(x.sum())) == ["x", "(block → add) × 5", "E"]
    assert len(names(draw(x.sum(), collapse=False))) == 17


def test_operations_alone_are_never_collapsed():
    x = Value(1.0, label="x")
    with engine.scope("chain"):
        for _ in range(6):
            x = engine.sin(x)
    assert len(names(draw(x))) == 7


def test_a_module_that_is_called_twice_makes_no_circle():
    x = Value(1.0, label="x")
    w = Value(0.5)
    for _ in range(3):
        with engine.scope("cell"):
            x = engine.tanh(w * x)
        x = x + 1
    drawing = draw(x, depth=0, collapse=False, constants=False)
    assert names(drawing) == ["x", "x1", "cell", "v8", "cell", "v11", "cell", "E"]


def test_a_large_graph_is_drawn_by_its_scopes_and_says_so():
    x = Value(0.1, label="x")
    for place in range(20):
        with engine.scope(f"part{place}"):
            for inner in range(5):
                with engine.scope(f"step{inner}"):
                    for _ in range(place + 1):
                        x = engine.tanh(engine.sin(x))
    assert len(names(draw(x))) == 21
    drawing = draw(x, limit=300, collapse=False)
    assert len(names(drawing)) == 101 and "drawn by scopes to depth 1" in drawing.description["title"]
    drawing = draw(x, limit=50, collapse=False)
    assert len(names(drawing)) == 21 and "2 101 nodes, drawn by scopes to depth 0" in drawing.description["title"]
    drawing = draw(x, limit=10)
    assert names(drawing) == ["x", "E"] and "those with a label" in drawing.description["title"]


def test_a_large_graph_without_scopes_is_drawn_by_its_labels():
    x = Value(0.1, label="x")
    y = Value(0.2, label="y")
    a = x
    for _ in range(3000):
        a = engine.sin(a)
    a.label = "a"
    E = a * y
    for _ in range(1000):
        E = engine.cos(E)
    drawing = draw(E)
    assert names(drawing) == ["x", "y", "a", "E"]
    drawn = {node["id"]: node["name"] for node in drawing.description["nodes"]}
    edges = {(drawn[edge["from"]], drawn[edge["to"]]) for edge in drawing.description["edges"]}
    assert edges == {("x", "a"), ("a", "E"), ("y", "E")}
    assert "4 003 nodes" in drawing.text()


@pytest.mark.slow
def test_a_chain_of_100_000_nodes_is_drawn():
    x = Value(0.1)
    for _ in range(100_000):
        x = engine.sin(x)
    drawing = draw(x)
    assert len(names(drawing)) == 2000 and "the last 2 000 of 100 001 nodes" in drawing.source
    assert len(draw(x, limit=None, gradients=False)._shown["nodes"]) == 100_001


def test_an_operation_with_very_many_inputs_is_drawn():
    E = engine.stack([Value(1.0) for _ in range(1500)]).sum()
    assert draw(E).source.count("->") == 1501


# The backward graph.


def test_the_backward_graph_ends_in_the_gradients():
    E, x = many_paths()
    drawing = draw(E, backward=True)
    drawn = nodes(drawing)
    for name in ("x", "W1", "W2", "r"):
        node = next(node for node in engine.topological_order(E) if node.label == name)
        result = drawn[f"∂E/∂{name}"]
        assert result["kind"] == "output" and result["value"] == figure(engine.gradients(E, [node])[0], 4)
    assert {cluster["name"] for cluster in drawing.description["clusters"]} == {"forward", "backward"}
    assert x.grad is None and x.label == "x"
    assert all(node["gradient"] is None for node in drawn.values())


def test_a_gradient_that_is_another_node_has_both_names():
    x, y = Tensor([1.0, 2.0], label="x"), Tensor([3.0, 4.0], label="y")
    drawn = nodes(draw((x * y).sum(), backward=True))
    assert {"∂E/∂x", "∂E/∂y"} <= drawn.keys()
    x, y = Value(1.0, label="x"), Value(2.0, label="y")
    assert "∂E/∂x, ∂E/∂y" in nodes(draw(x + y, backward=True))
    assert draw(x * 1 + y, backward=True, depth=0).text()


# Forms.


@needs_dot
def test_pictures_are_files_of_their_kind(tmp_path):
    E, x = many_paths()
    begins = {
        "svg": "<?xml",
        "png": b"\x89PNG",
        "pdf": b"%PDF",
        "dot": "digraph",
        "mmd": "---",
        "txt": "E;",
        "html": "<!",
    }
    for suffix, begin in begins.items():
        draw(E, paths=x).save(tmp_path / f"graph.{suffix}")
        data = (tmp_path / f"graph.{suffix}").read_bytes()
        assert data.startswith(begin.encode() if isinstance(begin, str) else begin)
    draw(E).save(str(tmp_path / "GRAPH.SVG"))
    assert len(list(tmp_path.iterdir())) == 8


def hide(monkeypatch, tmp_path, dot=True, pygraphviz=False):
    if dot:
        monkeypatch.setenv("PATH", str(tmp_path))
    if pygraphviz:
        monkeypatch.setitem(sys.modules, "pygraphviz", None)


def test_without_dot_pygraphviz_draws(monkeypatch, tmp_path):
    pytest.importorskip("pygraphviz", reason="pygraphviz is not installed")
    hide(monkeypatch, tmp_path)
    E, _ = many_paths()
    check_forms(draw(E))
    for suffix in ("svg", "png", "pdf"):
        draw(E).save(tmp_path / f"graph.{suffix}")
        assert (tmp_path / f"graph.{suffix}").stat().st_size > 1000


@pytest.mark.skipif(os.name != "posix", reason="the broken program is a script")
def test_a_dot_that_fails_is_replaced_or_named(monkeypatch, tmp_path):
    (tmp_path / "dot").write_text("#!/bin/sh\necho 'Format: \"png\" not recognized' >&2\nexit 1\n")
    (tmp_path / "dot").chmod(0o755)
    hide(monkeypatch, tmp_path, pygraphviz=True)
    monkeypatch.setenv("PATH", str(tmp_path))
    with explained(MissingExtraError, "not recognized", "pygraphviz"):
        draw(Value(1.0)).picture("png")


@pytest.mark.skipif(os.name != "posix", reason="the broken program is a script")
def test_a_dot_that_breaks_down_is_an_error_and_the_page_shows_text(monkeypatch, tmp_path):
    (tmp_path / "dot").write_text("#!/bin/sh\nkill -11 $$\n")
    (tmp_path / "dot").chmod(0o755)
    hide(monkeypatch, tmp_path)
    drawing = draw(many_paths()[0])
    with explained(LayoutError, "broke down", "signal 11", ".html"):
        drawing.svg()
    assert "<pre>" in drawing._repr_html_() and "σ(z)" in drawing.html()


def test_without_both_the_error_lists_the_ways_and_the_page_shows_text(monkeypatch, tmp_path):
    hide(monkeypatch, tmp_path, pygraphviz=True)
    drawing = draw(many_paths()[0])
    with explained(MissingExtraError, "dot", "chainrule[draw]", ".html", ".mmd"):
        drawing.save(tmp_path / "graph.svg")
    assert list(tmp_path.iterdir()) == []
    drawing.save(tmp_path / "graph.html")
    assert "σ(z)" in (tmp_path / "graph.html").read_text("utf-8")
    assert drawing._repr_svg_() is None
    assert "<pre>" in drawing._repr_html_() and set(drawing._repr_mimebundle_()) == {"text/plain", "text/html"}


@needs_dot
def test_notebooks_show_the_picture():
    drawing = draw(many_paths()[0])
    bundle = drawing._repr_mimebundle_()
    assert bundle["text/plain"] == str(drawing) and "<svg" in bundle["image/svg+xml"]
    assert drawing._repr_html_().startswith("<div") and "<svg" in drawing._repr_html_()
    assert repr(drawing) == "<drawing of E: 16 nodes>"


def test_a_drawing_loads_nothing_that_draws():
    code = "import sys, engine; from engine.drawing import draw; draw(engine.Value(1.0)).source; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, capture_output=True).stdout.split()
    assert b"graphviz" in loaded and b"pygraphviz" not in loaded


def contrast(one, other):
    def light(colour):
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] + 0.05

    return max(light(one) / light(other), light(other) / light(one))


@pytest.mark.parametrize("theme", THEMES)
def test_everything_that_is_written_can_be_read(theme):
    colours = THEMES[theme]
    for kind in ("variable", "constant", "result", "output", "module"):
        rim, fill = colours[kind]
        assert contrast(rim, colours["paper"]) > 3
        for ink in ("ink", "quiet", "gradient"):
            assert contrast(colours[ink], fill) > 4.5
    assert contrast(colours["quiet"], colours["cluster"]) > 4.5 < contrast(colours["ink"], colours["paper"])
    assert colours["paper"] in draw(Value(1.0), theme=theme).source


# What cannot be drawn.


def test_what_is_no_graph_is_refused():
    for wrong in (3.0, [], [Value(1.0), 2.0], np.ones(3), None):
        with explained(GraphError, "draw()", type(wrong if not isinstance(wrong, list) or not wrong else 2.0).__name__):
            draw(wrong)


@pytest.mark.parametrize(
    ("setting", "wrong"),
    [("depth", -1), ("depth", 1.5), ("depth", True), ("limit", 0), ("limit", "all"), ("direction", "RL"),
     ("theme", "blue"), ("theme", None), ("paths", "x"), ("paths", 3)],
)  # fmt: skip
def test_settings_that_do_not_exist_are_refused(setting, wrong):
    with explained(DataError, setting, wrong):
        draw(Value(1.0), **{setting: wrong})


def test_gradients_that_do_not_fit_are_refused():
    x = Tensor([1.0, 2.0])
    with explained(ShapeError, "(3,)", "(2,)"):
        draw(x * 2, gradient=np.ones(3))
    with explained(DataError, "2 outputs"):
        draw([x, x * 2], gradient=[np.ones(2)])
    with explained(GraphError, "backward graph"):
        draw(x * 2, backward=True)
    with explained(GraphError, "backward graph"):
        draw(Value(1.0, requires_grad=False) * 2, backward=True)


def test_paths_of_another_graph_are_refused():
    E, x = many_paths()
    other = Value(1.0, label="other")
    with explained(GraphError, "depend"):
        draw(E, paths=other)
    with explained(GraphError, "another graph"):
        draw(other * 2, paths=paths(E, x))


def test_a_file_of_an_unknown_kind_is_refused(tmp_path):
    for name in ("graph.jpeg", "graph", "graph.svgz"):
        with explained(DataError, name, ".svg", ".html"):
            draw(Value(1.0)).save(tmp_path / name)
    with explained(DataError, "gif"):
        draw(Value(1.0)).picture("gif")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_written_is_named_and_leaves_nothing(tmp_path):
    missing = tmp_path / "missing" / "graph.txt"
    with pytest.raises(FileNotFoundError, match="a folder that exists") as caught:
        draw(Value(1.0)).save(missing)
    assert caught.value.filename == str(missing)
    (tmp_path / "graph.txt").mkdir()
    with pytest.raises(OSError, match=r"graph\.txt"):
        draw(Value(1.0)).save(tmp_path / "graph.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["graph.txt"]


def test_a_failed_picture_leaves_the_old_file(monkeypatch, tmp_path):
    (tmp_path / "graph.svg").write_text("old")
    hide(monkeypatch, tmp_path, pygraphviz=True)
    with pytest.raises(MissingExtraError):
        draw(Value(1.0)).save(tmp_path / "graph.svg")
    assert (tmp_path / "graph.svg").read_text() == "old"


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for name, drawing in golden_drawings().items():
        for form, written in FORMS.items():
            (GOLDEN / f"{name}.{form}").write_text(written(drawing), "utf-8", newline="\n")


def test_results_of_unlike_shapes_are_drawn():
    first, second = engine.split(Tensor([1.0, 2.0, 3.0, 4.0]), (1,))
    assert "split" in str(draw(first.sum() * second.sum()))
