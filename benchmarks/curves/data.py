"""What the networks learn: data that scikit-learn brings along, or that is made, always the same. Called by `training`.

Inputs have mean 0 and standard deviation 1; targets of a regression, too.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.problems.curves import gratings
from benchmarks.problems.learning import digits, shuffled

if TYPE_CHECKING:
    import torch

__all__ = ["Data", "data", "house_prices"]

Array = NDArray[Any]

_SEED = 0


class Data(NamedTuple):
    """Inputs (n, ...) and targets (n,) or (n, length) to train on, and others to validate on.

    Classes are whole numbers; `outputs` is how many there are, or 0 in a regression.
    """

    inputs: torch.Tensor
    targets: torch.Tensor
    unseen: torch.Tensor
    answers: torch.Tensor
    outputs: int


@functools.cache
def data(name: str) -> Data:
    """Of the task of that name."""
    return _DATA[name]()


def _split(inputs: Array, targets: Array, train: int, outputs: int, axis: int | None = 0) -> Data:
    """The first so many to train on. Inputs are standardised along an axis, or as a whole."""
    import torch

    known = inputs[:train]
    scaled = (inputs - known.mean(axis=axis)) / (known.std(axis=axis) + 1e-3)
    x = torch.as_tensor(scaled, dtype=torch.float32)
    if outputs:
        y = torch.as_tensor(targets, dtype=torch.int64)
    else:
        y = torch.as_tensor((targets - targets[:train].mean()) / targets[:train].std(), dtype=torch.float32)
    return Data(x[:train], y[:train], x[train:], y[train:], outputs)


def _images(inputs: Array, targets: Array, train: int) -> Data:
    return _split(inputs.reshape(-1, 1, 8, 8), targets, train, 10, axis=None)


def _digits(train: int) -> Data:
    split = digits(train, 1000)
    inputs, targets = np.concatenate([split.inputs, split.unseen]), np.concatenate([split.targets, split.answers])
    return _images(inputs, targets, train)


def _flat_digits() -> Data:
    images = _digits(300)
    return images._replace(inputs=images.inputs.flatten(1), unseen=images.unseen.flatten(1))


def _gratings() -> Data:
    return _images(*gratings(0.5), 400)


def _cancer() -> Data:
    return _split(*shuffled("breast_cancer"), 280, 2)


def _friedman2() -> Data:
    """Friedman's second function (1991) of four inputs, with noise, and four inputs that don't matter."""
    from sklearn.datasets import make_friedman2

    generator = np.random.default_rng(_SEED)
    inputs, targets = make_friedman2(1400, random_state=_SEED)
    targets = targets / targets.std() + 0.1 * generator.standard_normal(1400)
    return _split(np.concatenate([inputs, generator.standard_normal((1400, 4))], axis=1), targets, 400, 0)


def house_prices(number: int) -> tuple[Array, Array]:
    """Made, as California's houses: prices by place (near some centres), income, size and age, with skewed noise."""
    generator = np.random.default_rng(_SEED)
    place, centres = generator.uniform(0, 10, (number, 2)), generator.uniform(0, 10, (6, 2))
    income, rooms = generator.lognormal(1, 0.5, number), generator.gamma(5, 1, number)
    age = generator.uniform(1, 52, number)
    near = np.exp(-((place[:, None] - centres) ** 2).sum(axis=2) / 2).sum(axis=1)
    price = income * (0.5 + near) + 2 * np.log1p(rooms) * (age > 25) + np.abs(income - rooms / 2)
    price = np.minimum(price * generator.lognormal(0, 0.1, number), 20)
    inputs = np.column_stack([place, income, rooms, age, rooms / income, generator.standard_normal((number, 2))])
    return inputs, price


def _waves() -> Data:
    """Noisy series of 24 steps: sine, square, saw, chirp, decay or a walk, of any frequency and phase."""
    generator = np.random.default_rng(_SEED)
    kinds, steps = generator.integers(6, size=1200), np.arange(24)
    phase = generator.uniform(0, 1, (1200, 1)) + steps / generator.uniform(5, 14, (1200, 1))
    chirp = np.sin(2 * np.pi * phase * (1 + steps / 24))
    walk = generator.standard_normal((1200, 24)).cumsum(axis=1) / 3
    sine = np.sin(2 * np.pi * phase)
    shapes = np.stack([sine, np.sign(sine), 2 * (phase % 1) - 1, chirp, sine * np.exp(-steps / 8), walk])
    inputs = shapes[kinds, np.arange(1200)] + 0.3 * generator.standard_normal((1200, 24))
    return _split(inputs[:, :, None], kinds, 400, 6, axis=None)


def _series() -> Data:
    """Mackey and Glass's chaotic series (1977): 24 values, of which the one nine steps ahead has to be told."""
    generator, values = np.random.default_rng(_SEED), [1.2] * 18
    for _ in range(12_000):
        values.append(0.9 * values[-1] + 0.2 * values[-18] / (1 + values[-18] ** 10))
    series = np.array(values[300::3])
    starts = generator.permutation(len(series) - 40)[:1300]
    inputs = series[starts[:, None] + np.arange(24)] + 0.02 * generator.standard_normal((1300, 24))
    return _split(inputs[:, :, None], series[starts + 32], 500, 0, axis=None)


def _tokens(tokens: Array, length: int, symbols: int) -> Data:
    """Sequences, each of which is input up to its last symbol, and target from its second one on."""
    import torch

    texts = torch.as_tensor(tokens[: len(tokens) // length * length].reshape(-1, length), dtype=torch.int64)
    texts = texts[torch.randperm(len(texts), generator=torch.Generator().manual_seed(_SEED))][:400]
    return Data(texts[:200, :-1], texts[:200, 1:], texts[200:, :-1], texts[200:, 1:], symbols)


def _grammar() -> Data:
    """Sequences of 16 symbols: mostly one of two that may follow the last one, or what stood eight places before."""
    generator = np.random.default_rng(_SEED)
    following, tokens = generator.integers(16, size=(16, 2)), list(generator.integers(16, size=8))
    for _ in range(400 * 24):
        options = [*following[tokens[-1]], tokens[-8], generator.integers(16)]
        tokens.append(options[generator.choice(4, p=[0.5, 0.2, 0.2, 0.1])])
    return _tokens(np.array(tokens[8:]), 24, 16)


def _text() -> Data:
    """English: what scikit-learn says of its data sets, in 32 characters."""
    import sklearn.datasets

    folder = Path(sklearn.datasets.__file__).parent / "descr"
    text = " ".join(path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.rst")))
    text = " ".join(text.lower().split())
    symbols = "abcdefghijklmnopqrstuvwxyz ,.:-"
    return _tokens(np.array([symbols.find(each) % 32 for each in text]), 24, 32)


_DATA: dict[str, Callable[[], Data]] = {
    "cnn-gratings": _gratings,
    "mlp-cancer": _cancer,
    "mlp-friedman2": _friedman2,
    "transformer-grammar": _grammar,
    "recurrent-waves": _waves,
    "cnn-digits": lambda: _digits(400),
    "mlp-digits": _flat_digits,
    "mlp-houses": lambda: _split(*house_prices(1500), 500, 0),
    "transformer-text": _text,
    "recurrent-series": _series,
}
