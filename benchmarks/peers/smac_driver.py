"""SMAC, with its facades' own defaults: `smac_driver.py smac-bb|smac-hpo|smac-mf`.

Methods of `benchmarks.regret` and, smac-mf, of `benchmarks.multifidelity`, run in an environment of its own; `pipe`
says how the two talk. CPU time includes that SMAC saves its history after each evaluation, as it does by default.
"""

from __future__ import annotations

import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipe import Host, Parameter, Training, by_index, from_index, seed_everything

if TYPE_CHECKING:
    from ConfigSpace import ConfigurationSpace
    from ConfigSpace.conditions import AndConjunction, InCondition
    from ConfigSpace.hyperparameters import Hyperparameter

_FACADES = {
    "smac-bb": "BlackBoxFacade",
    "smac-hpo": "HyperparameterOptimizationFacade",
    "smac-mf": "MultiFidelityFacade",
}


def main(method: str) -> None:
    """Ask and tell, as often as the task says."""
    host = Host()
    import ConfigSpace
    import smac
    from smac.runhistory import TrialValue

    task = host.read_task(version("smac"))
    seed_everything(task.seed)
    configspace = ConfigSpace.ConfigurationSpace()
    configspace.add([_hyperparameter(parameter) for parameter in by_index(task.searched)])
    configspace.add(
        [_condition(configspace, parameter) for parameter in by_index(task.searched) if "active_if" in parameter]
    )
    fidelity = None if task.budget is None else task.fidelity
    bounds = {"min_budget": fidelity["lower"], "max_budget": fidelity["upper"]} if fidelity else {}
    with tempfile.TemporaryDirectory() as directory:
        scenario = smac.Scenario(
            configspace,
            output_directory=Path(directory),
            deterministic=True,
            n_trials=task.evaluations,
            seed=task.seed,
            **bounds,
        )
        facade = getattr(smac, _FACADES[method])(scenario, logging_level=False)

        def training() -> Training:
            trial = facade.ask()
            step = {fidelity["name"]: round(trial.budget)} if fidelity else {}
            loss = yield {**from_index(task.searched, trial.config), **step}
            facade.tell(trial, TrialValue(cost=loss, time=host.cost))

        host.run(task, training)


def _hyperparameter(parameter: Parameter) -> Hyperparameter[Any, Any]:
    from ConfigSpace import Categorical, Float, Integer

    name, kind = parameter["name"], parameter["type"]
    if kind == "categorical":
        return Categorical(name, parameter["choices"])
    return (Float if kind == "float" else Integer)(name, (parameter["lower"], parameter["upper"]), log=parameter["log"])


def _condition(configspace: ConfigurationSpace, parameter: Parameter) -> InCondition | AndConjunction:
    from ConfigSpace import AndConjunction, InCondition

    child, given = configspace[parameter["name"]], parameter["active_if"]
    conditions = [InCondition(child, configspace[name], values) for name, values in given.items()]
    return conditions[0] if len(conditions) == 1 else AndConjunction(*conditions)


if __name__ == "__main__":
    main(sys.argv[1])
