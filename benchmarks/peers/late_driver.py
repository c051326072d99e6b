"""Bayesian optimization late in a long run: `late_driver.py 900` lets it decide all trials after the first 900.

The method of `benchmarks.late`, run in the environment of this checkout or of another; `pipe` says how it talks. What
comes before is cheap: regularized evolution, and each 25th trial by a model, as long as a model is of few results and
the same in all versions. So versions that are compared have the same history, and a memory of hyperparameters in it.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from here_driver import space_of
from pipe import Host, seed_everything

_FEW, _BETWEEN = 800, 25


def main(first: int) -> None:
    """Decide and evaluate, as often as the task says. CPU time includes making the history."""
    host = Host()
    import neps
    import neps.samplers._model_based.proposal  # else imported with the first model, and counted as a suggestion's cost
    from neps._history import History
    from neps.samplers._protocol import Done, Sampler, Suggestion, Wait
    from neps.samplers._registry import resolve
    from neps.testing.simulation import simulate

    class Late(Sampler):
        """Two samplers that take turns."""

        def settings(self) -> dict[str, Any]:
            return {}

        def decide(self, history: History, number: int, *rest: Any) -> Suggestion | Wait | Done:
            modelled = number > first or (number <= _FEW and number % _BETWEEN == 0)
            return (model if modelled else cheap).decide(history, number, *rest)

    def objective(config: Mapping[str, Any]) -> float:
        return host.evaluate(config)

    task = host.read_task(f"{neps.__version__}+{_sources(Path(neps.__file__).parent)}")
    seed_everything(task.seed)
    space = space_of(task.space)
    model, cheap = (resolve(name, space, {}) for name in ("bayesian_optimization", "regularized_evolution"))
    simulate(Late(), space, objective, task.evaluations, seed=task.seed)


def _sources(package: Path) -> str:
    """A hash: another checkout has no fingerprints of decisions, perhaps."""
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:10]


if __name__ == "__main__":
    main(int(sys.argv[1]))
