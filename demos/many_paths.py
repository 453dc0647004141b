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
from engine.documents import Heading
from engine.explanation import Explanation

from .page import Compared, agreement, graph, leave, leave_page, links, usable

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


def compare(explanation: Explanation, data: dict[str, Any]) -> list[Compared]:
    """Put the engine's terms beside those found by hand, and their sum beside the gradient."""
    on_paper = terms_on_paper(**data)
    kind = "vectors" if np.ndim(data["x"]) else "numbers"
    found = {path.arrow: path for path in explanation.terms}
    lines = []
    for arrow, (formula, value) in on_paper.items():
        ours, agrees = "no such path", False
        if path := found.get(arrow):
            # Numbers commute; what is written beside each other for vectors stands with points between for numbers.
            same = str(path.chain).replace("·", "") == (formula if kind == "vectors" else formula.replace("ᵀ", ""))
            ours, agrees = f"{path.chain} = {shown(path.contribution)}", same and close(path.contribution, value)
        lines.append(Compared(f"{arrow}, with {kind}", f"{formula} = {shown(value)}", ours, agreement(agrees)))
    total, gradient = explanation.total, explanation.gradient
    whole = f"the sum of {len(found)}, {shown(total)}"
    verdict = agreement(len(found) == len(on_paper) and close(total, gradient))
    return [*lines, Compared(f"dE/dx, with {kind}", whole, f"by backpropagation {shown(gradient)}", verdict)]


def close(ours: Any, exact: Any) -> bool:
    return np.allclose(ours, exact, rtol=1e-14, atol=0)


def shown(numbers: Any) -> str:
    return str(np.round(numbers, 6).tolist()).replace("-", "−")


def run(out: Path = Path("runs/many_paths")) -> dict[str, Explanation]:
    usable(out)
    compared, graphs, explanations = [], [], {}
    kinds: dict[str, tuple[Any, dict[str, Any]]] = {"numbers": (Value, NUMBERS), "vectors": (Tensor, VECTORS)}
    for name, (kind, data) in kinds.items():
        nodes = {letter: kind(value, requires_grad=letter == "x") for letter, value in data.items()}
        E = error_of(**nodes)
        explanation = explanations[name] = engine.explain(E, nodes["x"])
        print(f"With {name}\n\n{explanation}\n")
        leave(explanation, out, name)
        compared += compare(explanation, data)
        words = f"The graph with {name}. The paths from x to E are drawn the wider, the more they contribute."
        graphs.append(graph(E, out / f"graph_{name}.svg", words, paths=nodes["x"], constants=False, direction="TB"))
        if name == "numbers":
            sheet = engine.worksheet(E, nodes["x"])
            print(f"The same step by step\n\n{sheet}\n")
            leave(sheet, out, "worksheet")
            result = float(sheet.backward[-1].result)
            ours = f"by backpropagation {shown(explanation.gradient)}"
            verdict = agreement(result == explanation.gradient)
            compared.append(Compared("dE/dx, by the worksheet", f"its last line, {shown(result)}", ours, verdict))
    pages = {
        "numbers": "values, local derivatives and the three paths, with numbers",
        "vectors": "the same with vectors",
        "worksheet": "backpropagation step by step, with numbers",
    }
    leave_page(
        out,
        "A1: a derivative over many paths",
        "Along which paths does x reach E, what does each contribute to dE/dx, and is their sum what backpropagation "
        "computes? The report derives three terms by hand; here the engine finds them from the names alone.",
        {
            "Function": "z = W1 x, h = σ(z), y = x + W2 h, R = rᵀ h, S = ½‖y − s‖², E = S + R",
            "Numbers": ", ".join(f"{name} = {shown(number)}" for name, number in NUMBERS.items()),
            "Vectors": ", ".join(f"{name} = {shown(array)}" for name, array in VECTORS.items()),
            "Reported": "the report's formulas, computed in NumPy without the engine; the report has no figures",
            "Agrees": "means: the same formula, and the same value within a relative error of 1e-14",
            "Seeds": "none; nothing is drawn at random",
        },
        compared,
        Heading("Pages, also there as Markdown and LaTeX"),
        links(pages),
        Heading("Graphs"),
        *graphs,
    )
    return explanations
