"""A2 and A3: training steps that two reports worked by hand, as worksheets, and where the reports slip.

The engine writes the worksheets from the graphs that it differentiates: with rounded figures for the sigmoids, in exact
fractions for the ReLU.
"""

from decimal import Decimal, localcontext
from fractions import Fraction
from pathlib import Path
from typing import Any

from engine import Value, label, relu, sigmoid, worksheet
from engine.documents import Block, Document, Heading, Paragraph, Table
from engine.worksheets import Worksheet

from .page import Compared, agreement, graph, leave, leave_page, links, usable

FLOATS = Decimal("1e-15")  # a few roundings of figures about 1

Figures = dict[str, Any]
Reported = dict[str, str]


# A2: a network with 2 inputs, 3 hidden neurons and 1 output, sigmoid everywhere, one step at rate 0.1

MIXED = {
    "w1": 0.5, "w2": -0.25, "w3": 0.5, "w4": -0.25, "w5": 0.5, "w6": -0.25, "w7": 1.0, "w8": -1.0, "w9": 0.0,
    "b1": 0.1, "b2": 0.1, "b3": 0.1, "b4": 0.1,
}  # fmt: skip
MIXED_REPORTED = {
    "ŷ": "0.525", "E": "0.113",
    "w1": "0.5027", "w2": "-0.25", "w3": "0.4973", "w4": "-0.25", "w5": "0.5", "w6": "-0.25",
    "w7": "1.0077", "w8": "-0.992", "w9": "0.0077",
    "b1": "0.1027", "b2": "0.0973", "b3": "0.1", "b4": "0.112",
}  # fmt: skip
ONES = dict.fromkeys(MIXED, 1.0)
ONES_REPORTED = {
    "ŷ": "0.974", "E": "0.00034",
    "w1": "1.0000065", "w2": "1", "w3": "1.0000065", "w4": "1", "w5": "1.0000065", "w6": "1",
    "w7": "1.00005", "w8": "1.00005", "w9": "1.00005",
    "b1": "2.0000065", "b2": "1.0000065", "b3": "1.0000065", "b4": "1.00006",
}  # fmt: skip


def sigmoid_error(start: dict[str, float]) -> tuple[Value, dict[str, Value]]:
    """E, and the parameters it depends on."""
    p = {name: Value(number, label=name) for name, number in start.items()}
    x1, x2 = Value(1.0, requires_grad=False), Value(0.0, requires_grad=False)
    z1 = p["w1"] * x1 + p["w2"] * x2 + p["b1"]
    z2 = p["w3"] * x1 + p["w4"] * x2 + p["b2"]
    z3 = p["w5"] * x1 + p["w6"] * x2 + p["b3"]
    h1, h2, h3 = sigmoid(z1), sigmoid(z2), sigmoid(z3)
    z4 = p["w7"] * h1 + p["w8"] * h2 + p["w9"] * h3 + p["b4"]
    ŷ = sigmoid(z4)
    E = (1 - ŷ) ** 2 / 2
    label(locals())
    return E, p


def sigmoid_step_on_paper(start: dict[str, float]) -> Figures:
    """The same step by the textbook's formulas, with 50 digits: nothing of the engine's."""
    neurons = [("w1", "w2", "b1", "w7"), ("w3", "w4", "b2", "w8"), ("w5", "w6", "b3", "w9")]
    x1, x2, rate = Decimal(1), Decimal(0), Decimal("0.1")
    p = {name: Decimal(str(number)) for name, number in start.items()}
    new = dict(p)
    with localcontext(prec=50):
        h = [1 / (1 + (-(p[first] * x1 + p[second] * x2 + p[bias])).exp()) for first, second, bias, _ in neurons]
        total = sum(p[onward] * output for (*_, onward), output in zip(neurons, h, strict=True)) + p["b4"]
        y = 1 / (1 + (-total).exp())
        delta = (y - 1) * y * (1 - y)  # ∂E/∂total
        new["b4"] -= rate * delta
        for (first, second, bias, onward), output in zip(neurons, h, strict=True):
            hidden_delta = delta * p[onward] * output * (1 - output)
            new[onward] -= rate * delta * output
            new[first] -= rate * hidden_delta * x1
            new[second] -= rate * hidden_delta * x2
            new[bias] -= rate * hidden_delta
        return {"ŷ": y, "E": (1 - y) ** 2 / 2} | new


# A3: a = max(0, w1 x + b1), prediction w2 a + b2, L = ½(prediction − y)², rate 0.01, one sample at a time

START: Figures = {"w1": Fraction(1), "w2": Fraction(1), "b1": Fraction(0), "b2": Fraction(0)}
SAMPLES = [(1, 3), (2, 4), (3, 5)]
SAMPLES_REPORTED = [
    {"L": "2", "w1": "1.02", "w2": "1.02", "b1": "0.02", "b2": "0.02"},
    {"L": "1.7649", "w1": "1.0583", "w2": "1.0587", "b1": "0.0389", "b2": "0.0391"},
    {"L": "1.2143", "w1": "1.1078", "w2": "1.1087", "b1": "0.0554", "b2": "0.0547"},
]


def relu_loss(sample: tuple[int, int], start: Figures) -> tuple[Value, dict[str, Value]]:
    """L for a sample, and the parameters it depends on."""
    x, y = [Value(float(number), requires_grad=False) for number in sample]
    p = {name: Value(float(number), label=name) for name, number in start.items()}
    z = p["w1"] * x + p["b1"]
    a = relu(z)
    ŷ = p["w2"] * a + p["b2"]
    L = (ŷ - y) ** 2 / 2
    label(locals())
    return L, p


def relu_sheets() -> list[Worksheet]:
    """Three steps of gradient descent, one for each sample, in fractions."""
    sheets: list[Worksheet] = []
    start = START
    for sample in SAMPLES:
        sheets.append(worksheet(*relu_loss(sample, start), learning_rate=0.01, exact=True))
        start = {name: figures_of(sheets[-1])[name] for name in start}
    return sheets


# The reports, and ours beside them

PAGES = {
    "network_of_ones": "A2 (a): one step from weights and biases of 1",
    "network_of_mixed_weights": "A2 (b): one step from mixed weights",
    "regression_step_1": "A3: the first step, in fractions",
    "regression_step_2": "A3: the second step, where the report slips",
    "regression_step_3": "A3: the third step",
}


def figures_of(sheet: Worksheet) -> Figures:
    """Every result under its name; a parameter's is what it is updated to."""
    return {str(step.name): step.result for step in (*sheet.forward, *sheet.updates)}


def decimal(number: float | Decimal | Fraction) -> Decimal:
    return Decimal(number.numerator) / number.denominator if isinstance(number, Fraction) else Decimal(number)


def verdict(reported: str, ours: Any) -> str:
    """Whether a printed figure is ours rounded, within two units of its last digit, or neither."""
    unit = Decimal(10) ** -len(reported.partition(".")[2])
    off = abs(Decimal(reported) - decimal(ours)) / unit
    return "agrees" if off <= Decimal("0.5") else "rounding drift" if off <= 2 else "A SLIP"


def beside(title: str, reported: Reported, ours: Figures) -> list[Compared]:
    return [
        Compared(f"{title}, {name}", it, f"{decimal(ours[name]):.8f}", verdict(it, ours[name]))
        for name, it in reported.items()
    ]


def distance(ours: Figures, on_paper: Figures) -> Decimal:
    """How far ours are from exact arithmetic at most."""
    return max(abs(decimal(ours[name]) - number) for name, number in on_paper.items())


def compare_exactly(title: str, ours: Figures, on_paper: Figures) -> Compared:
    """The line of the table that sets our floats beside the same step with 50 digits."""
    away = distance(ours, on_paper)
    return Compared(f"{title}, all of it", "with 50 digits", f"{away:.1e} away", agreement(away < FLOATS))


def sigmoid_slip(ones: Figures) -> list[Block]:
    """What gives the printed b1 away, and where the last digits of the others come from."""
    printed = Decimal(ONES_REPORTED["b1"])
    y = Decimal(ONES_REPORTED["ŷ"])
    return [
        Heading("The slip in A2 (a)"),
        Paragraph(
            f"b1 was 1 and moves by {ones['b1'] - 1:.7f}, as w1 does: x1 is 1, and the two have the same derivative. "
            f"Both become {ones['b1']:.7f}. To become {printed}, at the rate 0.1, b1 would have to have the derivative "
            f"−{(printed - 1) * 10}. The printed figure is that of w1, {ONES_REPORTED['w1']}, with a wrong first digit."
        ),
        Paragraph(
            "The drift: the report rounds to 3-5 digits at each step and goes on with the rounded figures. From the "
            f"printed ŷ = {y}, for one, E = ½(1 − ŷ)² is {(1 - y) ** 2 / 2:.6f}, printed {ONES_REPORTED['E']}; from ŷ "
            f"as it is, E is {ones['E']:.6f}."
        ),
    ]


def relu_slip(ours: list[Figures]) -> list[Block]:
    """How the biases of the second step are the report's once their gradients are exchanged."""
    _, before, after = SAMPLES_REPORTED
    exchanged = {"b1": ours[1]["b2"], "b2": ours[1]["b1"]}
    added = {bias: str(Decimal(after[bias]) - Decimal(before[bias])) for bias in exchanged}
    lines = beside("Second step, ours exchanged", {bias: before[bias] for bias in exchanged}, exchanged)
    lines += beside("What the third step adds", added, {bias: ours[2][bias] - ours[1][bias] for bias in exchanged})
    explained = "A SLIP" not in [line.verdict for line in lines]
    return [
        Heading("The slip in A3"),
        Paragraph(
            "In the second step the report exchanges the gradients of the two biases: ours are its figures once they "
            "are exchanged too. The third step is right in itself and carries the slip on."
            if explained
            else "That the gradients of the two biases are exchanged in the second step does not explain all figures."
        ),
        Table(["", "Reported", "Ours", "Verdict"], lines),
    ]


def run(out: Path = Path("runs/by_hand")) -> dict[str, Figures]:
    usable(out)
    networks = [worksheet(*sigmoid_error(start), learning_rate=0.1) for start in (ONES, MIXED)]
    regression = relu_sheets()
    for (name, title), sheet in zip(PAGES.items(), [*networks, *regression], strict=True):
        leave(Document(title, *sheet.blocks()), out, name)

    ones, mixed = [figures_of(sheet) for sheet in networks]
    steps = [figures_of(sheet) for sheet in regression]
    compared = [*beside("A2 (a)", ONES_REPORTED, ones), compare_exactly("A2 (a)", ones, sigmoid_step_on_paper(ONES))]
    compared += beside("A2 (b)", MIXED_REPORTED, mixed)
    compared.append(compare_exactly("A2 (b)", mixed, sigmoid_step_on_paper(MIXED)))
    for sample, reported, ours in zip(SAMPLES, SAMPLES_REPORTED, steps, strict=True):
        compared += beside(f"A3, sample {sample}", reported, ours)
    looks = {"constants": False, "direction": "TB"}
    leave_page(
        out,
        "A2, A3: training steps worked by hand",
        "What do all parameters become when two small networks are trained by hand, every step shown, and are the "
        "figures that two reports print right?",
        {
            "A2": "2 inputs, x1 = 1 and x2 = 0, 3 hidden neurons, 1 output ŷ, sigmoids everywhere; E = ½(1 − ŷ)²; one "
            "step at the rate 0.1; w1, w2, b1 feed neuron 1; w3, w4, b2 neuron 2; w5, w6, b3 neuron 3; the rest ŷ",
            "A2 (a)": "starts with all weights and biases 1",
            "A2 (b)": "starts with w1 = w3 = w5 = 0.5, w2 = w4 = w6 = −0.25, w7 = 1, w8 = −1, w9 = 0, all biases 0.1",
            "A3": "a = max(0, w1·x + b1), ŷ = w2·a + b2, L = ½(ŷ − y)²; w1 = w2 = 1, b1 = b2 = 0 at the start; one "
            "step at the rate 0.01 for each of the samples " + ", ".join(map(str, SAMPLES)),
            "Arithmetic": "floats for A2, beside the same step with 50 digits, by the textbook's formulas, of which "
            f"the farthest must be within {FLOATS:.0e}; exact fractions for A3",
            "Figures": "ŷ, E and L are those before the step, all others those after it",
            "Verdict": "agrees: ours rounded; rounding drift: within two units of the last digit; A SLIP: neither",
            "Seeds": "none; nothing is drawn at random",
        },
        compared,
        *sigmoid_slip(ones),
        *relu_slip(steps),
        Heading("Worksheets, also there as Markdown and LaTeX"),
        links(PAGES),
        Heading("Graphs"),
        graph(sigmoid_error(MIXED)[0], out / "graph_network.svg", "A2 (b), before the step.", **looks),
        graph(relu_loss(SAMPLES[0], START)[0], out / "graph_regression.svg", "A3, before the first step.", **looks),
    )
    return {"A2a": ones, "A2b": mixed} | {f"A3.{number}": figures for number, figures in enumerate(steps, 1)}
