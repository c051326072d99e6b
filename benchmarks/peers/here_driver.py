"""Searchers of this repository, without files: `here_driver.py random|neps|neps-SEARCHER` (`neps-pibo`: pibo).

A method of `benchmarks.regret`, run in neps's own environment; `pipe` says how the two talk.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from fingerprint import fingerprint
from pipe import Host, Parameter, seed_everything

if TYPE_CHECKING:
    from neps.space import SearchSpace

_SEARCHERS = {"random": "random_search", "neps": "bayesian_optimization"}


def main(method: str) -> None:
    """Decide and evaluate, as often as the task says. CPU time includes making the history."""
    host = Host()
    import neps.samplers.proposal  # noqa: F401 - else imported with the first model, and counted as a suggestion's cost
    from neps.budget import Budget
    from neps.history import History
    from neps.samplers import Suggestion
    from neps.samplers.registry import resolve
    from neps.testing.simulation import decided, generator_for
    from neps.trial import Result, Status, Trial

    searcher = _SEARCHERS.get(method, method.removeprefix("neps-").replace("-", "_"))
    parameters, seed, evaluations = host.read_task(_version(searcher))
    seed_everything(seed)
    space = _space(parameters)
    sampler = resolve(searcher, space, {})
    budget = Budget(max_evaluations_total=evaluations)
    trials: dict[int, Trial] = {}
    for number in range(1, evaluations + 1):
        history = History(space, MappingProxyType(dict(trials)), seed)
        answer = sampler.decide(history, number, budget, generator_for(seed, number))
        if not isinstance(answer, Suggestion):
            sys.exit(f"{method} suggests nothing at evaluation {number} of {evaluations}: {answer.reason}")
        decision = decided(space, number, answer).decision
        result = Result(success=True, loss=host.evaluate(answer.config), cost=host.cost)
        trials[number] = Trial(number=number, decision=decision, result=result, status=Status.SUCCESS, spent=host.cost)


def _version(searcher: str) -> str:
    """Of this working tree: the package's version, and a hash of what a suggestion by a model depends on."""
    import neps

    if searcher == "random_search":
        return neps.__version__
    modules = [f"neps.samplers.{searcher}", "neps.samplers.proposal"]
    return f"{neps.__version__}+{fingerprint(Path(neps.__file__).parent, modules)}"


def _space(parameters: list[Parameter]) -> SearchSpace:
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
