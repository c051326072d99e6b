"""Tells an optimizer what random points are worth, then asks it for a few more: `driver.py METHOD`.

Run by `measuring` as a plain script, in the method's own environment. It speaks the protocol of benchmarks/peers (see
`pipe` there): the first evaluations it asks for are the random points, the same for each method, of floats alone.
"""

from __future__ import annotations

import importlib
import random
import sys
import tempfile
from collections.abc import Generator, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "peers"))

from pipe import Host, Task, seed_everything

SUGGESTIONS = 6
"""Asked of each optimizer. The first one also digests the results and imports what is imported late."""

Point = dict[str, float]
Suggestions = Generator[dict[str, Any], float, None]
"""Yields configurations, and is sent the loss of each."""


def main(method: str) -> None:
    """Evaluate random points, then what the method suggests."""
    host = Host()
    task = host.read_task(version="")
    generator = random.Random(task.seed)  # noqa: S311 - the points are to be the same everywhere
    known = [_random_point(task, generator) for _ in range(task.evaluations - SUGGESTIONS)]
    losses = [host.evaluate(point) for point in known]
    suggestions = _METHODS[method](method, task, known, losses)
    loss = host.evaluate(next(suggestions))
    for _ in range(SUGGESTIONS - 1):
        loss = host.evaluate(suggestions.send(loss))


def _random_point(task: Task, generator: random.Random) -> Point:
    return {parameter["name"]: generator.uniform(parameter["lower"], parameter["upper"]) for parameter in task.space}


def _here(method: str, task: Task, known: Sequence[Point], losses: Sequence[float]) -> Suggestions:
    from neps._budget import Budget
    from neps._history import History
    from neps.samplers import Suggestion
    from neps.samplers._registry import resolve
    from neps.space import Float, SearchSpace
    from neps.testing.simulation import decided, ended, generator_for

    space = SearchSpace({each["name"]: Float(each["lower"], each["upper"]) for each in task.space})
    sampler = resolve({"neps": "bayesian_optimization", "random": "random_search"}[method], space, {})
    trials = {
        number: ended(decided(space, number, Suggestion(config=point)), loss)
        for number, (point, loss) in enumerate(zip(known, losses, strict=True), start=1)
    }
    for number in range(len(known) + 1, task.evaluations + 1):
        history = History(space, MappingProxyType(dict(trials)), task.seed)
        answer = sampler.decide(history, number, Budget(), generator_for(task.seed, number))
        if not isinstance(answer, Suggestion):
            sys.exit(f"{method} suggests nothing as number {number}: {answer.reason}")
        pending = decided(space, number, answer)
        trials[number] = ended(pending, (yield dict(pending.config)))


def _optuna(method: str, task: Task, known: Sequence[Point], losses: Sequence[float]) -> Suggestions:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    seed_everything(task.seed)
    sampler = {"optuna-gp": "GPSampler", "optuna-tpe": "TPESampler"}[method]
    study = optuna.create_study(sampler=getattr(optuna.samplers, sampler)(seed=task.seed))
    distributions: dict[str, optuna.distributions.BaseDistribution] = {
        each["name"]: optuna.distributions.FloatDistribution(each["lower"], each["upper"]) for each in task.space
    }
    for point, loss in zip(known, losses, strict=True):
        study.add_trial(optuna.trial.create_trial(params=dict(point), distributions=distributions, value=loss))
    while True:
        trial = study.ask(distributions)
        study.tell(trial, (yield trial.params))


def _hebo(_: str, task: Task, known: Sequence[Point], losses: Sequence[float]) -> Suggestions:
    import numpy as np
    import pandas as pd
    from hebo.design_space.design_space import DesignSpace
    from hebo.optimizers.hebo import HEBO

    seed_everything(task.seed)
    space = [{"name": each["name"], "type": "num", "lb": each["lower"], "ub": each["upper"]} for each in task.space]
    optimizer = HEBO(DesignSpace().parse(space), scramble_seed=task.seed)
    optimizer.observe(pd.DataFrame(list(known)), np.array(losses)[:, None])
    while True:
        suggested = optimizer.suggest(n_suggestions=1)
        optimizer.observe(suggested, np.array([[(yield suggested.to_dict("records")[0])]]))


def _smac(_: str, task: Task, known: Sequence[Point], losses: Sequence[float]) -> Suggestions:
    import ConfigSpace
    import smac
    from smac.runhistory import TrialValue

    seed_everything(task.seed)
    space = ConfigSpace.ConfigurationSpace()
    space.add([ConfigSpace.Float(each["name"], (each["lower"], each["upper"])) for each in task.space])
    points = [ConfigSpace.Configuration(space, values=point) for point in known]
    told = dict(zip(points, losses, strict=True))
    with tempfile.TemporaryDirectory() as directory:
        scenario = smac.Scenario(
            space,
            output_directory=Path(directory),
            deterministic=True,
            n_trials=task.evaluations,
            seed=task.seed,
        )
        design = smac.BlackBoxFacade.get_initial_design(scenario, n_configs=0, additional_configs=points)
        facade = smac.BlackBoxFacade(scenario, initial_design=design, logging_level=False)
        for _point in points:
            trial = facade.ask()
            facade.tell(trial, TrialValue(cost=told[trial.config], time=1.0))
        while True:
            trial = facade.ask()
            facade.tell(trial, TrialValue(cost=(yield dict(trial.config)), time=1.0))


def _neps017(_: str, task: Task, known: Sequence[Point], losses: Sequence[float]) -> Suggestions:
    neps: Any = importlib.import_module("neps")  # that package, in its environment
    seed_everything(task.seed)
    space = neps.SearchSpace({each["name"]: neps.HPOFloat(each["lower"], each["upper"]) for each in task.space})
    optimizer = neps.AskAndTell(neps.algorithms.bayesian_optimization(space))
    for number, (point, loss) in enumerate(zip(known, losses, strict=True), start=1):
        optimizer.tell_custom(config_id=str(number), config=point, result=loss)
    while True:
        trial = optimizer.ask()
        optimizer.tell(trial, (yield trial.config))


_METHODS = {
    "neps": _here,
    "random": _here,
    "optuna-gp": _optuna,
    "optuna-tpe": _optuna,
    "hebo": _hebo,
    "smac-bb": _smac,
    "neps-0.17": _neps017,
}


if __name__ == "__main__":
    main(sys.argv[1])
