"""Searchers of this repository, without files: `here_driver.py random|neps|neps-SEARCHER` (`neps-pibo`: pibo).

A method of `benchmarks.regret` and `benchmarks.multifidelity`, run in neps's own environment; `pipe` says how the two
talk.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fingerprint import fingerprint
from pipe import Host, Parameter, seed_everything

if TYPE_CHECKING:
    from neps.space import SearchSpace

_SEARCHERS = {"random": "random_search", "neps": "bayesian_optimization"}
_ANYTHING: Parameter = {"type": "integer", "lower": 1, "upper": 9}


def main(method: str) -> None:
    """Decide and evaluate, as often as the task says. CPU time includes making the history."""
    host = Host()
    import neps.samplers.model_based.proposal  # noqa: F401 - else imported with the first model, and counted as a suggestion's cost
    from neps.budget import Budget
    from neps.samplers.registry import resolve
    from neps.testing.simulation import simulate

    def objective(config: Mapping[str, Any]) -> Mapping[str, float]:
        loss = host.evaluate(config)
        return {"loss": loss, "cost": host.cost}

    searcher = _SEARCHERS.get(method, method.removeprefix("neps-").replace("-", "_"))
    task = host.read_task(_version(searcher))
    seed_everything(task.seed)
    space = space_of(task.space)
    limits = {"max_evaluations_total": task.evaluations} if task.budget is None else {"max_cost_total": task.budget}
    history = simulate(resolve(searcher, space, {}), space, objective, Budget(**limits), seed=task.seed)
    if task.budget is None and len(history.trials) < task.evaluations:
        sys.exit(f"{method} suggests nothing after evaluation {len(history.trials)} of {task.evaluations}.")


def _version(searcher: str) -> str:
    """Of this working tree: the package's version, and a hash of what a suggestion depends on, unless it is random."""
    import neps
    from neps.samplers.registry import resolve

    if searcher == "random_search":
        return neps.__version__
    anything = space_of([{**_ANYTHING, "name": "x", "default": 1}, {**_ANYTHING, "name": "z", "is_fidelity": True}])
    module = type(resolve(searcher, anything, {})).__module__
    return f"{neps.__version__}+{fingerprint(Path(neps.__file__).parent, [module])}"


def space_of(parameters: list[Parameter]) -> SearchSpace:
    """The space that neps searches."""
    from neps.space import Categorical, Float, Integer, SearchSpace

    kinds = {"float": Float, "integer": Integer, "categorical": Categorical}
    return SearchSpace(
        {
            parameter["name"]: kinds[parameter["type"]](
                **{key: value for key, value in parameter.items() if key not in ("name", "type")}
            )
            for parameter in parameters
        }
    )


if __name__ == "__main__":
    main(sys.argv[1])
