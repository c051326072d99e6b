"""Optuna, sequentially, with its samplers' own defaults: `optuna_driver.py optuna-gp|optuna-tpe|optuna-cmaes`.

A parameter with conditions is asked for where they hold, as Optuna's users write it. Two more are for that:
optuna-tpe-group, which models each group of parameters that exist together, and optuna-tpe-univariate, each for itself.

A method of `benchmarks.regret`, run in an environment of its own; `pipe` says how the two talk.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pipe import Host, Parameter, is_active, preload, seed_everything

if TYPE_CHECKING:
    import optuna

__all__ = ["modules_of", "sampler", "suggested"]

_SAMPLERS: dict[str, tuple[str, dict[str, bool]]] = {
    "optuna-gp": ("GPSampler", {}),
    "optuna-tpe": ("TPESampler", {}),
    "optuna-tpe-group": ("TPESampler", {"multivariate": True, "group": True}),
    "optuna-tpe-univariate": ("TPESampler", {"multivariate": False}),
    "optuna-cmaes": ("CmaEsSampler", {}),
}
_GP_MODULES = ("acqf", "batched_lbfgsb", "gp", "optim_mixed", "prior", "search_space")


def main(method: str) -> None:
    """Ask and tell, as often as the task says."""
    host = Host()
    import optuna

    preload(*modules_of(method))
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    space, seed, evaluations, *_ = host.read_task(optuna.__version__)
    seed_everything(seed)
    study = optuna.create_study(sampler=sampler(method, seed))
    for _ in range(evaluations):
        trial = study.ask()
        study.tell(trial, host.evaluate(suggested(trial, space)))


def modules_of(name: str) -> tuple[str, ...]:
    """What the sampler of that name, or one that the name begins with, imports late."""
    if name.startswith("optuna-gp"):
        return ("greenlet", "torch", *(f"optuna._gp.{module}" for module in _GP_MODULES))
    return ("cmaes",) if name == "optuna-cmaes" else ()


def sampler(name: str, seed: int) -> optuna.samplers.BaseSampler:
    """Of that name."""
    import optuna

    kind, settings = _SAMPLERS[name]
    found: optuna.samplers.BaseSampler = getattr(optuna.samplers, kind)(seed=seed, **settings)
    return found


def suggested(trial: optuna.Trial, space: Sequence[Parameter]) -> dict[str, Any]:
    """A configuration: what Optuna suggests of each parameter that is active."""
    config = dict[str, Any]()
    for parameter in space:
        if is_active(parameter, config):
            config[parameter["name"]] = _suggested(trial, parameter)
    return config


def _suggested(trial: optuna.Trial, parameter: Parameter) -> Any:
    name = parameter["name"]
    if parameter["type"] == "categorical":
        return trial.suggest_categorical(name, parameter["choices"])
    suggest = trial.suggest_float if parameter["type"] == "float" else trial.suggest_int
    return suggest(name, parameter["lower"], parameter["upper"], log=parameter["log"])


if __name__ == "__main__":
    main(sys.argv[1])
