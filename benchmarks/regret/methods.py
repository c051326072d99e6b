"""Which optimizers are compared: the driver and the environment of each, and how much of it is run by default."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping

from benchmarks.comparing.methods import OURS, Method, found, ours

__all__ = ["CONDITIONAL_METHODS", "CURVE_METHODS", "EVALUATIONS", "METHODS", "TABLE_METHODS", "find"]

EVALUATIONS = 100
"""Of a run, unless a method has fewer."""

_ours = functools.partial(ours, evaluations=EVALUATIONS, seeds=20)
_optuna = functools.partial(Method, driver="optuna_driver.py", environment="optuna", evaluations=EVALUATIONS, seeds=20)
_short = functools.partial(Method, seeds=5, evaluations=50)

_ALL = (
    _ours("bayesian_optimization", OURS),
    _ours("random_search", "random", models=False),
    _optuna(name="optuna-gp"),
    _optuna(name="optuna-tpe"),
    _optuna(name="optuna-cmaes", models=False),
    *(_short(name=name, driver="smac_driver.py", environment="smac") for name in ("smac-bb", "smac-hpo")),
    _short(name="hebo", driver="hebo_driver.py", environment="hebo"),
    _short(name="neps-0.17", driver="neps017_driver.py", environment="neps017"),
    _short(name="neps-0.12.2", driver="neps012_driver.py", environment="neps012"),
)
METHODS = {method.name: method for method in _ALL}

_TREES = {kind: _optuna(name=f"optuna-tpe-{kind}") for kind in ("group", "univariate")}
_CONDITIONAL = (
    *(METHODS[name] for name in ("neps", "random", "optuna-gp", "optuna-tpe")),
    *_TREES.values(),
    dataclasses.replace(METHODS["smac-hpo"], evaluations=EVALUATIONS),
    *(dataclasses.replace(METHODS[name], evaluations=25) for name in ("smac-bb", "neps-0.17")),
)
CONDITIONAL_METHODS = {method.name: dataclasses.replace(method, seeds=10) for method in _CONDITIONAL}
"""Those on problems with conditions."""

TABLE_METHODS = {method.name: method for method in (*_ALL, _TREES["univariate"])} | {
    "hebo": dataclasses.replace(METHODS["hebo"], evaluations=25)
}
"""Those on tables of trainings, which differ little and have much noise: so there are many seeds of the quick ones."""
CURVE_METHODS = (
    TABLE_METHODS
    | {"optuna-gp": dataclasses.replace(METHODS["optuna-gp"], seeds=5)}
    | {name: dataclasses.replace(METHODS[name], evaluations=25) for name in ("smac-bb", "hebo", "neps-0.17")}
)
"""Those on networks whose learning curves are tabulated."""


def find(name: str, known: Mapping[str, Method] = METHODS, *, conditional: bool = False) -> Method:
    """The method of that name; `neps-SEARCHER` is any other searcher of this repository, `-pibo` that of a peer."""
    if conditional:
        return dataclasses.replace(CONDITIONAL_METHODS.get(name) or find(name), conditional=True)
    if name in known:
        return known[name]
    if (peer := METHODS.get(name.removesuffix("-pibo"))) and name not in METHODS and peer.name.startswith("neps-0"):
        return dataclasses.replace(peer, name=name)
    if (method := found(name, METHODS, evaluations=EVALUATIONS)) is not None:
        return method
    raise SystemExit(f"error: no method {name!r}: choose from {', '.join(METHODS)}, or neps-SEARCHER (neps-pibo, say).")
