"""chainrule's networks: modules, losses, optimisers and training, written with the engine's public names only.

>>> import numpy as np
>>> import nn
>>> model = nn.MLP([2, 8, 2], seed=0)
>>> x = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
>>> y = np.array([0, 1, 1, 0])
>>> adam = nn.Adam(model.parameters(), learning_rate=0.05)
>>> history = nn.fit(model, x, y, loss=nn.cross_entropy, optimizer=adam, epochs=100, progress=False)
>>> nn.accuracy(model(x), y)
1.0
"""

# Models and their parts.
from .module import Module
from .layers import Identity, LeakyReLU, Linear, MLP, ReLU, Sequential, Sigmoid, Softmax, Softplus, Tanh
from . import neurons

# What weights start from.
from . import initializers

# What is made small, and how.
from .losses import cross_entropy, mse_loss
from .optimizers import Adam, Optimizer, SGD

# Training and its figures.
from . import datasets
from .data import Batches, batches, split
from .training import DivergenceError, History, evaluate, fit
from .metrics import accuracy

__all__ = [
    "Adam", "Batches", "DivergenceError", "History", "Identity", "LeakyReLU", "Linear", "MLP", "Module", "Optimizer",
    "ReLU", "SGD", "Sequential", "Sigmoid", "Softmax", "Softplus", "Tanh", "accuracy", "batches", "cross_entropy",
    "datasets", "evaluate", "fit", "initializers", "mse_loss", "neurons", "split",
]  # fmt: skip
