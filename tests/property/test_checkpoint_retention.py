"""`keep_checkpoints` at the cost of what is new: it frees the same, at the same time, as a look at the whole run."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from types import MappingProxyType, SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neps._fidelity import Brackets
from neps._history import History
from neps._trial import Decision, Result, Status, Trial
from neps._worker import checkpoint_retention
from neps._worker.checkpoint_retention import Disk, deletable
from neps._worker.context import Context
from neps._worker.settings import Keep
from neps.samplers import (
    ASHA,
    BayesianOptimization,
    Done,
    Hyperband,
    PriorBand,
    Sampler,
    SuccessiveHalving,
    Suggestion,
    Wait,
)
from neps.samplers._multi_fidelity.asha import AsyncHyperband
from neps.space import Float, SearchSpace
from neps.testing.simulation import simulate
from rigs.pool import SPACE, Pool

PLAIN = SearchSpace({"x": Float(0, 1)})


class OwnRules(Sampler):
    """Of all trials that end, it continues those with an odd number, while there are no more than 40."""

    def __repr__(self) -> str:
        return "OwnRules()"

    def settings(self) -> dict[str, Any]:
        return {}

    def decide(self, *arguments: Any) -> Suggestion | Wait | Done:
        return ASHA().decide(*arguments)

    def continuable(self, history: History) -> frozenset[int]:
        odd = frozenset(trial.number for trial in history.trials if trial.ended and trial.number % 2)
        return odd if len(history.trials) <= 40 else frozenset()


class View:
    """What a worker knows, and whom it tells."""

    def __init__(self, space: SearchSpace) -> None:
        self.space, self.trials, self.brackets = space, dict[int, Trial](), Brackets()
        self.best: Trial | None = None
        self.observers: list[Any] = [self.brackets]

    def known(self) -> MappingProxyType[int, Trial]:
        return MappingProxyType(self.trials)

    def see(self, trial: Trial) -> None:
        self.trials[trial.number] = trial
        if trial.succeeded:
            self.best = min(filter(None, (self.best, trial)), key=lambda each: each.incumbent_key)
        for observer in self.observers:
            observer.seen(trial)

    def forget(self, number: int) -> None:
        del self.trials[number]
        for observer in self.observers:
            observer.gone(number)

    @property
    def history(self) -> History:
        return History(self.space, MappingProxyType(dict(self.trials)))


def _objective(config: Mapping[str, Any]) -> float | None:
    return float(config["x"]) if config["x"] < 0.9 else None


def _stages(trial: Trial, generator: np.random.Generator) -> list[Trial | None]:
    """How a trial may come to be known: running, perhaps removed, failed and retried, damaged, and as it ended."""
    running = dataclasses.replace(trial, result=None, status=Status.RUNNING)
    stages: list[Trial | None] = [running]
    if generator.random() < 0.1:
        stages += [None, running]
    if generator.random() < 0.2:
        failed = dataclasses.replace(trial, result=Result.of(success=False), status=Status.FAILED)
        stages += [failed, running]
    if generator.random() < 0.05:
        return [
            *stages,
            dataclasses.replace(trial, result=Result.of(success=False, damaged=True), status=Status.FAILED),
        ]
    return [*stages, trial]


def _events(history: History, generator: np.random.Generator) -> Iterator[tuple[int, Trial | None]]:
    """Each trial's stages in their order, those of different ones mixed; decisions in order."""
    waiting: list[tuple[int, list[Trial | None]]] = []
    for trial in history.trials:
        first, *rest = _stages(trial, generator)
        yield trial.number, first
        waiting.append((trial.number, rest))
        while len(waiting) > generator.integers(1, 12):
            index = int(generator.integers(len(waiting)))
            number, stages = waiting[index]
            yield number, stages.pop(0)
            if not stages:
                waiting.pop(index)
    for number, stages in waiting:
        yield from ((number, stage) for stage in stages)


def _disk(view: View, sampler: Sampler, keep: Keep) -> Disk:
    kept = SimpleNamespace(keep_checkpoints=keep)
    context = SimpleNamespace(
        view=view, space=view.space, sampler=sampler, seed=0, brackets=view.brackets, settings=kept
    )
    disk = Disk(cast("Context", context))
    view.observers.append(disk)
    return disk


def _check(history: History, sampler: Sampler, keep: Keep, seed: int) -> None:
    view = View(history.space)
    disk = _disk(view, sampler, keep)
    generator = np.random.default_rng(seed)
    freed, expected = set[int](), set[int]()
    for number, trial in _events(history, generator):
        if trial is None:
            view.forget(number)
        else:
            view.see(trial)
        if generator.random() < 0.5:
            freed |= disk.deletable()
            expected |= deletable(view.history, sampler.continuable(view.history), keep)
            assert freed == expected, f"after trial {number}"
    assert expected


@pytest.mark.parametrize(
    "sampler", [ASHA(), AsyncHyperband(), Hyperband(), SuccessiveHalving(), PriorBand(), OwnRules()], ids=repr
)
@settings(max_examples=6)
@given(keep=st.sampled_from([Keep.BEST, Keep.PROMOTABLE]), workers=st.integers(1, 16), seed=st.integers(0, 2**32 - 1))
def test_the_same_as_a_look_at_the_whole_run(sampler: Sampler, keep: Keep, workers: int, seed: int) -> None:
    history, _ = Pool(sampler, workers, seed).run(60)
    assert history.space == SPACE
    _check(history, sampler, keep, seed)


@settings(max_examples=6)
@given(seed=st.integers(0, 2**32 - 1))
def test_without_a_fidelity(seed: int) -> None:
    sampler = BayesianOptimization(initial_design_size=60)
    history = simulate(sampler, PLAIN, _objective, 60)
    _check(history, sampler, Keep.BEST, seed)


def test_one_whose_successor_is_removed_may_be_freed() -> None:
    view = View(SPACE)
    disk = _disk(view, ASHA(), Keep.BEST)
    ends, runs = (Decision(number=number, config={}, fidelity=9, previous=number - 1) for number in (1, 2))
    view.see(Trial(number=1, decision=ends, result=Result.of(success=True, loss=math.nan)))
    view.see(Trial(number=3, decision=ends, result=Result.of(success=True, loss=1.0)))
    view.see(Trial(number=2, decision=runs))
    assert disk.deletable() == set()
    view.forget(2)
    assert disk.deletable() == {1}


def test_a_long_run_costs_no_more_than_a_short_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a thousand trials each is looked at when it ends, with those that it concerns alone."""
    shown: list[int] = []

    def looked(history: History, *arguments: Any) -> set[int]:
        shown.append(len(history.by_number))
        return deletable(history, *arguments)

    monkeypatch.setattr(checkpoint_retention, "deletable", looked)
    history = simulate(ASHA(), SPACE, _objective, 1000)
    view = View(SPACE)
    disk = _disk(view, ASHA(), Keep.BEST)
    for trial in history.trials:
        view.see(trial)
        disk.deletable()
    assert len(shown) == 1000
    assert max(shown) <= 4, "itself, the one that it continues, and the incumbent"
