"""A2 and A3: training steps that two reports worked by hand, as worksheets, and where the reports slip.

The engine writes the worksheets from the graphs that it differentiates: with rounded figures for the sigmoids, in exact
fractions for the ReLU. They are left as pages, in Markdown and in LaTeX, our figures beside the reported ones.
"""

from decimal import Decimal, localcontext
from fractions import Fraction
from pathlib import Path
from typing import Any

from engine import Value, label, relu, sigmoid, worksheet
from engine.documents import Document, Heading, Paragraph, Table
from engine.worksheets import Worksheet

from . import leave, leave_index

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


def sigmoid_sheet(start: dict[str, float]) -> Worksheet:
    """One step of gradient descent."""
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
    return worksheet(E, p, learning_rate=0.1)


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

SAMPLES = [(1, 3), (2, 4), (3, 5)]
SAMPLES_REPORTED = [
    {"L": "2", "w1": "1.02", "w2": "1.02", "b1": "0.02", "b2": "0.02"},
    {"L": "1.7649", "w1": "1.0583", "w2": "1.0587", "b1": "0.0389", "b2": "0.0391"},
    {"L": "1.2143", "w1": "1.1078", "w2": "1.1087", "b1": "0.0554", "b2": "0.0547"},
]


def relu_sheets() -> list[Worksheet]:
    """Three steps of gradient descent, one for each sample, in fractions."""
    sheets: list[Worksheet] = []
    start: Figures = {"w1": Fraction(1), "w2": Fraction(1), "b1": Fraction(0), "b2": Fraction(0)}
    for sample in SAMPLES:
        x, y = [Value(float(number), requires_grad=False) for number in sample]
        p = {name: Value(float(number), label=name) for name, number in start.items()}
        z = p["w1"] * x + p["b1"]
        a = relu(z)
        ŷ = p["w2"] * a + p["b2"]
        L = (ŷ - y) ** 2 / 2
        label(locals())
        sheets.append(worksheet(L, p, learning_rate=0.01, exact=True))
        assert {name: sheets[-1].given[name] for name in start} == start, "a decimal is too long for a float"
        start = {name: figures_of(sheets[-1])[name] for name in start}
    return sheets


# The reports, and ours beside them


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


def beside(reported: Reported, ours: Figures) -> Table:
    rows = [[name, it, f"{decimal(ours[name]):.8f}", verdict(it, ours[name])] for name, it in reported.items()]
    return Table(["", "Reported", "Ours", "Verdict"], rows)


def distance(ours: Figures, on_paper: Figures) -> str:
    """Say how far ours are from exact arithmetic; raise AssertionError if it is more than floats account for."""
    worst = max(abs(decimal(ours[name]) - number) for name, number in on_paper.items())
    assert worst < Decimal("1e-15"), f"ours is {worst:.1e} away from exact arithmetic"
    return f"Ours are computed in floats. The farthest from arithmetic with 50 digits is {worst:.1e} away."


def compare_network(start: dict[str, float], reported: Reported, *remarks: str) -> tuple[Figures, list[Any], list[Any]]:
    """Our figures, the blocks of the worksheet, and those that set the two side by side."""
    sheet = sigmoid_sheet(start)
    ours = figures_of(sheet)
    words = [distance(ours, sigmoid_step_on_paper(start)), *remarks]
    return ours, sheet.blocks(), [beside(reported, ours), *map(Paragraph, words)]


def compare_regression() -> tuple[list[Figures], list[Any], list[Any]]:
    """The same for the three samples, and how the biases of the second step are the report's once exchanged."""
    sheets = relu_sheets()
    ours = [figures_of(sheet) for sheet in sheets]
    titles = [f"Sample (x, y) = {sample}" for sample in SAMPLES]
    blocks = [block for title, sheet in zip(titles, sheets, strict=True) for block in sheet.blocks(title)]
    found: list[Any] = []
    for title, reported, figures in zip(titles, SAMPLES_REPORTED, ours, strict=True):
        found += [Paragraph(f"After the {title.lower()}:"), beside(reported, figures)]

    _, before, after = SAMPLES_REPORTED
    exchanged = {"b1": ours[1]["b2"], "b2": ours[1]["b1"]}
    assert "A SLIP" not in [verdict(before[bias], exchanged[bias]) for bias in exchanged]
    added = {bias: str(Decimal(after[bias]) - Decimal(before[bias])) for bias in exchanged}
    found += [
        Paragraph("The slip: in the second step the report exchanges the gradients of the two biases. Ours exchanged:"),
        beside({bias: before[bias] for bias in exchanged}, exchanged),
        Paragraph("The third step is right in itself and carries the slip on. What it adds:"),
        beside(added, {bias: ours[2][bias] - ours[1][bias] for bias in exchanged}),
    ]
    return ours, blocks, found


def show(out: Path, name: str, title: str, words: str, blocks: list[Any], comparison: list[Any]) -> None:
    """Print the comparison, and leave the worksheet with the comparison below it."""
    print(Document(title, Paragraph(words), *comparison))
    leave(Document(title, Paragraph(words), *blocks, Heading("Beside the report"), *comparison), out, name)


def run(out: Path = Path("runs/by_hand")) -> dict[str, Figures]:
    out.mkdir(parents=True, exist_ok=True)

    network = (
        "One step of gradient descent on E = ½(1 − ŷ)² for a network with the inputs (1, 0), three hidden neurons and "
        "one output ŷ, sigmoids everywhere, at the learning rate 0.1."
    )
    slip = (
        f"The slip: b1 was 1 and moves by less than 0.00001, so it cannot become {ONES_REPORTED['b1']}. The drift: the "
        "report rounds to 3-5 digits at each step and goes on with the rounded figures."
    )
    titles = {
        "network_of_ones": "A2 (a): all weights and biases 1",
        "network_of_mixed_weights": "A2 (b): mixed weights, every bias 0.1",
        "regression": "A3: a regression with ReLU",
    }
    ones, *sheet = compare_network(ONES, ONES_REPORTED, slip)
    show(out, "network_of_ones", titles["network_of_ones"], network, *sheet)
    mixed, *sheet = compare_network(MIXED, MIXED_REPORTED)
    show(out, "network_of_mixed_weights", titles["network_of_mixed_weights"], network, *sheet)

    regression = (
        "Three steps of gradient descent, one sample at a time, for a = max(0, w1·x + b1) and ŷ = w2·a + b2, on "
        "L = ½(ŷ − y)² at the learning rate 0.01."
    )
    steps, *sheet = compare_regression()
    show(out, "regression", titles["regression"], regression, *sheet)
    leave_index(out, "A2, A3: training steps worked by hand", titles)
    return {"A2a": ones, "A2b": mixed} | {f"A3.{number}": figures for number, figures in enumerate(steps, 1)}
