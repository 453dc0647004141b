"""A1: a derivative over many paths, first with numbers, then with vectors.

The value x reaches the error E along three paths. Along each the local derivatives are multiplied, and the sum of
the three products is the derivative that backpropagation computes.
"""

import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

import engine
from engine import Tensor, Value

NUMBERS = {"x": 0.5, "W1": 2.0, "W2": -1.5, "r": 0.7, "s": 0.2}
VECTORS = {
    "x": np.array([0.5, -1.0]),
    "W1": np.array([[2.0, 0.5], [-1.0, 1.5], [0.25, -0.75]]),
    "W2": np.array([[-1.5, 0.5, 1.0], [0.75, -0.25, 2.0]]),
    "r": np.array([0.7, -0.4, 0.3]),
    "s": np.array([0.2, 0.6]),
}

Steps = dict[str, Callable[..., Any]]


def error_of(W1: Any, W2: Any, r: Any, s: Any) -> Steps:
    """Every named quantity, as a function of the named quantities it is computed from."""
    return {
        "z": lambda x: engine.dot(W1, x),
        "h": lambda z: engine.sigmoid(z),
        "y": lambda x, h: x + engine.dot(W2, h),
        "R": lambda h: engine.dot(r, h),
        "S": lambda y: engine.sum((y - s) ** 2) / 2,
        "E": lambda S, R: S + R,
    }


def inputs_of(step: Callable[..., Any]) -> list[str]:
    return list(inspect.signature(step).parameters)


def paths_to(name: str, steps: Steps) -> list[list[str]]:
    """Every path from x to the quantity of this name."""
    if name == "x":
        return [["x"]]
    return [[*path, name] for before in inputs_of(steps[name]) for path in paths_to(before, steps)]


def local_derivative(name: str, by: str, steps: Steps, data: dict[str, Any]) -> Any:
    """The derivative of one step by one of its inputs while the others are held: ∂y/∂x is 1, although h knows x."""
    inputs = inputs_of(steps[name])
    return engine.jacobian(steps[name], inputs.index(by))(*[data[each] for each in inputs])


def three_terms(data: dict[str, Any], W1: Any, W2: Any, r: Any, s: Any) -> dict[str, tuple[str, Any]]:
    """The terms as one finds them on paper, in plain NumPy, for the engine's to be checked against."""
    slope, difference = data["h"] * (1 - data["h"]), data["y"] - s
    return {
        "x → y → S → E": ("(y − s)", difference),
        "x → z → h → R → E": ("rᵀσ'(z)W1", np.dot(r * slope, W1)),
        "x → z → h → y → S → E": ("(y − s)W2σ'(z)W1", np.dot(np.dot(difference, W2) * slope, W1)),
    }


def explain(kind: type[Value | Tensor], x: Any, **constants: Any) -> dict[str, Any]:
    """Print the local derivatives, each path's contribution, and their sum beside the gradient; return the figures."""
    steps = error_of(**constants)
    nodes: dict[str, Any] = {"x": kind(x, label="x")}
    for name, step in steps.items():
        nodes[name] = step(*[nodes[each] for each in inputs_of(step)])
        nodes[name].label = name
    nodes["E"].backward()
    gradient = nodes["x"].grad

    data = {name: node.data for name, node in nodes.items()}
    factors = {(name, by): local_derivative(name, by, steps, data) for name in steps for by in inputs_of(steps[name])}
    print(f"E = {show(data['E'])}, and the local derivatives are")
    for (name, by), factor in factors.items():
        print(f"  ∂{name}/∂{by} = {show(factor)}")

    contributions = {}
    on_paper = three_terms(data, **constants)
    for path in paths_to("E", steps):
        edges = list(zip(path[1:], path, strict=False))[::-1]  # from E back to x, as the product is written
        contribution = functools.reduce(np.dot, [factors[edge] for edge in edges])
        contributions[" → ".join(path)] = contribution
        term, expected = on_paper[" → ".join(path)]
        np.testing.assert_allclose(contribution, expected, rtol=1e-14)
        print(f"{' → '.join(path)}, the report's {term}:")
        print(f"  {' · '.join(f'∂{name}/∂{by}' for name, by in edges)} = {show(contribution)}")

    total = sum(contributions.values())
    print(f"Sum of the {len(contributions)} paths: {show(total)}")
    print(f"Backpropagation:    {show(gradient)}")
    np.testing.assert_allclose(total, gradient, rtol=1e-14)
    return {"E": data["E"], "contributions": contributions, "total": total, "gradient": gradient}


def show(number: Any) -> str:
    return str(np.round(number, 6).tolist())


def run() -> dict[str, Any]:
    print("z = W1 x,  h = σ(z),  y = x + W2 h,  R = rᵀ h,  S = ½‖y − s‖²,  E = S + R\n")
    print("With numbers")
    numbers = explain(Value, **NUMBERS)
    print("\nWith vectors: x and y have 2 entries, z and h have 3")
    vectors = explain(Tensor, **VECTORS)
    return {"numbers": numbers, "vectors": vectors}
