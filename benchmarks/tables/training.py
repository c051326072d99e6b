"""A configuration's trainings: a model of scikit-learn on each fold, with a seed of its own. Called by `making`."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.curves.design import training_seed
from benchmarks.curves.store import Record
from benchmarks.problems import Config
from benchmarks.problems.curve_tasks import CurveTask
from benchmarks.problems.learning import Array, log_loss, one_thread
from benchmarks.tables.data import data, fold

__all__ = ["train", "trained"]


def trained(task: CurveTask, number: int, config: Config) -> Record:
    """The configuration of that number on all folds."""
    each = [train(task, config, place, training_seed(task, number, place)) for place in range(task.repeats)]
    return Record(config, *([[one[part]] for one in each] for part in range(3)))


def train(task: CurveTask, config: Config, place: int, seed: int) -> tuple[float, float, float]:
    """Loss, error and processor seconds on that fold: a constant of its arguments, on one machine.

    The loss is a log loss, or the squared error in units of the targets' variance; the error is the share of wrong
    answers, or the mean absolute error in the same units.
    """
    kind, _, of = task.name.partition("-")
    inputs, targets = data(of)
    known, unseen = fold(len(targets), place)
    with one_thread(), warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # bad configurations don't converge, overflow, …: their losses say so
        began = time.process_time()
        model = _KINDS[kind](config, seed, bool(task.answers)).fit(inputs[known], targets[known])
        loss, error = (_classified if task.answers else _estimated)(model, inputs[unseen], targets[unseen])
    return loss, error, time.process_time() - began


def _classified(model: Any, inputs: Array, answers: Array) -> tuple[float, float]:
    """Margins are made probabilities by their exponentials, where a model has no probabilities."""
    if hasattr(model, "predict_proba"):
        probabilities = model.predict_proba(inputs)
    else:
        margins = np.nan_to_num(model.decision_function(inputs))
        probabilities = np.exp(margins - margins.max(axis=1, keepdims=True))
        probabilities /= probabilities.sum(axis=1, keepdims=True)
    return log_loss(np.nan_to_num(probabilities), answers), float((model.predict(inputs) != answers).mean())


def _estimated(model: Any, inputs: Array, answers: Array) -> tuple[float, float]:
    off = model.predict(inputs) - answers
    return float((off**2).mean() / answers.var()), float(np.abs(off).mean() / answers.std())


def _boosting(config: Config, seed: int, classes: bool) -> Any:  # noqa: FBT001 - one signature for all kinds
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    return (HistGradientBoostingClassifier if classes else HistGradientBoostingRegressor)(
        learning_rate=config["learning_rate"],
        max_iter=config["trees"],
        max_leaf_nodes=config["leaves"],
        min_samples_leaf=config["leaf_samples"],
        max_features=float(config["features"]),
        l2_regularization=config["shrinkage"],
        early_stopping=False,
        random_state=seed,
    )


def _svm(config: Config, seed: int, classes: bool) -> Any:  # noqa: ARG001, FBT001 - one signature for all kinds
    """Of the features that an F test finds, so large a share."""
    from sklearn.feature_selection import SelectPercentile
    from sklearn.svm import SVC

    arguments = {name: config[name] for name in ("C", "gamma", "coef0", "degree", "kernel")}
    chosen = SelectPercentile(percentile=100 * config["features"])
    return _scaled(config["scaling"], chosen, SVC(**arguments, max_iter=2000))


def _forest(config: Config, seed: int, classes: bool) -> Any:  # noqa: FBT001 - one signature for all kinds
    from sklearn import ensemble

    name = ("ExtraTrees" if config["kind"] == "extra" else "RandomForest") + ("Classifier" if classes else "Regressor")
    return getattr(ensemble, name)(
        n_estimators=config["trees"],
        max_depth=config["depth"],
        min_samples_leaf=config["leaf_samples"],
        max_features=float(config["features"]),
        max_samples=float(config["drawn"]),
        bootstrap=True,
        random_state=seed,
    )


def _logistic(config: Config, seed: int, classes: bool) -> Any:  # noqa: ARG001, FBT001 - one signature for all kinds
    from sklearn.linear_model import SGDClassifier

    model = SGDClassifier(
        loss="log_loss",
        penalty="elasticnet",
        alpha=config["penalty"],
        l1_ratio=config["l1_ratio"],
        max_iter=config["epochs"],
        tol=None,
        learning_rate="invscaling",
        eta0=config["step"],
        power_t=config["decay"],
        average=config["averaged"] == "yes",
        random_state=seed,
    )
    return _scaled(config["scaling"], model)


def _scaled(name: str, *steps: Any) -> Any:
    """These steps after one that scales the features."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MinMaxScaler, QuantileTransformer, StandardScaler

    scalers = {"standard": StandardScaler, "range": MinMaxScaler}
    scaler = scalers[name]() if name in scalers else QuantileTransformer(n_quantiles=100, random_state=0)
    return make_pipeline(scaler, *steps)


_KINDS: dict[str, Callable[[Config, int, bool], Any]] = {
    "boosting": _boosting,
    "svm": _svm,
    "forest": _forest,
    "logistic": _logistic,
}
