"""Worksheets: every line is the graph's own, its rule is right, and fractions stay fractions."""

import contextlib
import functools
import json
import operator
import shutil
import subprocess
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import engine
from engine import Tensor, Value, evaluate, gradients, topological_order, worksheet
from engine.errors import DataError, DomainError, EngineError, GraphError, ShapeError, UnsupportedError
from engine.notation.factors import ONES
from engine.primitives import ROWS
from engine.row import compute
from engine.testing.layouts import fill, layouts
from engine.worksheets.rational import FRACTIONS, Exact, leaf, plain, read
from tests.messages import explained

# Random graphs of numbers, with labels here and there.

ONE = {
    "σ": engine.sigmoid,
    "tanh": engine.tanh,
    "relu": engine.relu,
    "leaky": engine.leaky_relu,
    "abs": abs,
    "−": lambda x: -x,
    "square": lambda x: x**2,
    "/4": lambda x: x / 4,
}
TWO = {
    "+": lambda x, y: x + y,
    "-": lambda x, y: x - y,
    "·": lambda x, y: x * y,
    "max": engine.maximum,
    "min": engine.minimum,
    "where": lambda x, y: engine.where(engine.greater(x, y), x, y * 2),
}
RATIONAL = [name for name in (*ONE, *TWO) if name not in ("σ", "tanh")]
DECIMALS = st.integers(-200, 200).map(lambda n: n / 100)


@st.composite
def expressions(draw, names=(*ONE, *TWO)):
    """Leaves, and an output that was computed from them in up to 12 steps."""
    leaves = [Value(draw(DECIMALS), label=label) for label in draw(st.sampled_from([("x", "y"), ("x", None), ("w",)]))]
    nodes = [*leaves, leaves[0] * 1]
    for i in range(draw(st.integers(1, 12))):
        name = draw(st.sampled_from(names))
        x, y = (nodes[-1 - draw(st.integers(0, min(3, len(nodes) - 1)))] for _ in range(2))
        node = ONE[name](x) if name in ONE else TWO[name](x, y)
        node.label = draw(st.sampled_from([None, f"a{i}"]))
        nodes.append(node)
    reached = topological_order(nodes[-1], differentiable=True)
    return [x for x in leaves if x in set(reached)], nodes[-1]


def worth(rule, known):
    """What a rule comes to when the unrounded values of names are put in: the printed formula, read again."""
    if str(rule) in known:
        return known[str(rule)]
    if rule == ONES or rule.name == "partial":
        raise LookupError(f"{rule} is no earlier step: the derivative of maximum, say, has no formula")
    if rule.op is None:
        return float(rule.value) if isinstance(rule.value, int | float | Fraction) else rule.value
    args = [worth(x, known) for x in rule.args]
    if rule.name in ("add", "multiply", "entrywise"):  # of two and more
        return functools.reduce(operator.add if rule.name == "add" else operator.mul, args)
    if rule.name == "outer":
        return np.outer(*args)
    if rule.name == "beside":
        return args[0]
    if rule.name == "prime":
        one = np.ones(np.shape(args[0]))
        out = rule.params["function"].forward(np, *args)
        settings = rule.params["function"].defaults
        return rule.params["function"].rules[0](np, one, out, *args, **settings)
    return np.asarray(compute(rule.op, np, args, rule.params))[()]


def assert_right(sheet, E, parameters):
    """Results are the graph's, and the rules come to the results."""
    steps = [*sheet.forward, *sheet.backward]
    assert [step.number for step in (*steps, *sheet.updates)] == list(range(1, 1 + len(steps) + len(sheet.updates)))
    known = dict(sheet.given)
    for step in steps:
        assert all(number < step.number for number in step.refers)
        with contextlib.suppress(LookupError):
            np.testing.assert_allclose(worth(step.rule, known), step.result, rtol=1e-9, atol=1e-9, err_msg=str(step))
        known[str(step.name)] = step.result
    last = {str(step.name): step.result for step in sheet.backward}
    for step, gradient in zip(last_steps(sheet, parameters), gradients(E, parameters), strict=True):
        np.testing.assert_array_equal(step.result, gradient)
    assert len(last) == len(sheet.backward), "nothing is derived twice"


def last_steps(sheet, parameters):
    names = list(sheet.given)
    by_name = {str(step.name): step for step in sheet.backward}
    found = [by_name[f"∂{sheet.output}/∂{name}"] for name in names if f"∂{sheet.output}/∂{name}" in by_name]
    assert len(found) == len(parameters)
    return found


@given(expressions())
def test_results_are_the_graphs_and_rules_come_to_them(drawn):
    leaves, E = drawn
    if leaves:
        sheet = worksheet(E, leaves, learning_rate=0.1)
        assert_right(sheet, E, leaves)
        assert sheet.forward == [] or sheet.forward[-1].result == E.data
        for step, x, g in zip(sheet.updates, leaves, gradients(E, leaves), strict=True):
            assert step.result == x.data - 0.1 * g
        json.dumps(sheet.data())
        for form in (sheet.text, sheet.markdown, sheet.latex, sheet.html):
            assert form()


@given(expressions())
def test_figures_are_the_rounded_results(drawn):
    leaves, E = drawn
    if leaves:
        sheet = worksheet(E, leaves, digits=15)
        for step in (*sheet.forward, *sheet.backward):
            if step.numbers is not None:
                np.testing.assert_allclose(worth(step.numbers, {}), step.result, rtol=1e-9, atol=1e-9)
        for step in worksheet(E, leaves, digits=3).forward:
            shown = str(step).rpartition(" = ")[2].replace("−", "-")
            assert float(shown) == float(f"{step.result:.3g}")


# Fractions.


class Dual:
    """A fraction and its derivative by one leaf, carried forward: nothing of the engine's."""

    def __init__(self, value, slope=0):
        self.value, self.slope = Fraction(value), Fraction(slope)

    def __add__(self, other):
        return Dual(self.value + other.value, self.slope + other.slope)

    def __mul__(self, other):
        return Dual(self.value * other.value, self.slope * other.value + self.value * other.slope)


@given(st.lists(DECIMALS, min_size=3, max_size=3), st.lists(st.sampled_from(["+", "*"]), min_size=1, max_size=8))
def test_exact_worksheets_agree_with_dual_numbers(data, signs):
    written = [Fraction(str(x)) for x in data]
    nodes = [Value(x, label=label) for x, label in zip(data, "xyz", strict=True)]
    E = nodes[0] * nodes[1] + nodes[2]
    for i, sign in enumerate(signs):
        E = E + nodes[i % 3] if sign == "+" else E * nodes[i % 3]
    sheet = worksheet(E, nodes, exact=True)
    for i, step in enumerate(last_steps(sheet, nodes)):
        x, y, z = (Dual(x, j == i) for j, x in enumerate(written))
        dual = x * y + z
        for j, sign in enumerate(signs):
            dual = dual + (x, y, z)[j % 3] if sign == "+" else dual * (x, y, z)[j % 3]
        assert type(step.result) is Fraction
        assert (sheet.forward[-1].result, step.result) == (dual.value, dual.slope)


@given(expressions(RATIONAL))
def test_exact_worksheets_are_near_the_rounded_ones(drawn):
    leaves, E = drawn
    if leaves:
        exact, rounded = (worksheet(E, leaves, 0.1, exact=choice) for choice in (True, False))
        json.dumps(exact.data())
        for left, right in zip((*exact.forward, *exact.backward), (*rounded.forward, *rounded.backward), strict=True):
            assert isinstance(left.result, Fraction) and str(left.name) == str(right.name)
        assert float(exact.forward[-1].result if exact.forward else 0) == pytest.approx(
            E.data if exact.forward else 0, rel=1e-9, abs=1e-9
        )


@pytest.mark.parametrize("row", ROWS.values(), ids=lambda row: row.name)
def test_a_row_keeps_fractions_or_says_that_it_cannot(row):
    rng = np.random.default_rng(0)
    for layout in () if row.kind == "random" or row.name in ("hook", "pick") else layouts(row):
        data = [np.round(x, 2) if np.asarray(x).dtype.kind == "f" else x for x in fill(row, layout, rng)]
        params = layout.params or None
        try:
            exact = compute(row, FRACTIONS, [leaf(x) for x in data], params)
        except EngineError as error:
            assert row.name in str(error)
            continue
        near = compute(row, np, data, params)
        pairs = zip(exact, near, strict=True) if isinstance(near, tuple) else [(exact, near)]
        for ours, theirs in pairs:
            entries = np.ravel(np.asarray(ours, object)).tolist()
            assert not any(isinstance(x, float) for x in entries), "something was rounded on the way"
            numbers = [float(int(x) if isinstance(x, np.bool_) else Fraction(x)) for x in entries]
            np.testing.assert_allclose(numbers, np.ravel(theirs).astype(float), rtol=1e-6, atol=1e-12)


RATIONAL_ROWS = (
    "absolute add add_at broadcast_to clip concatenate divide expand_dims getitem leaky_relu linear matmul max maximum "
    "mean mean_square min minimum multiply negative power prod reciprocal relu reshape sign split squeeze stack "
    "subtract sum transpose unstack var where"
)
IRRATIONAL_ROWS = (
    "cos exp expm1 log log1p log_softmax logaddexp logsumexp norm sigmoid sin softmax softplus sqrt tan tanh"
)


@pytest.mark.parametrize("name", RATIONAL_ROWS.split())
def test_rational_rows_have_exact_gradients(name):
    x, y = Tensor([[0.5, -1.25], [3.0, 0.1]], label="x"), Tensor([[2.0, 0.3], [-0.7, 1.5]], label="y")
    settings = {
        "add_at": lambda: x.at[[0, 0]].add(y), "broadcast_to": lambda: engine.broadcast_to(x, (3, 2, 2)),
        "clip": lambda: engine.clip(x, -1, 2), "concatenate": lambda: engine.concatenate([x, y]),
        "expand_dims": lambda: engine.expand_dims(x, 0), "getitem": lambda: x[np.array([1, 1, 0])],
        "linear": lambda: engine.linear(x, y, y[0]), "max": lambda: x.max(axis=1), "min": lambda: x.min(),
        "power": lambda: x**-3, "reshape": lambda: x.reshape(4), "split": lambda: engine.split(x, 2)[1],
        "squeeze": lambda: engine.squeeze(x.reshape(1, 4)), "stack": lambda: engine.stack([x, y]),
        "unstack": lambda: engine.unstack(x)[0], "where": lambda: engine.where(engine.greater(x, y), x * y, y),
        "prod": lambda: x.prod(axis=0), "mean": lambda: engine.stack([x, y, x]).mean(axis=0),
    }  # fmt: skip
    function = getattr(engine, name, None)
    two = name in ("add", "divide", "matmul", "maximum", "minimum", "multiply", "subtract")
    out = settings[name]() if name in settings else function(x, y) if two else function(x)
    E = (out * out).mean() if name != "sign" else out.sum() * x.sum()
    wanted = [each for each in (x, y) if each in set(topological_order(E))]
    sheet = worksheet(E, wanted, exact=True)
    for step, gradient in zip(last_steps(sheet, wanted), gradients(E, wanted), strict=True):
        assert all(isinstance(entry, Fraction) for entry in step.result.ravel())
        np.testing.assert_allclose(step.result.astype(float), gradient, rtol=1e-9)
    assert float(sheet.forward[-1].result) == pytest.approx(E.item(), rel=1e-12)


@pytest.mark.parametrize("name", IRRATIONAL_ROWS.split())
def test_an_irrational_row_is_named(name):
    x = Tensor([0.5, 0.25])
    out = engine.logaddexp(x, 1.0) if name == "logaddexp" else getattr(engine, name)(x)
    with explained(UnsupportedError, repr(name), "exact=True", "fraction"):
        worksheet(out.sum(), x, exact=True)


def test_what_has_no_fraction_is_said():
    x = Value(0.25, label="x")
    with explained(DomainError, "'power'", "1/2"):
        worksheet(x**0.5, x, exact=True)
    with explained(DomainError, "'divide'", "divided by 0"):
        worksheet(1 / (x - 0.25), x, exact=True)
    with explained(DomainError, "inf is no fraction"):
        worksheet(engine.maximum(x, float("-inf")), x, exact=True)

    @engine.primitive(x=lambda xp, g, out, x: g * 0.5)
    def rounding(xp, x):
        return float(x) / 2

    with explained(UnsupportedError, "'rounding'", "would have to be rounded"):
        worksheet(rounding(x), x, exact=True)


def test_a_users_own_row_may_be_rational():
    @engine.primitive(x=lambda xp, g, out, x: g * 0.3 * x**2)
    def tenth_of_a_cube(xp, x):
        return 0.1 * x * x * x

    x = Value(0.1, label="x")
    sheet = worksheet(tenth_of_a_cube(x), x, exact=True)
    assert (sheet.forward[0].result, sheet.backward[0].result) == (Fraction(1, 10**4), Fraction(3, 1000))


@given(st.fractions(max_denominator=1000), DECIMALS)
def test_operators_keep_fractions_and_read_decimals_as_written(x, decimal):
    ours, written = Exact(x), Fraction(str(decimal))
    for result, wanted in [
        (ours + decimal, x + written), (decimal - ours, written - x), (ours * decimal, x * written), (-ours, -x),
        (abs(ours), abs(x)), (ours**2, x**2), (decimal * ours - 1, written * x - 1),
    ]:  # fmt: skip
        assert type(result) is Exact and result == wanted
    if x:
        assert type(decimal / ours) is type(ours**-2) is Exact
        assert (decimal / ours, ours**-2) == (written / x, x**-2)
    assert (ours < decimal, ours == decimal, decimal >= ours) == (x < written, x == written, written >= x)
    with pytest.raises(TypeError, match="rounded"):
        float(ours)


@pytest.mark.parametrize(
    ("x", "fraction"),
    [
        (0.1, "1/10"), (1 / 3, "1/3"), (2 / 7, "2/7"), (1e-20, f"1/{10**20}"), (-2.5, "-5/2"), (7, "7"),
        (np.float32(0.1), "1/10"), (np.int64(3), "3"), (0.1 + 0.2, "30000000000000004/100000000000000000"),
        (0.3333333333, "3333333333/10000000000"),
    ],
)  # fmt: skip
def test_a_decimal_is_read_as_written(x, fraction):
    assert plain(read(x)) == Fraction(fraction)


def test_long_fractions_are_shown_rounded_and_say_so():
    x = Value(1 / 3, label="x")
    E = (x + 0.123456) ** 3
    E.label = "E"
    sheet = worksheet(E, x, 0.5, digits=3, exact=True)
    assert "x = 1/3" in sheet.text()
    assert str(sheet.forward[0]) == "1. E = (x + 0.123456)³ = (1/3 + 0.123456)³ ≈ 0.0953"
    assert sheet.forward[0].result == (Fraction(1, 3) + Fraction("0.123456")) ** 3
    assert sheet.updates[0].result == Fraction(1, 3) - 3 * (Fraction(1, 3) + Fraction("0.123456")) ** 2 / 2


# The form of the lines.


def test_shared_results_get_a_line_and_others_are_folded_in():
    x, w = Value(2.0, label="x"), Value(3.0, label="w")
    shared = w * x
    E = (shared - 1) * (shared + 1)
    sheet = worksheet(E, [w])
    assert [str(step) for step in (*sheet.forward, *sheet.backward)] == [
        "1. v5 = w·x = 3·2 = 6",
        "2. E = (v5 − 1)·(v5 + 1) = (6 − 1)·(6 + 1) = 35",
        "3. ∂E/∂v5 = v5 + 1 + (v5 − 1) = 6 + 1 + (6 − 1) = 12",
        "4. ∂E/∂w = ∂E/∂v5·x = 12·2 = 24",
    ]
    assert sheet.backward[-1].refers == (3,)
    assert sheet.backward[0].notes == ("v5 is used 2 times, in v5 − 1 and v5 + 1: what comes back is added up",)
    assert "with ∂E/∂v5 from step 3" in sheet.text()
    assert sheet.updates == [] and "Update" not in sheet.text()


def test_a_long_formula_is_cut_into_lines():
    x = Value(1.0, label="x")
    E = x
    for _ in range(3000):
        E = engine.sin(E + 1)
    sheet = worksheet(E, x)
    assert len(sheet.forward) > 3000 / 12 and max(len(str(step)) for step in sheet.forward) < 300
    assert sheet.backward[-1].result == gradients(E, [x])[0]


def test_names_come_from_labels_and_from_the_keys_of_a_dict():
    a, b = Value(2.0), Value(3.0, label="bias")
    E = a * b
    sheet = worksheet(E, {"slope": a, "b": b})
    assert list(sheet.given) == ["slope", "bias"]
    assert [str(step.name) for step in sheet.backward] == ["∂E/∂slope", "∂E/∂bias"]
    again = Value(1.0, label="E")
    assert worksheet(again * a, a).output == "v3"
    assert worksheet(a * b * again, {"bias": a}).given == {"x1": 2.0, "bias": 3.0, "E": 1.0}


def test_the_output_may_be_a_parameter_and_so_may_a_result():
    x = Value(2.0, label="x")
    z = x * 3
    E = z * z
    sheet = worksheet(E, [z, E, x], 0.1)
    assert [str(step) for step in sheet.backward][:2] == ["3. ∂E/∂E = 1", "4. ∂E/∂v3 = 2·v3 = 2·6 = 12"]
    assert [step.result for step in sheet.updates] == [6 - 0.1 * 12.0, 36 - 0.1, 2 - 0.1 * 36.0]
    assert worksheet(x, x, 0.5).text().count("∂x/∂x = 1") == 1


def test_an_update_shows_as_many_digits_as_can_be_seen():
    w = Value(1.0, label="w")
    (step,) = worksheet(w * -6.66e-5, w, 0.1, digits=3).updates
    assert str(step) == "3. w ← w − 0.1·(∂E/∂w) = 1 − 0.1·(−6.66e-05) = 1.0000067"


def test_nothing_is_written_and_no_node_changes():
    x = Value(2.0, label="x")
    E = x * x
    worksheet(E, x, 0.1, exact=True)
    assert (x.data, x.grad, E.grad, E.label) == (2.0, None, None, None)


A1 = {
    "x": [0.5, -1.0], "W1": [[2.0, 0.5], [-1.0, 1.5], [0.25, -0.75]], "W2": [[-1.5, 0.5, 1.0], [0.75, -0.25, 2.0]],
    "r": [0.7, -0.4, 0.3], "s": [0.2, 0.6],
}  # fmt: skip


def a1():
    node = {name: Tensor(data, label=name) for name, data in A1.items()}
    z = node["W1"] @ node["x"]
    h = engine.sigmoid(z)
    y = node["x"] + node["W2"] @ h
    R, S = node["r"] @ h, ((y - node["s"]) ** 2).sum() / 2
    E = S + R
    for name, result in {"z": z, "h": h, "y": y, "R": R, "S": S, "E": E}.items():
        result.label = name
    return node, E


def test_vectors_and_matrices_are_shown_small():
    node, E = a1()
    parameters = list(node.values())
    sheet = worksheet(E, parameters, 0.1, digits=3)
    assert_right(sheet, E, parameters)
    lines = {str(step.name): str(step).partition(". ")[2] for step in (*sheet.forward, *sheet.backward)}
    assert lines["z"] == "z = W1x = [[2, 0.5], [−1, 1.5], [0.25, −0.75]] @ [0.5, −1] = [0.5, −2, 0.875]"
    assert lines["∂E/∂y"].endswith("·([0.332, 0.849] − [0.2, 0.6]) = [0.132, 0.249]")
    assert lines["∂E/∂h"].startswith("∂E/∂h = (∂E/∂y) @ W2 + ∂E/∂R·rᵀ = [0.132, 0.249] @ [[−1.5, 0.5, 1]")
    assert lines["∂E/∂z"].startswith("∂E/∂z = (∂E/∂h) ⊙ σ'(z) = [0.689, −0.396, 0.929] ⊙ [0.235, 0.105, 0.208] = ")
    assert lines["∂E/∂W1"].startswith("∂E/∂W1 = (∂E/∂z) ⊗ x = ")


def test_a_large_array_is_not_written_out():
    W = Tensor(np.arange(12.0).reshape(3, 4), label="W")
    sheet = worksheet((W * W).sum(), W, 0.1)
    assert max(map(len, sheet.text().split("\n"))) <= 100
    assert "⟨3×4⟩" in sheet.text()


def test_several_results_and_rows_that_mix_entries_have_rules_without_numbers():
    v = Tensor([1.0, 2.0, 3.0], label="v")
    a, b, _ = v.values()
    product, softmax = worksheet(a * b, v), worksheet(engine.softmax(v) @ np.array([0.0, 1.0, 0.0]), v)
    assert str(product.backward[-1]).endswith(
        "∂E/∂v = values(v)[1]·(∂values(v)[0]/∂v) + values(v)[0]·(∂values(v)[1]/∂v) = [2, 1, 0]"
    )
    assert "@ softmax'(v) = [" in str(softmax.backward[-1])
    assert product.backward[-1].numbers is softmax.backward[-1].numbers is None


def test_infinities_and_nan_are_shown_as_they_are():
    x = Value(0.0, label="x")
    assert [str(step) for step in worksheet(engine.log(x), x, 0.1).backward] == ["2. ∂E/∂x = 1/x = 1/0 = inf"]
    (step,) = worksheet(engine.where(engine.greater(x, 0), engine.log(x), 0.0), x).backward
    assert step.result == 0 and step.notes == ("where takes its other branch: nothing flows back to log(x)",)
    assert worksheet(engine.sqrt(x) ** 2, x, 0.1).text().count("= nan") == 2


# What is said beside a step.


def remarks(E, *nodes, **options):
    return [note for step in worksheet(E, list(nodes), **options).backward for note in step.notes]


def test_special_cases_are_said_in_words():
    x, y = Value(-2.0, label="x"), Value(-2.0, label="y")
    assert remarks(engine.relu(x), x) == ["relu is not active: x = −2, so that nothing flows back (a dead ReLU)"]
    assert remarks(engine.leaky_relu(x + 2), x) == [
        "x + 2 = 0 is at a kink of leaky_relu: there its derivative is taken to be 0.01"
    ]
    assert remarks(engine.maximum(x, y), x, y) == ["x and y tie in maximum at −2: each gets half of the gradient"] * 2
    assert remarks(x * y, x, y) == []


@given(expressions())
def test_remarks_are_the_special_cases_of_the_explanation(drawn):
    leaves, E = drawn
    for x in leaves:
        labels = {node for node in topological_order(E) if node.label}
        explained = engine.explain(E, x).notes
        for note in worksheet(E, x).backward[-1].notes if labels >= set(topological_order(E)) - {E} else ():
            assert f"{note}." in explained or "And more of this kind." in explained


def test_special_cases_of_arrays_are_counted():
    W, b = Tensor([[1.0, -1.0], [2.0, -3.0]], label="W"), Tensor([0.0, 0.0], label="b")
    z = W + b
    z.label = "z"
    E = engine.relu(z).sum()
    assert remarks(E, W, b) == [
        "relu is not active in 2 of 4 entries: z = [[1, −1], [2, −3]], so that nothing flows back (dead ReLUs)",
        "b of shape (2,) is broadcast to (2, 2): each entry of its gradient is a sum of 2",
    ]
    tie = "4 entries of W − detach(W) tie in max: each gets an equal part of the gradient"
    assert remarks(engine.max(W - engine.detach(W)), W) == [tie]


def test_what_concerns_no_single_step_stands_at_the_top():
    x, c = Value(2.0, label="x"), Value(3.0, label="c", requires_grad=False)
    sheet = worksheet(x * c + engine.detach(x), x)
    assert sheet.notes == [
        "c is a constant: it has no gradient, and no path starts there",
        "detach(x) is taken as a constant: the way from x through it does not count",
    ]
    assert all(f"{note}." in sheet.text().replace("\n", " ") for note in sheet.notes) and sheet.data()["notes"]


def test_the_exact_sheet_sees_a_kink_that_rounding_hides():
    x = Value(0.3, label="x")
    E = engine.relu(x - 0.1 - 0.2)
    (rounded,), (exact,) = remarks(E, x), remarks(E, x, exact=True)
    assert rounded.startswith("relu is not active: x − 0.3 = −2.77556e-17")
    assert exact == "x − 0.3 = 0 is at the kink of relu: there its derivative is taken to be 0"


def test_a_hook_is_not_called_to_see_its_slope():
    x, seen = Value(2.0, label="x"), []
    E = engine.hook(x, function=seen.append) * 3
    gradients(E, [x])
    assert worksheet(E, x).backward[0].notes == () and seen == [3.0, 3.0]


# The exercises.


def test_one_step_of_the_2_3_1_network():
    start = dict.fromkeys([*(f"w{i}" for i in range(1, 10)), "b1", "b2", "b3", "b4"], 1.0)
    p = {name: Value(number, label=name) for name, number in start.items()}
    x1, x2 = Value(1.0, label="x1", requires_grad=False), Value(0.0, label="x2", requires_grad=False)
    h = [engine.sigmoid(p[f"w{2 * i - 1}"] * x1 + p[f"w{2 * i}"] * x2 + p[f"b{i}"]) for i in (1, 2, 3)]
    for i, node in enumerate(h, 1):
        node.label = f"h{i}"
    prediction = engine.sigmoid(p["w7"] * h[0] + p["w8"] * h[1] + p["w9"] * h[2] + p["b4"])
    prediction.label = "ŷ"
    E = (1 - prediction) ** 2 / 2
    E.label = "E"
    sheet = worksheet(E, p, learning_rate=0.1)
    assert_right(sheet, E, list(p.values()))
    lines = [str(step).partition(". ")[2] for step in (*sheet.forward, *sheet.backward, *sheet.updates)]
    assert "v22 = w1·x1 + w2·x2 + b1 = 1·1 + 1·0 + 1 = 2" in lines  # three derivatives have σ'(v22) in common
    assert "h1 = σ(v22) = σ(2) = 0.8808" in lines
    assert "∂E/∂ŷ = −(1 − ŷ) = −(1 − 0.97448) = −0.025521" in lines
    assert "w1 ← w1 − 0.1·(∂E/∂w1) = 1 − 0.1·(−6.6641e-05) = 1.0000067" in lines
    assert "With σ'(z) = σ(z)·(1 − σ(z))." in sheet.text()


def test_three_samples_of_the_relu_regression_in_fractions():
    p = {name: Value(number, label=name) for name, number in {"w1": 1.0, "w2": 1.0, "b1": 0.0, "b2": 0.0}.items()}
    a = engine.relu(p["w1"] * 1 + p["b1"])
    L = (p["w2"] * a + p["b2"] - 3) ** 2 / 2
    sheet = worksheet(L, p, learning_rate=0.01, exact=True)
    assert [step.result for step in sheet.updates] == [
        Fraction(51, 50),
        Fraction(51, 50),
        Fraction(1, 50),
        Fraction(1, 50),
    ]
    assert sheet.forward[-1].result == 2


# The forms.


def test_it_is_saved_in_four_forms(tmp_path):
    node, E = a1()
    sheet = worksheet(E, node, 0.1)
    for suffix in ("txt", "md", "tex", "html"):
        sheet.save(tmp_path / f"sheet.{suffix}")
    page = (tmp_path / "sheet.html").read_text("utf-8")
    assert "<h1>E and its derivatives, step by step</h1>" in page and "http" not in page
    assert r"\frac{\partial E}{\partial z}" in (tmp_path / "sheet.md").read_text("utf-8")
    assert sheet._repr_html_() and sheet._repr_markdown_() and repr(sheet)


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="there is no pdflatex on this machine")
def test_the_latex_compiles(tmp_path):
    node, E = a1()
    worksheet(E, node, 0.1).save(tmp_path / "vectors.tex")
    x = Value(1 / 3, label="x̂")
    worksheet(engine.maximum(x, 1 / 3) ** 3 / 7, x, 0.1, exact=True).save(tmp_path / "fractions.tex")
    for name in ("vectors", "fractions"):
        command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", f"{name}.tex"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace")
        assert done.returncode == 0, done.stdout[-2000:]


# Bad input.


def test_bad_input_is_explained():
    x, other = Value(2.0, label="x"), Value(1.0, label="other")
    E = x * x
    with explained(GraphError, "3.0", "float"):
        worksheet(3.0, x)
    with explained(ShapeError, "(2,)", ".sum()"):
        worksheet(Tensor([1.0, 2.0], label="t"), x)
    with explained(GraphError, "does not depend on", "'other'"):
        worksheet(E, [x, other])
    with explained(GraphError, "does not depend on"):
        worksheet(E.detach(), x)
    with explained(GraphError, "'x'"):
        worksheet(E, ["x"])
    for nothing in ([], {}, None, 3):
        with explained(DataError, repr(nothing)):
            worksheet(E, nothing)
    for rate in ("0.1", True, float("nan"), x):
        with explained(DataError, "learning_rate=0.1"):
            worksheet(E, x, rate)
    for digits in (0, 16, 2.5, True):
        with explained(DataError, repr(digits)):
            worksheet(E, x, digits=digits)


def test_a_stale_graph_is_refused():
    x = Value(2.0, label="x")
    E = x * x
    x.data = 3.0
    with explained(GraphError, "'x'"):
        worksheet(E, x)


def test_evaluate_runs_in_the_namespace():
    x = Tensor([0.1, 0.2])
    E = (x * x).sum()
    assert evaluate(E, {x: read(x.data)}, xp=FRACTIONS) == Fraction(1, 20)


# Networks without labels.


def test_both_sides_of_an_exact_step_are_equal():
    x = Value(0.5, label="x")
    E = x * (1 / 2003) + x * (1 / 1500)
    sheet = worksheet(E, x, exact=True)
    assert str(sheet.forward[0]) == "1. E = x/2003 + x/1500 = 0.5/2003 + 0.5/1500 = 3503/6009000"
    assert sheet.forward[0].result == Fraction(1, 2) * (Fraction(1, 2003) + Fraction(1, 1500))


def test_a_single_precision_constant_is_read_as_written():
    x = Tensor(np.array([1.0, 3.0], np.float32), label="x")
    sheet = worksheet((x * np.array([0.1, 0.7], np.float32)).sum(), x, exact=True)
    assert sheet.forward[-1].result == Fraction("2.2")


def test_what_several_derivatives_have_in_common_has_a_line():
    p = [Value(number) for number in (0.5, -1.0, 0.25)]
    z = p[0] * 2 + p[1] * 3 + p[2]
    E = (1 - engine.sigmoid(z)) ** 2 / 2
    sheet = worksheet(E, p)
    assert_right(sheet, E, p)
    assert [str(step.rule) for step in (*sheet.forward, *sheet.backward)] == [
        "2·x1 + 3·x2 + x3", "(1 − σ(v12))²/2", "−(1 − σ(v12))·σ'(v12)", "2·(∂E/∂v12)", "3·(∂E/∂v12)", "∂E/∂v12",
    ]  # fmt: skip
    x = Tensor(np.ones((2, 3)))
    layers = [(Tensor(np.full((3, 3), 0.1)), Tensor(np.zeros(3))) for _ in range(4)]
    for W, b in layers:
        x = engine.tanh(engine.linear(x, W, b))
    E = engine.mean(x**2)
    parameters = [each for layer in layers for each in layer]
    sheet = worksheet(E, parameters)
    assert_right(sheet, E, parameters)
    assert max(len(str(step.rule)) for step in sheet.backward) < 40


def test_what_was_repeated_is_summed_in_the_rule():
    W, c = Tensor([[1.0, 2.0], [3.0, 4.0]], label="W"), Tensor([1.0, -1.0], label="c")
    b, row = Value(0.5, label="b"), Tensor([[1.0], [2.0]], label="row")
    z = W + c + b * row
    E = (z * z).sum()
    engine.label(z=z, E=E)
    rules = {str(step.name): str(step.rule) for step in worksheet(E, {"c": c, "row": row, "b": b}).backward}
    assert rules["∂E/∂c"] == "sum(∂E/∂z, axis=0)" and "axis=1" in rules["∂E/∂row"] and "sum(" in rules["∂E/∂b"]


def test_parameters_may_be_nested_and_arrays_are_matrices_in_latex():
    x = Tensor([[1.0, -2.0], [3.0, 4.0]], label="x")
    sheet = worksheet((x * x).sum(), [[x]])
    assert r"\begin{pmatrix}2 & -4 \\ 6 & 8\end{pmatrix}" in sheet.markdown()
