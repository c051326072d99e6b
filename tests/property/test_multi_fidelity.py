"""Searches over fidelities on simulated pools of workers: of any number, slow, failing, dying, and seen late."""

from __future__ import annotations

import functools
import itertools
import math
from collections import defaultdict
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neps._fidelity import Bracket
from neps._history import History
from neps._trial import Place, Trial
from neps._worker.checkpoint_retention import deletable
from neps._worker.settings import Keep
from neps.samplers._multi_fidelity.asha import ASHA, ASHAPrior, AsyncHyperband, AsyncHyperbandPrior
from neps.samplers._multi_fidelity.bracket_search import BracketSearch
from neps.samplers._multi_fidelity.freeze_thaw import FreezeThaw, FreezeThawPrior, FreezeThawSearch
from neps.samplers._multi_fidelity.hyperband import Hyperband, HyperbandPrior, SuccessiveHalving, SuccessiveHalvingPrior
from neps.samplers._multi_fidelity.mobster import MOBSTER
from neps.samplers._multi_fidelity.priorband import PriorBand, PriorBandBO
from neps.samplers._protocol import Sampler
from rigs.pool import SPACE, Pool

SYNCHRONOUS = [
    *(Hyperband(), Hyperband(eta=2), HyperbandPrior()),
    *(SuccessiveHalving(), SuccessiveHalvingPrior(early_stopping_rate=1)),
]
ENSEMBLE = [PriorBand(), PriorBand(eta=2, sample_default_at_target=True)]
"""Synchronous, too, but later brackets depend on what results were seen."""
ASYNCHRONOUS = [ASHA(), ASHA(eta=2, early_stopping_rate=1), ASHAPrior(), AsyncHyperband(), AsyncHyperbandPrior()]
MODELS = [MOBSTER(), PriorBandBO(eta=4)]
"""What is new in these depends on results; brackets and promotions are those of AsyncHyperband and Hyperband."""
COUNT, FEWER = 150, 50


def test_a_pool_has_half_claims_races_and_views_that_differ() -> None:
    pool = Pool(ASHA(), 16, 1)
    _, seen = pool.run(COUNT)
    known = [{number for number, trial in seen[n].by_number.items() if trial.ended} for n in sorted(seen)]
    assert pool.vanished > 2, "numbers that were reserved and not committed"
    assert pool.beaten > 2, "decisions that another one of the same number preceded"
    assert sum(bool(before - after) for before, after in itertools.pairwise(known)) > COUNT / 4, "results seen late"


def _by_rung(history: History) -> dict[tuple[int, int], list[Trial]]:
    rungs: dict[tuple[int, int], list[Trial]] = defaultdict(list)
    for trial in history.trials:
        assert trial.decision is not None
        place = trial.decision.place
        if trial.decision.metadata.get("by") == "default" and place is None:
            assert (trial.number, trial.fidelity) == (1, 27), "the default at the target"
            continue
        assert place is not None
        assert place.bracket is not None
        rungs[place.bracket, place.rung].append(trial)
    return rungs


def _check_promotions(history: History, sampler: BracketSearch) -> None:
    """Each continues a finite trial of the rung below, with the same configuration at the next fidelity, only once."""
    promoted = [trial.previous for trial in history.trials if trial.previous is not None]
    assert len(promoted) == len(set(promoted)), "a trial is promoted twice"
    places = [trial.place for trial in history.trials]
    assert len(places) == len(set(places)), "a place is filled twice"
    rungs = sampler.rungs(SPACE)
    for trial in history.trials:
        place = trial.place
        if place is not None:
            assert trial.fidelity == rungs[place.rung]
        if trial.previous is not None:
            previous = history.by_number[trial.previous]
            assert place is not None
            assert previous.place is not None
            assert math.isfinite(previous.rank_key)
            assert (previous.place.bracket, previous.place.rung + 1) == (place.bracket, place.rung)
            assert {**previous.config, "epochs": 0} == {**trial.config, "epochs": 0}


@pytest.mark.parametrize("sampler", MODELS, ids=repr)
@settings(max_examples=3)
@given(workers=st.integers(1, 32), seed=st.integers(0, 2**32 - 1))
def test_the_same_where_a_model_says_what_is_new(sampler: BracketSearch, workers: int, seed: int) -> None:
    history, seen = Pool(sampler, workers, seed).run(FEWER)
    _check_promotions(history, sampler)
    if not sampler.promotion.gives_up:
        _check_all_best(history, seen, sampler.eta)
    _check_freed(history, seen, sampler)


@pytest.mark.parametrize(
    "sampler", [FreezeThaw(), FreezeThaw(step=5, initial_design_size=2), FreezeThawPrior()], ids=repr
)
@settings(max_examples=3)
@given(workers=st.integers(1, 32), seed=st.integers(0, 2**32 - 1))
def test_what_is_thawed_is_what_was_frozen(sampler: FreezeThawSearch, workers: int, seed: int) -> None:
    history, seen = Pool(sampler, workers, seed).run(FEWER)
    continued = [trial.previous for trial in history.trials if trial.previous is not None]
    assert len(continued) == len(set(continued)), "a trial is continued twice"
    levels = sampler.levels(SPACE)
    beginnings = {max(level for level in levels if level <= rung) for rung in sampler.rungs(SPACE)}
    for trial in history.trials:
        level = levels.index(trial.fidelity or 0.0)
        at_target = trial.number == 1 and sampler.default.sample_default_at_target
        assert trial.place == (None if at_target else Place(level)), "the default at the target has no place"
        if trial.previous is None:
            assert trial.fidelity in beginnings, "what is new begins at a rung, or at the step before it"
            continue
        previous = seen[trial.number].by_number[trial.previous]
        assert math.isfinite(previous.rank_key), "it had ended, and with a finite loss"
        assert previous.fidelity == levels[level - 1], "and runs to the next level"
        assert {**previous.config, "epochs": 0} == {**trial.config, "epochs": 0}
    _check_freed(history, seen, sampler)


@pytest.mark.parametrize("sampler", [*SYNCHRONOUS, *ENSEMBLE, *ASYNCHRONOUS], ids=repr)
@settings(max_examples=6)
@given(workers=st.integers(1, 32), seed=st.integers(0, 2**32 - 1))
def test_promotions_are_right_and_what_is_freed_is_not_needed(sampler: BracketSearch, workers: int, seed: int) -> None:
    history, seen = Pool(sampler, workers, seed).run(COUNT)
    assert len(history.trials) == COUNT
    _check_promotions(history, sampler)
    if sampler in ASYNCHRONOUS:
        _check_all_best(history, seen, sampler.eta)
    _check_freed(history, seen, sampler)


def _check_all_best(history: History, seen: dict[int, History], eta: float) -> None:
    for trial in history.trials:
        if trial.previous is not None:
            _check_among_best(seen[trial.number], trial.previous, eta)


def _check_among_best(history: History, promoted: int, eta: float) -> None:
    """By what was seen when it was decided."""
    trial = history.by_number[promoted]
    assert trial.place is not None
    members = [t for t in _by_rung(history)[trial.place.bracket or 0, trial.place.rung] if t.ended]
    better = sum(member.rank_key < trial.rank_key for member in members)
    assert better < math.floor(len(members) / eta + 1e-9)


@functools.cache
def _alone(sampler: BracketSearch) -> History:
    return Pool(sampler, 1, 0).run(COUNT)[0]


def _kinds(sampler: BracketSearch) -> tuple[Bracket, ...]:
    return sampler.kinds.of(len(sampler.rungs(SPACE)), sampler.eta)


def _finished(history: History, sampler: BracketSearch) -> dict[int, dict[tuple[int, int], tuple[Any, Any]]]:
    """What each closed bracket consists of: the configuration and the loss at each of its places."""
    kinds, rungs = _kinds(sampler), _by_rung(history)
    finished = {}
    for bracket in sorted({bracket for bracket, _ in rungs}):
        kind = kinds[bracket % len(kinds)]
        below, closed = math.inf, True
        for step, size in enumerate(kind.sizes):
            members = rungs.get((bracket, kind.lowest + step), [])
            closed = closed and len(members) == min(size, below) and all(trial.ended for trial in members)
            below = sum(math.isfinite(trial.rank_key) for trial in members)
        if closed:
            places = (trial for (other, _), members in rungs.items() if other == bracket for trial in members)
            finished[bracket] = {(t.place.rung, t.place.slot or 0): (t.config, repr(t.loss)) for t in places if t.place}
    return finished


@pytest.mark.parametrize("sampler", SYNCHRONOUS, ids=repr)
@settings(max_examples=6)
@given(workers=st.integers(2, 32), seed=st.integers(0, 2**32 - 1))
def test_finished_brackets_are_the_same_for_any_number_of_workers(
    sampler: BracketSearch, workers: int, seed: int
) -> None:
    alone = _finished(_alone(sampler), sampler)
    many = _finished(Pool(sampler, workers, seed).run(COUNT)[0], sampler)
    assert alone
    for bracket in alone.keys() & many.keys():
        assert alone[bracket] == many[bracket]
    if workers <= 4:
        assert many, "some bracket is finished by so few workers"


def _check_freed(history: History, seen: dict[int, History], sampler: Sampler) -> None:
    """By what anybody knew at any time: either nobody continues it, ever, or who does has succeeded already."""
    successors = {trial.previous: trial.number for trial in history.trials if trial.previous is not None}
    freed: set[int] = set()
    for view in [*itertools.islice(seen.values(), 0, None, 5), history]:
        new = deletable(view, sampler.continuable(view), Keep.BEST) - freed
        freed |= new
        assert all(view.by_number[number].succeeded for number in new)
        for successor in new & successors.keys():
            assert successors[successor] in view.by_number
            assert view.by_number[successors[successor]].succeeded
    assert history.best is not None
    assert history.best.number not in freed


@pytest.mark.parametrize("sampler", [*SYNCHRONOUS, *ENSEMBLE, *ASYNCHRONOUS], ids=repr)
def test_what_is_left_in_the_end(sampler: BracketSearch) -> None:
    """In closed brackets failed trials and what they continue, and finished models or the best of them."""
    history, _ = Pool(sampler, 1, 1).run(COUNT)
    continuable = sampler.continuable(history)
    left = {keep: history.by_number.keys() - deletable(history, continuable, keep) for keep in Keep}
    assert history.best is not None
    failed = {trial.number for trial in history.trials if not trial.succeeded}
    needed = failed | {history.by_number[number].previous for number in failed} - {None}
    finished = {t.number for t in history.trials if t.fidelity == 27 and math.isfinite(t.rank_key)}
    assert len(finished) > 1
    assert len(failed) > 1
    assert left[Keep.ALL] == set(range(1, COUNT + 1))
    assert left[Keep.BEST] == needed | continuable | {history.best.number}
    assert left[Keep.PROMOTABLE] == left[Keep.BEST] | finished


@pytest.mark.parametrize("sampler", SYNCHRONOUS, ids=repr)
def test_a_finished_bracket_continues_nobody(sampler: BracketSearch) -> None:
    history, _ = Pool(sampler, 1, 1, failing=0.0).run(COUNT)
    finished, continuable = _finished(history, sampler), sampler.continuable(history)
    assert finished
    assert continuable  # those of the bracket that is open
    for trial in history.trials:
        assert trial.place is not None
        assert trial.place.bracket not in finished or trial.number not in continuable


@pytest.mark.parametrize("sampler", ENSEMBLE, ids=repr)
@settings(max_examples=6)
@given(workers=st.integers(2, 32), seed=st.integers(0, 2**32 - 1))
def test_without_the_incumbent_an_ensemble_draws_by_the_place_alone(
    sampler: BracketSearch, workers: int, seed: int
) -> None:
    alone, many = _alone(sampler), Pool(sampler, workers, seed).run(COUNT)[0]
    first, second = (_drawn(history) for history in (alone, many))
    same = {place for place in first.keys() & second.keys() if first[place][0] == second[place][0] != "incumbent"}
    assert all(first[place] == second[place] for place in same)
    assert {place for place in first if place[0] == 0} <= same, "all of the first bracket"
    finished = [_finished(history, sampler) for history in (alone, many)]
    assert finished[0][0] == finished[1].get(0, finished[0][0])


def _drawn(history: History) -> dict[tuple[int, int], tuple[str, Any]]:
    """How each configuration that begins was drawn, and what it is, by bracket and slot."""
    decisions = [trial.decision for trial in history.trials if trial.decision and trial.place]
    return {
        (decision.place.bracket or 0, decision.place.slot or 0): (decision.metadata["by"], decision.config["x"])
        for decision in decisions
        if decision.place is not None and decision.previous is None
    }


@pytest.mark.parametrize("sampler", [*SYNCHRONOUS, *ENSEMBLE], ids=repr)
def test_a_finished_rung_has_promoted_its_best(sampler: BracketSearch) -> None:
    for seed, workers in enumerate((1, 7, 32)):
        history, _ = Pool(sampler, workers, seed).run(COUNT)
        rungs, finished = _by_rung(history), _finished(history, sampler)
        for bracket, rung in rungs:
            above = rungs.get((bracket, rung + 1))
            if bracket in finished and above:
                ranked = sorted(trial.rank_key for trial in rungs[bracket, rung])
                promoted = sorted(history.by_number[trial.previous or 0].rank_key for trial in above)
                assert promoted == ranked[: len(promoted)]


@pytest.mark.parametrize("sampler", [*SYNCHRONOUS, *ENSEMBLE, *ASYNCHRONOUS], ids=repr)
def test_all_fail_and_the_search_goes_on(sampler: BracketSearch) -> None:
    history, _ = Pool(sampler, 5, 1, failing=2.0).run(COUNT)
    assert len(history.trials) == COUNT
    assert all(trial.previous is None for trial in history.trials)
