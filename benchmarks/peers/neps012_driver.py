"""NePS 0.12.2 (neural-pipeline-search), through its `neps.run`: `neps012_driver.py neps-0.12.2|neps-0.12.2-SEARCHER`.

Methods of `benchmarks.regret` and, with a fidelity, of `benchmarks.multifidelity`, run in an environment of its own,
where `neps` is that package; `pipe` says how the two talk. It has no ask-and-tell, so CPU time includes the files and
locks of a run on a temporary directory.
"""

from __future__ import annotations

import importlib
import sys
import tempfile
from importlib.metadata import version
from typing import Any

from pipe import Host, Parameter, by_index, from_index, preload, seed_everything

_NAME, _DEFAULT = "neps-0.12.2", "bayesian_optimization"
_MANY = 1_000_000


def main(method: str) -> None:
    """Let it run, evaluating elsewhere."""
    host = Host()
    neps: Any = importlib.import_module("neps")
    preload("sympy", "torch._dynamo", "torch.utils.tensorboard")
    task = host.read_task(version("neural-pipeline-search"))
    seed_everything(task.seed)

    def run_pipeline(**config: object) -> float:
        return host.evaluate(from_index(task.space, config))

    with tempfile.TemporaryDirectory() as directory:
        neps.run(
            run_pipeline=run_pipeline,
            pipeline_space={parameter["name"]: _parameter(neps, parameter) for parameter in by_index(task.space)},
            root_directory=directory,
            max_evaluations_total=task.evaluations if task.budget is None else _MANY,
            searcher=method.removeprefix(_NAME).removeprefix("-") or _DEFAULT,
        )


def _parameter(neps: Any, parameter: Parameter) -> Any:
    settings = {key: value for key, value in parameter.items() if key.startswith("default") or key == "is_fidelity"}
    if parameter["type"] == "categorical":
        return neps.CategoricalParameter(parameter["choices"], **settings)
    kind = neps.FloatParameter if parameter["type"] == "float" else neps.IntegerParameter
    return kind(parameter["lower"], parameter["upper"], log=parameter["log"], **settings)


if __name__ == "__main__":
    main(sys.argv[1])
