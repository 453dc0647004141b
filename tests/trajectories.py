"""Trajectories of 100 steps beside PyTorch's: each case written for both, and the figures that PyTorch gave.

`python tests/trajectories.py` writes the figures anew, with the PyTorch that is installed.
"""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import nn

FILE = Path(__file__).parent / "golden" / "trajectories.json"
STEPS = 100

X, Y = np.sin(0.7 * np.arange(18.0)).reshape(6, 3), np.array([0, 1, 2, 3, 1, 0])


class Case(NamedTuple):
    """An optimiser from parameters, a schedule from the optimiser; ours, and PyTorch's by its own names."""

    ours: Callable[[list], nn.Optimizer]
    theirs: Callable[[Any, list], Any]
    our_schedule: Callable[[nn.Optimizer], Any] | None = None
    their_schedule: Callable[[Any, Any], Any] | None = None


def adam(ours, theirs):
    """A schedule, on Adam with two groups that have rates of their own."""
    return Case(
        lambda p: nn.Adam([{"parameters": p[:1]}, {"parameters": p[1:], "learning_rate": 0.005}], learning_rate=0.02),
        lambda optim, p: optim.Adam([{"params": p[:1]}, {"params": p[1:], "lr": 0.005}], lr=0.02),
        ours,
        lambda optim, optimizer: theirs(optim.lr_scheduler, optimizer),
    )


def sequence(schedulers, optimizer, first, then, milestone):
    """PyTorch's way to say `then`."""
    return schedulers.SequentialLR(optimizer, [first(optimizer), then(optimizer)], [milestone])


OPTIMIZERS = {
    "SGD": Case(lambda p: nn.SGD(p, 0.1), lambda optim, p: optim.SGD(p, 0.1)),
    "SGD, momentum": Case(
        lambda p: nn.SGD(p, 0.1, momentum=0.9),
        lambda optim, p: optim.SGD(p, 0.1, momentum=0.9),
    ),
    "SGD, Nesterov and weight decay": Case(
        lambda p: nn.SGD(p, 0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
        lambda optim, p: optim.SGD(p, 0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
    ),
    "SGD, groups": Case(
        lambda p: nn.SGD([{"parameters": p[:1], "momentum": 0.5}, {"parameters": p[1:]}], 0.1, weight_decay=0.1),
        lambda optim, p: optim.SGD([{"params": p[:1], "momentum": 0.5}, {"params": p[1:]}], 0.1, weight_decay=0.1),
    ),
    "Adagrad": Case(nn.Adagrad, lambda optim, p: optim.Adagrad(p)),
    "Adagrad, weight decay": Case(
        lambda p: nn.Adagrad(p, 0.1, epsilon=1e-4, weight_decay=0.1),
        lambda optim, p: optim.Adagrad(p, 0.1, eps=1e-4, weight_decay=0.1),
    ),
    "RMSprop": Case(nn.RMSprop, lambda optim, p: optim.RMSprop(p)),
    "RMSprop, momentum": Case(
        lambda p: nn.RMSprop(p, 0.002, smoothing=0.9, epsilon=1e-3, momentum=0.8, weight_decay=0.01),
        lambda optim, p: optim.RMSprop(p, 0.002, alpha=0.9, eps=1e-3, momentum=0.8, weight_decay=0.01),
    ),
    "RMSprop, centered": Case(
        lambda p: nn.RMSprop(p, 0.005, epsilon=1e-4, centered=True),
        lambda optim, p: optim.RMSprop(p, 0.005, eps=1e-4, centered=True),
    ),
    "RMSprop, centered with momentum": Case(
        lambda p: nn.RMSprop(p, 0.002, epsilon=1e-3, centered=True, momentum=0.5),
        lambda optim, p: optim.RMSprop(p, 0.002, eps=1e-3, centered=True, momentum=0.5),
    ),
    "Adam": Case(lambda p: nn.Adam(p, 0.01), lambda optim, p: optim.Adam(p, 0.01)),
    "Adam, other settings": Case(
        lambda p: nn.Adam(p, 0.02, beta1=0.8, beta2=0.95, epsilon=1e-3, weight_decay=0.01),
        lambda optim, p: optim.Adam(p, 0.02, betas=(0.8, 0.95), eps=1e-3, weight_decay=0.01),
    ),
    "Adam, amsgrad": Case(
        lambda p: nn.Adam(p, 0.05, beta2=0.9, amsgrad=True),
        lambda optim, p: optim.Adam(p, 0.05, betas=(0.9, 0.9), amsgrad=True),
    ),
    "AdamW": Case(lambda p: nn.AdamW(p, 0.01), lambda optim, p: optim.AdamW(p, 0.01)),
    "AdamW, amsgrad and weight decay": Case(
        lambda p: nn.AdamW(p, 0.05, beta2=0.9, weight_decay=0.5, amsgrad=True),
        lambda optim, p: optim.AdamW(p, 0.05, betas=(0.9, 0.9), weight_decay=0.5, amsgrad=True),
    ),
}

SCHEDULES = {
    "StepDecay": adam(
        lambda o: nn.StepDecay(o, every=30, factor=0.5),
        lambda schedulers, o: schedulers.StepLR(o, step_size=30, gamma=0.5),
    ),
    "ExponentialDecay": adam(
        lambda o: nn.ExponentialDecay(o, factor=0.97),
        lambda schedulers, o: schedulers.ExponentialLR(o, gamma=0.97),
    ),
    "CosineAnnealing": adam(
        lambda o: nn.CosineAnnealing(o, duration=100, minimum_rate=1e-3),
        lambda schedulers, o: schedulers.CosineAnnealingLR(o, T_max=100, eta_min=1e-3),
    ),
    "CosineAnnealing, there and back": adam(
        lambda o: nn.CosineAnnealing(o, duration=21),
        lambda schedulers, o: schedulers.CosineAnnealingLR(o, T_max=21),
    ),
    "WarmUp": adam(
        lambda o: nn.WarmUp(o, duration=17, start=0.1),
        lambda schedulers, o: schedulers.LinearLR(o, start_factor=0.1, total_iters=17),
    ),
    "WarmUp, then CosineAnnealing": adam(
        lambda o: nn.WarmUp(o, duration=20, then=nn.CosineAnnealing(o, duration=80)),
        lambda schedulers, o: sequence(
            schedulers,
            o,
            lambda o: schedulers.LinearLR(o, total_iters=20),
            lambda o: schedulers.CosineAnnealingLR(o, T_max=80),
            20,
        ),
    ),
    "WarmUp, then StepDecay": adam(
        lambda o: nn.WarmUp(o, duration=5, then=nn.StepDecay(o, every=10)),
        lambda schedulers, o: sequence(
            schedulers,
            o,
            lambda o: schedulers.LinearLR(o, total_iters=5),
            lambda o: schedulers.StepLR(o, step_size=10),
            5,
        ),
    ),
    "ReduceOnPlateau": adam(
        lambda o: nn.ReduceOnPlateau(o, factor=0.5, patience=2, threshold=0.05, cooldown=3, minimum_rate=1e-3),
        lambda schedulers, o: schedulers.ReduceLROnPlateau(
            o, factor=0.5, patience=2, threshold=0.05, cooldown=3, min_lr=1e-3
        ),
    ),
    "ReduceOnPlateau, absolute": adam(
        lambda o: nn.ReduceOnPlateau(o, "max", factor=0.7, patience=8, threshold=0.1, threshold_mode="absolute"),
        lambda schedulers, o: schedulers.ReduceLROnPlateau(
            o, "max", factor=0.7, patience=8, threshold=0.1, threshold_mode="abs"
        ),
    ),
    "OneCycle": adam(
        lambda o: nn.OneCycle(o, duration=101),
        lambda schedulers, o: schedulers.OneCycleLR(o, max_lr=[0.02, 0.005], total_steps=101, cycle_momentum=False),
    ),
    "OneCycle, linear with beta1": adam(
        lambda o: nn.OneCycle(
            o, 110, warm_up=0.2, start_divisor=10.0, end_divisor=50.0, anneal="linear", cycle_momentum=True
        ),
        lambda schedulers, o: schedulers.OneCycleLR(
            o, [0.02, 0.005], 110, pct_start=0.2, div_factor=10.0, final_div_factor=50.0, anneal_strategy="linear"
        ),
    ),
    "OneCycle, momentum": Case(
        lambda p: nn.SGD(p, 0.2, momentum=0.9),
        lambda optim, p: optim.SGD(p, 0.2, momentum=0.9),
        lambda o: nn.OneCycle(o, 120, cycle_momentum=True, base_momentum=0.5, max_momentum=0.9),
        lambda optim, o: optim.lr_scheduler.OneCycleLR(o, 0.2, 120, base_momentum=0.5, max_momentum=0.9),
    ),
}

CASES = OPTIMIZERS | SCHEDULES


def network():
    """3-5-4 with tanh; its weights are sines and cosines, so that no generator has to agree."""
    model = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 4))
    for k, layer in enumerate([model[0], model[2]]):
        layer.weight.data = np.sin(np.arange(layer.weight.size) + k + 1.0).reshape(layer.weight.shape)
        layer.bias.data = np.cos(np.arange(layer.bias.size) + k + 1.0)
    return model


def wave(step):
    """A metric for schedules that watch one: it falls, and rises in between."""
    return math.exp(-step / 40) + 0.2 * math.sin(step / 3)


def ours(case):
    """Our figures: the losses, the rates of the last group, and all parameters at the end."""
    model = network()
    optimizer = case.ours(model.parameters())
    schedule = case.our_schedule and case.our_schedule(optimizer)
    losses, rates = [], []
    for step in range(STEPS):
        optimizer.zero_grad()
        loss = nn.cross_entropy(model(X), Y)
        loss.backward()
        rates.append(optimizer.groups[-1].learning_rate)
        optimizer.step()
        losses.append(loss.item())
        if schedule:
            schedule.step(wave(step))
    return {"losses": losses, "rates": rates, "parameters": flat(model.parameters())}


def theirs(case):
    """PyTorch's."""
    import torch

    torch.set_num_threads(1)
    parameters = [torch.from_numpy(p.data.copy()).requires_grad_() for p in network().parameters()]
    optimizer = case.theirs(torch.optim, parameters)
    schedule = case.their_schedule and case.their_schedule(torch.optim, optimizer)
    losses, rates = [], []
    for step in range(STEPS):
        optimizer.zero_grad()
        w, b, v, c = parameters
        logits = torch.tanh(torch.from_numpy(X) @ w.T + b) @ v.T + c
        loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(Y))
        loss.backward()
        rates.append(float(optimizer.param_groups[-1]["lr"]))
        optimizer.step()
        losses.append(loss.item())
        if schedule:
            watches = isinstance(schedule, torch.optim.lr_scheduler.ReduceLROnPlateau)
            schedule.step(wave(step)) if watches else schedule.step()
    return {"losses": losses, "rates": rates, "parameters": flat([p.detach().numpy() for p in parameters])}


def flat(arrays):
    return [number for array in arrays for number in np.ravel(getattr(array, "data", array)).tolist()]


if __name__ == "__main__":
    figures = {name: theirs(case) for name, case in CASES.items()}
    lines = [f"{json.dumps(name)}: {json.dumps(each)}" for name, each in figures.items()]
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")
