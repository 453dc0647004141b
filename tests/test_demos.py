"""The demos: what each computes, prints and leaves, and what the command line says when something is wrong."""

import base64
import errno
import inspect
import json
import os
import re
import subprocess
import sys
import warnings
from dataclasses import replace
from decimal import Decimal, localcontext
from fractions import Fraction
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import nn
from demos import by_hand, many_paths
from demos.__main__ import DEMOS, main, settings
from engine import worksheet
from engine.documents import Document

ROOT = Path(__file__).parent.parent
EPSILON = np.finfo(float).eps


def run_without(packages, *arguments):
    """Run the command in a process where these packages cannot be imported."""
    code = f"import runpy, sys; sys.modules |= dict.fromkeys({packages!r}); runpy.run_module('demos', {{}}, '__main__')"
    command = [sys.executable, "-W", "error", "-c", code, *arguments]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, encoding="utf-8", env=os.environ | {"PYTHONUTF8": "1"}
    )


def failure(capsys, *arguments):
    """Run a command that must fail: its exit code and the one line it says why in."""
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    printed, complaint = capsys.readouterr()
    assert printed == ""
    assert re.fullmatch(r"python -m demos[^\n]*: [^\n]+[^.]\.\n", complaint), complaint
    return stopped.value.code, complaint


# many_paths


def error(x, W1, W2, r, s):
    """E as A1 writes it, in plain NumPy."""
    h = 1 / (1 + np.exp(-np.dot(W1, x)))
    return 0.5 * np.sum((x + np.dot(W2, h) - s) ** 2) + np.dot(r, h)


def check_paths(explanation, x, **constants):
    assert [path.arrow for path in explanation.terms] == [
        "x → y → S → E", "x → z → h → R → E", "x → z → h → y → S → E",
    ]  # fmt: skip
    terms = np.array([path.contribution for path in explanation.terms])
    assert np.all(np.abs(terms.sum(axis=0) - explanation.gradient) <= 8 * EPSILON * 12 * np.abs(terms).sum(axis=0))
    assert explanation.data()["values"]["E"] == pytest.approx(error(x, **constants), rel=1e-14)
    for direction in np.atleast_2d(np.eye(np.size(x))):
        step = 1e-6 * direction.reshape(np.shape(x))
        slope = (error(x + step, **constants) - error(x - step, **constants)) / 2e-6
        assert np.sum(explanation.gradient * direction.reshape(np.shape(x))) == pytest.approx(slope, rel=1e-8)


def test_many_paths_finds_three_paths_and_their_sum_is_the_gradient(tmp_path, capsys):
    explanations = many_paths.run(tmp_path / "new" / "folder")
    check_paths(explanations["numbers"], **many_paths.NUMBERS)
    check_paths(explanations["vectors"], **many_paths.VECTORS)
    assert type(explanations["numbers"].gradient) is float
    assert explanations["vectors"].gradient.shape == (2,)
    printed = capsys.readouterr().out
    for term in ["(y − s)", "r·σ'(z)·W1", "rᵀσ'(z)W1", "(y − s)·W2·σ'(z)·W1", "(y − s)W2σ'(z)W1"]:
        assert term in printed
    assert printed.count("dE/dx over 3 paths") == 2


def test_many_paths_leaves_its_explanations_in_three_forms(tmp_path, capsys):
    main(["many_paths", "--out", str(tmp_path)])
    printed = capsys.readouterr().out
    assert printed.count("  agrees\n") == 9 and f"Open {tmp_path / 'index.html'}" in printed
    for kind in ("numbers", "vectors"):
        text = Reader((tmp_path / f"{kind}.html").read_text("utf-8")).text
        assert "x → z → h → y → S → E" in text and "Gradient by backpropagation" in text
        assert r"\sigma'" in (tmp_path / f"{kind}.md").read_text("utf-8")
        assert (tmp_path / f"{kind}.tex").read_text("utf-8").startswith(r"\documentclass")
    sheet = (tmp_path / "worksheet.md").read_text("utf-8")
    for step in (r"S = \frac{\sum (y - s)^{2}}{2}", r"\frac{\partial E}{\partial x}", "Backward"):
        assert step in sheet


def test_many_paths_notices_a_term_that_is_not_the_one_found_by_hand(tmp_path):
    explanation = many_paths.run(tmp_path)["numbers"]
    lines = many_paths.compare(explanation, many_paths.NUMBERS | {"r": 0.7 + 1e-12})
    assert [line.verdict for line in lines] == ["agrees", "does not agree", "agrees", "agrees"]
    explanation.terms.pop()
    lines = many_paths.compare(explanation, many_paths.NUMBERS)
    assert [line.verdict for line in lines] == ["agrees", "agrees", "does not agree", "does not agree"]
    assert lines[2].ours == "no such path"


# by_hand


def relu_steps_on_paper():
    """The three steps of A3 with the derivatives found by hand, in fractions: nothing of the engine's."""
    rate, p = Fraction(1, 100), {"w1": Fraction(1), "w2": Fraction(1), "b1": Fraction(0), "b2": Fraction(0)}
    for x, y in by_hand.SAMPLES:
        a = p["w1"] * x + p["b1"]
        assert a > 0, "the ReLU is dead, and the slopes below are not its"
        off = p["w2"] * a + p["b2"] - y
        slopes = {"w1": off * p["w2"] * x, "w2": off * a, "b1": off * p["w2"], "b2": off}
        p = {name: number - rate * slopes[name] for name, number in p.items()}
        yield {"L": off**2 / 2} | p


def test_by_hand_has_the_figures_of_exact_arithmetic(tmp_path, capsys):
    figures = by_hand.run(tmp_path)
    assert figures["A2a"]["b1"] == pytest.approx(1.00000666, abs=5e-9)
    for number, on_paper in enumerate(relu_steps_on_paper(), 1):
        ours = figures[f"A3.{number}"]
        assert {name: ours[name] for name in on_paper} == on_paper  # fractions: not nearly, but exactly
    assert [float(figures["A3.2"][bias]) for bias in ("b1", "b2")] == pytest.approx([0.03916, 0.03879], abs=5e-6)
    assert [float(figures["A3.3"][bias]) for bias in ("b1", "b2")] == pytest.approx([0.05566, 0.05437], abs=5e-6)
    printed = capsys.readouterr().out
    assert re.findall(r"(\w+) +(\S+) +\S+ +A SLIP", printed) == [
        ("b1", "2.0000065"), ("b1", "0.0389"), ("b2", "0.0391"), ("b1", "0.0554"), ("b2", "0.0547"),
    ]  # fmt: skip
    page = (tmp_path / "index.html").read_text("utf-8")
    for evidence in (
        "1.0000067",
        "the derivative −10.0000650",
        "0.000338",
        "exchanges the gradients of the two biases",
    ):
        assert evidence in page


def test_by_hand_leaves_its_worksheets_in_three_forms(tmp_path):
    folder = tmp_path / "new" / "folder"
    main(["by_hand", "--out", str(folder)])
    for name, title in by_hand.PAGES.items():
        page = Reader((folder / f"{name}.html").read_text("utf-8"))
        assert page.open == [] and page.text.count(title) == 2 and "w1 ← w1 − 0." in page.text
        assert r"\frac{\partial " in (folder / f"{name}.md").read_text("utf-8")
        assert (folder / f"{name}.tex").read_text("utf-8").startswith(r"\documentclass")


def test_the_paper_is_right_about_the_slopes():
    """The formulas found by hand, against differences of the error they are slopes of."""
    rate, width = 0.1, 1e-6
    for start in (by_hand.ONES, by_hand.MIXED):
        after = by_hand.sigmoid_step_on_paper(start)
        for name in start:
            low, high = (by_hand.sigmoid_step_on_paper(start | {name: start[name] + d})["E"] for d in (-width, width))
            slope = float(high - low) / (2 * width)
            assert (start[name] - float(after[name])) / rate == pytest.approx(slope, rel=1e-7, abs=1e-12)


@pytest.mark.parametrize(
    ("reported", "ours", "verdict"),
    [
        ("0.974", 0.97447, "agrees"),
        ("1", 1.0, "agrees"),
        ("0.0389", 0.03916, "A SLIP"),
        ("-0.992", -0.9935, "rounding drift"),
    ],
)
def test_a_reported_figure_is_judged_by_its_last_digit(reported, ours, verdict):
    assert by_hand.verdict(reported, ours) == verdict


def test_a_figure_that_is_off_is_caught():
    ours = by_hand.figures_of(worksheet(*by_hand.sigmoid_error(by_hand.ONES), learning_rate=0.1))
    exact = by_hand.sigmoid_step_on_paper(by_hand.ONES)
    assert 0 < by_hand.distance(ours, exact) < 1e-15
    assert by_hand.compare_exactly("", ours, exact).verdict == "agrees"
    assert by_hand.compare_exactly("", ours | {"w7": ours["w7"] + 1e-13}, exact).verdict == "does not agree"


def test_what_exchanged_gradients_do_not_explain_is_not_said_to_be():
    def words(steps):
        return str(Document("", *by_hand.relu_slip(steps)))

    steps = [by_hand.figures_of(sheet) for sheet in by_hand.relu_sheets()]
    assert "exchanges the gradients" in words(steps)
    steps[1]["b1"] += Fraction(1, 100)
    assert "does not explain" in words(steps)


# digits


class Reader(HTMLParser):
    """What a page shows, which tags are open, and what it would load."""

    def __init__(self, page):
        super().__init__()
        self.text, self.images, self.open = "", [], []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        assert not {"href", "srcset", "onload"} & attributes.keys() and tag not in ("script", "link", "iframe")
        if tag == "img":
            assert attributes["alt"]
            self.images.append(attributes["src"])
        elif tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_digits_leaves_a_page_and_its_pictures(tmp_path, capsys):
    main(["digits", "--quick", "--seed", "3", "--out", str(tmp_path / "new" / "digits")])
    folder = tmp_path / "new" / "digits"
    assert sorted(path.name for path in folder.iterdir()) == [
        "confusion.csv", "confusion.png", "curves.csv", "curves.png", "index.html",
    ]  # fmt: skip

    page = Reader((folder / "index.html").read_text("utf-8"))
    assert page.open == []
    pictures = [(folder / name).read_bytes() for name in ("curves.png", "confusion.png")]
    assert [base64.b64decode(image.removeprefix("data:image/png;base64,")) for image in page.images] == pictures
    assert all(picture.startswith(b"\x89PNG") for picture in pictures)
    printed = capsys.readouterr()
    result = re.search(r"(\S+)% of the test digits are read correctly: (\d+) of 360 are not\.", page.text)
    assert result[0] in printed.out and str(folder / "index.html") in printed.out
    assert float(result[1]) == pytest.approx(100 * (1 - int(result[2]) / 360), abs=0.05) and float(result[1]) > 90
    assert "python -m demos digits --epochs 5 --seed 3" in page.text
    assert "epoch" in printed.err  # progress


def test_digits_is_the_same_for_the_same_seed(tmp_path):
    from demos import digits

    runs = [digits.run(epochs=1, seed=seed, out=tmp_path / str(i)) for i, seed in enumerate([1, 1, 2])]
    assert runs[0] == runs[1] != runs[2]
    for name in ("confusion.png", "curves.png", "index.html"):
        assert (tmp_path / "0" / name).read_bytes() == (tmp_path / "1" / name).read_bytes()


@pytest.mark.slow
def test_digits_reads_97_in_100_over_ten_seeds(tmp_path):
    from demos import digits

    accuracies = [digits.run(seed=seed, out=tmp_path)["accuracy"] for seed in range(10)]
    assert np.mean(accuracies) >= 0.97, accuracies


# draw_network


def test_draw_network_leaves_pictures_and_pages(tmp_path, capsys):
    from demos import draw_network

    draw_network.run(out=tmp_path / "new" / "folder")
    assert "W1" in capsys.readouterr().out
    for name in ("loss", "layers"):
        page = (tmp_path / "new" / "folder" / f"{name}.html").read_text("utf-8")
        assert page.startswith("<!doctype html>") and "loss" in page
    drawings = draw_network.drawings(seed=0)
    assert [node["name"] for node in drawings["loss"].description["nodes"]][:5] == ["c1", "W1", "b1", "W2", "b2"]
    assert "(Tanh → Linear) × 11" in drawings["layers"].text()


# softmax


def softmax_verdicts(seed):
    """What is said of a seed's gradients: beside the formulas, and beside differences."""
    from demos import softmax

    formulas, differences = softmax.check(seed)
    return (
        {name: softmax.compare_formula(name, [distance]).verdict for name, distance in formulas.items()},
        {name: softmax.compare_differences(name, [worst]).verdict for name, worst in differences.items()},
    )


def test_softmax_has_the_gradients_of_exact_arithmetic():
    from demos import softmax

    for seed in range(50):
        x, parameters = softmax.toy(seed)
        assert max(softmax.check_formulas(x, 0.05, parameters).values()) < softmax.ROUNDING
    for seed in range(10):
        x, parameters = softmax.toy(seed)
        differences = softmax.check_differences(x, 0.05, parameters)
        assert max(map(softmax.relative_error, differences.values())) < 1e-8  # as A4 promises


@pytest.mark.parametrize("seed", [0, 68, 104])
def test_softmax_says_that_right_gradients_agree(seed):
    """Seeds 68 and 104 have entries so small that differences are further than 1e-8 from them, as they may be."""
    formulas, differences = softmax_verdicts(seed)
    assert set(formulas.values()) == {"agrees"}
    assert all(verdict.startswith("agrees") for verdict in differences.values())


def test_softmax_notices_a_gradient_that_is_off(monkeypatch):
    """A derivative 1e-6 too large, of a loss whose value stays what it was."""
    from demos import softmax

    right = nn.cross_entropy

    def wrong(z, classes):
        loss = right(z, classes)
        return loss * (1 + 1e-6) - 1e-6 * loss.item()

    monkeypatch.setattr(nn, "cross_entropy", wrong)
    formulas, differences = softmax_verdicts(0)
    assert formulas == dict.fromkeys(["z", *softmax.REPORTED], "does not agree")
    assert differences["W1"] == differences["b1"] == "does not agree"


def test_one_seed_that_is_off_is_enough_to_disagree():
    from demos import softmax

    _, differences = softmax.check(0)
    for name, right in differences.items():
        wrong = replace(right, analytic=right.analytic * (1 + 1e-6) + 1e-6)
        assert softmax.compare_differences(name, [right, wrong, right]).verdict == "does not agree"
    for distance in (1e-14, np.nan):
        assert softmax.compare_formula("W1", [0.0, distance, 0.0]).verdict == "does not agree"


def test_the_paper_of_softmax_is_right_about_the_slopes():
    """The formulas found by hand, at every entry, against differences of a loss in 50 digits too."""
    from demos import softmax

    x, parameters = softmax.toy(0)
    arrays = [parameter.data for parameter in parameters.values()]
    _, *exact = softmax.gradients_on_paper(x, 0.05, *arrays)
    for position, gradient in enumerate(exact):
        for index in np.ndindex(gradient.shape):
            low, high = (softmax_loss_on_paper(x, arrays, position, index, sign * Decimal("1e-15")) for sign in (-1, 1))
            with localcontext(prec=50):
                slope = (high - low) / Decimal("2e-15")
            assert float(slope) == pytest.approx(float(gradient[index]), rel=1e-12, abs=1e-25), (position, index)


def softmax_loss_on_paper(x, arrays, position, index, step):
    """J with 50 digits where one entry of a parameter is moved: nothing of the engine's."""
    from demos import softmax

    with localcontext(prec=50):
        x, *moved = [np.vectorize(Decimal)(array) for array in (x, *arrays)]
        moved[position][index] += step
        W1, b1, W2, b2 = moved
        z = np.maximum(x @ W1.T + b1, 0) @ W2.T + b2
        chosen = z[np.arange(len(x)), softmax.CLASSES]
        entropy = np.vectorize(Decimal.ln)(np.exp(z).sum(axis=1)) - chosen
        return entropy.sum() / len(x) + Decimal(softmax.λ) * ((W1**2).sum() + (W2**2).sum())


def test_softmax_that_does_not_get_there_is_said_not_to(tmp_path, capsys):
    main(["softmax", "--seeds", "1", "--epochs", "1", "--out", str(tmp_path)])
    printed = capsys.readouterr().out
    assert "passed by 0 of 1" in printed and " not reached\n" in printed
    assert "1 seeds" not in (tmp_path / "index.html").read_text("utf-8")


def test_softmax_learns_its_toy_data(tmp_path, capsys):
    from demos import softmax

    losses = softmax.run(out=tmp_path)["losses"]
    assert len(losses) == 10 and max(each[-1] for each in losses) < softmax.TARGET
    assert "agrees: all pass it" in capsys.readouterr().out


# margin


def test_margin_has_the_figures_of_exact_arithmetic(tmp_path, capsys):
    from demos import margin

    figures = margin.run(seeds=1, out=tmp_path)
    assert figures["given"] == {"margin": 0.5, "support vectors": [2, 3], "score": 3.0}
    for planes in figures["planes"].values():
        for plane in planes:
            np.testing.assert_allclose(plane, [-2, -2, 3], rtol=0, atol=1e-13)
    assert capsys.readouterr().out.count("  agrees\n") == 5


def test_margin_notices_what_is_off():
    from demos import margin

    wrong = {"margin": 0.25, "support vectors": [2], "score": -3.0}
    assert [line.verdict for line in margin.compare_given(wrong)] == ["does not agree"] * 3
    for away, verdict in {1e-14: "agrees", 1e-9: "not reached", np.nan: "not reached"}.items():
        assert margin.compare_found("numbers", np.array([[-2, -2, 3], [-2, -2 + away, 3]])).verdict == verdict
    assert " of 1" not in margin.compare_found("numbers", np.array([[-2.0, -2, 3]])).ours


def test_margin_is_that_of_the_plane_that_scipy_finds():
    from demos import margin

    minimize = pytest.importorskip("scipy.optimize").minimize
    inside = {"type": "ineq", "fun": lambda p: margin.SIGNS * (margin.POINTS @ p[:2] + p[2]) - 1}
    found = minimize(lambda p: p[0] ** 2 + p[1] ** 2, [-1, -1, 0], constraints=inside, method="SLSQP", tol=1e-14)
    np.testing.assert_allclose(found.x, list(margin.PLANE.values()), atol=1e-6)


# points and circles


def test_networks_side_by_side_do_not_touch_each_other():
    from demos.side_by_side import Networks, train

    x = np.random.default_rng(0).uniform(size=(3, 20, 2))
    y = (x[..., 0] > x[..., 1]).astype(int)
    together = train(Networks([2, 4, 4, 1], [7, 8, 9]), x, y, 0.1, 50, every=10)
    for place, seed in enumerate([7, 8, 9]):
        alone = train(Networks([2, 4, 4, 1], [seed]), x[place], y[place], 0.1, 50, every=10)
        np.testing.assert_allclose(alone.loss[:, 0], together.loss[:, place], rtol=1e-12)
    assert together.epochs == [0, 10, 20, 30, 40, 50]
    assert together.loss[-1].sum() < together.loss[0].sum()


def course(*accuracy, epochs=100_000):
    """What training saw where all networks end with no point wrong, or with these accuracies, or went through them."""
    from demos.side_by_side import Course

    seen = np.array(accuracy if np.ndim(accuracy) == 2 else [np.zeros(len(accuracy)), accuracy], dtype=float)
    return Course(np.linspace(0, epochs, len(seen)).astype(int).tolist(), np.zeros_like(seen), seen, None)


def test_a_network_has_settled_where_no_point_is_wrong_any_more():
    from demos.side_by_side import how_often_seen, settling_epochs

    way = course([0, 1, 0, 1], [1, 1, 0, 1], [1, 0, 0, 1], [1, 1, 0, 1], epochs=30)
    assert settling_epochs(way).tolist() == [10, 30, np.inf, 0]
    assert how_often_seen(way) == "every 10 epochs"
    assert how_often_seen(way._replace(epochs=[0, 1, 2, 3])) == "at every epoch"


TEN = [1] * 10


@pytest.mark.parametrize(
    ("expected", "ends", "usual", "epochs", "said"),
    [
        ("learn", TEN, TEN, 20_000, "agrees"),
        ("learn", [1] * 9 + [0.5], TEN, 20_000, "agrees"),
        ("learn", [1] * 8 + [0.5] * 2, TEN, 20_000, "does not agree"),
        ("learn", [0.5] * 10, [0.5] * 10, 20_000, "does not agree"),  # the usual setting itself, after all its epochs
        ("learn", [0.5] * 10, [0.5] * 10, 3000, "too few epochs to tell"),
        ("learn", TEN, [0.5] * 10, 20_000, "agrees"),
        ("learn faster", TEN, TEN, 20_000, "does not agree: not faster"),
        ("learn faster", [0.5] * 10, TEN, 20_000, "does not agree"),
        ("learn faster", TEN, [0.5] * 10, 20_000, "agrees"),
        ("fail", [0.85] * 10, TEN, 20_000, "agrees: it fails"),
        ("fail", [0.9] * 10, TEN, 20_000, "does not agree: it does not fail"),
        ("fail", TEN, TEN, 20_000, "does not agree: it learns"),
        ("fail", [0.5] * 10, [0.5] * 10, 3000, "too few epochs to tell"),
        ("fail", [0.5] * 10, [0.5] * 10, 20_000, "cannot be told: the usual setting does not learn either"),
    ],
)
def test_points_are_judged_by_what_their_networks_do(expected, ends, usual, epochs, said):
    from demos import points

    assert points.verdict(expected, course(*ends, epochs=epochs), course(*usual, epochs=epochs)) == said


def test_one_network_is_not_worded_as_many():
    from demos import points
    from demos.side_by_side import worth_of_one_run
    from demos.studies import median_in_words, seeds_in_words

    alone = points.compare("XOR", points.USUAL, course(1), course(1))
    assert alone.ours == "100.0%, from epoch 100,000 on" and alone.verdict == "agrees"
    half = points.compare("XOR", points.USUAL, course(1, 1, 0.5, 0.5), course(1, 1, 0.5, 0.5))
    assert half.ours == "75.0% (50.0% to 100.0%); 100 % for 2 of 4 seeds"
    ends = {"a": np.array([0.5, 0.5]), "b": np.array([0.5, 1])}
    assert "“b”: a single run would have given anything from 50.0% to 100.0%" in worth_of_one_run(ends)
    assert "no accuracy differs" in worth_of_one_run({"a": ends["a"]})
    assert "and so does this page" in worth_of_one_run({"a": ends["a"][:1]})
    assert seeds_in_words(3, 1, "points") == "3, for points" and median_in_words(1) == "the only seed"
    assert seeds_in_words(3, 2, "points") == "3 to 4, none left out, each for points"
    assert median_in_words(2, " (lowest to highest)") == "the median of 2 seeds (lowest to highest)"


def verdicts_of_circles(epochs, **ends):
    """The verdicts on courses that all end with no point wrong, but for these."""
    from demos import circles

    names = {"two": "2 hidden units", "usual": circles.USUAL, "harder": circles.HARDER, "slow": "rate 1e-3"}
    courses = {name: course(1, 1, epochs=20_000) for name in circles.STUDIES}
    courses |= {names[name]: course(end, end, epochs=20_000) for name, end in ends.items()}
    return [line.verdict for line in circles.compare(courses, epochs)]


def test_circles_are_judged_by_what_their_networks_do():
    yes, no, few = "agrees", "does not agree", "too few epochs to tell"
    unknown, slip = "cannot be told: [2, 5, 1] does not learn either", "A SLIP: 1e-4 is smaller, and here as good"
    assert verdicts_of_circles(5000) == [no, yes, no, yes, no, no, slip, yes]
    assert verdicts_of_circles(5000, two=0.85, harder=0.95)[:4] == [yes, yes, yes, yes]
    assert verdicts_of_circles(5000, harder=0.95)[-1] == no
    assert verdicts_of_circles(5000, usual=0.5, two=0.5) == [unknown, unknown, yes, no, unknown, no, slip, yes]
    assert verdicts_of_circles(40, usual=0.5, two=0.5) == [few] * 6 + [slip, few]
    assert verdicts_of_circles(40, slow=0.5)[5:7] == [yes, slip.replace("as good", "better")]


def test_activations_are_said_to_be_seen_only_where_they_are():
    from demos import circles

    flat, dip = course([0.5], [0.9], [1], [1]), course([0.5], [1], [0.9], [1])
    steady = {(name, rate): flat for name in circles.ACTIVATIONS for rate in circles.RATES}
    never = "not seen at any of these rates"
    said = [line.verdict for line in circles.compare_activations(steady)]
    assert said == ["seen at 0.001, 0.003, 0.01, 0.03", never, never]
    dips = steady | {(name, 0.01): dip for name in circles.ACTIVATIONS}
    said = [line.verdict for line in circles.compare_activations(dips)]
    assert said == ["seen at 0.001, 0.003, 0.03", "seen at 0.01", "seen at 0.01"]
    failing = dict.fromkeys(steady, course([0.5], [0.5], [0.5]))
    assert [line.verdict for line in circles.compare_activations(failing)] == [never] * 3


def test_xor_and_linear_points_are_those_of_the_report():
    from demos import points

    x, y = points.xor_points()
    assert len(x) == 21 and y.sum() == 10
    assert all((a == b) != label for (a, b), label in zip(np.round(x, 9), y, strict=True))
    x, y = points.linear_points(3)
    assert x.shape == (100, 2) and (y == (x[:, 0] > x[:, 1])).all() and x.min() >= 0 and x.max() <= 1


@pytest.mark.slow
def test_points_are_learned_over_ten_seeds_and_the_failing_settings_fail():
    from demos import points

    failing = ("rate 1e-4", "2 × 1 hidden units", "no activation")
    runs = [("linear", points.USUAL), *[("XOR", name) for name in (points.USUAL, *failing)]]
    ends = at_end_of(points, {run: {"data": run[0], **points.STUDIES[run[1]]} for run in runs}, 20_000)
    for data in ("linear", "XOR"):
        assert (ends[data, points.USUAL] == 1).sum() >= 9, data
    for name in failing:
        assert np.median(ends["XOR", name]) <= np.median(ends["XOR", points.USUAL]) - 0.15, name


@pytest.mark.slow
def test_circles_are_learned_over_ten_seeds():
    from demos import circles

    names = (circles.USUAL, circles.HARDER, "2 hidden units")
    ends = at_end_of(circles, {name: circles.STUDIES[name] for name in names}, 5000)
    assert np.median(ends[circles.USUAL]) == 1
    assert np.median(ends[circles.HARDER]) >= 0.96
    assert np.median(ends["2 hidden units"]) < 0.95


def at_end_of(demo, settings, epochs):
    """The accuracies of ten seeds at the end of each of these studies, at the size of the demo."""
    from demos.studies import study

    assert inspect.signature(demo.run).parameters["epochs"].default == epochs
    sizes = {name: {"seeds": 10, "epochs": epochs, **each} for name, each in settings.items()}
    return {name: course.accuracy[-1] for name, (course,) in study(demo.learn, sizes, [0], jobs=2).items()}


@pytest.mark.parametrize("name", ["softmax", "margin", "points", "circles"])
def test_every_system_leaves_a_page_its_figures_and_is_deterministic(name, tmp_path, capsys):
    for folder in ("one", "two"):
        main([name, "--smallest", "--out", str(tmp_path / folder)])
    page = Reader((tmp_path / "one" / "index.html").read_text("utf-8"))
    assert page.open == [] and page.images
    for heading in ("What was asked", "Settings", "Reported and ours"):
        assert heading in page.text
    figures = json.loads((tmp_path / "one" / "figures.json").read_text("utf-8"))
    assert all(set(each) == {"what", "reported", "ours", "verdict"} for each in figures["figures"])
    assert any(path.suffix == ".csv" for path in (tmp_path / "one").iterdir())
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes(), path.name


# studies and data


def test_a_study_is_the_same_in_one_process_and_in_two():
    from demos.studies import spread, study

    settings = {"a": {"n": 1}, "b": {"n": 10}}
    assert study(draw, settings, [1, 2]) == study(draw, settings, [1, 2], jobs=2)
    assert list(study(draw, settings, [1, 2])) == ["a", "b"]
    assert spread([0.5, 0.75, 1.0]) == "75.0% (50.0% to 100.0%)" and spread([1, 1]) == "100.0%"


def draw(seed, n):
    return np.random.default_rng(seed).normal(size=n).tolist()


def test_data_come_in_three_parts_by_name():
    from demos import data

    parts = data.load("digits", at_most=(500, 100, 50))
    assert [len(each) for each in (parts.x, parts.x_validation, parts.x_test)] == [500, 100, 50]
    assert parts.x.shape == (500, 64) and parts.shape == (1, 8, 8) and set(parts.y) == set(range(10))
    again = data.load("digits", at_most=(500, 100, 50))
    assert (parts.x == again.x).all() and data.load("digits", seed=1).x.shape == (1150, 64)


def test_small_images_get_a_quarter_of_the_reported_units():
    from demos.data import hidden_layers

    assert hidden_layers([256, 128, 64, 32], 784) == [256, 128, 64, 32]
    assert hidden_layers([256, 128, 64, 32], 64, least=16) == [64, 32, 16, 16]
    assert hidden_layers([64, 32], 64) == [16, 8]


@pytest.mark.parametrize(
    ("name", "folder", "said"),
    [
        ("mnist", "nowhere", "which is no folder; missing there: train-images"),
        ("cifar10", "", "which is empty; missing there: data_batch_1.bin"),
        ("digits", "", "needs no files"),
    ],
)
def test_a_folder_without_the_data_is_one_sentence(name, folder, said, tmp_path):
    from demos import data
    from demos.__main__ import one_sentence

    with pytest.raises(OSError) as raised:
        data.load(name, tmp_path / folder)
    sentence = one_sentence(raised.value)
    assert said in sentence and ". " not in sentence and not sentence.endswith(".")


def idx(array):
    lengths = b"".join(length.to_bytes(4, "big") for length in array.shape)
    return bytes([0, 0, 8, array.ndim]) + lengths + array.astype("uint8").tobytes()


def published(folder, count):
    """As many images under the published names, the classes in turn."""
    for part in ("train", "t10k"):
        (folder / f"{part}-images-idx3-ubyte").write_bytes(idx(np.zeros((count, 28, 28))))
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(idx(np.arange(count) % 10))


@pytest.mark.parametrize(("count", "said"), [(1, "makes parts of [1, 0] rows"), (10, "the class 0 of stratify")])
def test_too_few_images_are_one_sentence(count, said, tmp_path, capsys):
    published(tmp_path, count)
    arguments = ["--data", "mnist", "--data-dir", str(tmp_path), "--out", str(tmp_path)]
    code, complaint = failure(capsys, "ten_digits", *arguments)
    assert code == 1 and f"{count} images of mnist are too few" in complaint and said in complaint


def test_without_a_network_one_is_told_which_files_to_put_where(monkeypatch):
    from demos import data

    def fetch(function, **settings):
        warnings.warn("A network error occurred. Retrying...", stacklevel=2)
        raise OSError("Name or service not known")

    monkeypatch.setattr(nn.datasets, "_scikit_learn", fetch)
    for name, file in {"mnist": "t10k-labels-idx1-ubyte", "cifar10": "data_batch_5.bin"}.items():
        with pytest.raises(OSError, match=rf"put .*{file}.* into a folder, and give it as --data-dir\.$"):
            data.load(name)


# Trained on images

IMAGES = {
    "layers": 7,  # pictures on the page, the graph among them
    "two_digits": 4,
    "ten_digits": 4,
    "classifier": 3,
    "grid_search": 2,
    "autoencoder": 4,
    "colours": 4,
    "depth": 5,
}


@pytest.mark.parametrize("name", IMAGES)
def test_a_demo_of_images_leaves_figures_beside_the_reported_ones(name, tmp_path, capsys):
    main([name, "--smallest", "--out", str(tmp_path / name)])
    folder = tmp_path / name
    page = Reader((folder / "index.html").read_text("utf-8"))
    assert page.open == [] and "Verdict" in page.text and "Seed" in page.text
    assert len(page.images) == len([*folder.glob("*.png"), *folder.glob("*.svg")]) == IMAGES[name]
    figures = json.loads((folder / "figures.json").read_text("utf-8"))["figures"]
    assert all(each["verdict"] and each["ours"] in page.text for each in figures)
    assert not re.search(r"\b1 (seeds|networks|runs)\b", page.text)
    assert f"Open {folder / 'index.html'}" in capsys.readouterr().out


def test_demos_of_images_are_the_same_for_the_same_seed(tmp_path):
    from demos import ten_digits

    for folder, seed in {"a": 0, "b": 0, "c": 1}.items():
        ten_digits.run(seed=seed, seeds=1, epochs=1, out=tmp_path / folder)
    a, b, c = [(tmp_path / folder / "index.html").read_bytes() for folder in "abc"]
    assert a == b != c


@pytest.mark.parametrize(
    ("reported", "ours", "smaller_is_better", "verdict"),
    [
        (0.5, [0.4, 0.6, 0.7], False, "lies among our runs, the middle one better by 10.0 points"),
        (0.5, [0.4, 0.6, 0.7], True, "lies among our runs, the middle one worse by 10.0 points"),
        (0.5, [0.6, 0.6], False, "all our runs are better, the middle one better by 10.0 points"),
        (0.5, [0.3], False, "our run is worse by 20.0 points"),
        (0.5, [0.3], True, "our run is better by 20.0 points"),
        (0.5, [0.5], False, "our run is equal"),
        (0.5, [0.50049], True, "our run is equal"),
        (0.9998, [0.9, 1.0, 1.0], False, "lies among our runs, the middle one equal"),  # 100.0% is printed
        (0.5, [0.51, 0.52, 0.53], True, "all our runs are worse, the middle one worse by 2.0 points"),
    ],
)
def test_a_verdict_says_which_is_better(reported, ours, smaller_is_better, verdict):
    from demos.verdicts import judged

    assert judged("", reported, ours, smaller_is_better=smaller_is_better).verdict == verdict


def test_a_verdict_compares_what_is_printed():
    from demos.verdicts import at_chance, judged

    assert judged("", 0.112, [0.1124], "{:.3f}", smaller_is_better=True).verdict == "our run is equal"
    assert judged("", 0.112, [0.1126], "{:.3f}", smaller_is_better=True).verdict == "our run is worse by 0.001"
    assert at_chance(0.1, 10) and not at_chance(0.2, 10) and at_chance(0.5, 2)


def test_layers_say_how_many_runs_over_fit_and_give_only_what_was_reported():
    from demos import layers

    early = layers.compare(15, [0.5, 0.6, 0.7], [0.2, 0.3, 0.4], [0.0, 0.0, 0.0])
    assert (early.reported, early.verdict) == ("not given", "-30.0 points beside training; 0 of 3 over-fit")
    middle = layers.compare(150, [1.0], [0.7], [0.2])
    assert middle.reported == "90.0%" and middle.verdict.startswith("our run is worse by 20.0 points; ")
    assert layers.compare(250, [1.0], [0.9], [0.2]).verdict.endswith("1 of 1 over-fit")


def test_early_stopping_is_blamed_for_a_plateau_only_where_it_ended_on_one():
    from demos import classifier

    low, high = [{"test": 0.1, "epochs": 11}], [{"test": 0.9, "epochs": 100}]
    assert "plateau" in classifier.stopping(low, high, 10)
    assert "plateau" not in classifier.stopping(high, high, 10) + classifier.stopping(low, low, 10)
    assert classifier.verdict(0.1, 10).startswith("at chance")
    assert classifier.verdict(0.3226, 10) == "learns: -50.0 points beside the report's one figure"


def test_depth_gives_no_cause_that_its_figures_do_not_show():
    from demos import depth

    stuck = {"training": 0.1, "test": 0.1, "guessed": 1, "silent": 1}
    varied, well = stuck | {"guessed": 4, "silent": 0.5}, {"training": 1, "test": 0.7, "guessed": 10, "silent": 0}
    assert "not over-fitting" in depth.over_fitting([stuck], 10) and "would explain" in depth.over_fitting([stuck], 10)
    assert "not over-fitting" in depth.over_fitting([varied], 10) and "explain" not in depth.over_fitting([varied], 10)
    assert "loses 30.0 points on others" in depth.over_fitting([well, well, stuck], 10)
    assert "in 2 of our 3 runs" in depth.silence([stuck, stuck, varied]) and "none is so" in depth.silence(
        [well, varied]
    )
    assert depth.verdict(5, 0.1, 0.9, 10).startswith("at chance")
    assert depth.verdict(5, 0.5, 0.9, 10) == "learns: -40.0 points beside 2 layers from good weights"
    assert depth.verdict(2, 0.9, 0.9, 10) == "learns"


def test_a_search_is_judged_by_differences_on_the_same_folds():
    from demos import grid_search

    folds = np.array([0.8, 0.9, 0.85])  # which differ among themselves by more than what is compared
    difference, error = grid_search.ahead(folds + np.array([0.009, 0.010, 0.011]), folds)
    assert (difference, error) == (pytest.approx(0.01), pytest.approx(0.001 / np.sqrt(3)))
    assert grid_search.verdict(difference, error) == "better than scikit-learn's: +1.0 points, standard error 0.1"
    assert grid_search.verdict(-difference, error).startswith("worse than scikit-learn's: -1.0 points")
    assert grid_search.verdict(difference, difference).startswith("no clear difference from scikit-learn's: +1.0")
    assert grid_search.verdict(0.0, 0.0).startswith("no clear difference from scikit-learn's: 0.0")
    assert grid_search.training_too_short([0.1, 0.2], [0.8, 0.9]).startswith("not trained to the end: 80.0% to 90.0%")
    assert grid_search.training_too_short([0.1, 0.85], [0.8, 0.9]) == "80.0% to 90.0% at 0.002"


def test_features_are_judged_beside_the_pixels_they_come_from():
    from demos import autoencoder

    assert autoencoder.kept([0.5, 0.6], [0.4, 0.5]) == "+10.0 points beside all pixels; below 90%"
    assert autoencoder.kept([0.9], [0.95]) == "-5.0 points beside all pixels; at least 90%"


def test_a_setting_is_judged_beside_the_chosen_one():
    from demos import colours

    chosen = [0.4, 0.5, 0.6]
    assert colours.beside_choice(chosen, chosen) == "the report's choice"
    assert colours.beside_choice([0.3, 0.4, 0.6], chosen) == "-10.0 points beside the choice, within the spread"
    assert colours.beside_choice([0.3], [0.5]) == "-20.0 points beside the choice"
    assert colours.beside_choice([0.5], [0.5]) == "0.0 points beside the choice"


def test_the_seeds_of_ten_digits_are_said_to_vary_only_where_they_do():
    from demos import ten_digits

    assert "by 10.0 points: smaller differences" in ten_digits.varies([0.8, 0.9])
    assert "say nothing" not in ten_digits.varies([0.9]) + ten_digits.varies([0.9, 0.9])


def test_zero_weights_stay_equal_and_others_do_not():
    from demos import classifier

    for activation in classifier.ACTIVATIONS:
        runs = [classifier.train(0, activation, which, 3, "digits", None) for which in ("zero", "normal")]
        assert [run["different"] for run in runs] == [1, runs[1]["hidden"][0]]


def test_every_batch_size_takes_as_many_steps():
    from demos import colours

    settings = colours.CHOSEN | {"iterations": 9, "data": "patches", "data_dir": None}
    epochs = [len(colours.train(0, **settings | {"batch": batch})["history"].epochs) for batch in (100, 200, 500)]
    assert epochs == [1, 2, 3]  # 16, 8 and 4 batches in each


def test_a_study_tries_the_chosen_value_in_its_place():
    from demos import colours

    assert colours.cases_of("hidden") == {
        10: "hidden units 10", 50: "hidden units 50", 100: "chosen", 120: "hidden units 120",
    }  # fmt: skip
    assert colours.cases_of("components") == {None: "chosen", 250: "PCA components 250"}
    assert next(iter(colours.cases_of("decay"))) == 0.0


def test_sigmoids_are_compared_where_the_naive_one_overflows():
    from demos import layers

    assert layers.overflow(-800) == ["-800", "0", "overflow encountered in exp", "0"]
    assert layers.overflow(-700)[1:] == ["9.85968e-305", "none", "9.85968e-305"]


def test_a_deep_network_of_poor_weights_has_next_to_no_gradient():
    from demos import depth

    poor, good = [depth.train(0, 5, which, 1, "digits", None)["gradients"][0] for which in ("poor", "good")]
    assert poor.shape == good.shape == (5,)
    assert (poor < 1e-6).all() and (good > 1e-3).all()


def test_an_autoencoder_is_set_beside_components_and_all_pixels():
    from demos import autoencoder

    ways = {way: autoencoder.train(0, way, 2, "digits", None) for way in autoencoder.WAYS}
    assert ways["all pixels"]["error"] == ways["all pixels"]["training error"] == 0
    assert 0 < ways["PCA"]["training error"] < ways["identity"]["training error"]
    images = autoencoder.load(seed=0)
    network = ways["ReLU"]["network"]
    assert nn.mean_squared_error(network(images.x).data, images.x) == pytest.approx(ways["ReLU"]["training error"])


def test_a_linear_autoencoder_is_never_better_than_principal_components():
    from sklearn.decomposition import PCA

    import nn
    from demos.data import load

    x = load("digits").x.astype(float)
    hidden = [32, 16, 32]
    model = nn.MLPRegressor(
        hidden_layer_sizes=hidden, activation="identity", learning_rate_init=0.002, tol=1, n_iter_no_change=30
    )
    components = PCA(min(hidden)).fit(x)
    best = np.mean((components.inverse_transform(components.transform(x)) - x) ** 2)
    assert best < np.mean((model.fit(x, x).predict(x) - x) ** 2) < 3 * best


def mean(results, figure):
    return np.mean([each[figure] for each in results])


TEN = range(10)


@pytest.mark.slow
def test_ten_digits_holds_over_ten_seeds(tmp_path):
    from demos import ten_digits

    runs = ten_digits.run(jobs=2, out=tmp_path)
    assert mean(runs["with early stopping"], "accuracy") >= 0.96
    assert mean(runs["without"], "accuracy") >= 0.97


@pytest.mark.slow
def test_two_digits_holds_over_ten_seeds(tmp_path):
    from demos import two_digits

    for which, results in two_digits.run(jobs=2, out=tmp_path).items():
        assert mean(results, "F1") >= 0.98, which


@pytest.mark.slow
def test_zero_weights_are_at_chance_over_ten_seeds():
    from demos import classifier
    from demos.studies import study

    common = {"epochs": 100, "data": "digits", "data_dir": None}
    zero = {each: {"activation": each, "initializer": "zero"} | common for each in classifier.ACTIVATIONS}
    for which, results in study(classifier.train, zero, TEN, jobs=2).items():
        assert mean(results, "test") < 0.15, which
        assert {each["different"] for each in results} == {1}
    pairs = {which: {"activation": "tanh", "initializer": which} | common for which in ("random", "normal")}
    for which, results in study(classifier.train, pairs, range(3), jobs=2).items():
        assert mean(results, "test") > 0.8, which


@pytest.mark.slow
def test_the_middle_of_an_autoencoder_tells_nine_in_ten_over_ten_seeds():
    from demos import autoencoder
    from demos.studies import study

    common = {"epochs": 40, "data": "digits", "data_dir": None}
    ways = {each: {"way": each} | common for each in autoencoder.ACTIVATIONS}
    for which, results in study(autoencoder.train, ways, TEN, jobs=2).items():
        assert mean(results, "accuracy") >= 0.9, which


DEPTHS = [(2, "good"), (5, "good"), (5, "poor")]


@pytest.mark.slow
def test_depth_needs_good_weights_over_ten_seeds():
    from demos import depth
    from demos.studies import study

    common = {"epochs": 30, "data": "digits", "data_dir": None}
    settings = {(deep, which): {"depth": deep, "initializer": which} | common for deep, which in DEPTHS}
    runs = study(depth.train, settings, TEN, jobs=2)
    assert mean(runs[5, "good"], "test") >= mean(runs[2, "good"], "test") - 0.03
    assert mean(runs[5, "poor"], "test") < 0.12
    assert {each["guessed"] for each in runs[5, "poor"]} == {1}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_our_classifier_scores_as_scikit_learns_in_a_search(monkeypatch):
    from demos import grid_search
    from demos.data import load

    # The solver and the rate that win every search; the whole grid would say the same, and take minutes.
    grid = {"solver": ["adam"], "learning_rate_init": [2e-3], "batch_size": [64, 128, 256]}
    monkeypatch.setattr(grid_search, "GRID", grid)
    scores = [
        [grid_search.search(name, load(seed=seed), seed, 40, 2).best_score_ for name in grid_search.ESTIMATORS]
        for seed in range(5)
    ]
    ours, theirs = np.mean(scores, axis=0)
    assert ours >= theirs - 0.005


# Pictures


def test_a_confusion_matrix_is_in_per_cent_of_each_row():
    from demos.report import confusion_matrix

    axes = confusion_matrix(np.array([0, 0, 0, 1, 1]), np.array([0, 0, 1, 1, 1]), kind="sign").axes[0]
    assert [text.get_text() for text in axes.texts] == ["66.7", "33.3", "", "100"]
    assert axes.figure.numbers == [("true sign", "predicted sign", "count"), [0, 0, 2], [0, 1, 1], [1, 1, 2]]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("Predicted sign", "True sign")


def test_heat_maps_show_each_share_and_leave_it_as_a_number(tmp_path):
    from demos.report import heat_maps, picture

    shares = np.array([[0.1, 0.25, 1.0], [0.5, 0.75, 0.0]])
    figure = heat_maps({"one": shares, "two": 1 - shares}, ("Rate", ["1", "2"]), ("Size", ["a", "b", "c"]), "Accuracy")
    one, two, bar = figure.axes
    assert [text.get_text() for text in one.texts] == ["10.0%", "25.0%", "100.0%", "50.0%", "75.0%", "0.0%"]
    assert (one.get_ylabel(), two.get_ylabel(), two.get_xlabel(), bar.get_ylabel()) == (
        "Rate",
        "Rate",
        "Size",
        "Accuracy",
    )
    picture(figure, tmp_path / "map.png", "")
    lines = (tmp_path / "map.csv").read_text("utf-8").split()
    assert lines[:2] == ["panel,Rate,Size,share", "one,1,a,0.1"] and len(lines) == 1 + 12


def test_learning_is_shown_for_training_and_validation():
    from demos.report import curves, learning

    history = {"loss": [2.0, 1.0], "validation_loss": [3.0, 2.0], "accuracy": [0.5, 0.6]}
    history["validation_accuracy"] = [0.25, 0.5]
    panels = learning(history, history, loss="Loss")
    assert panels["Loss"]["validation"].tolist() == [[3, 2], [3, 2]]
    assert panels["Accuracy (%)"]["validation"].tolist() == [[25, 50], [25, 50]]
    axes = curves([1, 2, 3], panels).axes  # a line may end before the epochs do
    assert [each.get_ylabel() for each in axes] == ["Loss", "Accuracy (%)"]
    assert [line.get_xdata().tolist() for line in axes[0].lines] == [[1, 2], [1, 2]]


def test_regions_are_left_as_scores_beside_the_picture(tmp_path):
    from demos.report import decision_regions, picture

    x, y = np.array([[0.0, 0.0], [1.0, 2.0]]), np.array([0, 1])
    picture(
        decision_regions({"slope": lambda x: x[:, 0] / 2, "none": lambda x: 0 * x[:, 0]}, x, y), tmp_path / "r.png", ""
    )
    header, *rows = (tmp_path / "r.csv").read_text("utf-8").split()
    assert header == "panel,x1,x2,score" and len(rows) == 2 * 100 * 100
    assert rows[0] == "slope,-0.1000,-0.2000,-0.0500" and rows[-1].endswith(",0.0000")


def test_curves_have_names_and_a_single_epoch_is_seen():
    from demos.report import curves

    axes = curves(
        [1], {"Loss (nats)": {"training": [0.5], "validation": [0.6]}, "Accuracy (%)": {"training": [90]}}
    ).axes
    assert [(each.get_xlabel(), each.get_ylabel()) for each in axes] == [
        ("Epoch", "Loss (nats)"),
        ("Epoch", "Accuracy (%)"),
    ]
    assert [text.get_text() for text in axes[0].get_legend().get_texts()] == ["training", "validation"]
    assert {line.get_marker() for line in axes[0].lines} == {"o"}
    assert len({(line.get_color(), line.get_linestyle()) for line in axes[0].lines}) == 2


# The command line


def test_every_demo_is_listed_with_one_line(capsys):
    main([])
    lines = capsys.readouterr().out.split("\n")
    assert [line.split()[0] for line in lines[: len(DEMOS)]] == list(DEMOS)
    assert all(len(line) < 100 for line in lines)
    files = {path.stem for path in (ROOT / "demos").glob("*.py")} - {
        "__init__",
        "__main__",
        "data",
        "page",
        "report",
        "side_by_side",
        "studies",
        "verdicts",
    }
    assert files == set(DEMOS)


def test_all_demos_run_with_one_command_and_an_index_links_them(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("demos.__main__.DEMOS", {name: DEMOS[name] for name in ("many_paths", "softmax")})
    main(["all", "--smallest", "--seed", "3", "--out", str(tmp_path)])
    index = (tmp_path / "index.html").read_text("utf-8")
    links = re.findall('href="([^"]+)"', index)
    assert links == ["many_paths/index.html", "softmax/index.html"]
    assert all((tmp_path / link).is_file() for link in links)
    settings = json.loads((tmp_path / "softmax" / "figures.json").read_text("utf-8"))["settings"]
    assert settings["Seeds"].startswith("3 to 4") and "--smallest --seed 3" in index


def test_a_demo_that_prints_runs_from_the_command(tmp_path, capsys):
    main(["by_hand", "--quick", "--out", str(tmp_path)])
    assert len(capsys.readouterr().out.split("\n")) > 20


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["digit"], "there is no demo 'digit' (digits, perhaps?); choose from many_paths, by_hand, softmax, margin"),
        (["Ten-Digit"], "(ten_digits, perhaps?)"),
        (["x\ny"], r"there is no demo 'x\ny'; choose from"),
        (["--seed", "1"], "the name of a demo comes first, and options such as --seed after it"),
        (["--"], "the name of a demo comes first"),
        (["digits", "--out", ""], "--out: '' is not a folder"),
        (["layers", "--data", "mnist", "--data-dir", __file__], "test_demos.py' is not a folder"),
        (["layers", "--jobs", "100000"], "'100000' is not a whole number from 1 to "),
        (["by_hand", "--seed", "1"], "unrecognized arguments: --seed 1"),
        (["digits", "more"], "unrecognized arguments: more"),
        (["digits", "--epochs"], "--epochs: expected one argument"),
        (["digits", "--epochs", "0"], "'0' is not a whole number from 1"),
        (["digits", "--epochs", "1.5"], "'1.5' is not a whole number"),
        (["digits", "--seed", "-1"], "'-1' is not a whole number from 0"),
        (["digits", "--seed", str(2**32)], "is not a whole number from 0 to 4294967295"),
    ],
)
def test_a_command_that_cannot_be_is_answered_in_one_sentence(arguments, said, capsys):
    code, complaint = failure(capsys, *arguments)
    assert code == 2 and said in complaint


def test_what_is_typed_goes_before_what_quick_says():
    from demos import digits

    assert settings("demo", digits, []) == {}
    assert settings("demo", digits, ["--quick"]) == digits.QUICK
    assert settings("demo", digits, ["--quick", "--epochs", "2", "--out", "x"]) == {"epochs": 2, "out": Path("x")}


def test_a_folder_that_cannot_be_is_refused_before_the_work(tmp_path, capsys):
    file = tmp_path / "file"
    file.write_text("")
    code, complaint = failure(capsys, "digits", "--out", str(file))
    assert code == 2 and f"'{file}' is not a folder" in complaint
    for out in (file / "below", tmp_path / f"two\nlines{'s' * 300}"):
        code, complaint = failure(capsys, "digits", "--out", str(out))
        assert code == 1 and f"cannot use {' '.join(str(out).split())}: " in complaint


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="everything is writable for root")
def test_a_folder_without_the_right_to_write_is_refused_before_the_work(tmp_path, capsys):
    tmp_path.chmod(0o500)
    code, complaint = failure(capsys, "digits", "--out", str(tmp_path))
    assert code == 1 and "Permission denied" in complaint


def test_a_full_disk_is_one_sentence(tmp_path, capsys, monkeypatch):
    def write_bytes(path, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", write_bytes)
    with pytest.raises(SystemExit) as stopped:
        main(["digits", "--epochs", "1", "--out", str(tmp_path)])
    assert stopped.value.code == 1
    complaint = capsys.readouterr().err
    assert re.search(r"cannot use \S+curves\.png: No space left on device; give a name .* has room\.\n$", complaint)


def test_what_is_missing_is_said_before_the_first_of_all_demos_runs(tmp_path, capsys, monkeypatch):
    out = str(tmp_path / "out")
    code, complaint = failure(capsys, "all", "--data", "mnist", "--data-dir", str(tmp_path), "--out", out)
    assert code == 1 and "which is empty; missing there: train-images" in complaint
    done = run_without(["matplotlib"], "all", "--smallest", "--out", out)
    assert (done.returncode, done.stdout) == (1, "") and "matplotlib is not installed" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(os.name != "posix", reason="a pipe is closed in another way there")
@pytest.mark.parametrize("name", ["", "by_hand"])
def test_nobody_who_reads_what_is_printed_is_one_sentence(name, tmp_path):
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "demos", *([name, "--out", str(tmp_path)] if name else [])]
    done = subprocess.run(command, cwd=ROOT, stdout=writer, stderr=subprocess.PIPE, encoding="utf-8")
    os.close(writer)
    prog = f"python -m demos {name}".strip()
    *others, last = done.stderr.splitlines()
    assert (done.returncode, last) == (1, f"{prog}: cannot write: Broken pipe.")
    assert not any("Traceback" in line for line in others)  # Graphviz may warn about fonts


def test_too_little_memory_is_one_sentence(capsys, monkeypatch):
    def run():
        raise MemoryError("Unable to allocate 7 TiB")

    monkeypatch.setattr(by_hand, "run", run)
    sentence = "python -m demos by_hand: there is not enough memory: Unable to allocate 7 TiB.\n"
    assert failure(capsys, "by_hand") == (1, sentence)


def test_control_c_is_no_traceback(capsys, monkeypatch):
    def run():
        raise KeyboardInterrupt

    monkeypatch.setattr(by_hand, "run", run)
    assert failure(capsys, "by_hand") == (130, "python -m demos by_hand: stopped.\n")


@pytest.mark.skipif(os.name != "posix", reason="processes are interrupted in another way there")
def test_control_c_ends_a_fit_of_scikit_learn_too(tmp_path):
    """Its `fit` catches KeyboardInterrupt, warns, and the search would go on with the next of its fits."""
    code = (
        "import os, runpy, signal; from sklearn.neural_network import MLPClassifier as Theirs; "
        "Theirs._backprop = lambda *arguments: os.kill(os.getpid(), signal.SIGINT); "
        "runpy.run_module('demos', {}, '__main__')"
    )
    command = [sys.executable, "-W", "error", "-c", code, "grid_search", "--smallest", "--out", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8")
    assert done.returncode == 130 and done.stderr.endswith("python -m demos grid_search: stopped.\n"), done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("package", ["sklearn", "matplotlib"])
def test_a_missing_extra_is_named(package, tmp_path):
    done = run_without([package], "digits", "--out", str(tmp_path))
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr == (
        f"python -m demos digits: {package} is not installed; write pip install 'chainrule[demos]'.\n"
    )


def test_what_needs_no_extra_runs_without(tmp_path):
    extras = ["sklearn", "matplotlib", "tqdm"]
    assert run_without(extras).stdout.startswith("many_paths")
    for name in ("many_paths", "by_hand"):
        done = run_without(extras, name, "--out", str(tmp_path / name))
        assert done.returncode == 0 and (tmp_path / name / "index.html").is_file(), done.stderr
    done = run_without(["tqdm"], "digits", "--epochs", "1", "--out", str(tmp_path))
    assert done.returncode == 0 and "read correctly" in done.stdout
