"""The networks: convolutions, perceptrons, a small transformer, recurrent ones. Called by `training`."""

from __future__ import annotations

import itertools
import math

import torch
from torch import nn

from benchmarks.curves.data import Data
from benchmarks.problems.problem import Config

__all__ = ["network"]


def network(kind: str, config: Config, data: Data) -> nn.Module:
    """Of the kind that a task's name begins with, for its data."""
    outputs = data.outputs or 1
    match kind:
        case "cnn":
            return _convolutions(config, outputs)
        case "mlp":
            return _perceptron(config, data.inputs.shape[1], outputs)
        case "transformer":
            return _Transformer(config, data.inputs.shape[1], outputs)
        case _:
            return _Recurrent(config, outputs)


def _convolutions(config: Config, outputs: int) -> nn.Module:
    """Two convolutions of images of 8 x 8, each halved."""
    channels = config["channels"]
    return nn.Sequential(
        *(nn.Conv2d(1, channels, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(channels, 2 * channels, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Dropout(config["dropout"]), nn.Linear(8 * channels, outputs)),
    )


def _perceptron(config: Config, inputs: int, outputs: int) -> nn.Module:
    width = config["width"]
    activation = {"relu": nn.ReLU, "tanh": nn.Tanh, "gelu": nn.GELU}[config.get("activation", "relu")]
    between = {"none": nn.Identity, "batch": nn.BatchNorm1d, "layer": nn.LayerNorm}[config.get("normalisation", "none")]
    sizes = [inputs] + config["layers"] * [width]
    hidden = [
        layer
        for size, following in itertools.pairwise(sizes)
        for layer in (nn.Linear(size, following), between(width), activation(), nn.Dropout(config.get("dropout", 0)))
    ]
    return nn.Sequential(*hidden, nn.Linear(width, outputs))


class _Attention(nn.Module):
    """A layer of a transformer: what stands before a place, and then a perceptron; normalised before each."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self._heads = heads
        self._first, self._second = nn.LayerNorm(width), nn.LayerNorm(width)
        self._projected, self._mixed = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self._perceptron = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self._dropout = nn.Dropout(dropout)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        number, length, width = hidden.shape
        projected = self._projected(self._first(hidden)).view(number, length, 3, self._heads, -1)
        queries, keys, values = projected.permute(2, 0, 3, 1, 4)
        seen = nn.functional.scaled_dot_product_attention(queries, keys, values, is_causal=True)
        hidden = hidden + self._dropout(self._mixed(seen.transpose(1, 2).reshape(number, length, width)))
        further: torch.Tensor = self._dropout(self._perceptron(self._second(hidden)))
        return hidden + further


class _Transformer(nn.Module):
    """The next symbol after each place."""

    def __init__(self, config: Config, length: int, symbols: int) -> None:
        super().__init__()
        width = config["head_width"] * config["heads"]
        self._symbols = nn.Embedding(symbols, width)
        self._places = nn.Parameter(torch.randn(length, width) / math.sqrt(width))
        layers = (_Attention(width, config["heads"], config["dropout"]) for _ in range(config["layers"]))
        self._layers = nn.Sequential(*layers, nn.LayerNorm(width), nn.Linear(width, symbols))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self._layers(self._symbols(inputs) + self._places)  # type: ignore[no-any-return]


class _Recurrent(nn.Module):
    """What a series is, or what follows it, told after its last step."""

    def __init__(self, config: Config, outputs: int) -> None:
        super().__init__()
        cell = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}[config["cell"]]
        self._cells = cell(1, config["width"], batch_first=True)
        self._told = nn.Sequential(nn.Dropout(config.get("dropout", 0)), nn.Linear(config["width"], outputs))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        hidden, _ = self._cells(inputs)
        return self._told(hidden[:, -1])  # type: ignore[no-any-return]
