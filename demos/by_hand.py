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


def sigmoid_step(start: dict[str, float]) -> Figures:
    """One step of gradient descent on E = ½(1 − ŷ)²."""
    x1, x2, rate = 1.0, 0.0, 0.1
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
    """The same step by the textbook's formulas, with 50 digits."""
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


def relu_steps() -> list[Figures]:
    """Three steps of gradient descent, one for each sample."""
    rate = 0.01
    p = {name: Value(number, label=name) for name, number in {"w1": 1.0, "w2": 1.0, "b1": 0.0, "b2": 0.0}.items()}
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
    """The same steps in fractions."""
    rate, p = Fraction(1, 100), {"w1": Fraction(1), "w2": Fraction(1), "b1": Fraction(0), "b2": Fraction(0)}
    steps = []
    for x, y in SAMPLES:
        a = p["w1"] * x + p["b1"]
        assert a > 0, "the ReLU is dead, and the slopes below are not its"
        off = p["w2"] * a + p["b2"] - y
        slopes = {"w1": off * p["w2"] * x, "w2": off * a, "b1": off * p["w2"], "b2": off}
        p = {name: number - rate * slopes[name] for name, number in p.items()}
        steps.append({"L": off**2 / 2} | p)
    return steps


# The sheet


def verdict(reported: str, ours: float) -> str:
    """Whether a printed figure is ours rounded, within two units of its last digit, or neither."""
    unit = Decimal(10) ** -len(reported.partition(".")[2])
    off = abs(Decimal(reported) - Decimal(ours)) / unit
    return "agrees" if off <= Decimal("0.5") else "rounding drift" if off <= 2 else "A SLIP"


def print_sheet(reported: Reported, ours: Figures) -> None:
    print(f"      {'reported':>10}  {'ours':>12}")
    for name, figure in reported.items():
        print(f"  {name:3} {figure:>10}  {ours[name]:>12.8f}  {verdict(figure, ours[name])}")


def compare(title: str, reported: Reported, ours: Figures, on_paper: Figures) -> Figures:
    """Print our figures beside the reported ones; assert ours against exact arithmetic."""
    print(f"\n{title}")
    print_sheet(reported, ours)
    worst = max(abs(float(Decimal(ours[name]) - decimal(on_paper[name]))) for name in reported)
    print(f"  Farthest from exact arithmetic: {worst:.1e}")
    assert worst < 1e-15, f"{title}: ours is {worst} away from exact arithmetic"
    return ours


def decimal(number: Decimal | Fraction) -> Decimal:
    return number if isinstance(number, Decimal) else Decimal(number.numerator) / number.denominator


def run() -> dict[str, Figures]:
    print("A2: one step of a 2-3-1 network of sigmoids, x = (1, 0), E = ½(1 − ŷ)², rate 0.1")
    ones = compare("(a) All weights and biases 1", ONES_REPORTED, sigmoid_step(ONES), sigmoid_step_on_paper(ONES))
    print(f"""
  The slip: b1 was 1 and its step is {ones["b1"] - 1:.1e}, so it cannot become {ONES_REPORTED["b1"]}.
  The drift: the report rounds to 3-5 digits at each step and goes on with the rounded figures.""")
    mixed = compare(
        "(b) Mixed weights, every bias 0.1", MIXED_REPORTED, sigmoid_step(MIXED), sigmoid_step_on_paper(MIXED)
    )

    print("\nA3: three samples of a 1-1-1 regression with ReLU, L = ½(prediction − y)², rate 0.01")
    sheets = zip(SAMPLES, SAMPLES_REPORTED, relu_steps(), relu_steps_on_paper(), strict=True)
    first, second, third = [compare(f"After the sample (x, y) = {sample}", *sheet) for sample, *sheet in sheets]
    explain_the_exchange(second, third)
    return {"A2a": ones, "A2b": mixed, "A3.1": first, "A3.2": second, "A3.3": third}


def explain_the_exchange(second: Figures, third: Figures) -> None:
    """Show that the biases of A3's second step are the report's once our two are exchanged."""
    _, before, after = SAMPLES_REPORTED
    exchanged = {"b1": second["b2"], "b2": second["b1"]}
    assert "A SLIP" not in [verdict(before[bias], exchanged[bias]) for bias in exchanged]
    print("\n  The slip: in the second step the report exchanges the gradients of the two biases. With ours exchanged")
    print_sheet({bias: before[bias] for bias in exchanged}, exchanged)
    print("  The third step is right in itself and carries the slip on: what it adds is")
    added = {bias: str(Decimal(after[bias]) - Decimal(before[bias])) for bias in exchanged}
    print_sheet(added, {bias: third[bias] - second[bias] for bias in exchanged})
