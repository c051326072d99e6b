"""Which tasks have tables of learning curves: the space, the epochs, and what guessing gets.

`benchmarks.curves` trains their networks and makes the tables; `curve_tables` answers from them.
"""

from __future__ import annotations

import dataclasses
import math

from benchmarks.problems.problem import Param, choice, real, whole

__all__ = ["REPORTED", "TASKS", "TUNED", "CurveTask", "task"]


@dataclasses.dataclass(frozen=True, slots=True)
class CurveTask:
    """Networks of one kind on one data set.

    Args:
        name: kind and data.
        space: its parameters.
        epochs: of each training.
        guessing: the validation loss of the best constant answer.
        answers: how many answers an error is a share of; 0 in a regression, whose error is no share.
        repeats: trainings of each configuration.
    """

    name: str
    space: tuple[Param, ...]
    epochs: int
    guessing: float = 1.0
    answers: int = 0
    repeats: int = 2


_RATE = real("learning_rate", 1e-4, 1, log=True)
_DECAY = real("weight_decay", 1e-6, 1e-1, log=True)
_MOMENTUM = real("momentum", 0, 0.99)
_DROPOUT = real("dropout", 0, 0.6)
_BATCH = whole("batch_size", 16, 256, log=True)
_SMALL_BATCH = whole("batch_size", 8, 128, log=True)
_SCHEDULE = choice("schedule", "constant", "cosine", "step")

_GRATINGS = (
    *(real("learning_rate", 1e-3, 0.3, log=True), choice("optimizer", "sgd", "adamw"), _MOMENTUM, _DECAY, _DROPOUT),
    *(_SMALL_BATCH, whole("channels", 2, 16, log=True), _SCHEDULE, whole("shift", 0, 2)),
)
_IMAGES = (
    *(real("learning_rate", 1e-3, 0.1, log=True), choice("optimizer", "sgd", "adamw"), _MOMENTUM, _DECAY, _DROPOUT),
    *(_SMALL_BATCH, whole("channels", 2, 16, log=True), _SCHEDULE, whole("shift", 0, 1)),
)
_CANCER = (
    *(_RATE, choice("optimizer", "sgd", "adamw"), _MOMENTUM, _DECAY, _DROPOUT, _SMALL_BATCH),
    *(whole("width", 4, 128, log=True), whole("layers", 1, 4), choice("activation", "relu", "tanh", "gelu")),
)
_DIGITS = (
    *(real("learning_rate", 1e-4, 0.3, log=True), _DECAY, real("label_smoothing", 0, 0.3), _BATCH),
    *(whole("width", 8, 128, log=True), whole("layers", 1, 3), real("input_noise", 0, 1.5)),
    choice("normalisation", "none", "batch", "layer"),
)
_FRIEDMAN = (
    *(_RATE, choice("optimizer", "sgd", "adamw", "rmsprop"), _MOMENTUM, _DECAY, _BATCH, _SCHEDULE),
    *(whole("width", 8, 128, log=True), whole("layers", 1, 3), choice("activation", "relu", "tanh")),
)
_HOUSES = (
    *(_RATE, choice("optimizer", "sgd", "adamw"), _MOMENTUM, _DECAY, _DROPOUT, _BATCH),
    *(whole("width", 8, 128, log=True), whole("layers", 1, 4)),
)
_TRANSFORMER = (
    *(real("learning_rate", 1e-4, 0.3, log=True), real("warmup", 0, 0.5), _DECAY, _DROPOUT),
    *(whole("batch_size", 8, 64, log=True), whole("head_width", 4, 16, log=True), whole("heads", 1, 3)),
    whole("layers", 1, 2),
)
_WAVES = (
    *(choice("cell", "rnn", "gru", "lstm"), real("learning_rate", 1e-3, 0.3, log=True)),
    *(choice("optimizer", "sgd", "adamw"), _MOMENTUM, _DECAY, real("clip", 0.03, 10, log=True)),
    *(whole("batch_size", 16, 128, log=True), whole("width", 4, 48, log=True), _DROPOUT),
)
_SERIES = (
    *(choice("cell", "rnn", "gru", "lstm"), real("learning_rate", 1e-4, 0.3, log=True), _DECAY, _BATCH, _SCHEDULE),
    *(real("clip", 0.01, 10, log=True), whole("width", 4, 48, log=True)),
)

TUNED = (
    CurveTask("cnn-gratings", _GRATINGS, 27, math.log(10), 800),
    CurveTask("mlp-cancer", _CANCER, 54, math.log(2), 289),
    CurveTask("mlp-friedman2", _FRIEDMAN, 81),
    CurveTask("transformer-grammar", _TRANSFORMER, 27, 2.65, 200 * 23),
    CurveTask("recurrent-waves", _WAVES, 36, math.log(6), 800),
)
"""Optimizers are developed on these: one of each kind."""
REPORTED = (
    CurveTask("cnn-digits", _IMAGES, 36, math.log(10), 1000),
    CurveTask("mlp-digits", _DIGITS, 50, math.log(10), 1000),
    CurveTask("mlp-houses", _HOUSES, 100),
    CurveTask("transformer-text", (*_TRANSFORMER, choice("schedule", "constant", "cosine")), 36, 2.99, 200 * 23),
    CurveTask("recurrent-series", _SERIES, 45),
)
"""Results are reported on these, of the same kinds. Their data are others, and so are most of their spaces."""
TASKS = (*TUNED, *REPORTED)


def task(name: str) -> CurveTask:
    """The task of that name; a ValueError lists them where there is none."""
    found = next((each for each in TASKS if each.name == name), None)
    if found is None:
        known = ", ".join(each.name for each in TASKS)
        raise ValueError(f"the task is {name!r}, but there is none of that name: choose one of {known}.")
    return found
