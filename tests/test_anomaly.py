"""Where a NaN or infinity came from: stopped at while computing, found in a finished graph, and cured as printed."""

import copy
import inspect
import json
import math
import pickle
import re
import threading
from math import inf, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from messages import explained, sentences

import engine
import nn
from engine import Tensor, Value, exp, gradients, hook, log, no_grad, softmax, sqrt, where
from engine.anomaly import Anomaly, Place, detect_anomaly, find_anomaly
from engine.anomaly.cures import CURES, cures_of
from engine.anomaly.spelling import Spelling
from engine.errors import AnomalyError, GraphError
from engine.graph import recording
from engine.primitives import ROWS

FUNCTIONS = {**vars(engine), "abs": abs}


def met(f, *mentions):
    """The anomaly at which f stops."""
    with explained(AnomalyError, *mentions) as caught, detect_anomaly():
        f()
    assert isinstance(caught.value, FloatingPointError) and isinstance(caught.value, GraphError)
    assert isinstance(caught.value.anomaly, Anomaly) and str(caught.value) == caught.value.anomaly.message
    return caught.value.anomaly


def here():
    """The line that calls this."""
    return inspect.currentframe().f_back.f_lineno


# Properties: an operation is named exactly when its numbers, or its derivatives, are not finite and its inputs are.

ELEMENTWISE = sorted(
    name
    for name, row in ROWS.items()
    if row.kind in ("elementwise", "selection")
    and not row.params
    and not row.variadic
    and "condition" not in row.inputs
)
DANGEROUS = st.sampled_from(
    [0.0, -0.0, 1.0, -1.0, 2.0, 0.5, -0.5, 700.0, -700.0, 1000.0, -1000.0, 1e200, -1e200, 1e-200]
)
VECTORS = st.lists(DANGEROUS, min_size=3, max_size=3)


@pytest.mark.parametrize("name", ELEMENTWISE)
@given(data=st.data(), kind=st.sampled_from([Value, Tensor]))
def test_an_operation_on_finite_numbers_is_stopped_where_its_result_is_not_finite(name, data, kind):
    row = ROWS[name]
    numbers = [data.draw(DANGEROUS if kind is Value else VECTORS) for _ in row.inputs]
    expected = np.asarray(row.call(*[kind(x) for x in numbers]).data)
    bad = np.argwhere(~np.isfinite(expected)).tolist()
    nodes = [kind(x) for x in numbers]
    with detect_anomaly():
        try:
            row.call(*nodes)
        except AnomalyError as error:
            found = error.anomaly
            assert bad and (found.direction, found.op, found.index) == ("forward", name, tuple(bad[0]))
            assert repr(found.output.entry) == repr(expected[found.index].item())
            for x, operand, node in zip(numbers, found.inputs, nodes, strict=True):
                assert operand.shape == np.shape(node.data)
                assert (operand.low, operand.high) == (np.min(x), np.max(x))
                assert operand.entry == np.asarray(node.data)[found.index]
        else:
            assert not bad


@pytest.mark.parametrize("name", ELEMENTWISE)
@given(data=st.data(), create_graph=st.booleans())
def test_a_rule_on_finite_numbers_is_stopped_where_its_gradient_is_not_finite(name, data, create_graph):
    row = ROWS[name]
    nodes = [Tensor(data.draw(VECTORS)) for _ in row.inputs]
    out = row.call(*nodes)
    if not np.isfinite(out.data).all() or not out.requires_grad:
        return
    expected = {row.inputs[i]: gradients(out.sum(), [x])[0] for i, x in enumerate(nodes) if x.requires_grad}
    bad = {by: np.argwhere(~np.isfinite(g)).tolist() for by, g in expected.items() if not np.isfinite(g).all()}
    total = out.sum()
    for search in (lambda: find_anomaly(total), lambda: gradients(total, nodes, create_graph=create_graph)):
        try:
            with detect_anomaly():
                found = search()
        except AnomalyError as error:
            found = error.anomaly
        if bad:
            assert (found.direction, found.op) == ("backward", name)
            assert list(found.index) == bad[found.by][0]
            assert found.gradient.low == found.gradient.high == 1.0
        else:
            assert found is None or isinstance(found, list)


UNARY = [engine.log, engine.sqrt, engine.exp, engine.reciprocal, engine.relu, engine.sigmoid, engine.negative]
BINARY = [engine.add, engine.multiply, engine.divide, engine.subtract, engine.maximum, engine.power]


@st.composite
def programs(draw):
    """A function of two vectors, as a list of steps: an operation and where its operands stand."""
    return [
        (draw(st.sampled_from([*UNARY, *BINARY, where])), *[draw(st.integers(0, 1 + i)) for _ in range(2)])
        for i in range(draw(st.integers(1, 6)))
    ]


def run(program, a, b):
    known = [a, b]
    for f, i, j in program:
        x, y = known[i], known[j]
        known.append(f(x > 0, x, y) if f is where else f(x) if f in UNARY else f(x, y))
    return known[-1].sum()


@given(programs(), VECTORS, VECTORS)
def test_a_finished_graph_has_an_anomaly_exactly_if_it_or_its_gradient_is_not_finite(program, first, second):
    a, b = Tensor(first, label="a"), Tensor(second, label="b")
    output = run(program, a, b)
    found = find_anomaly(output)
    with np.errstate(all="ignore"):
        fine = np.isfinite(output.data).all() and all(np.isfinite(g).all() for g in gradients(output, [a, b]))
    assert (found is None) == fine
    if found is None:
        return
    assert sentences(found.message)[0].startswith(("'", "Back", "The gradient"))
    assert not np.isfinite(found.output.entry)
    if found.direction == "forward":  # what it was computed from was better than what came of it
        given_to_it = [x.data for x in found.node.inputs]
        better = all(np.isfinite(x).all() for x in given_to_it) or np.isnan(found.output.entry)
        assert better or found.node.op.kind == "elementwise"
    # Whatever is not finite in the end was not while it was computed.
    with pytest.raises(AnomalyError), detect_anomaly():
        a, b = Tensor(first, label="a"), Tensor(second, label="b")
        run(program, a, b).backward()


# Cures: what is dangerous is met, and what is printed instead is finite, with a finite gradient, under the same eyes.

MATRIX = np.array([[0.0, 1000.0], [-1000.0, -2000.0]])
EXAMPLES = {  # for each line of the table, in order: what the names stand for
    "log(sigmoid(x))": ([-1000.0, 2.0],),
    "log(1 - sigmoid(x))": ([1000.0, 2.0],),
    "log(softmax(x, **params))": (MATRIX,),
    "log(sum(exp(x), **params))": (MATRIX - 2000,),
    "log(1 + exp(x))": ([1000.0, 2.0],),
    "exp(x) / sum(exp(x), **params)": ([1000.0, 2.0],),
    "1 / (1 + exp(-x))": ([-1000.0, 2.0],),
    "exp(x) / (1 + exp(x))": ([1000.0, 2.0],),
    "(exp(x) - exp(-x)) / (exp(x) + exp(-x))": ([-1000.0, 2.0],),
    "sqrt(sum(x * x, **params))": (np.zeros((2, 3)),),
    "sqrt(sum(x ** 2, **params))": (np.zeros((2, 3)),),
    "sqrt(x @ x)": ([0.0, 0.0],),
    "log(x)": ([0.0, -1.0, 2.0],),
    "log1p(x)": ([-1.0, -3.0, 2.0],),
    "sqrt(x)": ([0.0, 4.0],),
    "x / y": ([1.0, 0.0, 3.0], [0.0, 0.0, 2.0]),
    "reciprocal(x)": ([0.0, 2.0],),
    "exp(x)": ([1000.0, 2.0],),
    "expm1(x)": ([1000.0, 2.0],),
    "x ** detach(y)": ([-2.0, 3.0], [2.0, 2.0]),
    "where(x != 0, where(x != 0, x, 1) ** y, 0)": ([0.0, 3.0], [-1.0, -2.0]),
    "where(x > 0, where(x > 0, x, 1) ** y, 0)": ([-8.0, 3.0], [0.5, 2.0]),
    "softmax(x, **params)": ([[-inf, -inf], [-inf, 0.0]],),
    "log_softmax(x, **params)": ([[-inf, -inf], [inf, 0.0]],),
    "logaddexp(x, y)": ([-inf, 0.0], [-inf, 0.0]),
}
LINES = [cure.instead[0] if cure.written == "x ** y" else cure.written for cure in CURES]


def compute(code, names, params):
    return eval(code, {**FUNCTIONS, "params": params}, dict(names))


def settled(output):
    return output if np.ndim(output.data) == 0 else output.sum()


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
@pytest.mark.parametrize(("cure", "line"), list(zip(CURES, LINES, strict=True)), ids=LINES)
def test_what_is_printed_as_the_cure_is_finite_and_so_is_its_gradient(cure, line, dtype):
    dangerous = [np.asarray(data).astype(dtype) for data in EXAMPLES[line]]
    if dtype == "float16" and line in ("log(softmax(x, **params))", "log(sum(exp(x), **params))"):
        dangerous = [np.maximum(data, -1000) for data in dangerous]
    legal = not all(np.isfinite(data).all() for data in dangerous)  # infinities of constants, as masks are
    leaves = {name: Tensor(data, label=label) for name, label, data in zip("xy", ("u", "v"), dangerous)}
    names = {name: where(np.isfinite(x.data), where(np.isfinite(x.data), x, 0), x.data) for name, x in leaves.items()}
    names = names if legal else leaves
    rank = dangerous[0].ndim
    for params in [{}, {"axis": -1}, {"axis": 0}] if "params" in cure.written and rank == 2 else [{}]:
        if legal:
            found = met(lambda: settled(compute(cure.written, names, params)).backward())  # noqa: B023
        else:
            found = find_anomaly(settled(compute(cure.written, names, params)))
        assert found is not None, "the dangerous spelling is not dangerous"
        assert found.cures and len(found.cures) == len(cure.instead)
        if not legal:
            assert found.names.items() <= {"u": leaves["x"], "v": leaves.get("y")}.items()
        for printed in found.cures:
            assert printed in found.message
            with detect_anomaly():
                safe = compute(printed, found.names, {})
                results = [safe.data, *gradients(settled(safe), list(leaves.values()))]
            assert all(np.isfinite(result).all() for result in results)
            assert safe.dtype == dtype
            with np.errstate(all="ignore"):
                raw = compute(cure.written, names, params)
            same = np.isfinite(raw.data)
            if np.shape(raw.data) == np.shape(safe.data) and "epsilon" not in printed:
                tolerance = {"float64": 1e-9, "float32": 1e-5, "float16": 1e-2}[dtype]
                assert np.allclose(safe.data[same], raw.data[same], rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(
    ("code", "numbers"),
    [
        ("log(x)", (0.0,)),
        ("log(x)", (-2.0,)),
        ("log1p(x)", (-1.0,)),
        ("sqrt(x)", (0.0,)),
        ("sqrt(x)", (-1.0,)),
        ("x / y", (1.0, 0.0)),
        ("x / y", (0.0, 0.0)),
        ("1 / y", (0.0, 0.0)),
        ("reciprocal(x)", (0.0,)),
        ("exp(x)", (1000.0,)),
        ("expm1(x)", (1000.0,)),
        ("x ** y", (-2.0, 3.0)),
        ("x ** y", (0.0, 0.0)),
        ("x ** y", (-2.0, 0.5)),
        ("x ** y", (0.0, -1.0)),
        ("x ** 0.5", (0.0,)),
        ("x ** (-1)", (0.0,)),
        ("x ** 0.5", (-2.0,)),
        ("log(sigmoid(x))", (-1000.0,)),
        ("log(1 - sigmoid(x))", (1000.0,)),
        ("1 / (1 + exp(-x))", (-1000.0,)),
        ("log(1 + exp(x))", (1000.0,)),
    ],
)
def test_cures_work_for_single_numbers_too(code, numbers):
    names = {name: Value(x, label=name) for name, x in zip("xy", numbers)}
    found = find_anomaly(compute(code, names, {}))
    for printed in found.cures:
        with detect_anomaly():
            safe = compute(printed, names, {})
            slopes = gradients(safe, list(names.values()))
        assert math.isfinite(safe.data) and all(map(math.isfinite, slopes))
    assert f"in place of {code}".replace("(-1)", "-1") in found.message.replace("(-1)", "-1")


@pytest.mark.parametrize("line", [line for line in LINES if not any(np.isinf(data).any() for data in EXAMPLES[line])])
@pytest.mark.parametrize("shift", ["x - 1", "-(2 * x) ** 3", "sum(stack([x, x]), axis=0)", "x[None, ...][0]"])
def test_an_operand_is_spelled_as_it_was_computed_and_the_cure_runs_as_it_stands(line, shift):
    """The user's x is not what the operation got: the cure says both rightly."""
    cure = CURES[LINES.index(line)]
    code = re.sub(r"\bx\b", f"({shift})", cure.written).replace(", **params", "")
    wanted = np.asarray(EXAMPLES[line][0])
    start = {"x - 1": wanted + 1, "-(2 * x) ** 3": -np.cbrt(wanted) / 2, "sum(stack([x, x]), axis=0)": wanted / 2}
    names = {"x": Tensor(start.get(shift, wanted), label="x")}
    if len(EXAMPLES[line]) > 1:
        names["y"] = Tensor(EXAMPLES[line][1], label="y")
    if "@" in line and "axis" in shift:
        return  # (2·0) @ (2·0)
    found = find_anomaly(settled(compute(code, names, {})))
    assert found is not None and len(found.cures) == len(cure.instead)
    for printed in found.cures:
        with detect_anomaly():
            safe = compute(printed, {**found.names, **names}, {})
            slopes = gradients(settled(safe), list(names.values()))
        assert all(np.isfinite(result).all() for result in (safe.data, *slopes))
        assert "x - 1" in printed or shift != "x - 1"


@pytest.mark.parametrize(
    ("code", "x", "y", "cure"),
    [
        ("x - y", inf, inf, "where(isfinite(u), u, 0) - where(isfinite(v), v, 0)"),
        ("x + y", inf, -inf, "where(isfinite(u), u, 0) + where(isfinite(v), v, 0)"),
        ("x * y", 0.0, inf, "u * where(isfinite(v), v, 0)"),
        ("x * y", -inf, 0.0, "where(isfinite(u), u, 0) * v"),
        ("x / y", inf, -inf, "where(isfinite(u), u, 0) / where(isfinite(v), v, 0)"),
        ("x @ y", 0.0, inf, "u @ where(isfinite(v), v, 0)"),
        ("sin(y)", 0.0, inf, "sin(where(isfinite(v), v, 0))"),
        ("sum(stack([y, -y]), axis=0)", 0.0, inf,
         "sum(where(isfinite(stack([v, -v])), stack([v, -v]), 0), axis=0)"),
    ],
)  # fmt: skip
def test_nan_made_of_legal_infinities_is_an_anomaly_that_a_guard_cures(code, x, y, cure):
    a, b = Tensor([1.0, 2.0]), Tensor([1.0, 2.0])
    names = {"x": where([True, False], a * 0 + 1, x), "y": where([True, False], b, y)}
    names = {name: node if name in code else a for name, node in names.items()}
    engine.label(u=names["x"], v=names["y"])
    found = met(lambda: compute(code, names, {}), "nan")
    assert found.cures[0] == cure
    if "/" in code:
        return  # guarded to 0 / 0, for which the cure is another one
    with detect_anomaly():
        safe = compute(cure, {"u": names["x"], "v": names["y"]}, {})
        slopes = gradients(settled(safe), [a, b])
    assert np.isfinite(safe.data).all() and all(np.isfinite(g).all() for g in slopes)


def test_every_cure_has_its_example():
    assert sorted(LINES) == sorted(EXAMPLES)


def test_a_cure_names_things_as_the_user_does():
    p, q = Tensor([0.0], label="p"), Tensor([0.0], label="q")
    assert met(lambda: log(p)).cure == "log(where(p > 0, p, 1))"
    assert met(lambda: p / q).cure == "where(q != 0, p / where(q != 0, q, 1), 0)"
    assert met(lambda: 2 / q).cure == "where(q != 0, 2 / where(q != 0, q, 1), 0)"
    assert met(lambda: -2 / q).cure == "where(q != 0, -2 / where(q != 0, q, 1), 0)"
    assert met(lambda: p / p).cure == "where(p != 0, p / where(p != 0, p, 1), 0)"
    other = Tensor([0.0], label="p")
    found = met(lambda: p / other)
    assert found.cure == "where(p_2 != 0, p / where(p_2 != 0, p_2, 1), 0)"
    assert found.names == {"p": p, "p_2": other}
    words = {"class": "class_", "log": "log_2", "not a name": "not_a_name", "w[0]": "w_0", "h1'": "h1", "σ": "σ"}
    for label, word in words.items():  # what Python would not read, or read otherwise
        found = met(lambda: log(Tensor([0.0], label=label)))  # noqa: B023
        assert found.cure == f"log(where({word} > 0, {word}, 1))"
        assert (f"in place of log({word}), with {word} for {label}." in found.message) == (word != label)


def test_an_anomaly_names_an_operand_like_no_other_node():
    x = Value(-1.0, label="x")
    found = find_anomaly(log(x - 1))
    assert found.message.startswith("'log' made nan of x − 1 = −2. ")
    assert found.cures == ("log(where(x - 1 > 0, x - 1, 1))", "log(maximum(x - 1, 1e-12))")
    assert found.names == {"x": x} and [operand.name for operand in found.inputs] == ["x − 1"]
    found = find_anomaly(sqrt(2 * x + 2))
    assert found.message.startswith("Back through 'sqrt' the gradient of 2·x + 2 became inf, with 2·x + 2 = 0. ")
    unnamed = find_anomaly(1 / (Value(0.0) * x))
    assert "'divide' made −inf of 1 and x1·x = −0." in unnamed.message
    assert unnamed.cure == "where(x1 * x != 0, 1 / where(x1 * x != 0, x1 * x, 1), 0)"


def test_what_is_too_long_to_be_written_twice_has_a_name_that_is_explained():
    x = Tensor([[0.0, 0.0]], label="x")
    bias, hidden = np.zeros(2), x
    for _ in range(3):
        hidden = engine.tanh(hidden @ np.eye(2) + bias)
    total = (x / bias).sum() + log(hidden).sum()
    found = find_anomaly(log(hidden).sum())
    assert found.names["v"] is hidden and found.cure == "log(where(v > 0, v, 1))"
    assert found.message.startswith("'log' made −inf at (0, 0) of the result of 'tanh' of shape (1, 2)")
    assert found.message.endswith("in place of log(v), with v for the result of 'tanh'.")
    found = find_anomaly(total)
    assert found.cure == "where(c != 0, x / where(c != 0, c, 1), 0)" and found.names["c"].data is not None
    assert "and the constant of shape (2,)" in found.message and "with c for the constant." in found.message
    v = Tensor([[0.0, 0.0]], label="v")
    assert find_anomaly((log(hidden) + log(v)).sum()).cure == "log(where(v_2 > 0, v_2, 1))"
    w, hidden.label = Tensor([[0.0, 0.0]], label="w_0"), "w[0]"
    assert find_anomaly((log(hidden) + log(w)).sum()).cure == "log(where(w_0_2 > 0, w_0_2, 1))"
    many = find_anomaly(log(engine.stack([x] * 5000).sum()))  # neither slow nor long
    assert len(many.message) < 500


def test_the_names_of_a_cure_are_those_of_its_table_alone():
    """No label is taken for the numbers that a cure writes, and none of them for a label."""
    for name in ("limit", "LIMIT", "bound", "epsilon", "params", "x", "y"):
        x = Value(1000.0, label=name)
        assert find_anomaly(exp(x)).cure == f"exp(minimum({name}, 709))"
        assert find_anomaly(log(x * 0)).cures[1] == f"log(maximum({name} * 0, 1e-12))"
        rows = Tensor(np.zeros((2, 3)), label=name)
        spelled = find_anomaly(sqrt((rows**2).sum(axis=1)).sum())
        assert spelled.cure == f"norm({name}, axis=1)"
        assert f"in place of sqrt(sum({name} ** 2, axis=1))" in spelled.message
    y, x = Value(0.0, label="y"), Value(1.0, label="x")
    assert find_anomaly(y / (x - 1)).cure == "where(x - 1 != 0, y / where(x - 1 != 0, x - 1, 1), 0)"


def test_the_formula_around_is_named_with_its_scope():
    x = Value(-1.0, label="x")
    with engine.scope("loss"):
        L = 3 * log(x - 1) + 2
    L.label = "L"
    mean = engine.exp(L) * 5
    for output in (L, mean):
        found = find_anomaly(output)
        assert (found.scope, str(found.formula), str(found.around)) == ("loss", "log(x − 1)", "L = 3·log(x − 1) + 2")
        assert "The result in L = 3·log(x − 1) + 2, in scope 'loss' was made outside" in found.message
        assert "    result = log(x − 1)\n    L      = 3·log(x − 1) + 2\n" in str(found)
    assert str(find_anomaly(log(x) * 5).around) == "E = 5·log(x)"
    assert find_anomaly(log(x)).around is None
    with engine.scope("inner"):
        z = log(x)
        z.label = "z"
    found = find_anomaly(z + 2 * x)
    assert (str(found.formula), str(found.around), found.scope) == ("log(x)", "E = z + 2·x", "inner")
    root = Value(0.0, label="t")
    found = met(lambda: (sqrt(root) * 2 + 1).backward(), "'sqrt'", "in E = 2·sqrt(t) + 1")  # known in a sweep too
    assert found.direction == "backward"


def test_an_anomaly_is_plain_data():
    x = Tensor([[-1.0, 2.0]], label="x")
    found = find_anomaly(3 * log(x - 1).sum())
    data = json.loads(json.dumps(found.data()))
    assert data["formula"] == "log(x − 1)" and data["around"] == "E = 3·sum(log(x − 1))"
    assert (data["op"], data["direction"], data["by"], data["gradient"]) == ("log", "forward", None, None)
    assert data["inputs"] == [
        {"name": "x − 1", "shape": [1, 2], "dtype": "float64", "low": -2.0, "high": 1.0, "index": [0, 0], "entry": -2.0}
    ]
    assert data["cures"] == list(found.cures) and data["message"] == found.message
    backward = find_anomaly(sqrt(x * 0).sum()).data()
    assert backward["gradient"]["low"] == 1.0 and backward["by"] == "x"


def test_where_there_is_no_safe_spelling_words_help():
    big = Tensor([1e200, 1.0])
    assert met(lambda: big * big, "Scale", "1.8e+308").cures == ()
    assert met(lambda: Tensor([300.0], dtype="float16") * 300.0, "Scale", "float16", "6.6e+04").cure is None
    assert met(lambda: Tensor(np.zeros((0, 3))).mean(), "'mean'", "at least one entry").cure is None


def test_a_users_own_operation_is_named():
    @engine.primitive(x=lambda xp, g, out, x: g / 0.0 if xp is np else g * inf)
    def broken(xp, x):
        return x * 1.0

    x = Value(1.0)
    found = met(lambda: broken(x).backward(), "the rules of 'broken'", "the gradient of x1 became inf")
    assert (found.op, found.by, found.direction) == ("broken", "x", "backward")
    assert met(lambda: hook(x, function=lambda g: nan * g).backward(), "'hook'").op == "hook"


# What is legal, and whose fault it is.


def test_infinities_in_constants_are_idioms():
    scores, mask = Tensor([1.0, 2.0, 3.0]), np.array([True, True, False])
    with detect_anomaly():
        for masked in (where(mask, scores, -inf), scores + np.where(mask, 0, -inf), scores.at[2].set(-inf)):
            chosen = softmax(masked)
            engine.logsumexp(masked).backward()
            (chosen * np.arange(3.0)).sum().backward()
            engine.log_softmax(masked)[0].backward()
            engine.max(masked).backward()
            assert find_anomaly((chosen * np.arange(3.0)).sum()) is None
        low = Value(1.0) * 1
        for bound in (inf, np.inf):
            low = engine.minimum(low, bound)
        engine.clip(scores, -inf, inf).sum().backward()
        engine.expand_dims(where(mask, scores, inf), 0)[0, 2:].reshape(1, 1)
        Tensor([inf, 1.0], requires_grad=False) * 2.0
    assert low.data == 1.0


@given(st.integers(0, 5), st.sampled_from([nan, inf, -inf]))
def test_a_leaf_that_holds_them_is_blamed_itself(place, entry):
    data = np.ones((2, 3))
    data.flat[place] = entry
    index = np.unravel_index(place, (2, 3))
    x = Tensor(data, label="x")
    found = met(lambda: (x * 2.0).sum(), "The leaf 'x' of shape (2, 3) holds", f"at ({index[0]}, {index[1]})")
    assert (found.op, found.label, found.index, found.node) == (None, "x", index, x)
    assert np.isfinite(eval(found.cure, {**FUNCTIONS, "x": x}).data).all()
    assert find_anomaly((engine.exp(x) * 2.0 + x).sum()).node is x


def test_nan_in_constants_is_blamed_on_them():
    x = Tensor([1.0, 2.0])
    found = met(lambda: x * np.array([1.0, nan]), "The constant of shape (2,) holds nan at (1,).", "step")
    assert found.op is None and found.file == __file__
    assert met(lambda: Value(1.0) + nan, "The constant holds nan.").op is None
    with detect_anomaly():
        where(engine.isnan(np.array([1.0, nan])), 0.0, np.array([1.0, nan]))
        assert find_anomaly(where([True, False], x, 0.0 * np.array([nan, 1.0])).sum()) is None


def test_an_infinity_in_a_batch_is_blamed_on_the_batch():
    model, batch = nn.Linear(2, 1), np.ones((4, 2))
    batch[2, 1] = inf
    for model.weight.data in ([[1.0, 1.0]], [[1.0, 0.0]]):  # which gives infinity, and NaN
        found = met(lambda: model(batch), "The constant of shape (4, 2) holds inf at (2, 1).")
        assert (found.op, found.index, found.scope) == (None, (2, 1), "Linear")
        assert find_anomaly(model(batch).sum()).index == (2, 1)


def test_an_infinite_result_of_a_legal_infinity_is_reported_only_on_request():
    x = Value(1.0)
    with detect_anomaly():
        y = x + inf
    found = find_anomaly(y)
    assert (found.op, found.output.entry) == (None, inf) and "The constant holds inf." in found.message


def test_what_was_made_outside_is_traced_to_where_it_was_made():
    x = Tensor([0.0, 1.0], label="x")
    y = log(x) * 2.0
    found = met(lambda: y - y, "'log' made −inf at (0,)", "outside detect_anomaly()")
    assert found.op == "log" and found.file is None
    z = (1 / (1 + exp(-Value(-1000.0)))) * 1.0  # 0, but its derivative is 0 times infinity
    found = met(z.backward, "'exp' made inf")
    assert found.direction == "forward"
    assert find_anomaly(z).cure == "sigmoid(x1)"


def test_the_first_of_several_is_found_and_what_was_not_taken_is_not():
    x = Tensor([-1.0, 0.0, 2.0], label="x")
    guarded = where(x > 0, log(x), -inf)  # bad too, but legally so
    fraction = x / np.array([1.0, 1.0, 0.0])
    assert find_anomaly((guarded + fraction).sum()).op == "divide"
    assert find_anomaly(where(x > 0, log(x), 0).sum()) is None
    assert find_anomaly(engine.maximum(log(Tensor([-1.0])), 0.0)).op == "log"
    assert find_anomaly(engine.relu(log(Tensor([-1.0])))).op == "log"
    assert find_anomaly(log(x).sum()).index == (0,)
    assert find_anomaly(log(x)[1:].sum()).index == (1,)
    assert find_anomaly(engine.expand_dims(log(x), 0).T[1:2].reshape(1, 1).sum()).index == (1,)
    assert find_anomaly(log(x)[2:].sum()) is None


# Backward.


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("kind", [Value, lambda x: Tensor([x, 4.0])], ids=["Value", "Tensor"])
def test_a_gradient_that_selections_remove_is_no_anomaly(kind, create_graph):
    x = kind(0.0)
    with detect_anomaly():
        y = settled(where(x > 0, sqrt(x), 0.0))
        (slope,) = gradients(y, [x], create_graph=create_graph)
        if create_graph:
            gradients(settled(slope), [x])
        y = settled(where(x > 0, sqrt(x) * 3.0, 0.0))
        (slope,) = gradients(y, [x], create_graph=create_graph)
        assert np.isfinite(slope.data if create_graph else slope).all() and find_anomaly(y) is None
        settled(where(x > 0, sqrt(x), 0.0)).backward()


@pytest.mark.parametrize("kind", [Value, lambda x: Tensor([x, 4.0])], ids=["Value", "Tensor"])
@pytest.mark.parametrize("create_graph", [False, True])
def test_recorded_sweeps_and_sweeps_under_no_grad_are_watched(kind, create_graph):
    x = kind(0.0)
    y = settled(sqrt(x) * 2.0)

    def search():
        with no_grad():
            gradients(y, [x], create_graph=create_graph)

    for sweep in (search, lambda: gradients(y, [x], create_graph=create_graph), lambda: settled(sqrt(x)).backward()):
        found = met(sweep, "Back through 'sqrt' the gradient of x1 became inf")
        assert (found.direction, found.op, found.by) == ("backward", "sqrt", "x")
    assert x.grad is None


def test_the_second_derivative_is_watched():
    x = Value(0.0, label="x")
    (slope,) = gradients(x**1.5, [x], create_graph=True)
    assert slope.data == 0.0
    assert met(lambda: gradients(slope, [x])).direction == "backward"
    assert met(lambda: engine.grad(engine.grad(lambda x: x**1.5))(0.0)).direction == "backward"


def test_a_gradient_that_is_given_bad_is_not_blamed_on_the_operation():
    x = Tensor([1.0, 2.0])
    y = x * 3.0
    found = met(
        lambda: y.backward(np.array([1.0, nan])),
        "The gradient that arrives at a Tensor of shape (2,) holds nan at (1,)",
    )
    assert found.by is None


def test_gradients_that_overflow_in_their_sum_are_found():
    for x in (Value(0.1, label="x"), Tensor([0.1, 0.2], label="x")):
        for twice in (x * 1e308 + x * 1e308, (x * 1.0) * 1e308 + x * 1e308):
            found = find_anomaly(settled(twice)) if isinstance(x, Value) else find_anomaly(twice)
            assert (found.direction, found.node, found.output.entry) == ("backward", x, inf)
            assert "The gradient that arrives at 'x'" in found.message and "overflow" in found.message
    y = x * 1.0
    assert "overflow" in find_anomaly((y * 1e308 + y * 1e308).sum()).message


def test_results_with_several_outputs_are_watched():
    @engine.primitive(x=lambda xp, g, out, x: g[0] + g[1] / 0.0 if xp is np else g[0] + g[1])
    def both(xp, x):
        return xp.log(x), x * 1.0

    found = met(lambda: both(Tensor([0.0, 1.0])), "'both' made −inf at (0,)")
    assert found.op == "both" and found.line
    first, _ = both(Tensor([0.0, 1.0]))
    assert find_anomaly(first.sum()).op == "both"
    first, second = both(Tensor([1.0, 2.0]))
    assert met(lambda: (first + second).sum().backward()).op == "both"
    parts = engine.split(Tensor([0.0, 1.0], label="t"), 2)
    assert met(lambda: log(parts[0])).op == "log"
    values = Tensor([0.0, 1.0]).values()
    assert met(lambda: 1 / values[0]).op == "divide"


# Where in the user's code.


def test_the_users_line_is_named_also_through_modules_and_other_peoples_functions():
    x = Tensor([[-1.0]], label="x")

    class Bad(nn.Module):
        def forward(self, x):
            self.line = here() + 1
            return log(x)

    bad = Bad()
    model = nn.Sequential(nn.Linear(1, 1), bad)
    model[0].bias.data = [-1e3]
    found = met(lambda: model(x), "'log'")
    assert (found.file, found.line, found.scope) == (__file__, bad.line, "Sequential/Bad 1")
    linear = nn.Linear(2, 1)
    linear.weight.data = np.full((1, 2), 1e308)

    def use():
        use.line = here() + 1
        return linear(np.full((1, 2), 1e308))

    found = met(use, "'linear'", f"{__file__}:")
    assert (found.line, found.scope) == (use.line, "Linear")
    assert met(lambda: engine.std(Tensor([1.0, 1.0])).backward()).file == __file__
    assert met(lambda: np.log(Tensor([0.0]))).file == __file__


def test_an_origin_is_still_the_scope_and_knows_its_place():
    with detect_anomaly(), engine.scope("encoder"):
        x, line = Value(2.0) * 3.0, here()
    assert x.origin == "encoder" and isinstance(x.origin, Place) and (x.origin.file, x.origin.line) == (__file__, line)
    for copied in (pickle.loads(pickle.dumps(x)), copy.deepcopy(x), copy.copy(x)):
        assert copied.origin == "encoder" and copied.origin.line == line
    with detect_anomaly():
        y = Value(2.0) * 3.0
    assert y.origin == "" and not y.origin


def test_the_anomaly_renders_itself_and_survives_pickling():
    p = Tensor([[0.5, 0.0]], label="p")
    with engine.scope("loss"):
        found = met(lambda: log(p), "'log' made −inf at (0, 1) of p of shape (1, 2) from 0 to 0.5 with 0 at (0, 1).")
    assert found.scope == "loss" and "in scope 'loss'" in found.message
    for text in (str(found), found.markdown(), found.html(), found.latex(), repr(found)):
        assert "inf" in text
    assert "result = log(p)" in str(found) and "float64" in str(found)
    assert str(found.formula) == "log(p)"
    with pytest.raises(AnomalyError) as caught, detect_anomaly():
        log(p)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_of_many_inputs_the_bad_one_is_shown():
    xs = [Value(1.0) for _ in range(20)]
    xs[11] = Value(inf, label="culprit")
    assert met(lambda: engine.stack(xs), "'culprit'").op is None
    with_constants = [*[Tensor(1.0)] * 9, np.array(inf), np.array(-inf)]
    assert met(lambda: engine.stack(with_constants).sum(), "'sum'").op == "sum"


# State.


def test_state_is_restored_also_after_errors_and_nests():
    before = recording()
    with pytest.raises(AnomalyError), engine.scope("outer"), detect_anomaly(), engine.scope("inner"):
        log(Value(0.0))
    assert recording() is before
    with detect_anomaly():
        inside = recording()
        with detect_anomaly():
            pass
        assert recording() is inside
        with pytest.raises(AnomalyError):
            log(Value(0.0))
        with pytest.raises(ZeroDivisionError), detect_anomaly():
            raise ZeroDivisionError
        assert recording() is inside
        with pytest.raises(AnomalyError):
            find_anomaly(Value(1.0))
            log(Value(0.0))
    assert recording() is before
    assert log(Value(0.0)).data == -inf


def test_rules_are_told_from_the_users_own_operations_also_after_a_sweep_was_stopped():
    x = Value(0.0)
    with detect_anomaly():
        assert gradients(x, [x]) == [1.0]  # a sweep over nothing
        for create_graph in (True, False):
            with pytest.raises(AnomalyError, match="Back through 'sqrt'"):
                gradients(sqrt(x) * 1, [x], create_graph=create_graph)
            assert recording().swept is None
            with pytest.raises(AnomalyError, match="'log' made"):
                log(x)


def test_it_decorates_functions():
    @detect_anomaly()
    def f(x):
        return log(x)

    assert f(Value(1.0)).data == 0.0
    for _ in range(2):
        with pytest.raises(AnomalyError):
            f(Value(0.0))
    assert f.__name__ == "f"


def test_threads_watch_for_themselves():
    results = {}

    def work(name, context):
        try:
            with context():
                results[name] = log(Value(0.0)).data
        except AnomalyError as error:
            results[name] = error.anomaly.op

    with detect_anomaly():
        threads = [threading.Thread(target=work, args=each) for each in (("a", detect_anomaly), ("b", no_grad))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert results == {"a": "log", "b": -inf}


def test_a_backward_that_is_stopped_leaves_all_gradients_as_they_were():
    x, y = Value(0.0), Value(2.0)
    total = sqrt(x) + y * y
    y.grad = 7.0
    met(total.backward)
    assert x.grad is None and y.grad == 7.0


def test_training_under_watch_is_the_same_training():
    def train():
        model = nn.Linear(2, 1)
        model.weight.data, model.bias.data = np.array([[0.5, -0.5]]), np.zeros(1)
        for _ in range(3):
            loss = nn.mse_loss(model(np.array([[1.0, 2.0]])), np.array([[3.0]]))
            model.zero_grad()
            loss.backward()
            with no_grad():
                for parameter in model.parameters():
                    parameter -= 0.1 * parameter.grad
        return model.weight.data

    expected = train()
    with detect_anomaly():
        assert np.array_equal(train(), expected)


# Large graphs, and bad input.


@pytest.mark.parametrize("where_it_is", ["forward", "backward", "nowhere"])
def test_long_chains_are_searched(where_it_is):
    x = Value(1.0, label="x")
    y = x * 0.0
    y = {"forward": log, "backward": sqrt, "nowhere": engine.sin}[where_it_is](y)
    for _ in range(50_000):
        y = y * 1.0 + 1.0
    found = find_anomaly(y)
    if where_it_is == "nowhere":
        assert found is None
    else:
        assert (found.op, found.direction) == ("log" if where_it_is == "forward" else "sqrt", where_it_is)
        assert len(str(found)) < 2000
    if where_it_is == "forward":
        assert met(lambda: y * 2.0).op == "log"


@pytest.mark.parametrize("output", [None, 3.0, "x", np.ones(3), [Value(1.0)]])
def test_what_is_not_a_node_has_no_anomaly(output):
    with explained(GraphError, "find_anomaly"):
        find_anomaly(output)


def test_leaves_constants_and_arrays_can_be_asked_about():
    assert find_anomaly(Value(1.0)) is None
    assert find_anomaly(Tensor([1, 2])) is None
    assert find_anomaly(Tensor([[1.0], [2.0]]) * 3.0) is None
    assert find_anomaly(Value(nan, label="n")).label == "n"
    assert find_anomaly(Tensor([1.0, inf], requires_grad=False)).index == (1,)
    assert find_anomaly(Tensor([0.0]).detach() / 0.0).op == "divide"
    assert find_anomaly(engine.greater(Tensor([nan]), 0.0)) is None


def test_changed_data_are_refused():
    x = Value(1.0, label="x")
    y = log(x)
    x.data = 0.0
    with explained(GraphError, "'x'", "changed"):
        find_anomaly(y)


def test_the_cures_of_a_sound_node_are_words():
    y = Value(2.0) * 3.0
    cures, advice = cures_of(y, Spelling(y))
    assert cures == () and advice.startswith("Scale")


def test_repeated_inputs_and_a_leaf_called_E_are_traced():
    assert find_anomaly(engine.maximum(Tensor([1.0, 2.0]), inf).sum()).op is None
    assert find_anomaly(where(np.array([True, False]), Value(nan), Tensor([1.0, 2.0])).sum()).op is None
    assert find_anomaly(log(Value(0.0, label="E")) * 1.0).op == "log"
    p = Tensor([[1.0, -1.0], [2.0, 3.0]])
    h = engine.expand_dims(engine.sum(log(p), axis=-1), -1) * np.ones((2, 3))
    rows = engine.broadcast_to(engine.expand_dims(engine.sum(h, axis=-1), -1), (2, 3))
    assert find_anomaly((h * rows).sum()).op == "log"
