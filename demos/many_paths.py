"""A1: a derivative over many paths, first with numbers, then with vectors.

The value x reaches the error E along three paths. Along each the local derivatives are multiplied, and the sum of
the three products is the derivative that backpropagation computes. The engine finds the paths by itself. With numbers
it also writes the whole solution down as a worksheet.
"""

from pathlib import Path
from typing import Any

import numpy as np

import engine
from engine import Tensor, Value
from engine.explanation import Explanation

from . import leave, leave_index

NUMBERS = {"x": 0.5, "W1": 2.0, "W2": -1.5, "r": 0.7, "s": 0.2}
VECTORS = {
    "x": np.array([0.5, -1.0]),
    "W1": np.array([[2.0, 0.5], [-1.0, 1.5], [0.25, -0.75]]),
    "W2": np.array([[-1.5, 0.5, 1.0], [0.75, -0.25, 2.0]]),
    "r": np.array([0.7, -0.4, 0.3]),
    "s": np.array([0.2, 0.6]),
}


def error_of(x: Any, W1: Any, W2: Any, r: Any, s: Any) -> Any:
    """E as the report writes it: z = W1 x, h = σ(z), y = x + W2 h, R = rᵀ h, S = ½‖y − s‖², E = S + R."""
    z = engine.dot(W1, x)
    h = engine.sigmoid(z)
    y = x + engine.dot(W2, h)
    R = engine.dot(r, h)
    S = engine.sum((y - s) ** 2) / 2
    E = S + R
    engine.label(locals())
    return E


def terms_on_paper(x: Any, W1: Any, W2: Any, r: Any, s: Any) -> dict[str, tuple[str, Any]]:
    """The three terms as one finds them by hand, in plain NumPy: for each path its formula and its value."""
    h = 1 / (1 + np.exp(-np.dot(W1, x)))
    slope, difference = h * (1 - h), x + np.dot(W2, h) - s
    return {
        "x → y → S → E": ("(y − s)", difference),
        "x → z → h → R → E": ("rᵀσ'(z)W1", np.dot(r * slope, W1)),
        "x → z → h → y → S → E": ("(y − s)W2σ'(z)W1", np.dot(np.dot(difference, W2) * slope, W1)),
    }


def compare(explanation: Explanation, data: dict[str, Any]) -> None:
    """Print the engine's terms beside those found by hand; assert that both are the same, and sum to the gradient."""
    on_paper = terms_on_paper(**data)
    assert {path.arrow for path in explanation.terms} == set(on_paper)
    print("The report's terms, computed by hand")
    for path in explanation.terms:
        formula, value = on_paper[path.arrow]
        print(f"  {formula} = {np.round(value, 6).tolist()}")
        np.testing.assert_allclose(path.contribution, value, rtol=1e-14)
        # Numbers commute; what is written beside each other for vectors stands with points between for numbers.
        assert str(path.chain).replace("·", "") == (formula if np.shape(data["x"]) else formula.replace("ᵀ", ""))
    np.testing.assert_allclose(explanation.total, explanation.gradient, rtol=1e-14)


def run(out: Path = Path("runs/many_paths")) -> dict[str, Explanation]:
    out.mkdir(parents=True, exist_ok=True)
    kinds: dict[str, tuple[type[Value | Tensor], dict[str, Any]]] = {
        "numbers": (Value, NUMBERS),
        "vectors": (Tensor, VECTORS),
    }
    explanations = {}
    for name, (kind, data) in kinds.items():
        nodes = {letter: kind(value, requires_grad=letter == "x") for letter, value in data.items()}
        E = error_of(**nodes)
        explanation = explanations[name] = engine.explain(E, nodes["x"])
        print(f"With {name}\n\n{explanation}")
        compare(explanation, data)
        leave(explanation, out, name)
        if kind is Value:
            sheet = engine.worksheet(E, nodes["x"])
            assert sheet.backward[-1].result == explanation.gradient
            print(f"The same step by step\n\n{sheet}")
            leave(sheet, out, "worksheet")
    pages = {"numbers": "the three paths with numbers", "vectors": "the three paths with vectors"}
    leave_index(out, "A1: a derivative over many paths", pages | {"worksheet": "the same step by step, with numbers"})
    return explanations
