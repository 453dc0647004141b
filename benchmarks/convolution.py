"""A convolution forward and backward: 8 images of 3 channels and 32 x 32, 16 windows of 3 x 3, padding 1, float32."""

import numpy as np

from .contest import Contest
from .contestant import THREADS, Step


def arrays() -> list[np.ndarray]:
    """Return images (8, 3, 32, 32), windows (16, 3, 3, 3) and what arrives at the result (8, 16, 32, 32)."""
    rng = np.random.default_rng(0)
    return [rng.normal(size=shape).astype("float32") for shape in [(8, 3, 32, 32), (16, 3, 3, 3), (8, 16, 32, 32)]]


def ours() -> Step:
    import engine

    images, windows, arriving = arrays()
    x, weight = engine.Tensor(images), engine.Tensor(windows)

    def step() -> float:
        x.grad = weight.grad = None
        engine.convolution(x, weight, padding=1).backward(arriving)
        return float(x.grad[0, 0, 0, 0]) * float(weight.grad[0, 0, 0, 0])

    return step


def pytorch() -> Step:
    import torch

    torch.set_num_threads(THREADS)
    images, windows, arriving = map(torch.from_numpy, arrays())
    x, weight = images.requires_grad_(), windows.requires_grad_()

    def step() -> float:
        x.grad = weight.grad = None
        torch.nn.functional.conv2d(x, weight, padding=1).backward(arriving)
        return float(x.grad[0, 0, 0, 0]) * float(weight.grad[0, 0, 0, 0])

    return step


def run(rounds: int) -> list[dict]:
    contestants = {"ours": ours, "PyTorch": pytorch}
    return [Contest(f"convolution: {__doc__}", contestants, 100, 1e-4, goals={"PyTorch": 1.5}).run(rounds)]
