"""Trials by bracket and rung: kept up it says the same as made anew, and a decision costs the same in a long run."""

from __future__ import annotations

import contextlib
import dataclasses
import random
import sys
import tracemalloc
from pathlib import Path
from types import FrameType
from typing import Any, Self

import numpy as np
import pytest

import neps
from neps._budget import Budget
from neps._cli import main
from neps._fidelity import Bracket, BracketMembers, Brackets, Vacancy, synchronous_place, synchronous_places
from neps._history import History
from neps._trial import Decision, Place, Status, Trial
from neps.samplers import Sampler, Suggestion
from neps.samplers._multi_fidelity.asha import ASHA, AsyncHyperband
from neps.samplers._multi_fidelity.hyperband import Hyperband, SuccessiveHalving
from neps.space import SearchSpace
from neps.testing.simulation import decided, ended, generator_for

SPACE = SearchSpace({"x": neps.Float(0, 1), "epochs": neps.Integer(1, 27, is_fidelity=True)})
KINDS = (Bracket(0, (3, 1)), Bracket(1, (2,)))


def trial(number: int, rung: int = 0, bracket: int = 0, slot: int | None = None, previous: int | None = None) -> Trial:
    decision = Decision(
        number=number, config={}, place=Place(rung, bracket, number if slot is None else slot), previous=previous
    )
    return Trial(number=number, decision=decision)


def state(brackets: Brackets) -> Any:
    """All that can be asked."""
    told: dict[Any, Any] = {}
    for bracket, members in brackets.items():
        for rung in range(4):
            here = members.rung(rung)
            told[bracket, rung] = (
                [repr(each) for each in sorted(here, key=lambda each: each.number)],
                (len(here), here.ended, here.free_slot, here.waiting, repr(here.best_waiting)),
            )
        told[bracket, "all"] = (len(members), members.ended, [each.number for each in members])
    best = [[each.number for each in brackets.best(rung, brackets.finite(rung))] for rung in range(4)]
    return told, brackets.begun, best, [brackets.highest_rung(least) for least in (1, 2.5, 4)]


@pytest.mark.parametrize("seed", range(20))
def test_kept_up_it_says_the_same_as_made_anew(seed: int) -> None:
    """Whatever becomes known, in whatever order: also retries, removed folders, numbers that are decided anew."""
    random = np.random.default_rng(seed)
    known, kept_up = dict[int, Trial](), Brackets()
    for _ in range(150):
        number, loss = int(random.integers(1, 30)), float(random.choice([0.1, 0.2, 0.2, np.nan, np.inf]))
        match random.choice(["seen", "ended", "gone", "anew"], p=[0.2, 0.5, 0.1, 0.2]):
            case "seen" if number in known:
                known[number] = Trial(number=number, decision=known[number].decision)
            case "ended" if number in known:
                known[number] = ended(known[number], None if random.random() < 0.2 else loss)
            case "gone":
                known.pop(number, None)
            case _:
                rung, bracket, slot = map(int, random.integers(0, [3, 3, 4]))
                known[number] = trial(number, rung, bracket, slot, int(random.integers(1, 30)) if rung else None)
        kept_up.gone(number)
        if number in known:
            kept_up.seen(known[number])
        assert state(kept_up) == state(Brackets(known.values()))


def test_the_best_of_a_rung_over_all_brackets() -> None:
    losses = {1: 0.3, 2: 0.1, 3: np.nan, 4: 0.1, 5: None}
    brackets = Brackets([ended(trial(number, 1, number), loss) for number, loss in losses.items()] + [trial(6, 2)])
    assert brackets.finite(1) == 3
    assert [each.number for each in brackets.best(1, 2)] == [2, 4]
    assert [each.number for each in brackets.best(1, 9)] == [2, 4, 1]
    assert (brackets.finite(2), brackets.best(2, 1), brackets.best(7, 1)) == (0, [], [])
    assert [brackets.highest_rung(least) for least in (1, 3, 3.5)] == [1, 1, None]
    brackets.gone(2)
    assert [each.number for each in brackets.best(1, 2)] == [4, 1]


def test_trials_without_a_place_are_in_no_bracket() -> None:
    without = Trial(number=2, decision=Decision(number=2, config={}))
    brackets = Brackets([trial(1), Trial(number=3, decision=None), without])
    assert {bracket: list(members) for bracket, members in brackets.items()} == {0: [trial(1)]}
    brackets.seen(Trial(number=1, decision=None))
    assert len(brackets) == brackets.begun == 0
    with pytest.raises(ValueError, match="trial 2 is in no rung"):
        BracketMembers.of([without])


def test_a_closed_bracket_is_left_alone_until_it_changes() -> None:
    brackets = Brackets([trial(1), trial(2, bracket=2)])
    assert brackets.unclosed(KINDS) == [0, 1, 2]  # of bracket 1 nothing is known, as where its trials are damaged
    brackets.close(0, KINDS)
    assert brackets.unclosed(KINDS) == [1, 2]
    assert brackets.unclosed(KINDS[:1]) == [0, 1, 2], "closed as another kind"
    brackets.seen(ended(trial(1), 0.1))
    brackets.seen(trial(3, bracket=4))
    assert brackets.unclosed(KINDS) == [0, 1, 2, 4]  # 3 has none, either: it comes after 1
    brackets.seen(trial(4, bracket=1))
    assert brackets.unclosed(KINDS) == [0, 1, 2, 3, 4]
    brackets.gone(3)
    assert brackets.unclosed(KINDS) == [0, 1, 2]
    brackets.gone(1)
    assert brackets.unclosed(KINDS) == [0, 1, 2]


def test_brackets_without_trials_change_no_decision(rng: random.Random) -> None:
    """What is next is the same as where all of them are looked at: promotions first, then the oldest place."""
    for _ in range(200):
        chosen = [(number, rng.randrange(12), rng.randrange(2), rng.random()) for number in range(1, rng.randrange(20))]
        brackets = Brackets()
        for number, bracket, rung, loss in chosen:
            brackets.seen(trial(number, rung, bracket) if loss < 0.2 else ended(trial(number, rung, bracket), loss))
            for gone in rng.sample(sorted(brackets.get(bracket, ()), key=lambda each: each.number), loss > 0.8):
                brackets.gone(gone.number)
            assert following(list(synchronous_places(KINDS, brackets))) == following(all_places(brackets))


def all_places(brackets: Brackets) -> list[tuple[int, Vacancy]]:
    found = (
        (number, synchronous_place(KINDS[number % len(KINDS)], brackets.get(number, BracketMembers())))
        for number in range(brackets.begun)
    )
    return [(number, place) for number, place in found if place is not None]


def following(places: list[tuple[int, Vacancy]]) -> list[tuple[int, Vacancy]]:
    return [*[(number, place) for number, place in places if place.previous is not None], *places[:1]]


def test_a_high_number_costs_nothing() -> None:
    """Somebody else's trial.yaml may say any: brackets without trials are neither listed nor kept."""
    brackets = Brackets([trial(1), trial(2, bracket=999_999)])
    for number in range(3, 40):
        assert len(list(synchronous_places(KINDS, brackets))) <= number
        brackets.seen(trial(number, bracket=number - 2, rung=KINDS[(number - 2) % len(KINDS)].lowest))
    assert brackets.begun == 1_000_000
    tracemalloc.start()
    assert brackets.unclosed(KINDS) == [*range(39), 999_999]
    assert tracemalloc.get_traced_memory()[1] < 100_000
    tracemalloc.stop()


@dataclasses.dataclass(frozen=True)
class Checked(Sampler):
    """Decides as another, and looks at each decision whether what the worker keeps up is right."""

    sampler: Sampler

    def settings(self) -> dict[str, Any]:
        return {}

    def decide(self, history: History, number: int, budget: Budget, generator: np.random.Generator) -> Any:
        assert history.index is not None
        assert state(history.brackets) == state(Brackets(history.trials))
        return self.sampler.decide(history, number, budget, generator)


def test_a_worker_keeps_it_up(tmp_path: Path) -> None:
    def run_pipeline(x: float, epochs: int, pipeline_directory: Path) -> float:
        return x / epochs / (x > 0.6 or (pipeline_directory / "attempt_2.yaml").exists())  # fails at first

    def search(count: int) -> neps.History:
        sampler = Checked(ASHA())
        return neps.run(
            run_pipeline,
            tmp_path,
            SPACE,
            searcher=sampler,
            max_evaluations_total=count,
            ignore_errors=True,
            post_run_summary=False,
            seed=1,
        )

    failed = [each for each in search(12).trials if not each.succeeded]
    assert failed
    assert main(["retry", str(tmp_path), "--failed"]) == 0
    history = search(30)
    assert [history.by_number[each.number].status for each in failed] == [Status.SUCCESS] * len(failed)
    assert history.index is None


class Opcodes:
    """Counts what Python executes, the same on every machine; what a call into C does counts as one."""

    def __init__(self) -> None:
        self.count = 0
        self._before: Any = None

    def __enter__(self) -> Self:
        self._before = sys.gettrace()
        sys.settrace(self._trace)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(self._before)

    def _trace(self, frame: FrameType, event: str, _: object) -> Any:
        frame.f_trace_opcodes = True
        self.count += event == "opcode"
        return self._trace


@pytest.mark.parametrize("sampler", [ASHA(), AsyncHyperband(), Hyperband(), SuccessiveHalving()], ids=repr)
def test_a_decision_costs_the_same_however_many_trials_there_are(sampler: Sampler) -> None:
    """Of 20 in a row, as with 8 workers, the dearest."""
    trials, brackets = dict[int, Trial](), Brackets()
    dearest: dict[bool, int] = {}
    for number in range(1, 3021):
        history = History(SPACE, trials, 3, brackets)
        generator, counted = generator_for(3, number), Opcodes()
        with counted if number % 2700 in range(300, 320) else contextlib.nullcontext():
            answer = sampler.decide(history, number, Budget(), generator)
        assert isinstance(answer, Suggestion)
        dearest[number > 2700] = max(dearest.get(number > 2700, 0), counted.count)
        trials[number] = decided(SPACE, number, answer)
        brackets.seen(trials[number])
        if number > 8:
            x: Any = trials[number - 8].config["x"]
            trials[number - 8] = ended(trials[number - 8], x)
            brackets.seen(trials[number - 8])
    assert dearest[True] < 1.5 * dearest[False], f"operations for a decision, after 3,000 trials and before: {dearest}"
