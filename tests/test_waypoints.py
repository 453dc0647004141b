"""Paths: their terms add up to backpropagation's gradient, and every count and ranking agrees with enumeration."""

import itertools
import math
from fractions import Fraction
from math import inf, isnan, nan

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from messages import explained

import engine
from engine import Tensor, Value
from engine.backward import local_slope
from engine.errors import DataError, GraphError, ShapeError
from engine.graph import differentiable_edges, watching
from engine.testing import strategies
from engine.waypoints import count_paths, label, paths
from engine.waypoints.hops import Hops, quick_factors

# Random graphs.


@st.composite
def graphs(draw, arrays=True, steps=12):
    """A random graph: its output, one number, and the nodes it was made of, some of them named."""
    program = draw(strategies.expressions(kinds="mixed" if arrays else "values", operations=steps))
    nodes = program.run(*program.leaves())
    if draw(st.booleans()):
        nodes.append(engine.hook(nodes[-1], function=lambda g: None))
    for number, node in enumerate(nodes):
        if draw(st.booleans()):
            node.label = f"n{number}"
    return nodes[-1], nodes


def questions(E, nodes, draw):
    """A node that the output depends on, mostly an early one, and a choice of way-points."""
    inside = [node for node in nodes if depends(E, node)]
    hypothesis.assume(inside)
    x = draw(st.one_of(st.just(inside[0]), st.sampled_from(inside)))
    return x, draw(st.one_of(st.sampled_from([None, "all"]), st.lists(st.sampled_from(nodes), max_size=5)))


def depends(E, x):
    return any(node is x for node in engine.topological_order(E, differentiable=True))


def flows(node):
    """The inputs that a gradient flows to."""
    rules = node.op.rules_for(node.inputs) if node.op else ()
    return [x for x, rule in zip(node.inputs, rules, strict=True) if rule and x.requires_grad]


def enumerated(E, x, through):
    """Every path by recursion, from the definition: the way-points of each, from the output to the input."""
    order = [node for node in engine.topological_order(E, differentiable=True) if depends(node, x)]
    between = [node for node in order if node is not E and node is not x and not isinstance(node._value, tuple)]
    chosen = through
    if through is None:
        chosen = [node for node in between if node.label] or between
    elif through == "all":
        chosen = between
    chosen = {*(node for node in chosen if any(node is other for other in between)), E, x}
    found = {}

    def walk(node, line):
        if node is x:
            found[tuple(map(id, line))] = None
            return
        for y in flows(node):
            if depends(y, x):
                walk(y, (*line, y) if y in chosen else line)

    walk(E, (E,))
    return list(found)


def ids(path):
    return tuple(map(id, path.nodes))


def edges(E):
    return sum(len(node.inputs) for node in engine.topological_order(E))


def close(x, y, scale, E):
    """Equal within the promise 8·ε·edges·Σ|terms|, entry by entry."""
    return np.all(np.abs(np.subtract(x, y)) <= 8 * np.finfo(float).eps * max(edges(E), 1) * scale)


@pytest.mark.parametrize("arrays", [False, True])
@hypothesis.given(st.data())
def test_the_terms_sum_to_the_gradient(arrays, data):
    E, nodes = data.draw(graphs(arrays))
    x, through = questions(E, nodes, data.draw)
    found, finest = paths(E, x, through), paths(E, x, "all")
    hypothesis.assume(finest.count <= 1000)
    terms = [path.contribution for path in found]
    assert all(np.shape(term) == np.shape(x.data) for term in terms)
    (gradient,) = engine.gradients(E, [x])
    # Routes that cancel within one hop round too: the finest terms are what can be promised.
    assert close(sum(terms), gradient, sum(abs(path.contribution) for path in finest), E)
    assert found.complete
    assert np.array_equal(found.total, sum(terms))


@pytest.mark.parametrize("arrays", [False, True])
@hypothesis.given(st.data())
def test_the_count_and_the_paths_are_those_of_the_definition(arrays, data):
    E, nodes = data.draw(graphs(arrays, steps=8))
    x, through = questions(E, nodes, data.draw)
    expected = enumerated(E, x, through)
    found = paths(E, x, through)
    assert found.count == count_paths(E, x, through) == len(expected)
    assert sorted(ids(path) for path in found) == sorted(expected)
    assert [ids(path) for path in found] == [ids(path) for path in paths(E, x, through)]


@hypothesis.given(st.data())
def test_the_factors_of_a_path_multiply_to_its_contribution(data):
    E, nodes = data.draw(graphs())
    x, through = questions(E, nodes, data.draw)
    for path in itertools.islice(paths(E, x, through), 20):
        g = np.ones(())
        for factor, node in zip(path.factors, path.nodes, strict=False):
            assert np.shape(factor)[: np.ndim(node.data)] == np.shape(node.data)
            g = np.tensordot(g, factor, np.ndim(node.data))
        assert np.allclose(g, path.contribution, rtol=1e-12, atol=1e-12)


@hypothesis.given(st.data(), st.integers(1, 20))
def test_the_largest_are_those_that_sorting_all_finds(data, k):
    E, nodes = data.draw(graphs(data.draw(st.booleans())))
    x, through = questions(E, nodes, data.draw)
    found = paths(E, x, through)
    hypothesis.assume(found.count <= 1000)
    sizes = sorted([np.linalg.norm(path.contribution) for path in found], reverse=True)
    largest = found.largest(k)
    assert np.allclose([np.linalg.norm(path.contribution) for path in largest], sizes[:k], rtol=1e-12)
    assert len({ids(path) for path in largest}) == min(k, found.count)


def gate(x, factor):
    """A node whose derivative by x is the factor; where it is None, one that selects another branch."""
    return engine.where(False, x, 1.0) if factor is None else x * factor


def rank(factors):
    """The size of an exact product, so that the largest comes first: NaN, infinities, numbers, zeros."""
    if None in factors:
        return 2, 0
    if any(map(isnan, factors)) or (0.0 in factors and inf in map(abs, factors)):
        return 0, 0
    if inf in map(abs, factors):
        return 1, 0
    return 2, -abs(math.prod(map(Fraction, factors)))


ODD = st.sampled_from([0.0, -0.0, inf, -inf, nan, 1e300, 1e-300, 1.0, -1.0, None])
FOUR = st.tuples(*[st.one_of(ODD, st.floats(0.01, 100.0))] * 4)


@hypothesis.given(st.lists(FOUR, min_size=1, max_size=5), st.integers(1, 100))
def test_nan_comes_first_and_no_size_over_or_underflows(layers, k):
    x = Value(1.0)
    u, v = x + 0.0, x + 1.0
    for a, b, c, d in layers:
        u, v = gate(u, a) + gate(v, b), gate(u, c) + gate(v, d)
    found = paths(u + v, x)
    local = {ids(path): [found._hops.factor(*hop) for hop in itertools.pairwise(path.nodes)] for path in found}
    best = sorted(map(rank, local.values()))[:k]
    largest = sorted(rank(local[ids(path)]) for path in found.largest(k))
    for mine, other in zip(largest, best, strict=True):
        assert mine[0] == other[0]
        assert abs(mine[1] - other[1]) <= abs(other[1]) * Fraction(1, 10**9)


# Examples.


def many_paths(number):
    """A1: three paths, in scalars or in vectors."""
    x, W1, W2, r, s = map(number, [(3,), (3, 3), (3, 3), (3,), (3,)])
    if isinstance(x, Value):
        z = W1 * x
        h = engine.sigmoid(z)
        y = x + W2 * h
        R = r * h
        S = 0.5 * (y - s) ** 2
    else:
        z = W1 @ x
        h = engine.sigmoid(z)
        y = x + W2 @ h
        R = r @ h
        S = 0.5 * ((y - s) ** 2).sum()
    E = S + R
    label(locals())
    return E, x, locals()


@pytest.mark.parametrize(
    ("number", "chains"),
    [
        (lambda shape: Value(0.1 * sum(shape)), ["(y − s)", "r·σ'(z)·W1", "(y − s)·W2·σ'(z)·W1"]),
        (
            lambda shape: Tensor(np.random.default_rng(sum(shape)).normal(size=shape)),
            ["(y − s)", "rᵀσ'(z)W1", "(y − s)W2σ'(z)W1"],
        ),
    ],
)
def test_the_three_paths_of_the_report(number, chains):
    E, x, made = many_paths(number)
    found = paths(E, x)
    assert [path.arrow for path in found] == ["x → y → S → E", "x → z → h → R → E", "x → z → h → y → S → E"]
    assert [path.names[1] for path in found] == ["y", "z", "z"]
    assert [str(path.chain) for path in found] == chains
    assert [node.label for node in found.waypoints] == ["z", "h", "y", "R", "S"]
    y, s, r, z, W1, W2 = (made[name].data for name in ("y", "s", "r", "z", "W1", "W2"))
    slope = np.exp(-z) / (1 + np.exp(-z)) ** 2
    by_hand = [y - s, np.dot(r * slope, W1), np.dot(np.dot(y - s, W2) * slope, W1)]
    assert np.allclose([path.contribution for path in found], by_hand, rtol=1e-14)
    assert np.allclose(found.total, engine.gradients(E, [x])[0], rtol=1e-15)
    assert count_paths(E, x, "all") == 3
    assert repr(next(iter(found))) == "<path x → y → S → E>"
    assert repr(found).startswith("<3 paths from 'x'")


def test_the_same_order_every_time():
    runs = [[path.arrow for path in paths(*square_grid(4)[:2])] for _ in range(3)]
    assert runs[0] == runs[1] == runs[2]
    assert len(set(runs[0])) == 4**3


def square_grid(size, layers=3, named=True, act=engine.tanh):
    """Layers of units, each a plain sum over all units of the layer before."""
    rng = np.random.default_rng(0)
    x = Value(0.5, label="x")
    units = [x * float(w) for w in rng.normal(size=size)]
    for layer in range(layers):
        if layer:
            units = [act(sum(w * u for w, u in zip(row, units, strict=True))) for row in rng.normal(size=(size, size))]
        if named:
            label({f"h{layer}_{i}": unit for i, unit in enumerate(units)})
    return sum(units), x, units


@pytest.mark.slow
@pytest.mark.parametrize("named", [True, False])
def test_the_largest_of_so_many_paths_that_nobody_can_list_them(named):
    E, x, _ = square_grid(50, 50, named)
    found = paths(E, x)
    assert found.count == count_paths(E, x) == 50**50
    largest = [abs(path.contribution) for path in found.largest(10)]
    assert largest == sorted(largest, reverse=True)
    assert largest[0] >= max(abs(path.contribution) for path in itertools.islice(found, 20))
    assert len(list(found)) == found.limit == 1000
    assert not found.complete
    assert found.total == engine.gradients(E, [x])[0]


def test_ten_to_the_hundred_paths_of_equal_size():
    x = y = Value(1.0)
    for _ in range(100):
        y = engine.add(y * 0.5, y * 0.5)
        for _ in range(8):
            y = y + y * 1e-3
    assert count_paths(y, x, "all") == 2**900
    assert len(paths(y, x).largest(5)) == 5
    ten = x
    for _ in range(100):
        ten = sum((ten * w for w in [0.1] * 9), ten * 0.1)
    assert count_paths(ten, x) == 10**100
    equal = [path.contribution for path in paths(ten, x).largest(20)]
    assert all(math.isclose(each, 1e-100) for each in equal)
    assert len({ids(path) for path in paths(ten, x).largest(20)}) == 20


@pytest.mark.slow
def test_a_chain_of_a_hundred_thousand_nodes():
    x = y = Value(1.0, label="x")
    for _ in range(100_000):
        y = y * 1.0
    y = y + x
    (short, long) = paths(y, x)
    assert (len(short.nodes), len(long.nodes)) == (2, 100_002)
    assert long.contribution == short.contribution == 1.0
    (alone,) = paths(y, x, through=[])
    assert alone.contribution == 2.0
    assert str(alone.chain) == "∂E/∂x"


def test_two_edges_between_the_same_nodes_are_one_hop():
    x = Value(3.0)
    (path,) = paths(x * x, x)
    assert path.factors == (6.0,)
    assert count_paths(x * x, x, "all") == 1


def test_a_path_of_length_zero():
    x = Value(3.0, label="x")
    (path,) = found = paths(x, x)
    assert (found.count, path.nodes, path.names, path.factors) == (1, (x,), ("x",), ())
    assert path.contribution == found.total == 1.0
    assert str(path.chain) == "1"
    assert ids(*found.largest(3)) == ids(path)


def test_the_input_may_be_a_result():
    x = Value(3.0, label="x")
    u = engine.sin(x)
    E = u * x + u
    (path,) = paths(E, u, [])
    assert path.contribution == 4.0
    assert count_paths(E, u, "all") == 2


def test_way_points_of_ones_own():
    E, x, made = many_paths(lambda shape: Value(0.1 * sum(shape)))
    assert [path.arrow for path in paths(E, x, [made["h"]])] == ["x → E", "x → h → E"]
    assert [path.arrow for path in paths(E, x, {made["R"], made["W1"]})] == ["x → E", "x → R → E"]
    assert count_paths(E, x, {"first": made["h"], "others": [made["y"], x]}) == 3
    (path,) = paths(E, x, [])
    assert math.isclose(path.contribution, engine.gradients(E, [x])[0])


def test_names_of_nodes_that_have_none():
    x = Value(2.0)
    u, v = engine.sin(x), engine.sin(2 * x)
    E = u * v
    label(s=v)
    found = list(paths(E, x, "all"))
    assert [path.arrow for path in found] == ["x1 → v3 → E", "x1 → v4 → s → E"]
    assert [str(path.chain) for path in found] == ["s·cos(x1)", "2·v3·cos(v4)"]
    u.label = "E"
    assert [path.arrow for path in paths(E, x, "all")] == ["x1 → E → v6", "x1 → v4 → s → v6"]


def test_a_branch_not_taken_contributes_zero():
    x = Value(0.0, label="x")
    root, log = engine.sqrt(x), engine.log(x)
    E = engine.where(x > 1, root * log, x)
    label(root=root, log=log, E=E)
    found = paths(E, x)
    assert [path.contribution for path in found] == [1.0, 0.0, 0.0]
    assert found.total == engine.gradients(E, [x])[0] == 1.0
    assert [path.arrow for path in found.largest(1)] == ["x → E"]
    live = paths(0.0 * log, x)
    assert [isnan(path.contribution) for path in live] == [True]


def test_a_branch_not_taken_contributes_zeros_entry_by_entry():
    x = Tensor([-1.0, 0.0, 4.0], label="x")
    log = engine.log(x)
    picked = engine.where(x.data > 0, log, x)
    doubled = picked * 2
    label(log=log, picked=picked, doubled=doubled)
    direct, through_log = paths(doubled.sum(), x)
    assert direct.contribution.tolist() == [2.0, 2.0, 0.0]
    assert through_log.contribution.tolist() == [0.0, 0.0, 0.5]
    assert through_log.factors[2].tolist() == np.diag([0.0, 0.0, 1.0]).tolist()


def test_operations_with_several_results():
    x = Tensor([1.0, 2.0, 3.0], label="x")
    u, v, w = (x * x).values()
    E = u * v + v * w
    label(u=u, v=v, w=w)
    assert [path.names[1] for path in paths(E, x)] == ["u", "v", "w"]
    assert [path.contribution.tolist() for path in paths(E, x)] == [[8.0, 0.0, 0.0], [0.0, 40.0, 0.0], [0.0, 0.0, 24.0]]
    for path in paths(E, x, "all"):
        assert not any(isinstance(node.data, tuple) for node in path.nodes)


def test_values_and_tensors_in_one_path():
    a, b = Value(2.0, label="a"), Value(3.0, label="b")
    t = engine.stack([a, b, a * b])
    n = engine.norm(t)
    label(t=t, n=n)
    (path,) = paths(n * a, b)
    assert path.names == ("b", "t", "n", "E")
    assert [np.shape(factor) for factor in path.factors] == [(), (3,), (3,)]
    assert type(path.contribution) is float
    assert math.isclose(path.contribution, engine.gradients(n * a, [b])[0])


def test_tensors_of_no_axes_count_as_numbers():
    x = Tensor(2.0, label="x")
    u = x * x
    E = u * x
    label(u=u)
    found = paths(E, x)
    assert [path.factors for path in found] == [(4.0,), (2.0, 4.0)]
    assert [type(path.contribution) for path in found.largest(2)] == [float, float]
    assert found.total == 12.0


def test_single_precision_stays():
    x = Tensor(np.array([1.0, 2.0], np.float32))
    for path in paths((x * x).sum(), x):
        assert path.contribution.dtype == np.float32


def test_the_largest_of_arrays_are_among_the_first():
    x = Tensor([1.0, 1.0], label="x")
    terms = [x * w for w in (1.0, 5.0, nan, 3.0)]
    E = sum(terms).sum()
    label(terms=terms)
    assert [path.names[1] for path in paths(E, x).largest(2)] == ["terms[2]", "terms[1]"]
    few = paths(E, x, limit=2)
    assert [path.names[1] for path in few.largest(5)] == ["terms[1]", "terms[0]"]
    assert (few.count, few.complete, len(list(few))) == (4, False, 2)
    assert np.isnan(few.total).all()


def test_contributions_are_ones_own():
    x = Tensor([1.0, 2.0])
    (path,) = paths(x.sum(), x)
    path.contribution[:] = 7.0
    assert engine.gradients(x.sum(), [x])[0].tolist() == [1.0, 1.0]


def test_a_hop_of_too_many_routes_is_not_spelled_out():
    x = y = Value(1.0, label="x")
    for _ in range(10):
        y = engine.sin(y) + engine.cos(y)
    (path,) = paths(y, x, [])
    assert str(path.chain) == "∂E/∂x"
    (few,) = paths(engine.tanh(x) + engine.sigmoid(x) * 2, x, [])
    assert str(few.chain) == "(tanh'(x) + 2·σ'(x))"


def test_the_edges_of_a_path_are_those_of_its_routes():
    x = Value(2.0, label="x")
    u = engine.sin(x) * engine.cos(x)
    E = u * u + x
    label(u=u)
    direct, around = paths(E, x)
    assert [(node.op.name, position) for node, position in direct.edges] == [("add", 1)]
    assert [(node.op.name, position) for node, position in around.edges] == [
        ("add", 0), ("multiply", 0), ("multiply", 1), ("multiply", 0), ("multiply", 1), ("cos", 0), ("sin", 0),
    ]  # fmt: skip


def test_anomaly_detection_does_not_watch_what_is_only_tried_out():
    class Watch:
        def forward(self, node):
            pytest.fail("watched")

        def backward(self, node, x, g, c):
            pytest.fail("watched")

    x = Value(0.0, label="x")
    E = engine.where(x > 1, engine.log(x), x) * 0.0
    with watching(Watch()):
        (path,) = found = paths(E, x, [])
        assert (path.contribution, found.largest(1)[0].factors, paths(E, x, "all").total) == (0.0, (0.0,), 0.0)


@pytest.mark.filterwarnings("error")
def test_infinite_terms_make_no_noise():
    x = Tensor([0.0, 1.0], label="x")
    root, reciprocal = engine.sqrt(x), 1 / x
    E = (root + reciprocal).sum() * 1e308
    label(root=root, reciprocal=reciprocal)
    found = paths(E, x)
    assert np.isnan(found.total).tolist() == [True, False]
    assert {path.names[1] for path in found.largest(2)} == {"root", "reciprocal"}


# Labels.


def test_labels_of_variables():
    x = Value(1.0)
    y = x + 1
    z = Value(2.0, label="mine")
    parts = [x, (y * 2, {"a": y * 3, 4: y * 5})]
    _hidden = Value(3.0)
    again, number, text = y, 5, "x"
    parts[1][1]["self"] = parts
    label(locals())
    assert (x.label, y.label, z.label, _hidden.label) == ("x", "y", "mine", None)
    held = [parts[1][0], parts[1][1]["a"], parts[1][1][4]]
    assert [node.label for node in held] == ["parts[1][0]", 'parts[1][1]["a"]', "parts[1][1][4]"]


def test_labels_by_name_and_in_pairs():
    x, y, z = Value(1.0), Value(2.0), Value(3.0)
    assert label([("x", x)], y=y) is None
    label()
    label({"x": z, "z": z})
    assert [x.label, y.label, z.label] == ["x", "y", "x"]


@pytest.mark.parametrize("wrong", [Value(1.0, label="v"), "x", 5, [Value(1.0)], [1, 2], {1: Value(1.0)}, ["ab", 5]])
def test_what_cannot_be_labelled(wrong):
    with explained(DataError, "label("):
        label(wrong)


# Bad input.


def test_ends_that_no_path_joins():
    x, y = Value(1.0, label="x"), Value(2.0, label="y")
    for E in (y * 2, y * x.detach(), engine.greater(x, y) * y):
        with explained(GraphError, "does not depend on", "'x'"):
            paths(E, x)
        with explained(GraphError, "does not depend on", "'x'"):
            count_paths(E, x)
    with explained(GraphError, "does not depend on"):
        paths(x, x * 2)
    fixed = Value(1.0, requires_grad=False)
    with explained(GraphError, "does not depend on"):
        paths(fixed * x, fixed)
    with explained(GraphError, "does not depend on"):
        paths(fixed, fixed)


def test_ends_that_are_no_nodes_or_no_number():
    x = Tensor([1.0, 2.0], label="x")
    with explained(GraphError, "E is 3.0"):
        paths(3.0, x)
    with explained(GraphError, "x is 'x'"):
        count_paths(x.sum(), "x")
    with explained(ShapeError, "(2,)"):
        paths(x * 2, x)


@pytest.mark.parametrize("limit", [0, -1, 2.0, True, "all", None])
def test_limits_that_are_none(limit):
    x = Value(1.0)
    with explained(DataError, "limit="):
        paths(x * 2, x, limit=limit)
    with explained(DataError, "k="):
        paths(x * 2, x).largest(limit)


@pytest.mark.parametrize("through", ["labels", 3, Value(1.0, label="h"), ["h"], [None], True])
def test_way_points_that_are_no_nodes(through):
    x = Value(1.0)
    with explained(DataError, "through="):
        paths(x * 2, x, through)


def test_a_graph_older_than_its_data():
    x = Value(1.0)
    E = x * x
    x.data = 2.0
    with explained(GraphError, "changed"):
        next(iter(paths(E, x))).contribution  # noqa: B018


@hypothesis.given(graphs(arrays=False))
def test_the_short_way_to_a_factor_finds_the_local_slopes(graph):
    E, _ = graph
    order = engine.topological_order(E)
    for node in order:
        edges = list(differentiable_edges(node))
        assert [x for _, x in edges] == flows(node)
        factors = quick_factors(node, {x for x in order if x.requires_grad}) if node.op else None
        if factors is not None:
            np.testing.assert_array_equal(factors, [local_slope(node, position) for position, _ in edges])


@hypothesis.given(graphs(), st.data())
def test_hops_from_several_nodes_are_those_from_each(graph, data):
    E, nodes = graph
    inside = [node for node in nodes if depends(E, node)]
    hypothesis.assume(inside)
    chosen = list(dict.fromkeys(data.draw(st.lists(st.sampled_from(inside), min_size=1, max_size=3))))
    through = {node for node in nodes if node.label} | set(chosen)
    together = Hops(E, chosen, through)
    for x in chosen:
        for node, down in Hops(E, [x], through).down.items():
            assert set(down) <= set(together.down[node])
    for node, down in together.down.items():
        ends = {route[-1][0].inputs[route[-1][1]] for route in itertools.islice(together.routes(node), 10_000)}
        assert ends == set(down)
