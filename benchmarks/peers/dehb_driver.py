"""DEHB, with its own defaults: `dehb_driver.py dehb`.

A method of `benchmarks.multifidelity`, run in an environment of its own; `pipe` says how the two talk.
"""

from __future__ import annotations

import tempfile
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from pipe import Host, Parameter, Training, by_index, from_index, seed_everything

if TYPE_CHECKING:
    from ConfigSpace.hyperparameters import Hyperparameter


def main() -> None:
    """Ask and tell, until the budget is spent."""
    host = Host()
    import ConfigSpace
    from dehb import DEHB

    task = host.read_task(version("DEHB"))
    seed_everything(task.seed)
    space, fidelity = task.searched, task.fidelity
    configspace = ConfigSpace.ConfigurationSpace()
    configspace.add([_hyperparameter(parameter) for parameter in by_index(space)])
    with tempfile.TemporaryDirectory() as directory:
        optimizer = DEHB(
            cs=configspace,
            min_fidelity=fidelity["lower"],
            max_fidelity=fidelity["upper"],
            seed=task.seed,
            n_workers=1,  # more would start processes, which asking and telling has no use for
            save_freq="end",
            output_path=directory,
        )

        def training() -> Training:
            job = optimizer.ask()
            config = from_index(space, dict(job["config"]))
            loss = yield {**config, fidelity["name"]: round(job["fidelity"])}
            optimizer.tell(job, {"fitness": loss, "cost": host.cost})

        host.run(task, training)


def _hyperparameter(parameter: Parameter) -> Hyperparameter[Any, Any]:
    from ConfigSpace import Categorical, Float, Integer

    name, kind = parameter["name"], parameter["type"]
    if kind == "categorical":
        return Categorical(name, parameter["choices"])
    return (Float if kind == "float" else Integer)(name, (parameter["lower"], parameter["upper"]), log=parameter["log"])


if __name__ == "__main__":
    main()
