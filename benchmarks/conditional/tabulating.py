"""The table of pipelines: each is trained on 300 images of digits, and its error rate on 1000 others is recorded."""

from __future__ import annotations

import json
import warnings
from typing import Any

from benchmarks.conditional.running import space_of
from benchmarks.problems.conditional import CONDITIONAL, TABLE, key_of
from benchmarks.problems.learning import digits
from benchmarks.problems.problem import Config

__all__ = ["error_rate", "tabulate"]

_MOST = 10_000


def tabulate() -> None:
    """Write it: half a minute."""
    configs = space_of(CONDITIONAL["pipelines"]).every_config(_MOST) or []
    table = {key_of(config): error_rate(config) for config in configs}
    TABLE.write_text(json.dumps(table, indent=0) + "\n", encoding="utf-8")


def error_rate(config: Config) -> float:
    """Of a pipeline."""
    split = digits(300, 1000)
    centre, spread = split.inputs.mean(axis=0), split.inputs.std(axis=0) + 0.01
    inputs, unseen = split.inputs, split.unseen
    if config["scaling"] == "standard":
        inputs, unseen = (inputs - centre) / spread, (unseen - centre) / spread
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some don't converge: their losses say so
        predicted = _classifier(config).fit(inputs, split.targets).predict(unseen)
    return round(float((predicted != split.answers).mean()), 4)


def _classifier(config: Config) -> Any:
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.neural_network import MLPClassifier
    from sklearn.svm import SVC

    match config["classifier"]:
        case "svm":
            slope, degree = 2.0 ** config.get("log_gamma", 0), config.get("degree", 3)
            return SVC(C=2.0 ** config["log_C"], kernel=config["kernel"], gamma=slope, degree=degree, max_iter=1000)
        case "forest":
            depth, leaf, criterion = config["depth"], 2 ** config["log_leaf"], config["criterion"]
            return RandomForestClassifier(
                16, max_depth=depth, min_samples_leaf=leaf, criterion=criterion, random_state=0
            )
        case "neighbours":
            return KNeighborsClassifier(config["k"], weights=config["weights"], p=config["power"])
        case _:
            width, alpha = (2 ** config["log_width"],), 2.0 ** config["log_alpha"]
            return MLPClassifier(width, activation=config["activation"], alpha=alpha, max_iter=60, random_state=0)
