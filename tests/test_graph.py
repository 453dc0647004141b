"""Nodes, their order, what is recorded, and that graphs of any length can be kept, copied and freed."""

import copy
import io
import pickle
import sys
import threading
import tracemalloc
import weakref

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from messages import explained

import engine
from engine import Tensor, Value, graph
from engine.errors import DataError, GraphError, ShapeError
from engine.testing import strategies


@st.composite
def graphs(draw):
    """The nodes of a random graph in the order they were made: leaves, one of them a constant, and results."""
    program = draw(strategies.expressions(kinds="values", result="any"))
    leaves = [Value(x, label=f"x{i}", requires_grad=i != 1) for i, x in enumerate(program.args)]
    return program.run(*leaves)


def ancestors(*outputs):
    found = set(outputs)
    for node in outputs:
        found |= ancestors(*node.inputs)
    return found


def chain(length):
    """A leaf and the end of a chain of Values that starts with it."""
    x = y = Value(1.0)
    for _ in range(length):
        y = y * 0.999
    return x, y


# The order of a graph


@given(graphs(), st.data())
def test_every_node_comes_once_and_after_its_inputs(nodes, data):
    outputs = data.draw(st.lists(st.sampled_from(nodes), min_size=1))
    order = engine.topological_order(*outputs)
    place = {node: i for i, node in enumerate(order)}
    assert len(place) == len(order)
    assert place.keys() == ancestors(*outputs)
    assert all(place[x] < place[node] for node in order for x in node.inputs)


@given(graphs(), st.randoms())
def test_the_order_is_leaves_then_results_as_they_were_made_however_it_is_asked_for(nodes, random):
    made = [node for node in nodes if not node.inputs] + [node for node in nodes if node.inputs]
    order = engine.topological_order(*nodes)
    own = set(made)  # by identity: equal numbers are equal nodes in a list
    assert [id(node) for node in order if node in own] == [id(node) for node in made]
    shuffled = random.sample(nodes, len(nodes))
    again = engine.topological_order(*shuffled, *shuffled)
    assert set(again) == set(order)
    assert [id(node) for node in again if node.number] == [id(node) for node in order if node.number]  # no constants


def test_a_leaf_with_new_data_still_comes_before_its_results():
    x, y = Value(1.0), Value(2.0)
    z = x * y
    x.data = 3.0
    assert engine.topological_order(z) == [y, x, z]


def test_only_edges_that_a_gradient_flows_along_are_followed_on_request():
    x, c, w = Value(1.0), Value(2.0, requires_grad=False), Value(3.0)
    condition = engine.greater(w, 0.0)
    y = engine.where(condition, x * c, engine.detach(w))
    assert engine.topological_order(y, differentiable=True) == [x, y.inputs[1], y]
    assert {c, w, condition} < set(engine.topological_order(y))
    assert engine.topological_order(c, differentiable=True) == [c]


def test_numbers_and_arrays_are_inputs_like_any_other():
    y = Value(2.0) * 3 + np.ones(2)
    assert [node.op.name if node.op else node._value for node in engine.topological_order(y)][2:] == [
        2.0,
        "multiply",
        "add",
    ]


def test_the_order_of_nothing_is_empty():
    assert engine.topological_order() == []


def test_a_node_is_data_and_repeated_inputs_are_separate_edges():
    x = Value(3.0, label="x")
    y = engine.sum(x * x, axis=None)
    product = y.inputs[0]
    assert (product.op.name, product.inputs, product.params) == ("multiply", (x, x), None)
    assert y.params == {"axis": None, "keepdims": False}
    assert (x.op, x.inputs, x.params, x.label, x.grad, x.origin) == (None, (), None, "x", None, None)


# What is recorded


def test_nothing_is_recorded_under_no_grad():
    x = Tensor([1.0, 2.0])
    with engine.no_grad():
        y = engine.exp(x) * x
        first, second = engine.split(x, 2)
    for result in (y, first, second):
        assert (result.requires_grad, result.op, result.inputs) == (False, None, ())
    assert (x * 2).requires_grad
    assert x.requires_grad


def test_no_grad_nests_and_ends_with_its_block_also_after_an_error():
    x = Value(1.0)
    with pytest.raises(KeyError), engine.no_grad():
        with engine.no_grad():
            assert not (x * 2).requires_grad
        assert not (x * 2).requires_grad
        raise KeyError
    assert (x * 2).requires_grad


def test_no_grad_decorates_functions_as_often_as_they_are_called():
    @engine.no_grad()
    def double(x):
        """Twice x."""
        return x * 2

    assert [double(Value(1.0)).requires_grad for _ in range(2)] == [False, False]
    assert double.__name__ == "double" and double.__doc__ == "Twice x."


def test_a_generator_that_stops_inside_no_grad_does_not_stop_recording_for_ever():
    def steps():
        with engine.no_grad():
            yield Value(1.0) * 2

    assert [y.requires_grad for y in steps()] == [False]
    assert (Value(1.0) * 2).requires_grad


def test_in_place_operators_under_no_grad_train_a_leaf():
    """Least squares by gradient descent: the same leaf is the parameter at every step."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(20, 3)), rng.normal(size=20)
    w = leaf = Tensor(np.zeros(3), label="w")
    for _ in range(300):
        ((a @ w - b) ** 2).mean().backward()
        with engine.no_grad():
            w -= 0.2 * w.grad
        w.grad = None
    assert w is leaf and w.label == "w" and w.requires_grad
    np.testing.assert_allclose(w.data, np.linalg.lstsq(a, b, rcond=None)[0], rtol=1e-8)


@pytest.mark.parametrize("make", [Value, Tensor])
def test_every_in_place_operator_under_no_grad_writes_into_the_leaf(make):
    x = leaf = make(3.0)
    with engine.no_grad():
        x += 5
        x -= 2.0
        x *= make(4.0)
        x /= 3
        x **= 2
    assert x is leaf
    assert (x.item(), x.op, x.requires_grad) == (64.0, None, True)


def test_a_matrix_product_in_place_under_no_grad_writes_into_the_leaf():
    m = leaf = Tensor(np.eye(2))
    with engine.no_grad():
        m @= np.array([[1.0, 2.0], [3.0, 4.0]])
    assert m is leaf
    assert m.tolist() == [[1.0, 2.0], [3.0, 4.0]]


def test_in_place_operators_while_recording_give_the_name_to_the_result():
    x = Value(3.0)
    total = start = Value(0.0)
    for _ in range(3):
        total += x * x
    assert start.item() == 0.0
    total.backward()
    assert (total.item(), x.grad, start.grad) == (27.0, 18.0, 1.0)


def test_in_place_operators_keep_the_dtype_of_a_leaf_as_numpy_does():
    t = Tensor(np.ones(2, np.float32))
    with engine.no_grad():
        t -= np.float64(0.25) * np.ones(2)
    assert t.dtype == np.float32
    assert t.tolist() == [0.75, 0.75]


def test_in_place_operators_under_no_grad_refuse_results_and_other_shapes():
    x = Tensor([1.0, 2.0])
    y = x * 2
    with engine.no_grad():
        with explained(GraphError, "multiply", "(2,)"):
            y += 1
        with explained(ShapeError, "(2,)", "(3, 2)"):
            x += np.ones((3, 2))
    assert y.tolist() == [2.0, 4.0] and x.tolist() == [1.0, 2.0]


def test_results_of_no_grad_are_leaves_that_may_be_written():
    x = Value(2.0)
    with engine.no_grad():
        y = x * 3
        y += 1
    y.data = y.data + 1
    assert y.item() == 8.0


# Scopes


def test_scopes_name_the_origin_of_what_is_made_inside_and_nest():
    x = Value(1.0)
    with engine.scope("encoder"):
        outer = x * 2
        with engine.scope("linear"):
            inner = engine.sum(x * np.ones(2))
        after = x * 3
    assert [node.origin for node in (outer, inner, inner.inputs[0], after, x * 4)] == [
        "encoder",
        "encoder/linear",
        "encoder/linear",
        "encoder",
        None,
    ]


def test_a_scope_ends_with_its_block_also_after_an_error_and_can_be_entered_again():
    encoder = engine.scope("encoder")
    for _ in range(2):
        with pytest.raises(KeyError), encoder:
            raise KeyError
        assert (Value(1.0) * 2).origin is None
    with encoder:
        assert (Value(1.0) * 2).origin == "encoder"


def test_a_scope_within_no_grad_still_records_nothing():
    with engine.no_grad(), engine.scope("encoder"):
        assert not (Value(1.0) * 2).requires_grad
    with engine.scope("encoder"), engine.no_grad():
        assert not (Value(1.0) * 2).requires_grad
    with engine.scope("encoder"):
        assert (Value(1.0) * 2).origin == "encoder"


def test_the_scope_stands_in_messages():
    with engine.scope("encoder"), explained(ShapeError, "(2,)", "(3,)", "'encoder'"):
        Tensor([1.0, 2.0]) + Tensor([1.0, 2.0, 3.0])


# Data that are guarded


def test_new_data_of_a_leaf_are_copied_and_keep_shape_dtype_label_and_grad():
    t = Tensor([1.0, 2.0], label="t")
    (t * t).sum().backward()
    new = np.array([3.0, 4.0])
    t.data = new
    new[0] = 9.0
    assert t.tolist() == [3.0, 4.0]
    t.data = [5, 6]
    assert t.tolist() == [5.0, 6.0] and t.dtype == np.float64
    assert t.label == "t" and t.grad.tolist() == [2.0, 4.0]
    v = Value(1.0)
    v.data = 2
    assert type(v.data) is float


def test_data_may_be_changed_through_their_own_array():
    t = Tensor([1.0, 2.0])
    y = (t * t).sum()
    t.data -= 1
    assert t.tolist() == [0.0, 1.0]
    with explained(GraphError, "(2,)"):
        y.backward()


@pytest.mark.parametrize("shape", [(), (1,), (3,), (1, 2), (2, 1)])
def test_data_of_another_shape_are_refused(shape):
    t = Tensor([1.0, 2.0])
    with explained(ShapeError, shape, "(2,)"):
        t.data = np.zeros(shape)
    assert t.tolist() == [1.0, 2.0]


def test_arrays_of_another_dtype_are_refused():
    t = Tensor(np.ones(2, np.float32))
    for dtype in ("float64", "int64"):
        with explained(DataError, dtype, "float32"):
            t.data = np.ones(2, dtype)
    with explained(DataError, "float64", "int64"):
        Tensor(np.array([1, 2])).data = np.array([1.5, 2.5])


@pytest.mark.parametrize("data", ["ab", None, [1j, 2.0], [[1.0], [1.0, 2.0]], object(), Tensor([1.0, 2.0])])
def test_data_that_are_no_numbers_are_refused_like_a_constructor_s(data):
    for leaf in (Tensor([1.0, 2.0], label="leaf"), Value(1.0, label="leaf")):
        before = leaf.data
        with explained((DataError, ShapeError)):
            leaf.data = data
        assert leaf.data is before


def test_lists_are_not_truncated_into_a_leaf_of_integers():
    t = Tensor(np.array([1, 2]))
    with explained(DataError, "int64"):
        t.data = [1.5, 2.0]
    t.data = [3, 4]
    assert t.tolist() == [3, 4]


def test_the_data_of_a_result_cannot_be_assigned():
    for x in (Value(2.0), Tensor([2.0])):
        y = engine.exp(x)
        with explained(GraphError, "exp", "detach"):
            y.data = x.data


# Graphs older than their leaves


def recorded():
    x, y = Value(2.0, label="x"), Tensor([1.0, 2.0], label="y")
    result = (x * y).sum()
    return x, y, result


@pytest.mark.parametrize("which", [0, 1])
def test_a_sweep_over_a_graph_older_than_a_leaf_raises_and_names_both(which):
    leaves = recorded()[:2]
    product = leaves[0] * leaves[1]
    product.label = "product"
    result = product.sum()
    leaves[which].data = leaves[which].data * 2
    for sweep in (result.backward, lambda: engine.gradients(result, leaves)):
        with explained(GraphError, leaves[which].label, "product", "multiply"):
            sweep()
    assert [leaf.grad for leaf in leaves] == [None, None]
    (leaves[0] * leaves[1]).sum().backward()
    assert leaves[0].grad == leaves[1].data.sum()


def test_changed_constants_make_a_graph_stale_too():
    x, c = Value(2.0), Value(3.0, label="c", requires_grad=False)
    y = x * c
    c.data = 4.0
    with explained(GraphError, "'c'"):
        y.backward()


def test_a_step_of_training_makes_the_graph_before_it_stale():
    w = Value(2.0, label="w")
    loss = w * w
    loss.backward()
    with engine.no_grad():
        w -= 0.1 * w.grad
    with explained(GraphError, "'w'"):
        loss.backward()
    assert w.grad == 4.0


def test_data_changed_before_the_graph_was_recorded_do_no_harm():
    x = Value(2.0)
    x.data = 3.0
    y = x * x
    y.backward()
    assert x.grad == 6.0


# Pickling and copying


def python_pickler(tree):
    file = io.BytesIO()
    pickle._Pickler(file).dump(tree)
    return pickle._loads(file.getvalue())


COPIERS = {
    "pickle": lambda tree: pickle.loads(pickle.dumps(tree)),
    "pickle, protocol 0": lambda tree: pickle.loads(pickle.dumps(tree, protocol=0)),
    "Python's own pickle": python_pickler,
    "deepcopy": copy.deepcopy,
}
copiers = pytest.mark.parametrize("duplicate", COPIERS.values(), ids=COPIERS)


@engine.primitive(x=lambda xp, g, out, x, factor: g * factor)
def scaled(xp, x, *, factor):
    return x * factor


@copiers
@given(nodes=graphs())
def test_a_copied_graph_has_the_same_nodes_edges_and_gradients(duplicate, nodes):
    output = nodes[-1] * 2.0 + nodes[0]
    order = engine.topological_order(output)
    twin = engine.topological_order(duplicate(output))
    place = {node: i for i, node in enumerate(order)}
    twin_place = {node: i for i, node in enumerate(twin)}
    assert set(order).isdisjoint(twin)
    for node, other in zip(order, twin, strict=True):
        for field in ("_value", "op", "params", "label", "requires_grad", "grad", "origin"):
            assert getattr(node, field) == getattr(other, field)
        assert [place[x] for x in node.inputs] == [twin_place[x] for x in other.inputs]
    order[-1].backward()
    twin[-1].backward()
    assert [node.grad for node in order] == [node.grad for node in twin]


@copiers
def test_nodes_shared_between_several_roots_stay_shared(duplicate):
    x = Tensor([1.0, 2.0], label="x")
    y = x * 2
    z = y.sum() + x.sum()
    roots, again = duplicate(({"z": z, "y": [y]}, [x, z]))
    assert roots["z"] is again[1]
    assert roots["z"].inputs[0].inputs[0] is roots["y"][0]
    assert roots["y"][0].inputs[0] is again[0]


@copiers
def test_grads_labels_scopes_and_settings_are_kept(duplicate):
    with engine.scope("model"):
        x = Tensor([[1.0, 2.0]], label="x")
        y = x.sum(axis=1, keepdims=True)
        y.backward(gradient=[[3.0]])
    y.label = "y"
    twin = duplicate(y)
    assert (twin.label, twin.origin, twin.params) == ("y", "model", {"axis": 1, "keepdims": True})
    assert twin.inputs[0].grad.tolist() == [[3.0, 3.0]]
    twin.inputs[0].grad += 1
    twin.inputs[0].data = [[5.0, 6.0]]
    assert x.grad.tolist() == [[3.0, 3.0]] and x.tolist() == [[1.0, 2.0]]


@copiers
def test_rows_travel_by_their_qualified_name(duplicate):
    y = scaled(Value(2.0), factor=3.0)
    twin = duplicate(y)
    assert twin.op is scaled.primitive
    twin.backward()
    assert twin.inputs[0].grad == 3.0
    assert b"scaled" in pickle.dumps(y)
    assert b"lambda" not in pickle.dumps(y)


@copiers
def test_graphs_with_several_outputs_index_arrays_and_draws_can_be_copied(duplicate):
    t = Tensor([1.0, 2.0, 3.0])
    first, rest = engine.split(t, [1])
    noise = engine.random.default_rng(0).normal(size=2)
    y = (first * rest * noise * t[Tensor(np.array([0, 2]))]).sum() + t.values()[1]
    twin = duplicate(y)
    y.backward()
    twin.backward()
    (leaf,) = [node for node in engine.topological_order(twin) if node.requires_grad and not node.inputs]
    assert leaf.grad.tolist() == t.grad.tolist()


@copiers
def test_a_copy_keeps_its_order_and_can_be_built_upon_together_with_the_original(duplicate):
    x = Value(2.0)
    y = x * 3
    twin = duplicate(y)
    z = twin * y
    assert engine.topological_order(z)[-1] is z
    z.backward()
    assert x.grad == twin.inputs[0].grad == 18.0
    twin.inputs[0].data = 5.0
    with explained(GraphError, "multiply"):
        z.backward()


@copiers
def test_a_stale_graph_stays_stale_in_a_copy(duplicate):
    x, _, result = recorded()
    x.data = 7.0
    with explained(GraphError, "'x'"):
        duplicate(result).backward()
    with explained(GraphError, "'x'"):
        result.backward()


@copiers
def test_a_copy_that_failed_leaves_nothing_behind(duplicate):
    lock = threading.Lock()  # cannot be copied
    x = Value(2.0)
    y = engine.hook(x * 3, function=lambda g, lock=lock: g)
    y.params["function"] = lock
    for _ in range(3):
        with pytest.raises((TypeError, pickle.PicklingError)):
            duplicate([y, x])
    assert [reference() for reference in graph._handing_over.get()] in ([], [None])
    first, second = duplicate([x * 3, x])
    assert first.inputs[0] is second
    assert graph._handing_over.get() == ()


def test_a_shallow_copy_is_a_node_of_its_own():
    x = Value(2.0, label="x")
    twin = copy.copy(x)
    with engine.no_grad():
        twin += 1
    assert (x.item(), twin.item()) == (2.0, 3.0)
    y = x * 3
    assert copy.copy(y).inputs[0] is x


# Long chains


def check_chain(length, *duplicators):
    """A chain of this length builds, differentiates, is kept, copied and freed, in little memory."""
    assert sys.getrecursionlimit() <= 1000, "the default of Python is 1000"
    tracemalloc.start()
    try:
        x, y = chain(length)
        used = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert used / length < 1024
    y.backward()
    assert x.grad == pytest.approx(0.999**length, rel=1e-9)
    assert engine.evaluate(y, {x: 2.0}) == pytest.approx(2 * y.item(), rel=1e-9)
    assert repr(y) == f"Value({y.item()})"
    for duplicate in duplicators:
        twin = duplicate(y)
        assert twin.item() == y.item()
        (leaf,) = [node for node in engine.topological_order(twin, differentiable=True) if not node.inputs]
        assert leaf.grad == x.grad
        del twin, leaf
    freed = weakref.ref(y.inputs[0])
    del x, y
    assert freed() is None


def test_a_long_chain_builds_differentiates_is_kept_copied_and_freed():
    check_chain(50_000, COPIERS["pickle"], copy.deepcopy)


def test_a_chain_beyond_the_recursion_limit_is_kept_by_every_pickler():
    check_chain(3_000, *COPIERS.values())


@pytest.mark.slow
def test_a_chain_of_a_million_values_builds_differentiates_is_kept_copied_and_freed():
    check_chain(1_000_000, COPIERS["pickle"], copy.deepcopy)


def test_a_long_chain_of_tensors_and_of_recorded_gradients_works_too():
    x = y = Tensor([1.0])
    for _ in range(3_000):
        y = y * 1.0001
    (g,) = engine.gradients(y.sum() * x.sum(), [x], create_graph=True)
    copy.deepcopy(g).sum().backward()
    g.sum().backward()
    assert x.grad[0] == pytest.approx(2 * 1.0001**3000)


# Threads


def in_threads(*functions):
    """Run functions at once, each in a thread of its own, and return what they return."""
    results, barrier = [None] * len(functions), threading.Barrier(len(functions))

    def run(i, function):
        barrier.wait()
        try:
            results[i] = function()
        except BaseException as error:
            results[i] = error

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(functions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_two_threads_build_and_differentiate_separate_graphs_at_once():
    def build(seed):
        def run():
            rng = np.random.default_rng(seed)
            gradients = []
            for _ in range(150):
                x, v = Tensor(rng.normal(size=(3, 4))), Value(rng.normal())
                y = engine.softmax(x @ x.T * v).max() + engine.where(x > 0, x, v * x).sum() / (1 + v * v)
                y.backward()
                gradients.append((x.grad.tobytes(), v.grad))
            return gradients

        return run

    alone = [build(seed)() for seed in range(2)]
    assert in_threads(build(0), build(1)) == alone


def test_leaves_may_be_shared_between_threads_that_ask_for_gradients():
    w = Tensor(np.arange(6.0).reshape(2, 3))

    def run():
        return [engine.gradients((engine.tanh(w * i) ** 2).sum(), [w])[0].tobytes() for i in range(200)]

    alone = run()
    assert in_threads(run, run, run) == [alone] * 3
    assert w.grad is None


def test_no_grad_and_scopes_in_one_thread_do_not_reach_another():
    inside, done = threading.Event(), threading.Event()

    def without():
        with engine.no_grad(), engine.scope("other"):
            inside.set()
            assert done.wait(10)
            return (Value(1.0) * 2).requires_grad

    def within():
        assert inside.wait(10)
        y = Value(1.0) * 2
        done.set()
        return y.requires_grad, y.origin

    assert in_threads(without, within) == [False, (True, None)]


def test_a_thread_started_inside_no_grad_records():
    with engine.no_grad():
        (recorded,) = in_threads(lambda: (Value(1.0) * 2).requires_grad)
    assert recorded


# Identity


def test_nodes_are_told_apart_by_identity_and_compared_by_data():
    x, y = Value(1.0), Value(1.0)
    assert x == y
    assert {x: "x", y: "y"}[y] == "y"
    assert len({x, y, x}) == 2
    t = Tensor([1.0, 2.0])
    assert {t: 1}[t] == 1
    assert hash(t) == hash(t) and t in {t}


def test_nodes_take_no_other_attributes():
    with pytest.raises(AttributeError):
        Value(1.0).gard = 2.0
