"""Snapshots: what training changes, kept to be put back."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..module import Module
from ..optimizers import Optimizer


class Generators:
    """The generators of random numbers that the modules of a model hold, such as those of Dropout."""

    def __init__(self, model: Module) -> None:
        held = [part for module in model.modules() for part in vars(module).values()]
        self.generators = {id(part): part for part in held if isinstance(part, np.random.Generator)}.values()

    def state_dict(self) -> dict[str, Any]:
        """Return their states, numbered."""
        return {str(number): each.bit_generator.state for number, each in enumerate(self.generators)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Let them go on from there."""
        for each, one in zip(self.generators, state.values(), strict=True):
            each.bit_generator.state = one


class Keeper:
    """Takes snapshots of all that training changes, and puts them back: a model, its gradients and what trains it."""

    def __init__(self, model: Module, optimizer: Optimizer, *others: Any) -> None:
        self.parts = (model, Generators(model), optimizer, *others)
        self.modules = model.modules()
        self.leaves = list({id(leaf): leaf for leaf in [*model.parameters(), *optimizer.parameters]}.values())

    def take(self) -> tuple[Any, ...]:
        """Return a snapshot."""
        states = [part.state_dict() for part in self.parts]
        modes = [module.training for module in self.modules]
        leaves = [(copy.copy(leaf.data), copy.copy(leaf.grad)) for leaf in self.leaves]
        return states, modes, leaves

    def put(self, snapshot: tuple[Any, ...]) -> None:
        """Put everything back."""
        states, modes, leaves = snapshot
        for part, state in zip(self.parts, states):
            part.load_state_dict(state)
        for module, mode in zip(self.modules, modes):
            module.training = mode
        for leaf, (data, grad) in zip(self.leaves, leaves):
            leaf.data, leaf.grad = data, copy.copy(grad)
