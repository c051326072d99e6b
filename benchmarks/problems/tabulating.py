"""Makes the tables of `tabulated`: some minutes. Networks of the same layers are trained at once."""

from __future__ import annotations

import os

if __name__ == "__main__":  # before numpy is imported
    os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

import itertools
import math
import time
import warnings
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.problems.learning import digits, one_thread, shuffled
from benchmarks.problems.tabulated import EPOCHS, NETWORK, REGRESSORS, SCALE, TABLES, Array, Axis, Family, grid

if TYPE_CHECKING:
    import torch

__all__ = ["regressor_losses", "tabulate", "train_networks"]

_BATCH, _TRAINED, _UNSEEN = 50, 300, 800
_SURE = 1e-3
_SHARE = 300


def tabulate() -> None:
    """Write them."""
    began, tables = time.monotonic(), dict[str, Array]()
    for family, losses in ((NETWORK, _network_losses), (REGRESSORS, regressor_losses)):
        for branch, axes in family.branches.items():
            shape = [len(axis.points) for axis in (*axes, family.steps)]
            found = np.minimum(losses(branch, axes).reshape(shape) * SCALE, np.iinfo(np.uint16).max)
            tables[f"{family.name} {branch}"] = np.rint(found).astype(np.uint16)
            print(
                f"{family.name} {branch}: {_described(family, tables, branch)}, {time.monotonic() - began:.0f} s",
                flush=True,
            )
    np.savez_compressed(TABLES, **tables)  # type: ignore[arg-type]


def _described(family: Family, tables: Mapping[str, Array], branch: str) -> str:
    top = tables[f"{family.name} {branch}"][..., -1] / SCALE
    return f"{top.size} trained, lowest {top.min():.4f}, median {np.median(top):.4f}"


# ------------------------------------------------------------------------------------------------ regression


def regressor_losses(branch: str, axes: tuple[Axis, ...]) -> Array:
    """Squared error on unseen patients, in units of the variance, at most 2: (configurations, fidelities)."""
    return np.array(
        [
            [min(_error(branch, values, share), 2.0) for share in REGRESSORS.steps.points]
            for values in (dict(zip((axis.name for axis in axes), row, strict=True)) for row in grid(axes).tolist())
        ]
    )


def _error(branch: str, values: Mapping[str, float], ninths: float) -> float:
    """Of one training with so many ninths of the data."""
    scaling, model, *_ = branch.split()
    inputs, targets = shuffled("diabetes")
    targets = (targets - targets.mean()) / targets.std()
    known, unseen = slice(round(_SHARE * ninths / 9)), slice(_SHARE, None)
    if scaling == "ranks":
        inputs = np.stack([np.searchsorted(np.sort(column[known]), column) for column in inputs.T], axis=1)
    inputs = (inputs - inputs[known].mean(axis=0)) / (inputs[known].std(axis=0) + 1e-9)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some don't converge: their losses say so
        fitted = _model(branch, model, values).fit(inputs[known], targets[known])
    return float(((fitted.predict(inputs[unseen]) - targets[unseen]) ** 2).mean() / targets[unseen].var())


def _model(branch: str, model: str, values: Mapping[str, float]) -> Any:
    from sklearn.ensemble import GradientBoostingRegressor, RandomForestRegressor
    from sklearn.neural_network import MLPRegressor
    from sklearn.svm import SVR

    match model:
        case "svm":
            kernel = {"kernel": branch.rsplit(maxsplit=1)[-1], "gamma": values.get("gamma", 1.0)}
            return SVR(C=values["C"], epsilon=values["epsilon"], max_iter=5000, **kernel)
        case "forest":
            return RandomForestRegressor(
                20,
                max_features=values["max_features"],
                min_samples_leaf=int(values["min_leaf"]),
                max_depth=int(values["max_depth"]),
                random_state=0,
            )
        case "boosting":
            return GradientBoostingRegressor(
                learning_rate=values["shrinkage"],
                max_depth=int(values["tree_depth"]),
                subsample=values["subsample"],
                n_estimators=int(values["trees"]),
                random_state=0,
            )
        case _:
            hidden = [int(values[name]) for name in ("hidden1", "hidden2") if name in values]
            return MLPRegressor(
                hidden_layer_sizes=hidden,
                alpha=values["alpha"],
                learning_rate_init=values["step"],
                max_iter=30,
                random_state=0,
            )


# -------------------------------------------------------------------------------------------------- networks


def _network_losses(branch: str, axes: tuple[Axis, ...]) -> Array:
    optimizer, layers = branch.split()
    settings = grid(axes[int(layers) :])
    widths = itertools.product(*(axis.points for axis in axes[: int(layers)]))
    with one_thread():
        return np.concatenate([train_networks(optimizer, [int(width) for width in each], settings) for each in widths])


def train_networks(optimizer: str, widths: list[int], settings: Array) -> Array:
    """Log loss on unseen images of networks with these layers, each with a learning rate and an own setting.

    At most twice what guessing gets. `settings` is (n, 2), the result (n, fidelities).
    """
    import torch
    from torch.nn import functional

    inputs, targets, unseen, answers = (torch.as_tensor(each) for each in digits(_TRAINED, _UNSEEN))
    inputs, unseen = inputs.float(), unseen.float()
    generator, weights = torch.Generator().manual_seed(0), list[torch.Tensor]()
    for size, following in itertools.pairwise([inputs.shape[1], *widths, 10]):
        drawn = torch.randn((size, following), generator=generator) * math.sqrt(2 / size)
        weights += [drawn.expand(len(settings), -1, -1).clone(), torch.zeros(len(settings), 1, following)]
    step, losses = _steps(optimizer, weights, settings), list[Array]()
    for _ in range(EPOCHS):
        for batch in torch.randperm(_TRAINED, generator=generator).split(_BATCH):
            for weight in weights:
                weight.requires_grad_().grad = None
            outputs = _forward(weights, inputs[batch])
            expected = targets[batch].repeat(len(settings))
            functional.cross_entropy(outputs.flatten(0, 1), expected, reduction="sum").div(_BATCH).backward()
            next(step)
        with torch.no_grad():
            chosen = _forward(weights, unseen).softmax(dim=2)[:, torch.arange(_UNSEEN), answers]
        found = -chosen.clamp(_SURE, 1).log().mean(dim=1).double().numpy()
        losses.append(np.minimum(np.nan_to_num(found, nan=math.inf), 2 * math.log(10)))
    return np.stack([losses[int(epochs) - 1] for epochs in NETWORK.steps.points], axis=1)


def _forward(weights: list[torch.Tensor], inputs: torch.Tensor) -> torch.Tensor:
    """Of all networks: (n, inputs, 10)."""
    import torch

    hidden = inputs.expand(len(weights[0]), -1, -1)
    for place in range(0, len(weights), 2):
        hidden = torch.baddbmm(weights[place + 1], hidden.relu() if place else hidden, weights[place])
    return hidden


def _steps(optimizer: str, weights: list[torch.Tensor], settings: Array) -> Iterator[None]:
    """Each makes a step of all networks along the gradients."""
    import torch

    rate, own = torch.as_tensor(settings, dtype=torch.float32).T[:, :, None, None]
    first, second = ([torch.zeros_like(weight) for weight in weights] for _ in range(2))
    for count in itertools.count(1):
        with torch.no_grad():
            for weight, mean, square in zip(weights, first, second, strict=True):
                gradient = weight.grad if weight.grad is not None else torch.zeros_like(weight)
                if optimizer == "sgd":
                    mean.mul_(own).add_(gradient)
                    weight.sub_(rate * mean)
                elif optimizer == "adam":
                    mean.mul_(own).add_((1 - own) * gradient)
                    square.mul_(0.999).add_(0.001 * gradient**2)
                    spread = (square / (1 - 0.999**count)).sqrt() + 1e-8
                    weight.sub_(rate * (mean / (1 - own**count)) / spread)
                else:
                    weight.sub_(0.1 * rate * (own * mean + (1 - own) * gradient).sign())
                    mean.mul_(0.99).add_(0.01 * gradient)
        yield


if __name__ == "__main__":
    tabulate()
