"""NePS 0.17 (neural-pipeline-search), asked and told: `neps017_driver.py neps-0.17|neps-0.17-ALGORITHM`.

Methods of `benchmarks.regret` and, with a fidelity, of `benchmarks.multifidelity`, run in an environment of its own,
where `neps` is that package; `pipe` says how the two talk. Without `neps.run`, so CPU time holds no files.
It searches all parameters always: what is inactive is left out of what is evaluated.
"""

from __future__ import annotations

import importlib
import sys
from importlib.metadata import version
from typing import Any

from pipe import Host, Parameter, Training, active, by_index, from_index, preload, seed_everything

_NAME, _DEFAULT = "neps-0.17", "bayesian_optimization"


def main(method: str) -> None:
    """Ask and tell, as often as the task says."""
    host = Host()
    neps: Any = importlib.import_module("neps")
    preload("sympy", "torch.fx.experimental.symbolic_shapes")
    task = host.read_task(version("neural-pipeline-search"))
    seed_everything(task.seed)
    searcher = method.removeprefix(_NAME).removeprefix("-") or _DEFAULT
    # Not a PipelineSpace, which becomes this one but orders choices by their hash, anew in each process.
    elements = {each["name"]: _element(neps, each, prior=searcher != _DEFAULT) for each in by_index(task.space)}
    optimizer = neps.AskAndTell(getattr(neps.algorithms, searcher)(neps.SearchSpace(elements)))

    def training() -> Training:
        trial = optimizer.ask()
        loss = yield active(task.space, from_index(task.space, trial.config))
        optimizer.tell(trial, loss)

    host.run(task, training)


def _element(neps: Any, parameter: Parameter, *, prior: bool) -> Any:
    settings = {"is_fidelity": True} if "is_fidelity" in parameter else {}
    if prior and "default" in parameter:
        settings = {"prior": parameter["default"], "prior_confidence": parameter["default_confidence"]}
    if parameter["type"] == "categorical":
        return neps.HPOCategorical(parameter["choices"], **settings)
    kind = neps.HPOFloat if parameter["type"] == "float" else neps.HPOInteger
    return kind(parameter["lower"], parameter["upper"], log=parameter["log"], **settings)


if __name__ == "__main__":
    main(sys.argv[1])
