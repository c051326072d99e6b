"""Problems whose parameters exist only under conditions, each with a known minimum.

A value is that of a configuration that holds its active parameters alone. The pipelines are a table, so that a
comparison costs nothing; `scripts/bench conditional table` makes it anew.
"""

from __future__ import annotations

import functools
import json
import math
from pathlib import Path

from benchmarks.problems.problem import Config, Param, Problem, choice, real, whole

__all__ = ["CONDITIONAL", "TABLE", "best_of", "if_active", "key_of"]

TABLE = Path(__file__).with_name("pipelines.json")
"""The loss of each pipeline, by its values in the order of the space."""


def if_active(param: Param, **conditions: str | list[str] | list[int]) -> Param:
    """The same parameter, which exists only where each of these others has the value, or one of the values."""
    return {**param, "active_if": {name: [v] if isinstance(v, str) else v for name, v in conditions.items()}}


# A tree of choices with a parabola at each leaf, as in Jenatton et al. (2017, "Bayesian optimization with
# tree-structured dependencies", section 4.1), but with each minimum away from the centre.

_TREE = (
    choice("x1", "left", "right"),
    if_active(choice("x2", "left", "right"), x1="left"),
    if_active(choice("x3", "left", "right"), x1="right"),
    if_active(real("x4", -1, 1), x2="left"),
    if_active(real("x5", -1, 1), x2="right"),
    if_active(real("x6", -1, 1), x3="left"),
    if_active(real("x7", -1, 1), x3="right"),
    if_active(real("r8", 0, 1), x1="left"),
    if_active(real("r9", 0, 1), x1="right"),
)
_LEAVES = {"x4": (0.35, 0.1), "x5": (-0.45, 0.2), "x6": (0.2, 0.3), "x7": (-0.65, 0.4)}
_SHARED = {"r8": 0.3, "r9": 0.8}


def _tree(config: Config) -> float:
    leaf = next(name for name in _LEAVES if name in config)
    shared = next(name for name in _SHARED if name in config)
    centre, height = _LEAVES[leaf]
    return float((config[leaf] - centre) ** 2 + height + abs(config[shared] - _SHARED[shared]))


# A choice of optimizers: ill-conditioned bowls, rotated, in the parameters that all share and those of each one.

_OPTIMIZERS = (
    choice("optimizer", "sgd", "momentum", "adam", "lamb"),
    real("learning_rate", 1e-5, 1, log=True),
    real("weight_decay", 1e-7, 1e-1, log=True),
    real("dropout", 0, 0.8),
    if_active(real("momentum", 0, 1), optimizer="momentum"),
    if_active(choice("nesterov", "yes", "no"), optimizer="momentum"),
    if_active(real("beta1", 0, 1), optimizer=["adam", "lamb"]),
    if_active(real("beta2", 1e-4, 1, log=True), optimizer=["adam", "lamb"]),
    if_active(real("epsilon", 1e-10, 1e-2, log=True), optimizer="adam"),
    if_active(real("trust", 0.01, 100, log=True), optimizer="lamb"),
)
_BEST_RATES = {"sgd": 0.85, "momentum": 0.7, "adam": 0.4, "lamb": 0.55}
_HEIGHTS = {"sgd": 0.5, "momentum": 0.15, "adam": 0.0, "lamb": 0.1}


def _optimizers(config: Config) -> float:
    rate = math.log(config["learning_rate"] / 1e-5) / math.log(1e5)
    decay = math.log(config["weight_decay"] / 1e-7) / math.log(1e6)
    optimizer = config["optimizer"]
    off = rate - _BEST_RATES[optimizer]
    shared = 6.0 * (off + 0.4 * (decay - 0.65)) ** 2 + 0.6 * (decay - 0.65) ** 2 + 0.8 * (config["dropout"] - 0.3) ** 2
    return float(_HEIGHTS[optimizer] + shared + _own(config, off))


def _own(config: Config, off: float) -> float:
    """What the parameters of the optimizer itself add, given how far the learning rate is off."""
    match config["optimizer"]:
        case "momentum":
            lack = config["momentum"] - 0.9 + 0.5 * off
            return float(3.0 * lack**2 + (0.03 if config["nesterov"] == "no" else 0.0))
        case "adam" | "lamb":
            first, second = config["beta1"] - 0.8, math.log10(config["beta2"] / 10**-2.6) / 4
            bowl = 4.0 * (first + second) ** 2 + 0.4 * (first - second) ** 2
            return float(bowl + _last(config, off))
        case _:
            return 0.0


def _last(config: Config, off: float) -> float:
    if config["optimizer"] == "adam":
        return 0.5 * max(math.log10(config["epsilon"] / 1e-7) / 8, 0.0) ** 2
    return 2.0 * (math.log10(config["trust"]) / 4 - 0.15 + 0.5 * off) ** 2


# A network's layers: how many there are, and how wide each one is. Deeper ones want to be narrower.

_LAYERS = (
    whole("layers", 1, 5),
    real("learning_rate", 1e-4, 1, log=True),
    *(if_active(whole(f"width{index}", 8, 512, log=True), layers=list(range(index, 6))) for index in range(1, 6)),
    *(if_active(real(f"dropout{index}", 0, 0.8), layers=list(range(index, 6))) for index in range(2, 6)),
)


def _layers(config: Config) -> float:
    depth = config["layers"]
    rate = math.log10(config["learning_rate"]) + 2.0 + 0.2 * (depth - 3)
    value = 0.08 * (depth - 3) ** 2 + 0.4 * rate**2
    for index in range(1, depth + 1):
        width = math.log2(config[f"width{index}"]) - _best_width(index)
        value += (0.12 if index == 1 else 0.06) * width**2
        if index > 1:
            value += 1.2 * (config[f"dropout{index}"] - 0.1 * index) ** 2
    return float(value)


def _best_width(index: int) -> int:
    return 8 - index


# A pipeline for digits: a scaler, and a classifier with parameters of its own. Exponents are of 2.

_PIPELINES = (
    choice("classifier", "svm", "forest", "neighbours", "network"),
    choice("scaling", "none", "standard"),
    if_active(choice("kernel", "linear", "rbf", "poly"), classifier="svm"),
    if_active(whole("log_C", -4, 6), classifier="svm"),
    if_active(whole("log_gamma", -10, 0), kernel=["rbf", "poly"]),
    if_active(whole("degree", 2, 4), kernel="poly"),
    if_active(whole("depth", 1, 10), classifier="forest"),
    if_active(whole("log_leaf", 0, 5), classifier="forest"),
    if_active(choice("criterion", "gini", "entropy"), classifier="forest"),
    if_active(whole("k", 1, 15), classifier="neighbours"),
    if_active(choice("weights", "uniform", "distance"), classifier="neighbours"),
    if_active(whole("power", 1, 3), classifier="neighbours"),
    if_active(whole("log_alpha", -12, 4), classifier="network"),
    if_active(choice("activation", "relu", "tanh"), classifier="network"),
    if_active(whole("log_width", 2, 6), classifier="network"),
)


def key_of(config: Config) -> str:
    """Where a pipeline stands in the table."""
    return " ".join(str(config.get(param["name"], "-")) for param in _PIPELINES)


@functools.cache
def _table() -> dict[str, float]:
    table: dict[str, float] = json.loads(TABLE.read_text(encoding="utf-8"))
    return table


def _pipeline(config: Config) -> float:
    return _table()[key_of(config)]


CONDITIONAL = {
    problem.name: problem
    for problem in (
        Problem("tree", _TREE, _tree, optimum=0.1),
        Problem("optimizers", _OPTIMIZERS, _optimizers, optimum=0.0),
        Problem("layers", _LAYERS, _layers, optimum=0.0),
        Problem("pipelines", _PIPELINES, _pipeline),
    )
}
"""By name. What is the best pipeline, its table says."""


def best_of(name: str) -> float:
    """The lowest value of a problem."""
    optimum = CONDITIONAL[name].optimum
    return min(_table().values()) if optimum is None else optimum
