"""One worker of one library, in that library's environment: `driver.py LIBRARY work …`, or `driver.py LIBRARY count …`.

Each is used as its documentation says for several workers on one directory, with random search, since here only the
coordination is compared. Imports nothing but the library: it runs where neps is another package, or none.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

_LEASE_SECONDS = 5.0
_ENDED = ("SUCCESS", "CRASHED", "FAILED")


def _evaluate(evidence: str, seconds: float, x: float) -> float:
    """What is searched: it says that it has begun and ended, in a file that no library knows."""
    _say(evidence, "begin", x)
    time.sleep(seconds)
    _say(evidence, "end", x)
    return x


def _say(evidence: str, event: str, x: float) -> None:
    line = json.dumps({"event": event, "x": x, "pid": os.getpid(), "moment": time.monotonic()}) + "\n"
    descriptor = os.open(evidence, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)


# neps: this version


def _neps_work(root: str, evaluate: Callable[[float], float], budget: int, workers: int) -> None:
    import logging

    import neps

    logging.basicConfig()
    neps.run(
        evaluate,
        root,
        {"x": neps.Float(0, 1)},
        searcher="random_search",
        max_evaluations_total=budget,
        lease_seconds=_LEASE_SECONDS,
        continue_until_max_evaluation_completed=True,
        post_run_summary=False,
        progress=False,
    )


def _neps_count(root: str) -> tuple[list[float], int]:
    import neps

    history = neps.load(root)
    unfinished = sum(1 for trial in history if trial.loss is None and not trial.damaged)
    return [trial.loss for trial in history if trial.loss is not None], unfinished


# NePS 0.17


def _neps017_work(root: str, evaluate: Callable[[float], float], budget: int, workers: int) -> None:
    neps: Any = importlib.import_module("neps")
    space = type("Space", (neps.PipelineSpace,), {"x": neps.Float(0.0, 1.0)})()
    neps.run(
        evaluate,
        space,
        root_directory=root,
        optimizer="random_search",
        total_evaluations_to_spend=budget,
        continue_until_max_evaluation_completed=True,
    )


def _neps017_count(root: str) -> tuple[list[float], int]:
    import yaml

    losses, unfinished = [], 0
    for folder in Path(root, "configs").glob("config_*"):
        if not folder.is_dir():
            continue
        try:
            report = yaml.load((folder / "report.yaml").read_text(), yaml.CSafeLoader)
            losses.append(float(report["objective_to_minimize"]))
        except (OSError, yaml.YAMLError, TypeError, KeyError):
            unfinished += 1
    return losses, unfinished


# Optuna, JournalStorage with JournalFileBackend


def _optuna_study(root: str) -> Any:
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    Path(root).mkdir(parents=True, exist_ok=True)
    storage = JournalStorage(JournalFileBackend(f"{root}/journal.log"))
    sampler = optuna.samplers.RandomSampler()
    return optuna.create_study(storage=storage, study_name="league", sampler=sampler, load_if_exists=True)


def _optuna_work(root: str, evaluate: Callable[[float], float], budget: int, workers: int) -> None:
    from optuna.study import MaxTrialsCallback
    from optuna.trial import TrialState

    study, most = _optuna_study(root), MaxTrialsCallback(budget, states=(TrialState.COMPLETE,))
    if len(study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))) < budget:  # the callback looks afterwards
        study.optimize(lambda trial: evaluate(trial.suggest_float("x", 0, 1)), callbacks=[most])


def _optuna_count(root: str) -> tuple[list[float], int]:
    trials = _optuna_study(root).get_trials(deepcopy=False)
    done = [trial.value for trial in trials if trial.state.name == "COMPLETE"]
    return done, sum(trial.state.name in {"RUNNING", "WAITING"} for trial in trials)


# SMAC: one process, whose workers are Dask's


def _smac_evaluate(config: Any, seed: int = 0, *, evaluate: Callable[[float], float]) -> float:
    return evaluate(float(config["x"]))


def _smac_work(root: str, evaluate: Callable[[float], float], budget: int, workers: int) -> None:
    import ConfigSpace
    import smac

    space = ConfigSpace.ConfigurationSpace({"x": (0.0, 1.0)}, seed=0)
    scenario = smac.Scenario(
        space,
        name="league",
        output_directory=Path(root),
        deterministic=True,
        n_trials=budget,
        n_workers=workers,
        seed=0,
    )
    facade = smac.RandomFacade(scenario, functools.partial(_smac_evaluate, evaluate=evaluate), overwrite=False)
    facade.optimize()


def _smac_count(root: str) -> tuple[list[float], int]:
    losses, unfinished = [], 0
    for path in Path(root).rglob("runhistory.json"):
        for entry in json.loads(path.read_text())["data"]:
            cost, status = (entry["cost"], entry["status"]) if isinstance(entry, dict) else (entry[4], entry[6])
            if status == 1:
                losses.append(float(cost))
            elif status == 0:
                unfinished += 1
    return losses, unfinished


_LIBRARIES: dict[str, tuple[Callable[..., None], Callable[[str], tuple[list[float], int]]]] = {
    "neps": (_neps_work, _neps_count),
    "neps017": (_neps017_work, _neps017_count),
    "optuna": (_optuna_work, _optuna_count),
    "smac": (_smac_work, _smac_count),
}


def main() -> None:
    """Work until the budget is spent, or print what is recorded."""
    parser = argparse.ArgumentParser()
    parser.add_argument("library", choices=_LIBRARIES)
    parser.add_argument("what", choices=("work", "count"))
    parser.add_argument("root")
    parser.add_argument("--evidence", default=os.devnull)
    parser.add_argument("--budget", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=0.0)
    told = parser.parse_args()
    work, count = _LIBRARIES[told.library]
    if told.what == "count":
        losses, unfinished = count(told.root)
        print(json.dumps({"losses": losses, "unfinished": unfinished}))
        return
    work(told.root, _Evaluate(told.evidence, told.seconds), told.budget, told.workers)


class _Evaluate:
    """Called with `x` alone, by keyword; a class, since Dask pickles it."""

    def __init__(self, evidence: str, seconds: float) -> None:
        self.evidence, self.seconds = evidence, seconds

    def __call__(self, x: float) -> float:
        return _evaluate(self.evidence, self.seconds, x)


if __name__ == "__main__":
    main()
