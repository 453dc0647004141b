"""Layers: the modules that models are built of, with the names and the parameters that they have in PyTorch.

The batch comes first in every input, and features last, except where there is space: `(batch, channels, ...)`.

| to see | read |
|---|---|
| the affine map | `linear.py` |
| activations and their names | `activations.py` |
| modules one after the other, and beside their input | `containers.py` |
| mean 0 and variance 1, over the batch or the features | `normalization.py` |
| the same small affine map at every place of a sequence or an image | `convolution.py` |
| one number for each window, and all axes in one | `pooling.py` |
| a vector for each token | `embedding.py` |
| noise while training | `dropout.py` |
| the same step again and again along time | `recurrent.py` |
| positions that look at each other, and a block of a Transformer | `attention.py` |
| sizes, dtypes, seeds and shapes, checked; weights drawn; a layer in words | `settings.py` |
"""

from .linear import Linear
from .activations import (
    ACTIVATIONS, ELU, GELU, Identity, LeakyReLU, ReLU, Sigmoid, SiLU, Softmax, Softplus, Tanh,
)  # fmt: skip
from .containers import MLP, Residual, Sequential
from .normalization import BatchNorm, BatchNorm1d, BatchNorm2d, LayerNorm
from .convolution import Conv1d, Conv2d
from .pooling import AvgPool1d, AvgPool2d, Flatten, MaxPool1d, MaxPool2d
from .embedding import Embedding
from .dropout import Dropout
from .recurrent import GRU, LSTM, RNN
from .attention import MultiheadAttention, TransformerBlock

__all__ = [
    "ACTIVATIONS", "AvgPool1d", "AvgPool2d", "BatchNorm", "BatchNorm1d", "BatchNorm2d", "Conv1d", "Conv2d", "Dropout",
    "ELU", "Embedding", "Flatten", "GELU", "GRU", "Identity", "LSTM", "LayerNorm", "LeakyReLU", "Linear", "MLP",
    "MaxPool1d", "MaxPool2d", "MultiheadAttention", "RNN", "ReLU", "Residual", "Sequential", "SiLU", "Sigmoid",
    "Softmax", "Softplus", "Tanh", "TransformerBlock",
]  # fmt: skip
