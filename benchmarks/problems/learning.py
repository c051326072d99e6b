"""Real models, small: validation losses of scikit-learn's and torch's on the data sets that scikit-learn brings along.

The data, how they are split, and the seeds are constants, so a value depends on the configuration alone (on one
machine; others round otherwise). One thread, below 0.1 s on average. The first value loads libraries and data.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import math
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.problems.problem import Config, Param, Problem, choice, real, whole

if TYPE_CHECKING:
    import torch

__all__ = ["REPORTED", "TUNED", "WORST", "Split", "digits", "log_loss", "one_thread", "shuffled"]

Array = NDArray[Any]

_SEED = 0
WORST = 2.0
"""No loss is above this multiple of what guessing gets: so much has a training that diverged, too."""
_SURE = 1e-3
"""Probabilities are kept this far away from 0, so that a single sure mistake is not all that counts."""
_EPOCHS = 10


class Split(NamedTuple):
    """Inputs (n, d) and targets (n,) to train on, and others to validate on."""

    inputs: Array
    targets: Array
    unseen: Array
    answers: Array


def _task(
    name: str,
    space: tuple[Param, ...],
    train: Callable[[Config], float],
    guessing: float,
    seconds: Callable[[Config], float],
) -> Problem:
    """The problem of minimising what `train` returns, at a cost of about the seconds that it takes."""

    def value(config: Config) -> float:
        with one_thread(), warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")  # bad configurations don't converge, overflow, …: their losses say so
            loss = train(config)
        return min(loss, WORST * guessing) if math.isfinite(loss) else WORST * guessing

    return Problem(name, space, value, cost=seconds)


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """A context in which torch and the libraries of linear algebra use one thread."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with _pools().limit(limits=1):
            yield
    finally:
        torch.set_num_threads(threads)


@functools.cache
def _pools() -> Any:
    """Controls the threads of the libraries that are loaded: those that the tasks use must be loaded before it."""
    import sklearn.ensemble
    import sklearn.svm  # noqa: F401 - loads the libraries
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def shuffled(name: str) -> tuple[Array, Array]:
    """Inputs and targets, in an order drawn once."""
    import sklearn.datasets

    inputs, targets = getattr(sklearn.datasets, f"load_{name}")(return_X_y=True)
    order = np.random.default_rng(_SEED).permutation(len(targets))
    return inputs[order], targets[order]


@functools.cache
def _folds(name: str, number: int) -> tuple[Split, ...]:
    """Each part once to validate on, and the others to train on."""
    inputs, targets = shuffled(name)
    fold = np.arange(len(targets)) % number
    return tuple(
        Split(inputs[fold != k], targets[fold != k], inputs[fold == k], targets[fold == k]) for k in range(number)
    )


@functools.cache
def digits(train: int, unseen: int) -> Split:
    """So many images of handwritten digits. Pixels from 0 to 1."""
    inputs, targets = shuffled("digits")
    inputs, end = inputs / 16, train + unseen
    return Split(inputs[:train], targets[:train], inputs[train:end], targets[train:end])


def log_loss(probabilities: Array, answers: Array) -> float:
    """Mean negative log-likelihood of the classes `answers` (n,) under probabilities (n, classes)."""
    chosen = probabilities[np.arange(len(answers)), answers]
    return -float(np.log(np.clip(chosen, _SURE, 1)).mean())


# Gradient boosting: regression on diabetes; mean squared error in units of the targets' variance, 3 folds.

_BOOSTING = (
    real("learning_rate", 0.005, 1, log=True),
    whole("trees", 8, 128, log=True),
    whole("leaves", 2, 32, log=True),
    whole("leaf_samples", 1, 64, log=True),
    whole("bins", 3, 255, log=True),
    real("features", 0.1, 1),
    real("shrinkage", 0.01, 100, log=True),
    choice("loss", "squared_error", "absolute_error", "gamma", "poisson"),
)


def _boosting(config: Config) -> float:
    from sklearn.ensemble import HistGradientBoostingRegressor

    errors = []
    for fold in _folds("diabetes", 3):
        model = HistGradientBoostingRegressor(
            learning_rate=config["learning_rate"],
            max_iter=config["trees"],
            max_leaf_nodes=config["leaves"],
            min_samples_leaf=config["leaf_samples"],
            max_bins=config["bins"],
            max_features=float(config["features"]),
            l2_regularization=config["shrinkage"],
            loss=config["loss"],
            early_stopping=False,
            random_state=_SEED,
        )
        predicted = model.fit(fold.inputs, fold.targets).predict(fold.unseen)
        errors.append(float(((predicted - fold.answers) ** 2).mean() / fold.targets.var()))
    return float(np.mean(errors))


# Support vector machine: digits, 400 to train and 1000 to validate.

_SVM = (
    real("C", 1e-3, 1e4, log=True),
    real("gamma", 1e-5, 10, log=True),
    real("coef0", -1, 2),
    whole("degree", 2, 5),
    whole("components", 4, 64, log=True),
    choice("kernel", "linear", "poly", "rbf", "sigmoid"),
    choice("scaling", "none", "standard", "unit"),
)


def _svm(config: Config) -> float:
    """Error rate, plus the log loss of the right class against each other one.

    The margins are made probabilities by Platt's sigmoid (1999), with the slope that suits each machine best.
    """
    from sklearn.svm import SVC

    inputs, unseen = _prepared(config["scaling"], config["components"])
    split = digits(400, 1000)
    arguments = {name: config[name] for name in ("C", "gamma", "coef0", "degree", "kernel")}
    model = SVC(**arguments, decision_function_shape="ovo", max_iter=2000).fit(inputs, split.targets)
    margins = model.decision_function(unseen)  # (1000, 45): positive where the first of two classes wins
    first, second = np.array(list(itertools.combinations(range(10), 2))).T
    answers = split.answers[:, None]
    right = np.concatenate([margins[first == answers], -margins[second == answers]])
    log_losses = [np.logaddexp(0, -np.clip(slope * right, -50, 50)).mean() for slope in 2.0 ** np.arange(-3, 6)]
    votes = np.stack([np.where(margins > 0, first == k, second == k).sum(axis=1) for k in range(10)])
    return float((votes.argmax(axis=0) != split.answers).mean() + min(log_losses))


@functools.lru_cache(maxsize=256)
def _prepared(scaling: str, components: int) -> tuple[Array, Array]:
    """The digits, scaled and projected on their first principal components."""
    split = digits(400, 1000)
    centre, spread = split.inputs.mean(axis=0), split.inputs.std(axis=0) + 1e-2
    both = [(x - centre) / (spread if scaling == "standard" else 1) for x in (split.inputs, split.unseen)]
    axes = np.linalg.svd(both[0], full_matrices=False)[2][:components].T
    inputs, unseen = (x @ axes for x in both)
    size = np.sqrt((inputs**2).sum(axis=1).mean()) if scaling == "unit" else 1.0
    return inputs / size, unseen / size


# Network: digits, a perceptron trained for 10 epochs of 600, log loss on 1000 others.

_NETWORK = (
    real("learning_rate", 1e-3, 1, log=True),
    real("momentum", 0, 0.99),
    real("weight_decay", 1e-6, 1e-2, log=True),
    real("dropout", 0, 0.6),
    whole("width", 8, 128, log=True),
    whole("layers", 1, 3),
    whole("batch_size", 16, 256, log=True),
    choice("activation", "relu", "tanh", "silu"),
)


def _network(config: Config) -> float:
    import torch

    split = digits(600, 1000)
    centre, spread = split.inputs.mean(axis=0), split.inputs.std(axis=0) + 0.1
    inputs, unseen = (torch.as_tensor((x - centre) / spread, dtype=torch.float32) for x in (split.inputs, split.unseen))
    targets = torch.as_tensor(split.targets)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        model = _perceptron(config)
        optimizer = torch.optim.SGD(
            model.parameters(),
            lr=config["learning_rate"],
            momentum=config["momentum"],
            weight_decay=config["weight_decay"],
            fused=True,
        )
        for _ in range(_EPOCHS):
            for batch in torch.randperm(len(targets)).split(config["batch_size"]):
                optimizer.zero_grad()
                torch.nn.functional.cross_entropy(model(inputs[batch]), targets[batch]).backward()
                optimizer.step()
    with torch.no_grad():
        probabilities = model.eval()(unseen).softmax(dim=1)
    return log_loss(probabilities.double().numpy(), split.answers)


def _perceptron(config: Config) -> torch.nn.Sequential:
    from torch import nn

    activation = {"relu": nn.ReLU, "tanh": nn.Tanh, "silu": nn.SiLU}[config["activation"]]
    sizes = [64] + config["layers"] * [config["width"]]
    hidden = [
        layer
        for size, following in itertools.pairwise(sizes)
        for layer in (nn.Linear(size, following), activation(), nn.Dropout(config["dropout"]))
    ]
    return nn.Sequential(*hidden, nn.Linear(sizes[-1], 10))


# Forest: wine, log loss over 3 folds.

_FOREST = (
    whole("trees", 4, 48, log=True),
    whole("depth", 1, 10),
    whole("leaf_samples", 1, 32, log=True),
    real("features", 0.05, 1),
    real("impurity", 1e-4, 0.3, log=True),
    choice("criterion", "gini", "entropy"),
    choice("kind", "extra", "bagged", "extra-bagged"),
)


def _forest(config: Config) -> float:
    from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier

    losses = []
    for fold in _folds("wine", 3):
        model = (RandomForestClassifier if config["kind"] == "bagged" else ExtraTreesClassifier)(
            n_estimators=config["trees"],
            max_depth=config["depth"],
            min_samples_leaf=config["leaf_samples"],
            max_features=float(config["features"]),
            min_impurity_decrease=config["impurity"],
            criterion=config["criterion"],
            bootstrap=config["kind"] != "extra",
            random_state=_SEED,
        )
        losses.append(log_loss(model.fit(fold.inputs, fold.targets).predict_proba(fold.unseen), fold.answers))
    return float(np.mean(losses))


# Logistic regression by stochastic gradients, elastic net: breast cancer, log loss over 4 folds.

_LOGISTIC = (
    real("step", 1e-4, 10, log=True),
    real("decay", 0, 1),
    real("penalty", 1e-6, 0.3, log=True),
    real("l1_ratio", 0, 1),
    whole("epochs", 1, 64, log=True),
    choice("schedule", "constant", "invscaling", "adaptive"),
    choice("scaling", "standard", "range", "rank"),
    choice("loss", "log_loss", "modified_huber"),
)


def _logistic(config: Config) -> float:
    from sklearn.linear_model import SGDClassifier

    losses = []
    for fold in _scaled_folds(config["scaling"]):
        model = SGDClassifier(
            loss=config["loss"],
            penalty="elasticnet",
            alpha=config["penalty"],
            l1_ratio=config["l1_ratio"],
            max_iter=config["epochs"],
            tol=None,
            learning_rate=config["schedule"],
            eta0=config["step"],
            power_t=config["decay"],
            random_state=_SEED,
        )
        losses.append(log_loss(model.fit(fold.inputs, fold.targets).predict_proba(fold.unseen), fold.answers))
    return float(np.mean(losses))


@functools.cache
def _scaled_folds(scaling: str) -> tuple[Split, ...]:
    from sklearn.preprocessing import MinMaxScaler, QuantileTransformer, StandardScaler

    scalers = {
        "standard": StandardScaler(),
        "range": MinMaxScaler(),
        "rank": QuantileTransformer(n_quantiles=100, random_state=_SEED),
    }
    scaler, folds = scalers[scaling], _folds("breast_cancer", 4)
    return tuple(f._replace(inputs=scaler.fit_transform(f.inputs), unseen=scaler.transform(f.unseen)) for f in folds)


def _boosting_seconds(config: Config) -> float:
    leaves = min(float(config["leaves"]), 295 / float(config["leaf_samples"]))
    return 0.01 + 1e-4 * float(config["trees"]) * (3 + leaves)


def _network_seconds(config: Config) -> float:
    steps = _EPOCHS * math.ceil(600 / float(config["batch_size"]))
    return 0.01 + 1.3e-4 * steps * (1 + float(config["layers"]))


REPORTED = (
    _task("gradient-boosting", _BOOSTING, _boosting, 1.0, _boosting_seconds),
    _task("svm", _SVM, _svm, 0.9 + math.log(2), lambda _: 0.025),
    _task("network", _NETWORK, _network, math.log(10), _network_seconds),
)
"""Tasks that results are reported on: no optimizer is tuned on them."""
TUNED = (
    _task("forest", _FOREST, _forest, math.log(3), lambda config: 0.005 + 0.0025 * float(config["trees"])),
    _task("logistic", _LOGISTIC, _logistic, math.log(2), lambda config: 0.005 + 2.6e-4 * float(config["epochs"])),
)
"""Tasks, of other models, that optimizers are developed on."""
