"""A2 and A3: training steps that two reports worked by hand, done by the engine and checked in exact arithmetic.

The engine differentiates the network as it is written. The functions named `..._on_paper` are the same steps with
the derivatives found by hand, in fractions or with 50 digits: they share nothing with the engine and say who is right.
"""

from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any

from engine import Value, no_grad, relu, sigmoid

Figures = dict[str, Any]
Reported = dict[str, str]


# A2: a network with 2 inputs, 3 hidden neurons and 1 output, sigmoid everywhere, one step at rate 0.1

ALL_ONES = dict.fromkeys(["w1", "w2", "w3", "w4", "w5", "w6", "w7", "w8", "w9", "b1", "b2", "b3", "b4"], 1.0)
ALL_ONES_REPORTED = {
    "ŷ": "0.974", "E": "0.00034",
    "w1": "1.0000065", "w2": "1", "w3": "1.0000065", "w4": "1", "w5": "1.0000065", "w6": "1",
    "w7": "1.00005", "w8": "1.00005", "w9": "1.00005",
    "b1": "2.0000065", "b2": "1.0000065", "b3": "1.0000065", "b4": "1.00006",
}  # fmt: skip
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


def sigmoid_step(start: dict[str, float], x1: float = 1.0, x2: float = 0.0, rate: float = 0.1) -> Figures:
    """One step of gradient descent on E = ½(1 − ŷ)²."""
    p = {name: Value(number, label=name) for name, number in start.items()}
    h1 = sigmoid(p["w1"] * x1 + p["w2"] * x2 + p["b1"])
    h2 = sigmoid(p["w3"] * x1 + p["w4"] * x2 + p["b2"])
    h3 = sigmoid(p["w5"] * x1 + p["w6"] * x2 + p["b3"])
    prediction = sigmoid(p["w7"] * h1 + p["w8"] * h2 + p["w9"] * h3 + p["b4"])
    error = (1 - prediction) ** 2 / 2
    error.backward()
    with no_grad():
        for parameter in p.values():
            parameter -= rate * parameter.grad
    return {"ŷ": prediction.data, "E": error.data} | {name: parameter.data for name, parameter in p.items()}


def sigmoid_step_on_paper(start: dict[str, float]) -> Figures:
    """The same step by the formulas of the textbook, with 50 digits."""
    p = {name: Decimal(str(number)) for name, number in start.items()}
    x, rate, new = (Decimal(1), Decimal(0)), Decimal("0.1"), dict(p)
    with localcontext(prec=50):
        h = [1 / (1 + (-p[f"w{2 * i - 1}"] * x[0] - p[f"w{2 * i}"] * x[1] - p[f"b{i}"]).exp()) for i in (1, 2, 3)]
        y = 1 / (1 + (-p["w7"] * h[0] - p["w8"] * h[1] - p["w9"] * h[2] - p["b4"]).exp())
        output_delta = (y - 1) * y * (1 - y)
        new["b4"] -= rate * output_delta
        for i in (1, 2, 3):
            delta = output_delta * p[f"w{6 + i}"] * h[i - 1] * (1 - h[i - 1])
            new[f"w{6 + i}"] -= rate * output_delta * h[i - 1]
            new[f"w{2 * i - 1}"] -= rate * delta * x[0]
            new[f"w{2 * i}"] -= rate * delta * x[1]
            new[f"b{i}"] -= rate * delta
        return {"ŷ": y, "E": (1 - y) ** 2 / 2} | new


# A3: a = max(0, w1 x + b1), prediction w2 a + b2, L = ½(prediction − y)², rate 0.01, one sample at a time

SAMPLES = [(1, 3), (2, 4), (3, 5)]
SAMPLES_REPORTED = [
    {"L": "2", "w1": "1.02", "w2": "1.02", "b1": "0.02", "b2": "0.02"},
    {"L": "1.7649", "w1": "1.0583", "w2": "1.0587", "b1": "0.0389", "b2": "0.0391"},
    {"L": "1.2143", "w1": "1.1078", "w2": "1.1087", "b1": "0.0554", "b2": "0.0547"},
]


def relu_steps(rate: float = 0.01) -> list[Figures]:
    """Three steps, one for each sample."""
    p = {"w1": Value(1.0), "w2": Value(1.0), "b1": Value(0.0), "b2": Value(0.0)}
    steps = []
    for x, y in SAMPLES:
        prediction = p["w2"] * relu(p["w1"] * x + p["b1"]) + p["b2"]
        loss = (prediction - y) ** 2 / 2
        loss.backward()
        with no_grad():
            for parameter in p.values():
                parameter -= rate * parameter.grad
                parameter.grad = None  # else the next backward() adds to it
        steps.append({"L": loss.data} | {name: parameter.data for name, parameter in p.items()})
    return steps


def relu_steps_on_paper() -> list[Figures]:
    """The same steps in fractions; the ReLU stays alive."""
    w1, w2, b1, b2, rate = Fraction(1), Fraction(1), Fraction(0), Fraction(0), Fraction(1, 100)
    steps = []
    for x, y in SAMPLES:
        a = w1 * x + b1
        assert a > 0
        difference = w2 * a + b2 - y
        w1, b1, w2, b2 = (
            w1 - rate * difference * w2 * x,
            b1 - rate * difference * w2,
            w2 - rate * difference * a,
            b2 - rate * difference,
        )
        steps.append({"L": difference**2 / 2, "w1": w1, "w2": w2, "b1": b1, "b2": b2})
    return steps


# The sheet


def verdict(reported: str, ours: float) -> str:
    """Whether a printed figure is ours rounded, within two units of its last digit, or neither."""
    unit = Decimal(10) ** -len(reported.partition(".")[2])
    off = abs(Decimal(reported) - Decimal(ours)) / unit
    return "agrees" if off <= Decimal("0.5") else "rounding drift" if off <= 2 else "A SLIP"


def compare(title: str, reported: Reported, ours: Figures, on_paper: Figures) -> Figures:
    """Print our figures beside the reported ones; assert ours against exact arithmetic."""
    print(f"\n{title}\n      {'reported':>10}  {'ours':>12}")
    for name, figure in reported.items():
        print(f"  {name:3} {figure:>10}  {ours[name]:>12.8f}  {verdict(figure, ours[name])}")
    worst = max(abs(float(Decimal(ours[name]) - decimal(on_paper[name]))) for name in reported)
    print(f"  Farthest from exact arithmetic: {worst:.1e}")
    assert worst < 1e-15, f"{title}: ours is {worst} away from exact arithmetic"
    return ours


def decimal(number: Decimal | Fraction) -> Decimal:
    return number if isinstance(number, Decimal) else Decimal(number.numerator) / number.denominator


def run() -> dict[str, Figures]:
    print("A2: one step of a 2-3-1 network of sigmoids, x = (1, 0), E = ½(1 − ŷ)², rate 0.1")
    ones = compare(
        "(a) all weights and biases 1", ALL_ONES_REPORTED, sigmoid_step(ALL_ONES), sigmoid_step_on_paper(ALL_ONES)
    )
    mixed = compare(
        "(b) mixed weights, every bias 0.1", MIXED_REPORTED, sigmoid_step(MIXED), sigmoid_step_on_paper(MIXED)
    )
    print(f"""
  The slip in (a): b1 was 1 and its step is {ones["b1"] - 1:.1e}, so it cannot become {ALL_ONES_REPORTED["b1"]}.
  The drift: the report rounds to 3-5 digits at each step and goes on with the rounded figures.""")

    print("\nA3: three samples of a 1-1-1 regression with ReLU, rate 0.01")
    steps = [
        compare(f"After sample {number}, (x, y) = {sample}", *figures)
        for number, (sample, *figures) in enumerate(
            zip(SAMPLES, SAMPLES_REPORTED, relu_steps(), relu_steps_on_paper(), strict=True), start=1
        )
    ]
    explain_the_exchange(steps[1], steps[2])
    return {"A2a": ones, "A2b": mixed, "A3.1": steps[0], "A3.2": steps[1], "A3.3": steps[2]}


def explain_the_exchange(second: Figures, third: Figures) -> None:
    """Show that the biases of A3's second step are the report's once our two are exchanged."""
    reported, reported_after = SAMPLES_REPORTED[1:]
    assert "A SLIP" not in (verdict(reported["b1"], second["b2"]), verdict(reported["b2"], second["b1"]))
    added = [third[bias] - second[bias] for bias in ("b1", "b2")]
    reported_added = [float(reported_after[bias]) - float(reported[bias]) for bias in ("b1", "b2")]
    print(f"""
  The slip: in the second step the report exchanges the gradients of the two biases. Exchange ours, and
  b1 = {second["b2"]:.4f}, b2 = {second["b1"]:.4f} are its {reported["b1"]} and {reported["b2"]} but for rounding.
  The third step carries it on and is right in itself: it adds {added[0]:.4f} and {added[1]:.4f} to the biases,
  in the report {reported_added[0]:.4f} and {reported_added[1]:.4f}.""")
