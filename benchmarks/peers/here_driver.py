"""Searchers of this repository, without files: `here_driver.py SEARCHER`, or `"SEARCHER conditional"`.

A method of `benchmarks.regret` and `benchmarks.multifidelity`, run in neps's own environment; `pipe` says how the two
talk.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipe import Host, Parameter, Task, Training, seed_everything

if TYPE_CHECKING:
    from neps.space import SearchSpace

_FINGERPRINTS = Path(__file__).parents[1] / "fingerprints" / "recorded"


def main(searcher: str, *kind: str) -> None:
    """Decide and evaluate, as often as the task says. CPU time includes making the history."""
    host = Host()
    import neps.samplers._model_based.proposal  # noqa: F401 - else imported with the first model, and counted as a suggestion's cost
    from neps._budget import Budget
    from neps.samplers._registry import resolve
    from neps.testing.simulation import simulate

    def objective(config: Mapping[str, Any]) -> Mapping[str, float]:
        loss = host.evaluate(config)
        return {"loss": loss, "cost": host.cost}

    task = host.read_task(_version(searcher, kind))
    seed_everything(task.seed)
    space = space_of(task.space)
    if task.workers > 1:
        _run_together(host, task, searcher, space)
    limits = {"max_evaluations_total": task.evaluations} if task.budget is None else {"max_cost_total": task.budget}
    history = simulate(resolve(searcher, space, {}), space, objective, Budget(**limits), seed=task.seed)
    if task.budget is None and len(history.trials) < task.evaluations:
        sys.exit(f"{searcher} suggests nothing after evaluation {len(history.trials)} of {task.evaluations}.")


def _run_together(host: Host, task: Task, searcher: str, space: SearchSpace) -> None:
    """With several workers: `simulate` has them end in turn."""
    from neps._budget import Budget, Limit
    from neps._deciding import InMemory
    from neps._evaluation import read_return_value
    from neps._trial import Trial
    from neps.samplers._registry import resolve

    run = InMemory(resolve(searcher, space, {}), space, task.seed, Budget())  # the benchmark knows when it ends

    def begin() -> Training | None:
        answer = run.claim()
        return None if isinstance(answer, Limit) else training(answer)

    def training(trial: Trial) -> Training:
        loss = yield space.handed(trial.config)
        run.publish(trial.number, read_return_value({"loss": loss, "cost": host.cost}))

    host.run(task, begin)


def _version(searcher: str, kind: tuple[str, ...]) -> str:
    """What tells its decisions from those that it once made, in this kind of spaces: see `benchmarks.fingerprints`."""
    path = _FINGERPRINTS.joinpath(*kind, f"{searcher}.json")
    if not path.exists():
        sys.exit(
            f"No decisions of {searcher!r} are recorded: scripts/bench fingerprints --searchers {searcher} --write"
        )
    return str(json.loads(path.read_text(encoding="utf-8"))[0]["version"])


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
    main(*sys.argv[1].split())
