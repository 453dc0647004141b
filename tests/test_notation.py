"""Formulas: what is printed computes the same again, and what is simplified has the same value."""

import itertools
import keyword
import re
import shutil
import subprocess
from fractions import Fraction
from math import inf, isfinite, nan
from operator import truediv

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import engine
from engine import Tensor, Value
from engine.errors import DataError, EngineError, GraphError
from engine.graph import Node
from engine.notation import (
    Expression,
    Factor,
    chain,
    exact,
    expression,
    figure,
    formula,
    local_derivative,
    names_of,
    number,
    product,
    shortened,
    symbol,
    together,
    total,
    whole,
)
from engine.notation.expressions import apply
from engine.notation.figures import figure_latex
from engine.primitives import ROWS
from engine.testing import strategies
from engine.testing.layouts import fill, layouts
from engine.worksheets.rational import read

ONES = "\N{MATHEMATICAL BOLD DIGIT ONE}"
UNTRIED = {"hook", "pick", "standard_integers", "standard_normal", "standard_permutation", "standard_uniform"}
TRIED = {name: row for name, row in ROWS.items() if name not in UNTRIED}


def same_bits(x, y) -> bool:
    """Whether two results are one and the same, NaN, signs of zero, shapes and dtypes included."""
    if isinstance(x, tuple):
        return all(same_bits(a, b) for a, b in zip(x, y, strict=True))
    x, y = np.asarray(x), np.asarray(y)
    return x.dtype == y.dtype and x.shape == y.shape and x.tobytes() == y.tobytes()


def executed(node: Node, expand: bool = False):
    """What the Python form of a node computes."""
    written = formula(node, expand)
    namespace = {**written.functions, **written.leaves}
    exec(written.python(), namespace)
    result = namespace[written.name]
    return result._value if isinstance(result, Node) else result


def nodes_for(row, layout, seed, dtype=float):
    """The inputs of a row as leaves: Values for single numbers by turns, constants for what has no gradient."""
    data = fill(row, layout, np.random.default_rng(seed), dtype)
    return [
        Value(float(x))
        if x.ndim == 0 and x.dtype == float and row.kind == "elementwise" and seed % 2
        else Tensor(x)
        if x.dtype.kind == "f"
        else x
        for x in data
    ]


def call(row, inputs, params):
    joins = row.variadic and len(row.inputs) == 1
    return row.call(list(inputs), **params) if joins else row.call(*inputs, **params)


def results_of(row, layout, seed):
    """The nodes that a row makes, or none for a row that takes arrays only."""
    out = call(row, nodes_for(row, layout, seed), dict(layout.params))
    return [node for node in (out if isinstance(out, tuple | list) else [out]) if isinstance(node, Node)]


# Random programs: a pool of nodes that grows by rows that fit.

SHAPES = [(), (3,), (2, 3), (3, 2)]
UNARY = [
    "sin",
    "cos",
    "exp",
    "tanh",
    "sigmoid",
    "relu",
    "absolute",
    "negative",
    "softplus",
    "sqrt",
    "log",
    "reciprocal",
]
BINARY = ["add", "subtract", "multiply", "divide", "power", "maximum", "minimum", "logaddexp"]
STEPS = ["unary", "binary", "binary", "constant", "matmul", "reduce", "shape", "where", "index", "several"]


@st.composite
def programs(draw, values=True, tensors=True):
    """A node at the end of a random computation with shared parts, constants and labels."""
    pool: list = []
    for i in range(draw(st.integers(1, 3))):
        label = draw(st.sampled_from([None, None, f"w{i}", "lambda", "a b", "σ", "x1"]))
        shape = draw(st.sampled_from(SHAPES)) if tensors else ()
        if values and shape == () and draw(st.booleans()):
            pool.append(Value(draw(strategies.numbers()), label=label))
        else:
            pool.append(Tensor(draw(strategies.arrays(shape)), label=label))
    for _ in range(draw(st.integers(1, 12))):
        x = draw(st.sampled_from(pool))
        match draw(st.sampled_from(STEPS)):
            case "unary":
                new = ROWS[draw(st.sampled_from(UNARY))].call(x)
            case "binary":
                y = draw(st.sampled_from(pool))
                try:
                    new = ROWS[draw(st.sampled_from(BINARY))].call(x, y)
                except EngineError:
                    continue
            case "constant":
                c = draw(st.sampled_from([2, -1, 0.5, 0.0, -0.0, 1 / 3, inf, nan, 3, np.float32(0.1)]))
                new = ROWS[draw(st.sampled_from(BINARY))].call(*draw(st.permutations([x, c])))
            case "matmul":
                y = draw(st.sampled_from(pool))
                try:
                    new = engine.matmul(x, y)
                except EngineError:
                    continue
            case "reduce":
                name = draw(st.sampled_from(["sum", "mean", "max", "prod", "logsumexp", "norm", "var", "softmax"]))
                axis = draw(st.sampled_from([None, -1])) if name != "softmax" else -1
                if not x.shape or isinstance(x, Value):
                    continue
                new = ROWS[name].call(x, axis=axis)
            case "shape":
                if isinstance(x, Value):
                    new = engine.stack([x, x * 2])
                else:
                    new = draw(st.sampled_from([lambda t: t.T, engine.ravel, lambda t: engine.expand_dims(t, axis=0)]))(
                        x
                    )
            case "where":
                new = engine.where(engine.greater(x, draw(strategies.numbers())), x, draw(st.sampled_from([0.0, 1])))
            case "index":
                if not x.shape:
                    continue
                new = x[draw(st.sampled_from([0, slice(None, None, -1), [0, -1], (Ellipsis, 0), None]))]
            case "several":
                if not x.shape:
                    continue
                new = draw(st.sampled_from(list(x)))
        if draw(st.integers(0, 5)) == 0:
            new.label = draw(st.sampled_from(["h", "engine", "np", "w[0]", "h"]))
        if new.size <= 24:
            pool.append(new)
    return pool[-1]


@given(programs(), st.booleans())
def test_the_python_form_computes_the_same_bits(node, expand):
    assert same_bits(executed(node, expand), node._value)


@given(programs())
def test_the_python_form_of_a_derivative_computes_the_same_bits(node):
    leaves = [x for x in engine.topological_order(node) if not x.inputs and x.requires_grad]
    assume(node.requires_grad)
    E = engine.sum(node) if isinstance(node, Tensor) else node
    for g in engine.gradients(E, leaves, create_graph=True):
        assert same_bits(executed(g), g._value)


@pytest.mark.parametrize("row", TRIED.values(), ids=TRIED)
def test_every_row_is_written_as_python(row):
    for seed, layout in enumerate(layouts(row)):
        for node in results_of(row, layout, seed):
            assert same_bits(executed(node), node._value)
            formula(node).latex()
            if node.requires_grad:
                E = engine.sum(node * 1.5)
                leaves = [x for x in engine.topological_order(E) if not x.inputs and x.requires_grad]
                for g in engine.gradients(E, leaves, create_graph=True):
                    assert same_bits(executed(g), g._value)
                    formula(g).text()
                    formula(g).latex()


def test_float32_stays_float32():
    x = Tensor(np.array([0.1, 0.7], np.float32), label="x")
    node = engine.exp(x * np.float32(0.3) + np.arange(2, dtype=np.float32)) / 3
    assert node.dtype == np.float32
    assert same_bits(executed(node), node._value)


# The text form reads back: exactly in fractions, and with infinite and NaN entries.

POWERS = re.compile("[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+")
DIGITS = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
NUMBER = re.compile(r"(?<![\w.])(\d+(\.\d+)?(e[+-]?\d+)?)")


def read_back(text: str, names: dict, kind):
    """The value of a formula in the text form, with every number made by `kind`."""
    code = POWERS.sub(lambda found: f"**({found[0].translate(DIGITS)})", text)
    code = code.replace("·", "*").replace("−", "-").replace("^", "**")
    parts = code.split("**")  # exponents stay plain integers
    code = "**".join([NUMBER.sub(r"kind('\1')", parts[0])] + [_after_exponent(part) for part in parts[1:]])
    return eval(code, {"kind": kind, "inf": inf, "nan": nan, **names})


def _after_exponent(part: str) -> str:
    exponent = re.match(r"\(?-?\d+\)?", part)[0]
    return exponent + NUMBER.sub(r"kind('\1')", part[len(exponent) :])


NUMBERS = st.sampled_from([0, 1, -1, 2, -2, 3, 0.5, -0.25, 0.1, 1.0, 0.3, 10, 1e-3])


@st.composite
def arithmetic(draw, names, divisors):
    """Rational functions of the names as (expression, function of a namespace), built with apply()."""
    pool = [(symbol(name), lambda d, name=name: d[name]) for name in names]
    for _ in range(draw(st.integers(1, 10))):
        (x, f), (y, g) = draw(st.sampled_from(pool)), draw(st.sampled_from(pool))
        if draw(st.booleans()):
            c = draw(NUMBERS)
            y, g = number(c), lambda d, c=c: d["kind"](repr(c))
        if draw(st.booleans()):
            x, f, y, g = y, g, x, f
        name = draw(st.sampled_from(["add", "subtract", "multiply", "negative", "divide", "power"]))
        if name == "negative":
            pool.append((apply(name, [x]), lambda d, f=f: -f(d)))
        elif name == "power":
            n = draw(st.integers(0, 3))
            pool.append((apply(name, [x, n]), lambda d, f=f, n=n: f(d) ** n))
        elif name == "divide":
            if divisors:
                by = draw(st.sampled_from(divisors))
                y, g = symbol(by), lambda d, by=by: d[by]
            pool.append((apply(name, [x, y]), lambda d, f=f, g=g: f(d) / g(d)))
        else:
            operation = {
                "add": lambda d, f=f, g=g: f(d) + g(d),
                "subtract": lambda d, f=f, g=g: f(d) - g(d),
                "multiply": lambda d, f=f, g=g: f(d) * g(d),
            }[name]
            pool.append((apply(name, [x, y]), operation))
        assume(pool[-1][0].size < 300)
    return pool[-1]


FRACTIONS = st.fractions(-4, 4, max_denominator=4)


@given(arithmetic("abc", None), FRACTIONS, FRACTIONS, FRACTIONS)
def test_text_and_simplification_are_exact_in_fractions(pair, a, b, c):
    written, function = pair
    names = {"a": a, "b": b, "c": c}
    try:
        expected = function({**names, "kind": Fraction})
    except ZeroDivisionError:
        assume(False)
    try:
        assert read_back(written.text(), names, Fraction) == expected
    except ZeroDivisionError as error:
        raise AssertionError(f"{written.text()} divides by zero") from error


@given(arithmetic("abcd", "d"), *[st.sampled_from([inf, -inf, nan, 0.0, 1.0, -2.0, 0.5, 3.0])] * 3)
def test_simplification_keeps_infinite_and_nan(pair, a, b, c):
    written, function = pair
    names = {name: np.float64(x) for name, x in zip("abcd", [a, b, c, 4.0], strict=True)}
    with np.errstate(all="ignore"):
        expected = function({**names, "kind": np.float64})
        found = read_back(written.text(), names, np.float64)
    if isfinite(expected) and isfinite(found):
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9 * 1000)
    else:
        np.testing.assert_equal(found, expected)


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (product([1, "x"]), "x"),
        (product([-1, product([-1, "x"])]), "x"),
        (product([0, "x"]), "0·x"),
        (product([0, 3]), "0"),
        (product([0.5, 2, total(["y", product([-1, "s"])])]), "y − s"),
        (product([0.1, 3, "x"]), "0.3·x"),
        (product([1 / 3, "x"]), "x/3"),
        (product([Fraction(2, 3), "x", "x"]), "2·x²/3"),
        (product(["x", product([-2, "y"])]), "−2·x·y"),
        (product([inf, "x"]), "inf·x"),
        (total(["x", 0]), "x"),
        (total(["x", "x", "x"]), "3·x"),
        (total(["x", product([-1, "x"])]), "x − x"),
        (total([1, "x", 2]), "3 + x"),
        (total([]), "0"),
        (total([total(["x", "y"]), product([-1, total(["x", "z"])])]), "x + y − (x + z)"),
        (apply("power", ["x", 1]), "x"),
        (apply("power", ["x", 2.0]), "x²"),
        (apply("power", ["x", -1]), "x⁻¹"),
        (apply("power", [apply("negative", ["x"]), 2]), "(−x)²"),
        (apply("negative", [apply("power", ["x", 2])]), "−x²"),
        (apply("power", ["x", total(["y", 1])]), "x^(y + 1)"),
        (apply("power", [apply("power", ["x", "y"]), "z"]), "(x^y)^z"),
        (apply("divide", ["x", product(["y", "z"])]), "x/(y·z)"),
        (apply("divide", [apply("divide", ["x", "y"]), "z"]), "x/y/z"),
        (product(["x", apply("divide", ["y", "z"])]), "x·(y/z)"),
        (apply("divide", [product([-1, "x"]), "y"]), "−x/y"),
        (apply("divide", ["x", 2]), "x/2"),
        (apply("negative", [apply("divide", ["x", 2])]), "−x/2"),
        (apply("divide", [apply("negative", ["x"]), 2]), "−x/2"),
        (total(["a", apply("divide", ["x", 2])]), "a + x/2"),
        (apply("subtract", ["a", apply("divide", ["x", 2])]), "a − x/2"),
        (apply("divide", [1, 4]), "0.25"),
        (apply("divide", [1, 3]), "1/3"),
        (apply("divide", [1, 0]), "1/0"),
        (apply("reciprocal", ["x"]), "1/x"),
        (apply("matmul", ["W1", "x"]), "W1x"),
        (apply("matmul", ["weights", "x"]), "weights @ x"),
        (apply("matmul", [total(["A", "B"]), "x"]), "(A + B) @ x"),
        (apply("matmul", [apply("matmul", ["A", "long"]), "x"]), "A @ long @ x"),
        (product([apply("matmul", ["long", "x"]), 2]), "2·(long @ x)"),
        (apply("transpose", [apply("transpose", ["W"])]), "W"),
        (apply("transpose", [total(["a", "b"])]), "(a + b)ᵀ"),
        (apply("transpose", ["W"], axes=(0, 2, 1)), "Wᵀ"),
        (apply("transpose", ["W"], axes=(2, 0, 1)), "transpose(W, axes=(2, 0, 1))"),
        (apply("norm", ["x"], axis=None, keepdims=False), "‖x‖"),
        (apply("sum", ["x"], axis=0, keepdims=False), "sum(x, axis=0)"),
        (apply("linear", ["x", "W", "b"]), "xWᵀ + b"),
        (apply("greater", ["x", total(["y", 1])]), "x > y + 1"),
        (apply("logical_and", [apply("less", ["x", 1]), apply("logical_not", ["m"])]), "x < 1 ∧ ¬m"),
        (apply("sigmoid", ["z"]), "σ(z)"),
        (number(1e-7), "1e-07"),
        (number(-0.0), "−0.0"),
        (number(True), "True"),
        (total(["x", number(-2)]), "x − 2"),
    ],
)
def test_what_is_written(written, text):
    assert str(written) == text


# Derivatives: the table's words agree with its rules.

STATED = [(row, name) for row in ROWS.values() for name in row.derivatives]


@pytest.mark.parametrize(("row", "name"), STATED, ids=[f"{row.name} by {name}" for row, name in STATED])
def test_the_stated_derivatives_are_those_of_the_rules(row, name):
    rule = row.rules[row.inputs.index(name)]
    functions = {each: r.call for each, r in ROWS.items()}
    for seed, layout in enumerate(layouts(row)):
        data = fill(row, layout, np.random.default_rng(seed))
        params = {**row.defaults, **layout.params}
        out = np.asarray(row.forward(np, *data, **params))
        by_rule = rule(np, np.ones_like(out), out, *data, **params)
        n = data[0].size // max(out.size, 1) or 1
        if row.kind == "reduction" and not params.get("keepdims") and params.get("axis") is not None:
            out = np.expand_dims(out, params["axis"])
        by_words = eval(row.derivatives[name], functions, {**dict(zip(row.inputs, data)), **params, "out": out, "n": n})
        shape = np.broadcast_shapes(np.shape(by_rule), np.shape(by_words), *[x.shape for x in data])
        np.testing.assert_allclose(
            np.broadcast_to(by_words, shape), np.broadcast_to(by_rule, shape), rtol=1e-12, atol=1e-300
        )


SCALAR = [row for row, name in STATED if np.shape(fill(row, layouts(row)[0], np.random.default_rng(0))[0]) == ()]


@pytest.mark.parametrize("row", dict.fromkeys(SCALAR), ids=lambda row: row.name)
def test_local_derivatives_of_values_have_their_value(row):
    inputs = nodes_for(row, layouts(row)[0], 1)
    inputs = [x if isinstance(x, Node) else Value(float(x), requires_grad=False) for x in inputs]
    for label, x in zip("abc", inputs, strict=False):
        x.label = label
    node = call(row, inputs, layouts(row)[0].params)
    names = names_of(engine.topological_order(node))
    functions = {each: r.call for each, r in ROWS.items()}
    for position, name in enumerate(row.inputs):
        if name not in row.derivatives or not inputs[position].requires_grad:
            continue
        factor = local_derivative(node, position, names)
        value = eval(factor.expression.python(), {"engine": engine, **functions}, {x.label: x for x in inputs})
        np.testing.assert_allclose(float(value), engine.gradients(node, [inputs[position]])[0], rtol=1e-12)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda x, y: engine.tanh(x), "tanh'(x)"),
        (lambda x, y: engine.relu(x * y), "relu'(x·y)"),
        (lambda x, y: engine.exp(x), "exp(x)"),
        (lambda x, y: x**y, "y·x^(y − 1)"),
        (lambda x, y: x**3, "3·x²"),
        (lambda x, y: x / y, "1/y"),
        (lambda x, y: y / x, "−y/x²"),
        (lambda x, y: y - x, "−1"),
        (lambda x, y: engine.maximum(x, y), "∂maximum(x, y)/∂x"),
        (lambda x, y: engine.where(engine.greater(x, 0), x, y), "where(x > 0, 1, 0)"),
        (lambda x, y: engine.leaky_relu(x, slope=0.2), "leaky_relu'(x)"),
    ],
)
def test_local_derivatives_in_words(make, text):
    x, y = Value(2.0, label="x"), Value(3.0, label="y")
    node = make(x, y)
    position = next(i for i, each in enumerate(node.inputs) if each is x or (each.op and each.op.name == "multiply"))
    if node.op.name == "where":
        position = 1
    assert str(local_derivative(node, position, {x: "x", y: "y"}).expression) == text


# A1 of the reports: three paths, once with numbers and once with vectors.

NUMBERS_OF_A1 = {"x": 0.5, "W1": 2.0, "W2": -1.5, "r": 0.7, "s": 0.2}
VECTORS_OF_A1 = {
    "x": [0.5, -1.0],
    "W1": [[2.0, 0.5], [-1.0, 1.5], [0.25, -0.75]],
    "W2": [[-1.5, 0.5, 1.0], [0.75, -0.25, 2.0]],
    "r": [0.7, -0.4, 0.3],
    "s": [0.2, 0.6],
}
PATHS = ["ESyx", "ERhzx", "ESyhzx"]
SPELLINGS = [
    lambda d: 0.5 * engine.sum(d**2),
    lambda d: engine.sum(d**2) / 2,
    lambda d: engine.dot(d, d) / 2,
    lambda d: engine.dot(d, d) * 0.5,
    lambda d: engine.sum(d * d) / 2,
    lambda d: engine.sum(0.5 * d**2.0),
    lambda d: engine.sum(engine.square(d)) * (1 / 2),
]


def a1(kind, data, spelling):
    n = {name: kind(value, label=name) for name, value in data.items()}
    n["z"] = engine.dot(n["W1"], n["x"])
    n["h"] = engine.sigmoid(n["z"])
    n["y"] = n["x"] + engine.dot(n["W2"], n["h"])
    n["S"] = spelling(n["y"] - n["s"])
    n["R"] = engine.dot(n["r"], n["h"])
    n["E"] = n["S"] + n["R"]
    for name, node in n.items():
        node.label = name
    return n, names_of(engine.topological_order(n["E"]))


def routes(output, x, names):
    """The factors along each unlabelled route between two labelled nodes."""
    found, unread = [], [(output, [])]
    while unread:
        node, before = unread.pop()
        for position, each in enumerate(node.inputs):
            if not each.requires_grad:
                continue
            factors = [*before, local_derivative(node, position, names)]
            if each is x:
                found.append(factors)
            elif not each.label:
                unread.append((each, factors))
    return found


def chain_along(path, n, names):
    factors = []
    for output, x in itertools.pairwise(path):
        several = routes(n[output], n[x], names)
        factors += several[0] if len(several) == 1 else [together(several)]
    return chain(factors)


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize(
    ("kind", "data", "expected"),
    [
        (Value, NUMBERS_OF_A1, ["(y − s)", "r·σ'(z)·W1", "(y − s)·W2·σ'(z)·W1"]),
        (Tensor, VECTORS_OF_A1, ["(y − s)", "rᵀσ'(z)W1", "(y − s)W2σ'(z)W1"]),
    ],
)
def test_the_chains_of_a1(kind, data, expected, spelling):
    n, names = a1(kind, data, spelling)
    assert [str(chain_along(path, n, names)) for path in PATHS] == expected


def test_the_formulas_of_a1():
    n, _ = a1(Tensor, VECTORS_OF_A1, SPELLINGS[0])
    written = {name: formula(n[name]).text() for name in "zhySRE"}
    assert list(written.values()) == [
        "z = W1x", "h = σ(z)", "y = x + W2h", "S = 0.5·sum((y − s)²)", "R = rᵀh", "E = S + R",
    ]  # fmt: skip
    gradient = engine.gradients(n["E"], [n["x"], n["W1"], n["r"]], create_graph=True)
    assert [formula(g).text() for g in gradient] == [
        "y − s + W1ᵀ @ ((r + W2ᵀ @ (y − s))·(h − h²))",
        "((r + W2ᵀ @ (y − s))·(h − h²)) ⊗ x",
        "h",
    ]


def test_matrices_in_chains():
    X, W = Tensor(np.ones((2, 3)), label="X"), Tensor(np.ones((3, 2)), label="W")
    Z = engine.matmul(X, W)
    names = {X: "X", W: "W", Z: "Z"}
    H = engine.sigmoid(Z)
    slope = local_derivative(H, 0, names)
    assert slope.joiner == "⊙"
    arriving = Factor(symbol("G"), "right", "⊙")
    assert str(chain([arriving, slope, local_derivative(Z, 1, names)])) == "Xᵀ·(G ⊙ σ'(Z))"
    assert str(chain([arriving, slope, local_derivative(Z, 0, names)])) == "(G ⊙ σ'(Z))Wᵀ"
    assert str(chain([local_derivative(engine.sum(Z), 0, names), local_derivative(Z, 0, names)])) == f"{ONES}Wᵀ"
    y = engine.matmul(W, Tensor([1.0, 2.0], label="x"))
    names |= {y.inputs[1]: "x"}
    assert str(chain([Factor(symbol("r")), local_derivative(y, 0, names)])) == "r ⊗ x"
    assert str(chain([local_derivative(engine.sum(y), 0, names), local_derivative(y, 1, names)])) == f"{ONES}W"
    b = Tensor([0.0, 0.0], label="b")
    L = engine.linear(X, Tensor(np.ones((2, 3)), label="V"), b)
    names = names_of(engine.topological_order(L))
    assert [str(chain([arriving, local_derivative(L, i, names)])) for i in range(3)] == ["GV", "GᵀX", f"{ONES}ᵀG"]
    assert str(formula(L)) == "XVᵀ + b"


def test_equal_routes_are_added_and_matrices_on_the_left_are_not():
    half = [Factor(number(0.5)), Factor(symbol("d"))]
    assert str(together([half, half]).expression) == "d"
    left = [Factor(symbol("A"), "left", "@")]
    assert str(together([left, left], symbol("D")).expression) == "D"


# LaTeX.


def balanced(latex: str) -> bool:
    depth = 0
    for sign in re.findall(r"\\[{}\\]|[{}]", latex):
        depth += {"{": 1, "}": -1}.get(sign, 0)
        if depth < 0:
            return False
    return depth == 0 and len(re.findall(r"\\left\b", latex)) == len(re.findall(r"\\right\b", latex))


@given(programs())
def test_the_brackets_of_latex_balance(node):
    assert balanced(formula(node).latex())
    assert balanced(formula(node, expand=True).latex())


NAMES = {
    "x": "x", "W1": "W_{1}", "x_2": "x_{2}", "x12": "x_{12}", "σ": r"\sigma", "sigma": r"\sigma", "λ": r"\lambda",
    "Δ": r"\Delta", "ŷ": r"\hat{y}", "loss": r"\mathrm{loss}", "w[0]": "w_{0}", "h'": "h'", "Δt": r"\mathrm{\Delta{}t}",
    "a_b": r"\mathrm{a\_b}", "50%": r"\mathrm{50\%}", "φ1": r"\phi_{1}", "x̄": r"\bar{x}",
}  # fmt: skip


@pytest.mark.parametrize(("name", "latex"), NAMES.items())
def test_labels_as_latex(name, latex):
    assert symbol(name).latex() == latex


@given(st.text(min_size=1))
def test_any_label_has_a_balanced_latex(name):
    assert balanced(symbol(name).latex())
    assert symbol(name).latex().isascii()


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="there is no pdflatex on this machine")
def test_the_latex_compiles(tmp_path):
    lines = [symbol(name).latex() for name in [*NAMES, "日本", "a\\b^c~d", "{", "n°", chr(959), f"{ONES}ᵀ"]]
    for row in TRIED.values():
        for seed, layout in enumerate(layouts(row)[:3]):
            for node in results_of(row, layout, seed):
                squared = engine.power(node, 2) if node.requires_grad else node
                lines += [formula(squared).latex(), formula(engine.transpose(squared)).latex()]
                if node.requires_grad:
                    E = engine.sum(squared)
                    leaves = [x for x in engine.topological_order(E) if not x.inputs and x.requires_grad]
                    lines += [formula(g).latex() for g in engine.gradients(E, leaves, create_graph=True)]
                    names = names_of(engine.topological_order(node))
                    lines += [
                        chain([Factor(symbol("r"), "right", ""), local_derivative(node, i, names)]).latex()
                        for i, rule in enumerate(node.op.rules_for(node.inputs))
                        if rule
                    ]
    x = Tensor(np.ones((3, 4)), label="x")
    lines += [figure_latex(x), figure_latex(-1e-9), figure_latex([[1.0, nan], [inf, -2.0]]), figure_latex(True)]
    lines += [formula(x * np.ones((3, 4))).latex()]
    head = r"\documentclass{article}\usepackage{amsmath,amssymb}\begin{document}"
    source = "\n".join([head, *[rf"\[ {line} \]" for line in dict.fromkeys(lines)], r"\end{document}"])
    (tmp_path / "formulas.tex").write_text(source, "ascii")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-draftmode", "formulas.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace", check=False)
    assert done.returncode == 0, done.stdout[-2000:]


# Large graphs.


@pytest.mark.slow
def test_long_chains_need_no_recursion():
    x = y = Value(0.5, label="x")
    for i in range(100_000):
        y = y * 0.9 + x if i % 2 else engine.sin(y)
    written = formula(y)
    assert len(written.text()) < 100_000 * 30
    assert "…" in str(expression(y, {x: "x"}))
    assert len(str(expression(y, {x: "x"}))) < 2000


def test_long_chains_are_written_as_latex_and_python():
    x = y = Value(0.5, label="x")
    for i in range(5_000):
        y = y * 0.9 + x if i % 2 else engine.sin(y)
    assert len(formula(y).latex()) < 5_000 * 60
    assert same_bits(executed(y), y._value)


def test_shared_parts_are_written_once():
    x = y = Value(1.0, label="x")
    for _ in range(200):
        y = engine.sin(y) * engine.cos(y)
    assert len(formula(y).text()) < 200 * 60
    assert formula(y).text().startswith("v7 = ")
    assert same_bits(executed(y), y._value)
    assert len(str(expression(y, {x: "x"}))) < 2000


def test_long_sums_and_products_stay_linear():
    leaves = [Value(1.0 + i / 1000) for i in range(2000)]
    y = z = leaves[0]
    for x in leaves[1:]:
        y, z = y + x, z * x
    assert len(formula(y).text()) < 2000 * 30
    assert same_bits(executed(y), y._value)
    assert same_bits(executed(z), z._value)
    deep = symbol("x")
    for _ in range(5_000):
        deep = apply("sin", [deep])
    assert len(deep.text()) == 5_000 * 5 + 1
    again = symbol("x")
    for _ in range(5_000):
        again = apply("sin", [again])
    assert deep == again
    assert hash(deep) == hash(again)


# Names.


def test_names():
    a, b, c = Value(1.0, label="w"), Value(2.0, label="w"), Value(3.0, label="w_2")
    d, e = Value(4.0), Value(5.0, label="x1")
    y = a * b * c * d * e * 6
    names = names_of(engine.topological_order(y))
    assert [names[each] for each in (a, b, c, d, e)] == ["w", "w_3", "w_2", "x2", "x1"]
    assert y not in names
    assert len(set(names.values())) == len(names)


LABELS = st.none() | st.sampled_from(["w", "w_2", "E", "v3", "v3_2", "x1", "c1", ""])


@given(st.lists(LABELS, min_size=1, max_size=8), st.dictionaries(st.integers(0, 20), LABELS.filter(bool)))
def test_every_name_is_used_once_and_stays_what_it_is_among_fewer(labels, wanted):
    y = Value(1.0)
    for label in labels:
        y = engine.sin(y) * Value(2.0)
        y.label = label
    order = engine.topological_order(y)
    wanted = {node: wanted[place] for place, node in enumerate(order) if place in wanted}
    few, every = names_of(order, y, wanted=wanted), names_of(order, y, every=True, wanted=wanted)
    assert len(set(every.values())) == len(every) == len(order)
    assert few.items() <= every.items() and set(few) >= {node for node in order if node.label or not node.inputs}
    free = {"v3", "E"}.isdisjoint([*labels, *wanted.values()])
    assert not free or y.label or y in wanted or every[y] == "E"
    for place, node in enumerate(order, 1):
        if node not in few and f"v{place}" not in [*labels, *wanted.values()]:
            assert every[node] == f"v{place}"


@given(st.lists(st.text(max_size=4) | st.sampled_from(["engine", "np", "if", "x1", "x 1", "result", "v1"]), min_size=1))
def test_any_labels_give_python_that_runs(labels):
    y = Value(1.0)
    for label in labels:
        y = engine.sin(y * Value(2.0, label=label)) + 1
    written = formula(y)
    assert all(name.isidentifier() and not keyword.iskeyword(name) for name in written.leaves)
    assert same_bits(executed(y), y._value)


def test_a_formula_stops_at_labels_unless_told_to_expand():
    x = Value(2.0, label="x")
    h = engine.sin(x)
    h.label = "h"
    y = h * h + 1
    y.label = "y"
    assert str(formula(y)) == "y = h² + 1"
    assert str(formula(y, expand=True)) == "y = sin(x)² + 1"
    assert formula(y).python() == "import engine\nh = engine.sin(x)\ny = h * h + 1"
    assert formula(y).leaves == {"x": x}
    assert formula(y).name == "y"
    assert formula(y).latex() == "y = h^{2} + 1"
    assert str(formula(x)) == "x"
    assert formula(y)._repr_latex_() == "$$y = h^{2} + 1$$"
    assert str(expression(y, {x: "x", h: "h"})) == "h² + 1"
    assert str(expression(y, {x: "x", h: "h"}, stop=False)) == "sin(x)² + 1"
    assert str(expression(x, {x: "x"})) == "x"


def test_several_definitions_are_aligned():
    x = Value(1.0, label="x")
    part = engine.sin(x * x + engine.cos(x) * 3 + engine.exp(x))
    y = part * (part + 1)
    assert formula(y).text() == "v10 = sin(x² + 3·cos(x) + exp(x))\nv10·(v10 + 1)"
    assert formula(y).latex().startswith("\\begin{aligned}\nv_{10} &= ")
    assert list(formula(y).definitions) == ["v10"]
    assert names_of(engine.topological_order(y), every=True)[part] == "v10"


def test_the_users_own_primitives_and_hooks():
    @engine.primitive(x=lambda xp, g, out, x: g * 3 * x**2)
    def cube(xp, x):
        return x * x * x

    x = Value(2.0, label="x")
    y = engine.hook(cube(x), function=lambda g: g) * 2
    assert str(formula(y)) == "2·cube(x)"
    assert formula(y).latex() == r"2 \cdot \operatorname{cube}(x)"
    assert same_bits(executed(y), y._value)
    assert str(local_derivative(y.inputs[0].inputs[0], 0, {x: "x"}).expression) == "cube'(x)"


def test_large_constants_are_leaves_of_the_python_form():
    x = Tensor(np.ones(12), label="x")
    y = x * np.arange(12.0)
    assert str(formula(y)) == "x·⟨12⟩"
    assert set(formula(y).leaves) == {"x", "c"}
    assert same_bits(executed(y), y._value)
    assert str(formula(x[:3] * np.array([0.5, -1.0, nan]))) == "x[:3]·[0.5, −1, nan]"


def test_random_draws_are_leaves():
    generator = np.random.default_rng(1)
    draw = ROWS["standard_normal"].call(generator=generator, size=(2,))
    y = Tensor([1.0, 2.0], label="x") * draw
    assert same_bits(executed(y), y._value)


# Numbers for readers.


@pytest.mark.parametrize(
    ("x", "text", "latex"),
    [
        (0.731058578, "0.731059", "0.731059"),
        (-0.5, "−0.5", "-0.5"),
        (1.2e-7, "1.2e-07", r"1.2 \cdot 10^{-7}"),
        (nan, "nan", r"\mathrm{NaN}"),
        (-inf, "−inf", r"-\infty"),
        (3, "3", "3"),
        (True, "True", r"\mathrm{True}"),
        (Value(2.0), "2", "2"),
        (np.float32(0.1), "0.1", "0.1"),
        ([1.0, -2.5], "[1, −2.5]", r"\left[1,\, -2.5\right]"),
        (np.zeros((2, 0)), "[[], []]", r"\left[\left[\right],\, \left[\right]\right]"),
        (np.array([nan, *range(9)]), "(10,) from 0 to 8 with NaN", r"\text{(10,) from 0 to 8 with NaN}"),
        (np.full(9, nan), "(9,) with NaN", r"\text{(9,) with NaN}"),
        (Fraction(-1, 3), "−1/3", "-1/3"),
    ],
)
def test_figures(x, text, latex):
    assert figure(x) == text
    assert figure_latex(x) == latex


@given(st.floats())
def test_numbers_print_as_they_read_back(x):
    text = number(x).text().replace("−", "-")
    found = float(eval(text, {"inf": inf, "nan": nan}))
    assert same_bits(found, x) or (found != found and x != x)


def test_figures_have_as_many_digits_as_asked():
    assert figure(0.7310585786, 5) == "0.73106"


# Expressions are values.


def test_expressions_compare_and_hash_by_what_they_say():
    assert symbol("x") == symbol("x")
    assert symbol("x") != symbol("y")
    assert symbol("1") != number(1)
    assert symbol("…") != symbol("…")
    assert str(product([symbol("…"), symbol("…")])) == "…·…"
    assert number(1) != "1"
    assert apply("sum", ["x"], axis=0) != apply("sum", ["x"], axis=1)
    assert len({product(["x", "y"]), product(["x", "y"])}) == 1
    assert Expression(None, value=np.ones(2)) == Expression(None, value=np.ones(2))
    assert Expression(None, value=np.ones(2)) != Expression(None, value=np.zeros(2))
    assert repr(symbol("x")) == "<expression x>"
    assert symbol("x")._repr_latex_() == "$x$"
    assert repr(formula(Value(1.0, label="x"))) == "<formula x>"


# Bad input.


def test_bad_input_is_explained():
    with pytest.raises(GraphError, match="Only a node knows how it was computed"):
        formula(3.0)
    with pytest.raises(GraphError, match="no row of this name"):
        apply("arcsinh", ["x"])
    x = Value(1.0, label="x")
    slope = local_derivative(engine.sigmoid(x), 0, {x: "x"}).expression
    with pytest.raises(DataError, match=r"σ'\(x\) was to be written as Python"):
        slope.python()

    @engine.primitive(x=lambda xp, g, out, x: g, derivatives={"x": "x if x else 1"})
    def same(xp, x):
        return x

    with pytest.raises(DataError, match="stands in the derivative"):
        local_derivative(same(x), 0, {x: "x"})


# Floats as they are written.


QUOTIENTS = st.builds(truediv, st.integers(-9999, 9999), st.integers(1, 9999))


@given(st.floats(allow_nan=False, allow_infinity=False) | QUOTIENTS)
def test_a_float_is_read_as_a_number_that_it_is_the_nearest_float_to(x):
    assert read(x) == (exact(x) or 0)
    assert float(Fraction(exact(x) or 0)) == x
    shown = str(number(x)).replace("−", "-")
    assert Fraction(shown) == exact(x) if x else shown in ("0", "-0.0")


@given(st.integers(-9999, 9999), st.integers(1, 9999))
def test_a_division_of_small_numbers_is_seen(above, below):
    assert exact(above / below) == Fraction(above, below)


@given(st.integers(-(10**9), 10**9), st.integers(0, 7))
def test_a_short_decimal_is_what_it_says(digits, places):
    written = Fraction(digits, 10**places)
    assert exact(float(written)) == written
    if abs(digits) < 10**6:
        assert exact(np.float32(written)) == written


def test_a_large_float_is_no_fraction_by_chance():
    assert exact(1000000000000000.25) == Fraction("1000000000000000.2")
    assert exact(123456789.12345678) == Fraction("123456789.12345678")


def test_arrays_are_written_as_short_as_they_read_back():
    x = Tensor([1.0, 2.0], label="x")
    assert str(formula(x * np.array([0.1, 1 / 3]))) == "x·[0.1, 0.3333333333333333]"
    assert str(formula(x * np.array(0.1, np.float32))) == "0.1·x"
    assert formula(x * np.array([1e-7, 2.0])).latex() == r"x \cdot \left[1 \cdot 10^{-7},\, 2\right]"


# Counts and long texts.


@given(st.integers(0, 10**30))
def test_a_count_is_exact_or_the_nearest_power_of_ten(count):
    words = whole(count)
    if words.startswith("about 10^"):
        assert count >= 10**15 and abs(np.log10(float(count)) - int(words[9:])) < 0.5 + 1e-9
    else:
        assert int(words.replace(" ", "")) == count < 10**15
    assert len(words) < 24


@given(st.text(), st.integers(1, 50))
def test_a_long_text_is_cut(text, letters):
    short = shortened(text, letters)
    assert len(short) <= letters and len(short.splitlines()) <= 1
    assert len(text) > letters or not text.isprintable() or short == text


def test_a_users_operation_with_the_name_of_a_row_is_not_taken_for_it():
    @engine.primitive(x=lambda xp, g, out, x: 2.0 * g)
    def multiply(xp, x):
        return 2.0 * x

    x = Value(0.5, label="x")
    assert str(engine.formula(multiply(x) * x)) == "multiply(x)·x"
