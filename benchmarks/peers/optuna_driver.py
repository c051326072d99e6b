"""Optuna, sequentially, with its samplers' own defaults: `optuna_driver.py optuna-gp|optuna-tpe|optuna-cmaes`.

A method of `benchmarks.regret`, run in an environment of its own; `pipe` says how the two talk.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from pipe import Host, Parameter, preload, seed_everything

if TYPE_CHECKING:
    import optuna

__all__ = ["GP_MODULES", "SAMPLERS", "distribution"]

SAMPLERS = {"optuna-gp": "GPSampler", "optuna-tpe": "TPESampler", "optuna-cmaes": "CmaEsSampler"}
GP_MODULES = ("acqf", "batched_lbfgsb", "gp", "optim_mixed", "prior", "search_space")


def main(method: str) -> None:
    """Ask and tell, as often as the task says."""
    host = Host()
    import optuna

    preload("cmaes", "greenlet", "torch", *(f"optuna._gp.{name}" for name in GP_MODULES))
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    space, seed, evaluations, _ = host.read_task(optuna.__version__)
    seed_everything(seed)
    study = optuna.create_study(sampler=getattr(optuna.samplers, SAMPLERS[method])(seed=seed))
    distributions = {parameter["name"]: distribution(parameter) for parameter in space}
    for _ in range(evaluations):
        trial = study.ask(distributions)
        study.tell(trial, host.evaluate(trial.params))


def distribution(parameter: Parameter) -> optuna.distributions.BaseDistribution:
    """What Optuna draws the parameter from."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if parameter["type"] == "categorical":
        return CategoricalDistribution(parameter["choices"])
    kind = FloatDistribution if parameter["type"] == "float" else IntDistribution
    return kind(parameter["lower"], parameter["upper"], log=parameter["log"])


if __name__ == "__main__":
    main(sys.argv[1])
