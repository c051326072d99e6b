"""Tune the layers of a small network, each with a width and an activation of its own, and its optimizer.

The space is nested: a `Repeat` of layers, and a `Choice` of optimizers, each with its own parameters. `run_pipeline`
gets a list and a dict, as the space is written. Start it in as many terminals as you like:

    python examples/layers.py

See docs/nested-spaces.md.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch
from sklearn.datasets import load_digits
from torch import nn

import neps

TRAINING_IMAGES = 1200  # the other 597 are for validation

pipeline_space = {
    "learning_rate": neps.Float(1e-4, 1e-1, log=True),
    "optimizer": neps.Choice(
        {
            "adam": {"beta1": neps.Float(0.8, 0.99)},
            "sgd": {
                "momentum": neps.Float(0.0, 0.99),
                "nesterov": neps.Categorical([False, True], active_if={"momentum": neps.more_than(0.0)}),
            },
        }
    ),
    "layer": neps.Repeat(
        {"width": neps.Integer(8, 128, log=True), "activation": neps.Categorical(["relu", "tanh"])}, 1, 4
    ),
}


def run_pipeline(learning_rate: float, optimizer: dict[str, Any], layer: list[dict[str, Any]], epochs: int) -> float:
    """Train one network, and return its validation error."""
    torch.manual_seed(0)
    images, labels = load_images()
    model = network(layer)
    updates = optimizer_of(model, learning_rate, optimizer)
    for _ in range(epochs):
        for batch in torch.randperm(TRAINING_IMAGES).split(64):
            updates.zero_grad()
            nn.functional.cross_entropy(model(images[batch]), labels[batch]).backward()
            updates.step()
    with torch.no_grad():
        return float((model(images[TRAINING_IMAGES:]).argmax(dim=1) != labels[TRAINING_IMAGES:]).double().mean())


def load_images() -> tuple[torch.Tensor, torch.Tensor]:
    """Images of handwritten digits, 64 numbers in 0 … 1 each, and their labels: always in the same order."""
    digits = load_digits()
    order = torch.randperm(len(digits.target), generator=torch.Generator().manual_seed(0))
    return torch.tensor(digits.data, dtype=torch.float32)[order] / 16, torch.tensor(digits.target)[order]


def network(layer: list[dict[str, Any]]) -> nn.Sequential:
    """The layers that were chosen, and one for the ten digits."""
    parts: list[nn.Module] = []
    width = 64
    for block in layer:
        parts += [nn.Linear(width, block["width"]), {"relu": nn.ReLU, "tanh": nn.Tanh}[block["activation"]]()]
        width = block["width"]
    return nn.Sequential(*parts, nn.Linear(width, 10))


def optimizer_of(model: nn.Module, learning_rate: float, optimizer: dict[str, Any]) -> torch.optim.Optimizer:
    """The optimizer that was chosen: a dict of one key, with its own parameters."""
    match optimizer:
        case {"adam": {"beta1": beta1}}:
            return torch.optim.Adam(model.parameters(), learning_rate, betas=(beta1, 0.999))
        case {"sgd": {"momentum": momentum, **rest}}:
            return torch.optim.SGD(model.parameters(), learning_rate, momentum, nesterov=bool(rest.get("nesterov")))
    message = f"{optimizer} is no optimizer of the space"
    raise ValueError(message)


def main() -> None:
    """Search, and print the best network."""
    parser = argparse.ArgumentParser(description="Tune the layers and the optimizer of a small network.")
    parser.add_argument("--root-directory", type=Path, default=Path("results/layers"), help="what the workers share")
    parser.add_argument("--trials", type=int, default=20, help="how many, over all workers")
    parser.add_argument("--epochs", type=int, default=10, help="for how many each network is trained")
    options = parser.parse_args()
    torch.set_num_threads(1)
    history = neps.run(
        lambda **config: run_pipeline(**config, epochs=options.epochs),
        options.root_directory,
        pipeline_space,
        max_evaluations_total=options.trials,
    )
    if history.best is not None:
        print(f"The best validation error is {history.best.loss:.2%}, of")
        for name, value in history.space.handed(history.best.config).items():
            print(f"  {name}: {value}")


if __name__ == "__main__":
    main()
