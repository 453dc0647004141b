"""The demos: what each computes, prints and leaves, and what the command line says when something is wrong."""

import base64
import errno
import os
import re
import subprocess
import sys
from fractions import Fraction
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from demos import by_hand, many_paths
from demos.__main__ import DEMOS, main, settings

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
    kinds = ("numbers", "vectors")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"{name}.{ending}" for name in (*kinds, "worksheet") for ending in ("html", "md", "tex")
    ]
    printed = capsys.readouterr().out
    sheet = (tmp_path / "worksheet.md").read_text("utf-8")
    for step in (r"S = \frac{\sum (y - s)^{2}}{2}", r"\frac{\partial E}{\partial x}", "Backward"):
        assert step in sheet
    assert f"Open {tmp_path / 'worksheet'}.html" in printed and "∂E/∂x = " in printed
    for kind in kinds:
        assert f"Open {tmp_path / kind}.html" in printed
        text = Reader((tmp_path / f"{kind}.html").read_text("utf-8")).text
        assert "x → z → h → y → S → E" in text and "Gradient by backpropagation" in text
        assert r"\sigma'" in (tmp_path / f"{kind}.md").read_text("utf-8")
        assert (tmp_path / f"{kind}.tex").read_text("utf-8").startswith(r"\documentclass")


def test_many_paths_notices_a_term_that_is_not_the_one_found_by_hand(tmp_path):
    explanation = many_paths.run(tmp_path)["numbers"]
    with pytest.raises(AssertionError):
        many_paths.compare(explanation, many_paths.NUMBERS | {"r": 0.7 + 1e-12})


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
    assert re.findall(r"(\w+) +(\S+) +\S+  A SLIP", printed) == [
        ("b1", "2.0000065"), ("b1", "0.0389"), ("b2", "0.0391"), ("b1", "0.0554"), ("b2", "0.0547"),
    ]  # fmt: skip


def test_by_hand_leaves_its_worksheets_in_three_forms(tmp_path, capsys):
    main(["by_hand", "--out", str(tmp_path / "new" / "folder")])
    names = ("network_of_mixed_weights", "network_of_ones", "regression")
    folder = tmp_path / "new" / "folder"
    assert sorted(path.name for path in folder.iterdir()) == [
        f"{name}.{end}" for name in names for end in ("html", "md", "tex")
    ]
    printed = capsys.readouterr().out
    for name in names:
        assert f"Open {folder / name}.html" in printed
        page = Reader((folder / f"{name}.html").read_text("utf-8"))
        assert page.open == [] and "Beside the report" in page.text and "w1 ← w1 − 0." in page.text
        assert r"\frac{\partial " in (folder / f"{name}.md").read_text("utf-8")
        assert (folder / f"{name}.tex").read_text("utf-8").startswith(r"\documentclass")
    ones, regression = [(folder / f"{name}.md").read_text("utf-8") for name in ("network_of_ones", "regression")]
    assert r"= 1.0000067" in ones and "b1 was 1 and moves by less than 0.00001, so it cannot become 2.0000065" in ones
    assert "0.03916376" in regression and "exchanges the gradients of the two biases" in regression


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
    ours = by_hand.figures_of(by_hand.sigmoid_sheet(by_hand.ONES))
    exact = by_hand.sigmoid_step_on_paper(by_hand.ONES)
    assert "floats" in by_hand.distance(ours, exact)
    with pytest.raises(AssertionError, match="away from exact arithmetic"):
        by_hand.distance(ours | {"w7": ours["w7"] + 1e-13}, exact)


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
    assert sorted(path.name for path in folder.iterdir()) == ["confusion.png", "curves.png", "index.html"]

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


# Pictures


def test_a_confusion_matrix_is_in_per_cent_of_each_row():
    from demos.report import confusion_matrix

    axes = confusion_matrix(np.array([0, 0, 0, 1, 1]), np.array([0, 0, 1, 1, 1]), kind="sign").axes[0]
    assert [text.get_text() for text in axes.texts] == ["66.7", "33.3", "", "100"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("Predicted sign", "True sign")


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
    files = {path.stem for path in (ROOT / "demos").glob("*.py")} - {"__init__", "__main__", "report"}
    assert files == set(DEMOS)


def test_a_demo_that_prints_runs_from_the_command(tmp_path, capsys):
    main(["by_hand", "--quick", "--out", str(tmp_path)])
    assert len(capsys.readouterr().out.split("\n")) > 20


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["digit"], "there is no demo 'digit'; choose from many_paths, by_hand, digits"),
        (["--seed", "1"], "unrecognized arguments: --seed"),
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
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file", tmp_path / "file" / "below"):
        code, complaint = failure(capsys, "digits", "--out", str(out))
        assert code == 1 and f"cannot use {out}: " in complaint


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


def test_control_c_is_no_traceback(capsys, monkeypatch):
    def run():
        raise KeyboardInterrupt

    monkeypatch.setattr(by_hand, "run", run)
    assert failure(capsys, "by_hand") == (130, "python -m demos by_hand: stopped.\n")


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
        assert (done.returncode, done.stderr) == (0, "")
    done = run_without(["tqdm"], "digits", "--epochs", "1", "--out", str(tmp_path))
    assert done.returncode == 0 and "read correctly" in done.stdout
