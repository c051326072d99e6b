"""Networks that really train, with the number of epochs as fidelity: validation losses on small data sets.

A training is a constant of its configuration: weights and the order of each epoch are drawn from fixed seeds, so
training on from epoch k to m comes to the same as m epochs at once. An evaluator keeps its trainings, to go on with.
Each is below 0.5 s on average, on one thread. The first loss loads libraries and data.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.problems.fidelities import FidelityProblem, Quality, moved
from benchmarks.problems.learning import WORST, Split, digits, log_loss, one_thread, shuffled
from benchmarks.problems.problem import Config, Param, choice, real, whole

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray
    from torch import nn

__all__ = ["REPORTED", "TUNED", "gratings"]

_SEED = 0


@dataclasses.dataclass(frozen=True, slots=True)
class _Task:
    """Data to learn, the network of a configuration, and what guessing gets. `classes` is 0 in a regression."""

    data: Callable[[], Split]
    network: Callable[[Config, int, int], nn.Module]
    guessing: float
    classes: int = 0


class _Training:
    """The network of one configuration, trained as far as it was asked for."""

    def __init__(self, task: _Task, config: Config) -> None:
        import torch

        self._task, self._config = task, config
        split = _tensors(task)
        self._inputs, self._targets, self._unseen, self._answers = split
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(_SEED)
            self._network = task.network(config, self._inputs.shape[1], task.classes or 1)
        self._optimizer = _optimizer(self._network, config)
        self._losses: list[float] = []

    def loss(self, epochs: int) -> float:
        """On the data that it was not trained on, after so many epochs."""
        with one_thread(), np.errstate(all="ignore"):
            while len(self._losses) < epochs:
                self._train()
                self._losses.append(self._validate())
        return self._losses[epochs - 1]

    def _train(self) -> None:
        """One epoch, seeded by its number, so that it doesn't matter when it is trained."""
        import torch

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(_SEED + 1 + len(self._losses))
            self._network.train()
            for batch in torch.randperm(len(self._targets)).split(self._config["batch_size"]):
                self._optimizer.zero_grad()
                self._error(self._network(self._inputs[batch]), self._targets[batch]).backward()
                self._optimizer.step()

    def _error(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        from torch.nn import functional

        if self._task.classes:
            return functional.cross_entropy(outputs, targets)
        return functional.mse_loss(outputs[:, 0], targets)

    def _validate(self) -> float:
        """Log loss, or the squared error in units of the variance; bounded, also where a training diverges."""
        import torch

        with torch.no_grad():
            outputs = self._network.eval()(self._unseen)
        if self._task.classes:
            loss = log_loss(outputs.softmax(dim=1).double().numpy(), self._answers)
        else:
            loss = float(((outputs[:, 0].double().numpy() - self._answers) ** 2).mean() / self._answers.var())
        worst = WORST * self._task.guessing
        return min(loss, worst) if math.isfinite(loss) else worst


class _Trainings:
    """The trainings of one run."""

    def __init__(self, task: _Task, top: int) -> None:
        self._task, self._top = task, top
        self._known: dict[tuple[Any, ...], _Training] = {}

    def loss(self, config: Config, fidelity: int) -> float:
        """See `Evaluator`."""
        key = tuple(config[name] for name in sorted(config))
        if key not in self._known:
            self._known[key] = _Training(self._task, config)
        return self._known[key].loss(fidelity)

    def value(self, config: Config) -> float:
        """See `Evaluator`."""
        return self.loss(config, self._top)


@functools.cache
def _tensors(task: _Task) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, Any]:
    """Inputs with mean 0 and standard deviation 1 (of constants: 0), and targets; answers stay an array."""
    import torch

    split = task.data()
    centre, spread = split.inputs.mean(axis=0), split.inputs.std(axis=0) + 0.1
    inputs, unseen = (torch.as_tensor((x - centre) / spread, dtype=torch.float32) for x in (split.inputs, split.unseen))
    targets = torch.as_tensor(split.targets, dtype=torch.int64 if task.classes else torch.float32)
    return inputs, targets, unseen, split.answers


def _optimizer(network: nn.Module, config: Config) -> torch.optim.Optimizer:
    import torch

    rate, decay, momentum = config["learning_rate"], config["weight_decay"], config["momentum"]
    if config["optimizer"] == "sgd":
        return torch.optim.SGD(network.parameters(), rate, momentum=momentum, weight_decay=decay, fused=True)
    return torch.optim.AdamW(network.parameters(), rate, (momentum, 0.999), weight_decay=decay, fused=True)


def _perceptron(config: Config, inputs: int, outputs: int) -> nn.Module:
    from torch import nn

    activation = {"relu": nn.ReLU, "tanh": nn.Tanh}[config["activation"]]
    sizes = [inputs] + config["layers"] * [config["width"]]
    hidden = [
        layer
        for size, following in itertools.pairwise(sizes)
        for layer in (nn.Linear(size, following), activation(), nn.Dropout(config["dropout"]))
    ]
    return nn.Sequential(*hidden, nn.Linear(sizes[-1], outputs))


def _convolutions(config: Config, _: int, outputs: int) -> nn.Module:
    """Two convolutions of images of 8 x 8, each halved."""
    from torch import nn

    channels = config["channels"]
    return nn.Sequential(
        nn.Unflatten(1, (1, 8, 8)),
        *(nn.Conv2d(1, channels, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(channels, 2 * channels, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Dropout(config["dropout"]), nn.Linear(8 * channels, outputs)),
    )


def _cancer() -> Split:
    inputs, targets = shuffled("breast_cancer")
    inputs = inputs / inputs.std(axis=0)
    return Split(inputs[:280], targets[:280], inputs[280:], targets[280:])


def _classes() -> Split:
    """Five classes of two clusters each, in 12 dimensions of which 4 are noise, some labels wrong."""
    from sklearn.datasets import make_classification

    inputs, targets = make_classification(
        1200, 12, n_informative=8, n_redundant=0, n_classes=5, n_clusters_per_class=2, flip_y=0.05, random_state=_SEED
    )
    return Split(inputs[:500], targets[:500], inputs[500:], targets[500:])


def _friedman() -> Split:
    """Friedman's first function (1991), of five of ten inputs."""
    from sklearn.datasets import make_friedman1

    inputs, targets = make_friedman1(1300, noise=1.0, random_state=_SEED)
    targets = (targets - targets.mean()) / targets.std()
    return Split(inputs[:300], targets[:300], inputs[300:], targets[300:])


def _friedmans(number: int) -> Split:
    """Friedman's second or third function (1991), of four inputs."""
    import sklearn.datasets

    inputs, targets = getattr(sklearn.datasets, f"make_friedman{number}")(1300, random_state=_SEED)
    inputs, targets = inputs / inputs.std(axis=0), (targets - targets.mean()) / targets.std()
    targets = targets + 0.2 * np.random.default_rng(_SEED).standard_normal(len(targets))
    return Split(inputs[:300], targets[:300], inputs[300:], targets[300:])


def gratings(noise: float) -> tuple[NDArray[Any], NDArray[Any]]:
    """Noisy waves over images of 8 x 8, in ten orientations and any phase: (1200, 64), and which orientation, (1200,).

    Most networks learn nothing at first.
    """
    generator = np.random.default_rng(_SEED)
    targets = generator.integers(10, size=1200)
    angles, phases = np.pi * targets / 10, generator.uniform(0, 2 * np.pi, size=1200)
    x, y = np.meshgrid(np.arange(8), np.arange(8))
    along = np.cos(angles)[:, None] * x.ravel() + np.sin(angles)[:, None] * y.ravel()
    return np.sin(1.5 * along + phases[:, None]) + noise * generator.standard_normal((1200, 64)), targets


def _gratings() -> Split:
    inputs, targets = gratings(0.7)
    return Split(inputs[:400], targets[:400], inputs[400:], targets[400:])


_STEPS = (
    real("learning_rate", 1e-4, 1, log=True),
    real("momentum", 0, 0.99),
    real("weight_decay", 1e-6, 1e-1, log=True),
    real("dropout", 0, 0.6),
    whole("batch_size", 16, 256, log=True),
    choice("optimizer", "sgd", "adamw"),
)
_CNN = (*_STEPS, whole("channels", 2, 16, log=True))
_MLP = (
    *_STEPS,
    whole("width", 8, 128, log=True),
    whole("layers", 1, 3),
    choice("activation", "relu", "tanh"),
)


def _problem(
    name: str, task: _Task, space: tuple[Param, ...], epochs: int, priors: dict[Quality, tuple[Any, ...]]
) -> FidelityProblem:
    """`priors` are values in the order of the space: good and bad ones among 80 random configurations."""
    centres = {
        quality: dict(zip((param["name"] for param in space), values, strict=True))
        for quality, values in priors.items()
    }
    return FidelityProblem(
        f"mf-{name}",
        space,
        whole("epochs", 1, epochs),
        lambda fidelity: fidelity / epochs,
        lambda _: _Trainings(task, epochs),
        lambda quality, seed: moved(space, centres[quality], seed),
    )


REPORTED = (
    _problem(
        "digits",
        _Task(lambda: digits(400, 800), _convolutions, math.log(10), 10),
        _CNN,
        27,
        {"good": (0.14, 0.55, 2e-5, 0.2, 38, "sgd", 10), "bad": (0.004, 0.3, 0.04, 0.17, 112, "sgd", 3)},
    ),
    _problem(
        "friedman",
        _Task(_friedman, _perceptron, 1.0),
        _MLP,
        81,
        {
            "good": (0.14, 0.55, 2e-5, 0.2, 38, "sgd", 73, 1, "relu"),
            "bad": (0.0043, 0.27, 0.007, 0.31, 61, "sgd", 23, 3, "relu"),
        },
    ),
)
"""Tasks that results are reported on: no optimizer is tuned on them."""
TUNED = (
    _problem(
        "cancer",
        _Task(_cancer, _perceptron, math.log(2), 2),
        _MLP,
        27,
        {
            "good": (0.086, 0.83, 0.0055, 0.03, 204, "sgd", 99, 1, "tanh"),
            "bad": (0.25, 0.9, 0.0046, 0.54, 53, "adamw", 36, 2, "relu"),
        },
    ),
    _problem(
        "classes",
        _Task(_classes, _perceptron, math.log(5), 5),
        _MLP,
        81,
        {
            "good": (0.009, 0.26, 5e-6, 0.49, 24, "adamw", 87, 1, "tanh"),
            "bad": (0.146, 0.75, 1e-3, 0.08, 43, "adamw", 121, 3, "relu"),
        },
    ),
    _problem(
        "friedman2",
        _Task(lambda: _friedmans(2), _perceptron, 1.0),
        _MLP,
        81,
        {
            "good": (0.011, 0.51, 0.0058, 0.089, 155, "adamw", 70, 1, "tanh"),
            "bad": (1.3e-4, 0.75, 4.9e-4, 0.2, 142, "sgd", 27, 1, "relu"),
        },
    ),
    _problem(
        "friedman3",
        _Task(lambda: _friedmans(3), _perceptron, 1.0),
        _MLP,
        81,
        {
            "good": (0.074, 0.27, 4.7e-6, 0.028, 25, "sgd", 34, 2, "tanh"),
            "bad": (1.3e-4, 0.75, 4.9e-4, 0.2, 142, "sgd", 27, 1, "relu"),
        },
    ),
    _problem(
        "gratings",
        _Task(_gratings, _convolutions, math.log(10), 10),
        _CNN,
        27,
        {
            "good": (0.0073, 0.091, 0.0014, 0.37, 17, "adamw", 10),
            "bad": (0.13, 0.78, 0.0063, 0.36, 204, "adamw", 5),
        },
    ),
)
"""Tasks, of other data, that optimizers are developed on."""
