"""Optuna with pruning, with its own defaults: `optuna_pruning_driver.py optuna-SAMPLER-PRUNER`.

SAMPLER is gp, tpe, tpe-group or tpe-univariate, PRUNER hyperband or asha (SuccessiveHalvingPruner). A trial is trained
from one rung of the pruner to the next, reports, and is stopped or goes on. A method of `benchmarks.multifidelity`, run
in an environment of its own; `pipe` says how the two talk.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from optuna_driver import modules_of, sampler, suggested
from pipe import Host, Parameter, Training, preload, seed_everything

if TYPE_CHECKING:
    import optuna


def main(method: str) -> None:
    """Ask, report and tell, until the budget is spent."""
    host = Host()
    import optuna

    preload(*modules_of(method))
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    task = host.read_task(optuna.__version__)
    seed_everything(task.seed)
    name, _, kind = method.rpartition("-")
    pruner, factor = _pruner(kind, task.fidelity)
    # The name decides which trial belongs to which bracket of Hyperband's.
    study = optuna.create_study(sampler=sampler(name, task.seed), pruner=pruner, study_name=f"{method}-{task.seed}")
    steps = list(_steps(task.fidelity, factor))

    def training() -> Training:
        trial = study.ask()
        config = suggested(trial, task.searched)
        for step in steps:
            loss = yield {**config, task.fidelity["name"]: step}
            trial.report(loss, step)
            if step < steps[-1] and trial.should_prune():
                study.tell(trial, state=optuna.trial.TrialState.PRUNED)
                break
        else:
            study.tell(trial, loss)

    host.run(task, training)


def _pruner(kind: str, fidelity: Parameter) -> tuple[optuna.pruners.BasePruner, int]:
    """With its own reduction factor, which comes with it; it is told the fidelity's bounds."""
    from optuna.pruners import HyperbandPruner, SuccessiveHalvingPruner

    if kind == "hyperband":
        return HyperbandPruner(min_resource=fidelity["lower"], max_resource=fidelity["upper"]), 3
    return SuccessiveHalvingPruner(min_resource=fidelity["lower"]), 4


def _steps(fidelity: Parameter, factor: int) -> Iterator[int]:
    """The rungs of Optuna's, which are geometric from the bottom, and the highest fidelity."""
    rungs = (fidelity["lower"] * factor**rung for rung in itertools.count())
    yield from itertools.takewhile(lambda rung: rung < fidelity["upper"], rungs)
    yield fidelity["upper"]


if __name__ == "__main__":
    main(sys.argv[1])
