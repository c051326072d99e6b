"""One training: a configuration, a seed, and the validation loss and error after each epoch. Called by `making`.

The schedule of learning rates is that of the whole training, as in other tables of learning curves: a low fidelity is
a glance at it.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Iterator

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from benchmarks.curves.data import Data, data
from benchmarks.curves.networks import network
from benchmarks.problems.curve_tasks import CurveTask
from benchmarks.problems.learning import one_thread
from benchmarks.problems.problem import Config

__all__ = ["Training", "train"]


@dataclasses.dataclass(frozen=True, slots=True)
class Training:
    """By epoch: validation loss, error, and processor seconds up to its end.

    The loss is a log loss, or the squared error in units of the targets' variance; the error a share of wrong answers,
    or the mean absolute error in the same units. Once a loss isn't finite, nothing is trained further: the rest is NaN.
    """

    losses: list[float]
    errors: list[float]
    seconds: list[float]


def train(task: CurveTask, config: Config, seed: int) -> Training:
    """A constant of its arguments, on one machine."""
    found = Training([], [], [])
    with one_thread(), np.errstate(all="ignore"), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        began = time.process_time()
        for loss, error in _epochs(task, config):
            found.losses.append(loss)
            found.errors.append(error)
            found.seconds.append(time.process_time() - began)
    rest = [math.nan] * (task.epochs - len(found.losses))
    return Training(found.losses + rest, found.errors + rest, found.seconds)


def _epochs(task: CurveTask, config: Config) -> Iterator[tuple[float, float]]:
    split = data(task.name)
    model = network(task.name.partition("-")[0], config, split)
    optimizer = _optimizer(model, config)
    for epoch in range(task.epochs):
        model.train()
        parts = torch.randperm(len(split.targets)).split(config["batch_size"])
        batches = [batch for batch in parts if len(batch) > 1]  # of one alone, there is no spread to normalise by
        for place, batch in enumerate(batches):
            _set_rate(optimizer, config, (epoch + place / len(batches)) / task.epochs)
            optimizer.zero_grad()
            outputs = model(_varied(split.inputs[batch], config))
            _loss(outputs, split.targets[batch], config.get("label_smoothing", 0.0)).backward()
            if "clip" in config:
                nn.utils.clip_grad_norm_(model.parameters(), config["clip"])
            optimizer.step()
        loss, error = _validated(model.eval(), split)
        yield loss, error
        if not math.isfinite(loss):
            return


def _validated(model: nn.Module, split: Data) -> tuple[float, float]:
    with torch.no_grad():
        outputs = model(split.unseen)
    loss = float(_loss(outputs, split.answers))
    if split.outputs:
        return loss, float((outputs.argmax(dim=-1) != split.answers).double().mean())
    off = (outputs[:, 0] - split.answers).abs().double().mean()
    return loss / float(split.answers.var(correction=0)), float(off / split.answers.std(correction=0))


def _loss(outputs: torch.Tensor, targets: torch.Tensor, smoothing: float = 0.0) -> torch.Tensor:
    if targets.is_floating_point():
        return functional.mse_loss(outputs[:, 0], targets)
    return functional.cross_entropy(outputs.flatten(0, -2), targets.flatten(), label_smoothing=smoothing)


def _optimizer(model: nn.Module, config: Config) -> torch.optim.Optimizer:
    rate, decay, momentum = config["learning_rate"], config["weight_decay"], config.get("momentum", 0.9)
    match config.get("optimizer", "adamw"):
        case "sgd":
            return torch.optim.SGD(model.parameters(), rate, momentum=momentum, weight_decay=decay, fused=True)
        case "rmsprop":
            return torch.optim.RMSprop(model.parameters(), rate, momentum=momentum, weight_decay=decay, foreach=False)
        case _:
            return torch.optim.AdamW(model.parameters(), rate, (momentum, 0.999), weight_decay=decay, fused=True)


def _set_rate(optimizer: torch.optim.Optimizer, config: Config, progress: float) -> None:
    """At a progress from 0 to 1: growing while warming up, then along the schedule."""
    warmup = config.get("warmup", 0.0)
    factor = {
        "constant": 1.0,
        "cosine": (1 + math.cos(math.pi * progress)) / 2,
        "step": 0.1 ** math.floor(3 * progress),
    }[config.get("schedule", "constant")]
    if progress < warmup:
        factor *= (progress + 1e-3) / warmup
    for group in optimizer.param_groups:
        group["lr"] = config["learning_rate"] * factor


def _varied(inputs: torch.Tensor, config: Config) -> torch.Tensor:
    """The inputs of a batch as they are augmented: images shifted, and noise added."""
    if shift := config.get("shift", 0):
        by = torch.randint(-shift, shift + 1, (2,)).tolist()
        inputs = inputs.roll(by, (2, 3))
    if noise := config.get("input_noise", 0.0):
        inputs = inputs + noise * torch.randn_like(inputs)
    return inputs
