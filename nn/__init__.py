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

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

# Models and their parts.
from .module import Module, StateError
from .layers import (
    # from features or tokens to features
    Embedding, Linear,
    # activations
    ELU, GELU, Identity, LeakyReLU, ReLU, Sigmoid, SiLU, Softmax, Softplus, Tanh,
    # modules of modules
    MLP, Residual, Sequential,
    # what helps training
    BatchNorm, BatchNorm1d, BatchNorm2d, Dropout, LayerNorm,
    # images and sequences
    AvgPool1d, AvgPool2d, Conv1d, Conv2d, Flatten, MaxPool1d, MaxPool2d,
    GRU, LSTM, MultiheadAttention, RNN, TransformerBlock,
)  # fmt: skip
from . import neurons

# What weights start from.
from . import initializers

# What is made small, and how.
from .losses import (
    binary_cross_entropy_with_logits, cosine_embedding_loss, cross_entropy, hinge_loss, huber_loss, kl_div, l1_loss,
    mse_loss, nll_loss, squared_hinge_loss, triplet_margin_loss,
)  # fmt: skip
from .optimizers import Adagrad, Adam, AdamW, Lion, Optimizer, RMSprop, SGD
from .lbfgs import LBFGS
from .schedules import CosineAnnealing, ExponentialDecay, OneCycle, ReduceOnPlateau, Schedule, StepDecay, WarmUp
from .clipping import clip_grad_norm, clip_grad_value

# Training and its figures.
from . import datasets
from .data import Batches, batches, split
from .training import Averaging, DivergenceError, EarlyStopping, History, evaluate, fit
from .metrics import (
    accuracy, confusion_matrix, f1_score, mean_absolute_error, mean_squared_error, plot_confusion_matrix, precision,
    r2_score, recall, roc_auc, top_k_accuracy,
)  # fmt: skip

# Weights and whole runs in files.
from .checkpoints import CheckpointError, load_checkpoint, load_weights, save_checkpoint, save_weights

__all__ = [
    "Adagrad", "Adam", "AdamW", "Averaging", "AvgPool1d", "AvgPool2d", "BatchNorm", "BatchNorm1d", "BatchNorm2d",
    "Batches", "CheckpointError", "Conv1d", "Conv2d", "CosineAnnealing", "DivergenceError", "Dropout", "ELU",
    "EarlyStopping", "Embedding", "ExponentialDecay", "Flatten", "GELU", "GRU", "History", "Identity", "LBFGS",
    "LSTM", "LayerNorm", "LeakyReLU", "Linear", "Lion", "MLP", "MaxPool1d", "MaxPool2d", "Module",
    "MultiheadAttention", "OneCycle", "Optimizer", "RMSprop", "RNN", "ReLU", "ReduceOnPlateau", "Residual", "SGD",
    "Schedule", "Sequential", "SiLU", "Sigmoid", "Softmax", "Softplus", "StateError", "StepDecay", "Tanh",
    "TransformerBlock", "WarmUp", "accuracy", "batches", "binary_cross_entropy_with_logits", "clip_grad_norm",
    "clip_grad_value", "confusion_matrix", "cosine_embedding_loss", "cross_entropy", "datasets", "evaluate",
    "f1_score", "fit", "hinge_loss", "huber_loss", "initializers", "kl_div", "l1_loss", "load_checkpoint",
    "load_weights", "mean_absolute_error", "mean_squared_error", "mse_loss", "neurons", "nll_loss",
    "plot_confusion_matrix", "precision", "r2_score", "recall", "roc_auc", "save_checkpoint", "save_weights",
    "split", "squared_hinge_loss", "top_k_accuracy", "triplet_margin_loss",
]  # fmt: skip

if TYPE_CHECKING:
    from .estimators import MLPClassifier, MLPRegressor, NetworkClassifier, NetworkRegressor

ESTIMATORS = ["MLPClassifier", "MLPRegressor", "NetworkClassifier", "NetworkRegressor", "estimators"]


def __dir__() -> list[str]:
    return sorted([*__all__, *ESTIMATORS])


def __getattr__(name: str) -> Any:
    """Import the estimators when one of them is asked for: they need scikit-learn."""
    if name in ESTIMATORS:
        import nn.estimators as estimators  # `from . import` would ask this function again

        return getattr(estimators, name, estimators)
    known = {each.replace("_", "").lower(): each for each in __dir__()}  # PyTorch's MSELoss is mse_loss here
    close = get_close_matches(name.replace("_", "").lower(), known, n=1)
    hint = f". Did you mean {known[close[0]]!r}?" if close else ""
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}{hint}")
