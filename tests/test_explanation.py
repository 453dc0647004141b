"""Explanations: the terms are the gradient, special cases are found where they are, and why() tells what happened."""

import json
import math
import shutil
import subprocess

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from messages import explained

import engine
from engine import Tensor, Value
from engine.errors import DataError, GraphError, ShapeError
from engine.explanation import explain, why
from engine.testing import strategies
from engine.waypoints import label

EPSILON = np.finfo(float).eps
PDFLATEX = shutil.which("pdflatex")

NUMBERS = {"x": 0.5, "W1": 2.0, "W2": -1.5, "r": 0.7, "s": 0.2}
VECTORS = {
    "x": [0.5, -1.0],
    "W1": [[2.0, 0.5], [-1.0, 1.5], [0.25, -0.75]],
    "W2": [[-1.5, 0.5, 1.0], [0.75, -0.25, 2.0]],
    "r": [0.7, -0.4, 0.3],
    "s": [0.2, 0.6],
}


def many_paths(kind, data):
    """A1 of the reports: z = W1 x, h = σ(z), y = x + W2 h, R = rᵀ h, S = ½‖y − s‖², E = S + R."""
    x, W1, W2, r, s = (kind(value, label=name, requires_grad=name == "x") for name, value in data.items())
    z = engine.dot(W1, x)
    h = engine.sigmoid(z)
    y = x + engine.dot(W2, h)
    R = engine.dot(r, h)
    S = engine.sum((y - s) ** 2) / 2
    E = S + R
    label(z=z, h=h, y=y, R=R, S=S, E=E)
    return E, x


# Properties

# The measures of the kinks of max and min take arrays only.
ROWS = [row for row in strategies.OPERATIONS if row.name not in ("max", "min")]


@st.composite
def graphs(draw):
    """A number computed from x in some ways, through numbers and arrays, some of them labelled."""
    program = draw(strategies.expressions(ROWS, operations=10))
    leaves = program.leaves()
    known = program.run(*leaves)
    for i, node in enumerate(known):
        node.label = draw(st.sampled_from([None, f"v{i}"]))
    return known[-1], leaves[0]


@given(graphs(), st.sampled_from([None, "all"]))
def test_the_terms_sum_to_the_gradient(graph, through):
    E, x = graph
    assume(engine.waypoints.count_paths(E, x, "all") <= 300)
    explanation = explain(E, x, through, limit=1000)
    (gradient,) = engine.gradients(E, [x])
    assert np.array_equal(explanation.gradient, gradient) and len(explanation.terms) == explanation.count
    edges = sum(len(node.inputs) for node in engine.topological_order(E))
    every = explanation if through == "all" else explain(E, x, "all", limit=1000)
    sizes = sum(np.abs(path.contribution) for path in every.terms)
    assert np.all(np.abs(explanation.total - gradient) <= 8 * EPSILON * edges * sizes)
    assert np.array_equal(explanation.difference, explanation.total - gradient)
    terms = sum(path.contribution for path in explanation.terms)
    assert np.all(np.abs(terms - gradient) <= 8 * EPSILON * edges * sizes)


@given(graphs(), st.integers(1, 5))
def test_any_graph_is_explained_in_every_form(graph, limit):
    E, x = graph
    for found in (explain(E, x, limit=limit), why(E, x)):
        for form in (found.text(), found.markdown(), found.latex(), found.html()):
            assert form
        assert json.loads(json.dumps(found.data()))


# A1


@pytest.mark.parametrize(
    ("kind", "data", "chains"),
    [
        (Value, NUMBERS, ["(y − s)", "r·σ'(z)·W1", "(y − s)·W2·σ'(z)·W1"]),
        (Tensor, VECTORS, ["(y − s)", "rᵀσ'(z)W1", "(y − s)W2σ'(z)W1"]),
    ],
)
def test_a1_has_its_three_terms(kind, data, chains):
    E, x = many_paths(kind, data)
    found = explain(E, x)
    arrows = ["x → y → S → E", "x → z → h → R → E", "x → z → h → y → S → E"]
    assert [path.arrow for path in found.terms] == arrows
    assert [str(path.chain) for path in found.terms] == chains
    text = str(found)
    assert text.startswith("dE/dx over 3 paths\n")
    assert all(words in text for words in [*arrows, *chains, "∂S/∂y", "Difference:", "sum((y − s)²)/2"])
    assert "W1, W2, r and s are constants" in text and "h is used 2 times, in W2" in text
    assert found.data()["terms"][1]["path"] == ["x", "z", "h", "R", "E"]


def test_the_numbers_of_a1_are_those_of_the_graph():
    E, x = many_paths(Value, NUMBERS)
    found = explain(E, x)
    slope = 1 / (1 + math.exp(-1)) * (1 - 1 / (1 + math.exp(-1)))
    y = 0.5 - 1.5 / (1 + math.exp(-1))
    expected = [y - 0.2, 0.7 * slope * 2, (y - 0.2) * -1.5 * slope * 2]
    assert [path.contribution for path in found.terms] == pytest.approx(expected, rel=1e-14)
    table = [line.split("  ")[-1].strip() for line in str(found).split("\n") if " → " in line]
    assert table == [f"{number:.6g}".replace("-", "−") for number in expected]
    assert f"(−0.{abs(y - 0.2) * 1e6:.0f}) · (−1.5) · {slope:.6g} · 2" in str(found)


@pytest.mark.skipif(not PDFLATEX, reason="pdflatex is not installed (Debian: texlive-latex-base)")
@pytest.mark.parametrize(("kind", "data"), [(Value, NUMBERS), (Tensor, VECTORS)])
@pytest.mark.parametrize("function", [explain, why])
def test_latex_compiles(tmp_path, function, kind, data):
    function(*many_paths(kind, data)).save(tmp_path / "explanation.tex")
    command = [PDFLATEX, "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "explanation.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, encoding="latin-1")
    assert done.returncode == 0 and "Overfull" not in done.stdout, done.stdout[-2000:]
    assert (tmp_path / "explanation.pdf").exists()


# More paths than are shown


def test_the_largest_paths_are_shown_and_the_rest_is_summed():
    x = Value(0.3, label="x")
    y = x
    for i in range(6):
        y = engine.sin(y) + y * (i + 1)
    found = explain(y, x, through="all", limit=3)
    everything = sorted((abs(path.contribution) for path in explain(y, x, "all", limit=100).terms), reverse=True)
    assert found.count == 64 and [abs(path.contribution) for path in found.terms] == pytest.approx(everything[:3])
    assert found.rest == pytest.approx(found.gradient - sum(path.contribution for path in found.terms))
    assert "and 61 more" in str(found) and "Sum over 64 paths" in str(found)


@pytest.mark.slow
def test_more_paths_than_can_be_counted_on():
    x = y = Value(0.5)
    for _ in range(20_000):
        y = engine.sin(y) + y * 0.5
    found = explain(y, x, limit=1)
    assert f"over about 10^{20_000 * math.log10(2):.0f} paths" in found.document().title
    y = x
    for _ in range(120):
        y = engine.sin(y) + y * 0.5
    found = explain(y, x, limit=2)
    assert found.count == 2**120 and not found.data()["complete"]
    assert "were not added one by one" in str(found)


def test_a_node_by_itself_has_one_path():
    x = Value(2.0, label="x")
    found = explain(x, x)
    assert (found.total, found.gradient, found.count) == (1.0, 1.0, 1)
    assert "dx/dx over its only path" in str(found)


# Special cases: an example of each, and a near miss


SPECIAL = {
    "a dead ReLU": (
        "relu is not active: x − 3 = −1, so that nothing flows back (a dead ReLU).",
        lambda x: engine.relu(x - 3),
        lambda x: engine.relu(x + 3),
    ),
    "dead ReLUs": (
        "relu is not active in 2 of 3 entries: x − [1, 3, 4] = [1, −1, −2], so that nothing flows back (dead ReLUs).",
        lambda x: engine.sum(engine.relu(x - np.array([1.0, 3.0, 4.0]))),
        lambda x: engine.sum(engine.relu(x - np.array([1.0, 0.0, 1.5]))),
    ),
    "kink of relu": (
        "x − 2 = 0 is at the kink of relu: there its derivative is taken to be 0.",
        lambda x: engine.relu(x - 2),
        lambda x: engine.relu(x - 2.5),
    ),
    "a kink of absolute": (
        "x − 2 = 0 is at a kink of absolute: there its derivative is taken to be 0.",
        lambda x: engine.absolute(x - 2),
        lambda x: engine.absolute(x),
    ),
    "a kink of norm": (
        "stack(0·x, 0) = [0, 0] is at a kink of norm: there its derivative is taken to be 0.",
        lambda x: engine.norm(engine.stack([0 * x, 0.0])),
        lambda x: engine.norm(engine.stack([x, 0.0])),
    ),
    "tie in maximum": (
        "x and 2 tie in maximum at 2: each gets half of the gradient.",
        lambda x: engine.maximum(x, 2),
        lambda x: engine.maximum(x, 2 - 1e-15),
    ),
    "takes": (
        "maximum takes 3: nothing flows back to x = 2.",
        lambda x: engine.maximum(x, 3),
        lambda x: engine.maximum(x, 1),
    ),
    "tie in max:": (
        "2 entries of stack(x, x, 1) tie in max: each gets an equal part of the gradient.",
        lambda x: engine.max(engine.stack([x, x, 1.0])),
        lambda x: engine.max(engine.stack([x, 0.5, 1.0])),
    ),
    "sigmoid is saturated": (
        "sigmoid is saturated: σ'(−7·x) = 8.31527e-07 at −7·x = −14.",
        lambda x: engine.sigmoid(-7 * x),
        lambda x: engine.sigmoid(-3 * x),
    ),
    "tanh is saturated": (
        "tanh is saturated: tanh'(4·x) = 4.50141e-07 at 4·x = 8.",
        lambda x: engine.tanh(4 * x),
        lambda x: engine.tanh(x),
    ),
    "softmax is saturated": (
        "softmax is saturated: one of its entries is 1, the others nearly 0.",
        lambda x: engine.softmax(engine.stack([x, 20.0]))[0],
        lambda x: engine.softmax(engine.stack([x, 1.0]))[0],
    ),
    "constant": (
        "c is a constant: it has no gradient, and no path starts there.",
        lambda x: x * Value(3.0, label="c", requires_grad=False),
        lambda x: x * Value(3.0, label="c"),
    ),
    "is used": (
        "x² is used 2 times, in sin(x²) and cos(x²): what comes back is added up.",
        lambda x: (lambda u: engine.sin(u) + engine.cos(u))(x * x),
        lambda x: engine.sin(engine.cos(x) * 2),
    ),
    "broadcast": (
        "x (one number) is broadcast to (3,): its gradient is a sum of 3 entries.",
        lambda x: engine.sum(x + np.ones(3)),
        lambda x: engine.sum(engine.stack([x, 1.0]) + np.ones(2)),
    ),
    "other branch": (
        "where takes its other branch: nothing flows back to log(x).",
        lambda x: engine.where(engine.greater(x, 3), engine.log(x), x),
        lambda x: engine.where(engine.greater(x, 1), engine.log(x), 0.0),
    ),
    "detach": (
        "detach(x) is taken as a constant: the way from x through it does not count.",
        lambda x: x * engine.detach(x),
        lambda x: x * engine.detach(Value(3.0)),
    ),
    "has no derivative": (
        "greater(x, 1) has no derivative: the way from x through it does not count.",
        lambda x: x * engine.greater(x, 1),
        lambda x: x * engine.greater(Value(3.0), 1),
    ),
}


@pytest.mark.parametrize("kind", SPECIAL)
def test_a_special_case_is_found_where_it_is(kind):
    words, example, near_miss = SPECIAL[kind]
    x = Value(2.0, label="x")
    found = explain(example(x), x)
    assert words in found.notes
    assert words in str(found).replace("\n", " ")
    assert not [note for note in explain(near_miss(x), x).notes if kind in note]


def test_a_selection_of_ones_own_is_told_from_its_rule():
    @engine.primitive(x=lambda xp, g, out, x: xp.where(xp.greater(x, 1), g, 0.0), kind="selection")
    def keep(xp, x):
        return xp.where(xp.greater(x, 1), x, 0.0)

    x = Tensor([0.5, 2.0, 0.25], label="x")
    assert explain(engine.sum(keep(x)), x).notes == [
        "keep does not take x in 2 of 3 entries: nothing flows back to it there."
    ]
    assert explain(engine.sum(keep(x + 1)), x).notes == []


def test_a_bias_is_summed_over_the_batch():
    b = Tensor([1.0, 2.0], label="b")
    E = engine.sum(engine.linear(np.ones((3, 4)), np.ones((2, 4)), b))
    assert "b of shape (2,) is broadcast to (3, 2): each entry of its gradient is a sum of 3." in explain(E, b).notes


def test_what_depends_on_several_results_is_read_too():
    x = Tensor([1.0, -2.0, 3.0, 4.0], label="x")
    first, second = engine.split(x, 2)
    E = engine.sum(engine.relu(first) * second)
    assert any("relu is not active in 1 of 2 entries" in note for note in explain(E, x).notes)
    assert why(E, x).gradient.tolist() == [3.0, 0.0, 1.0, 0.0]


# why


def only(E, x):
    (reason,) = why(E, x).reasons
    return reason


@pytest.mark.parametrize(
    ("kind", "words", "x", "build"),
    [
        ("zero", "relu is not active: x = −1", -1.0, engine.relu),
        ("tiny", "σ'(x) = 9.35762e-14 at x = −30", -30.0, engine.sigmoid),
        ("huge", "rises from 1 to 1e+18", 1e-9, lambda x: 1 / x),
        ("infinite", "The local derivative is 1/(2·E) = inf at x = 0.", 0.0, engine.sqrt),
        ("infinite", "The local derivative is 1/x = inf at x = 0.", 0.0, engine.log),
        ("nan", "The local derivative is 1/(2·E) = nan at x = −1.", -1.0, engine.sqrt),
        ("nan", "The forward values hold NaN there already", math.nan, engine.sin),
        ("zero", "where takes its other branch", -1.0, lambda x: engine.where(False, engine.exp(x), 1.0)),
        ("zero", "x enters it 2 times", 3.0, lambda x: x - x),
        (
            "cancelled",
            "the gradients of 2 ways, up to 1, cancel out to 0",
            0.0,
            lambda x: engine.sin(x) - engine.tanh(x),
        ),
        ("zero", "The local derivative is w = 0 at x = 3 and w = 0.", 3.0, lambda x: x * Value(0.0, label="w")),
    ],
)
def test_why_names_the_place_and_the_reason(kind, words, x, build):
    x = Value(x, label="x")
    reason = only(build(x), x)
    assert reason.kind == kind and words in reason.words


def test_zero_times_infinity_is_found_behind_the_zero():
    x = Value(0.0, label="x")
    found = why(engine.sqrt(x) ** 2, x)
    assert [reason.kind for reason in found.reasons] == ["zero", "nan"]
    assert "What arrives is 0, and 0 · ∞ is NaN." in found.reasons[1].words
    assert found.verdict == "dE/dx is NaN."


def test_why_keeps_the_zeros_of_where():
    x = Tensor([0.0, 4.0], label="x")
    found = why(engine.sum(engine.where(engine.greater(x, 0), engine.sqrt(x), 0.0)), x)
    assert found.gradient.tolist() == [0.0, 0.25] and "NaN" not in str(found)
    assert [reason.kind for reason in found.reasons] == ["partly zero"]


def test_why_says_when_nothing_is_unusual():
    E, x = many_paths(Tensor, VECTORS)
    found = why(E, x)
    assert found.reasons == [] and "Nothing is unusual on the way." in found.verdict
    assert next(iter(found.sizes)) is E and list(found.sizes)[-1] is x


def test_what_fades_little_by_little_is_no_single_operation():
    x = y = Value(0.5, label="x")
    for _ in range(40):
        y = engine.sigmoid(y)
    found = why(y, x)
    assert found.reasons == [] and "tiny" in found.verdict and "step by step, over 40 operations" in found.verdict


def test_why_names_the_scope():
    x = Value(-1.0, label="x")
    with engine.scope("encoder"), engine.scope("linear"):
        h = engine.relu(x)
    h.label = "h"
    assert only(h * 2, x).words.startswith("At h = relu(x) (in encoder/linear) the gradient becomes 0 on its way to x.")


def test_a_chain_of_a_hundred_thousand_is_no_recursion():
    x = y = Value(0.5, label="x")
    for _ in range(100_000):
        y = y * 0.999
    found = why(y, x)
    assert found.reasons == [] and "step by step" in found.verdict


def test_a_derivative_that_does_not_exist_is_explained():
    x = Value(2.0, label="x")
    found = why(engine.detach(x) * 3, x)
    assert found.gradient is None and found.data()["gradient"] is None
    assert found.verdict == "There is no dE/dx: no way from the one to the other can be differentiated."
    assert found.reasons[0].words == "detach(x) is taken as a constant: the way from x through it does not count."
    x.requires_grad = False
    assert "x is a constant, which does not require grad" in why(x * 3, x).verdict


# Bad input


@pytest.mark.parametrize("function", [explain, why])
def test_bad_input_is_explained(function):
    x, y, t = Value(1.0, label="x"), Value(2.0, label="y"), Tensor([1.0, 2.0], label="t")
    with explained(GraphError, "does not depend on", "'x'"):
        function(y * 2, x)
    with explained(ShapeError, "(2,)", "'t'"):
        function(t, t)
    with explained(GraphError, "3.0"):
        function(3.0, x)
    with explained(GraphError, "'x'"):
        function(x, "x")


def test_bad_settings_are_explained():
    x = Value(1.0, label="x")
    for settings in ({"limit": 0}, {"limit": 2.5}, {"through": 3}, {"through": x}):
        with explained(DataError):
            explain(x * 2, x, **settings)


# Readers compute by themselves


def everything_read(E, x, rational):
    """What each reader says about two graphs, the second of fractions."""
    found, drawing = engine.paths(E, x, "all"), engine.draw(E, derivatives=True, paths=x)
    yield from (str(explain(E, x, "all")), str(why(E, x)), str(engine.worksheet(E, x, 0.1)), str(engine.formula(E)))
    yield from (str(found.total), found.count, [str(path.contribution) for path in found.largest(3)])
    yield from [(path.arrow, str(path.chain), str(path.factors)) for path in found]
    yield from (str(drawing.description), str(engine.draw(E, backward=True)), str(engine.find_anomaly(E)))
    yield str(engine.worksheet(rational, x, exact=True))


@pytest.mark.parametrize("around", [engine.detect_anomaly, engine.no_grad, lambda: np.errstate(all="raise")])
@pytest.mark.parametrize("x", [0.0, [0.0, -1.0, 1e-300]])
def test_readers_compute_by_themselves(around, x):
    x = Tensor(x, label="x") if isinstance(x, list) else Value(x, label="x")
    y = engine.sqrt(x) * engine.relu(x) + engine.where(engine.greater(x, 1), engine.log(x), x / 0.0)
    E = engine.sum(y) if x.shape else y
    rational = engine.sum(engine.relu(x) * x)
    expected = list(everything_read(E, x, rational))
    with around():
        assert list(everything_read(E, x, rational)) == expected


def test_names_are_those_of_the_drawing():
    x, w = Value(0.3), Value(2.0, label="w")
    E = engine.sin(engine.relu(w * x) + x) * x
    found = explain(E, x)
    drawn = {node["name"] for node in engine.draw(E).description["nodes"]}
    assert {name for path in found.terms for name in path.names} <= drawn
    assert [name for path in found.terms for name in path.names][-1] == "E"
    assert set(found.data()["values"]) <= drawn
    sheet = engine.worksheet(E, x)
    assert {str(step.name) for step in sheet.forward} | set(sheet.given) <= drawn


def test_a_tie_is_a_reason():
    x = Value(0.0, label="x")
    (reason,) = why(engine.maximum(x, 0), x).reasons
    assert reason.kind == "tie" and "half" in reason.words
    assert why(engine.maximum(x + 1, 0), x).reasons == []


def test_equal_infinities_do_not_differ():
    p = Tensor([0.0, 1.0], label="p")
    found = explain(engine.log(p).sum(), p)
    assert found.difference.tolist() == [0.0, 0.0] and "nan" not in str(found)


def test_the_largest_of_one_number_is_no_kink():
    v = Value(2.0, label="v")
    E = engine.max(v) * 2
    assert explain(E, v).notes == [] and "v" in str(engine.worksheet(E, v))


def test_terms_neither_overflow_nor_underflow_where_the_gradient_does_not():
    x = Value(1e-300, label="x")
    u = 1e200 * (1e200 * x)
    u.label = "u"
    assert explain(u * 1e-300, x).total == pytest.approx(1e100)
    x = Value(0.0, label="x")
    assert math.isnan(explain(engine.sign(engine.sqrt(x)), x).total)
