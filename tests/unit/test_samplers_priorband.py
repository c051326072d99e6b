"""PriorBand: how new configurations are shared between chance, the prior and the incumbent; and the default's place."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from scipy.stats import truncnorm

from neps._budget import Budget
from neps._history import History
from neps._trial import Place, Trial
from neps.samplers import (
    ASHA,
    ASHAPrior,
    AsyncHyperbandPrior,
    Hyperband,
    HyperbandPrior,
    PriorBand,
    SuccessiveHalvingPrior,
    Suggestion,
)
from neps.samplers._drawing.mutation import mutated_in_some
from neps.samplers._multi_fidelity.bracket_search import BracketSearch
from neps.samplers._multi_fidelity.ensemble import followed
from neps.samplers._multi_fidelity.sources import Beginning, Drawn
from neps.space import Categorical, Constant, Float, Integer, SearchSpace, Value
from neps.testing.simulation import decided, ended, generator_for, simulate

EPOCHS = Integer(1, 9, is_fidelity=True)
LINE = SearchSpace({"x": Float(0, 1, default=0.5, default_confidence="medium"), "epochs": EPOCHS})
FIRST_BRACKET = 9 * 1 + 3 * 2 + 1 * 6
"""What its trials run, going on from checkpoints: 9 at 1 epoch, 3 to 3, and 1 to 9."""


def trial(number: int, x: float, loss: float | None, rung: int, previous: int | None = None) -> Trial:
    """A trial of LINE that has ended."""
    config: dict[str, Value] = {"x": x, "epochs": (1, 3, 9)[rung]}
    suggestion = Suggestion(config=config, place=Place(rung, 0, number), previous=previous)
    return ended(decided(LINE, number, suggestion), loss)


def history(*trials: Trial, space: SearchSpace = LINE) -> History:
    return History(space, MappingProxyType({trial.number: trial for trial in trials}), 3)


def configuration(sampler: BracketSearch, known: History, bracket: int, rung: int, slot: int) -> Drawn:
    """What begins at a place."""
    return sampler.source.configuration(Beginning(known, sampler.eta, bracket, rung, slot))


def value_of_x(config: Mapping[str, Any]) -> float:
    return float(config["x"])


def distance(config: Mapping[str, Any]) -> float:
    return abs(value_of_x(config) - 0.2)


def density(x: float, mean: float, deviation: float) -> float:
    return float(truncnorm.pdf(x, -mean / deviation, (1 - mean) / deviation, mean, deviation))


BASE = [trial(number, number / 10, number, 0) for number in range(1, 10)]
MIDDLE = [trial(10 + number, number / 10, number, 1, number) for number in range(1, 4)]
TOP = trial(20, 0.1, 1.0, 2, 11)
FULL = history(*BASE, *MIDDLE, TOP)


class TestShares:
    @pytest.mark.parametrize(("rung", "expected"), [(0, 1 / 2), (1, 1 / 4), (2, 1 / 10)])
    def test_of_new_configurations_fewer_are_uniform_at_higher_rungs(self, rung: int, expected: float) -> None:
        sampler, count = PriorBand(), 2000
        drawn = [configuration(sampler, history(), 1, rung, slot)[1]["by"] for slot in range(count)]
        assert set(drawn) == {"random", "prior"}
        bound = 4 * math.sqrt(expected * (1 - expected) / count)
        assert abs(drawn.count("random") / count - expected) < bound

    def test_the_incumbent_takes_of_the_priors(self) -> None:
        sampler, count = PriorBand(), 2000
        evidence = followed(FULL, LINE, 3, FIRST_BRACKET)
        assert evidence is not None
        drawn = [configuration(sampler, FULL, 1, 1, slot) for slot in range(count)]
        shares = {by: sum(reasons["by"] == by for _, reasons in drawn) / count for by in ("random", "prior")}
        assert abs(shares["random"] - 1 / 4) < 0.04
        assert abs(shares["prior"] - 3 / 4 * (1 - evidence[1])) < 0.04
        assert {reasons["incumbent"] for _, reasons in drawn if reasons["by"] == "incumbent"} == {20}

    @pytest.mark.parametrize("deviation", [0.01, 0.25])
    def test_the_incumbents_are_mutations_by_the_settings(self, deviation: float) -> None:
        sampler = PriorBand(inc_mutation_std=deviation, inc_mutation_rate=0.0)
        drawn = [configuration(sampler, FULL, 1, 2, slot) for slot in range(300)]
        steps = [value_of_x(config) - 0.1 for config, reasons in drawn if reasons["by"] == "incumbent"]
        normal = truncnorm(-0.1 / deviation, 0.9 / deviation, 0, deviation)
        assert np.std(steps) == pytest.approx(normal.std(), rel=0.2)

    def test_are_in_proportion_of_the_densities_by_rank(self) -> None:
        """Of 6 at the middle rung the best 2 count, twice and once."""
        more = [trial(30 + number, number / 10, number, 1, number) for number in range(4, 7)]
        evidence = followed(history(*BASE, *MIDDLE, *more, TOP), LINE, 3, FIRST_BRACKET)
        prior = 2 * density(0.1, 0.5, 0.25) + density(0.2, 0.5, 0.25)
        around = 2 * density(0.1, 0.1, 0.25) + density(0.2, 0.1, 0.25)
        assert evidence is not None
        assert evidence[0].number == 20
        assert evidence[1] == pytest.approx(around / (prior + around), rel=1e-12)

    def test_the_highest_rung_with_eta_results_is_evidence(self) -> None:
        top = [trial(20 + number, 0.4 + number / 10, number, 2, 10 + number) for number in range(1, 4)]
        evidence = followed(history(*BASE, *MIDDLE, *top), LINE, 3, FIRST_BRACKET)
        prior, around = density(0.5, 0.5, 0.25), density(0.5, 0.5, 0.25)
        assert evidence is not None
        assert evidence[1] == pytest.approx(around / (prior + around), rel=1e-12)

    def test_the_default_at_the_target_may_be_the_incumbent(self) -> None:
        config: dict[str, Value] = {"x": 0.5, "epochs": 9}
        moved = [trial(30 + number, number / 10, number, 0) for number in range(1, 10)]
        for loss, expected in ((0.5, 1), (1.0, 1), (1.5, 20), (None, 20), (math.nan, 20)):
            default = ended(decided(LINE, 1, Suggestion(config=config)), loss)
            evidence = followed(history(default, *moved, *MIDDLE, TOP), LINE, 3, FIRST_BRACKET)
            assert evidence is not None
            assert evidence[0].number == expected

    def test_a_parameter_without_a_default_is_a_reason_for_the_incumbent(self) -> None:
        space = SearchSpace({"x": Float(0, 1), "y": Float(0, 1, default=0.5), "epochs": EPOCHS})
        trials = [*BASE, *MIDDLE, TOP]
        moved = [
            dataclasses.replace(t, decision=dataclasses.replace(t.decision, config={**t.config, "y": 0.5}))  # type: ignore[type-var]
            for t in trials
        ]
        evidence = followed(history(*moved, space=space), space, 3, FIRST_BRACKET)
        around = density(0.1, 0.1, 0.5)
        assert evidence is not None
        assert evidence[1] == pytest.approx(around / (1 + around), rel=1e-12)

    def test_densities_beyond_floats_are_compared(self) -> None:
        names = [f"x{index}" for index in range(500)]
        prior = SearchSpace(
            {n: Float(0, 1, default=0.0, default_confidence="high") for n in names} | {"epochs": EPOCHS}
        )

        def far(number: int, rung: int, previous: int | None) -> Trial:
            config: dict[str, Value] = dict.fromkeys(names, 1.0)
            place = Suggestion(config={**config, "epochs": (1, 3, 9)[rung]}, place=Place(rung, 0), previous=previous)
            return ended(decided(prior, number, place), 1.0)

        trials = [far(number, 0, None) for number in range(1, 10)] + [far(10, 2, 1), far(11, 2, 2), far(12, 2, 3)]
        evidence = followed(history(*trials, space=prior), prior, 3, FIRST_BRACKET)
        assert evidence is not None
        assert evidence[1] == 1.0

    def test_a_confidence_for_all_counts(self) -> None:
        """A narrower prior is denser at its centre, and draws nearer to it."""
        drawn = {}
        for confidence in ("low", "high"):
            sampler = PriorBand(prior_confidence=confidence)
            draws = [configuration(sampler, history(), 0, 2, slot) for slot in range(300)]
            drawn[confidence] = np.std([value_of_x(config) for config, reasons in draws if reasons["by"] == "prior"])
        assert drawn["high"] < 0.15
        assert drawn["low"] > 0.2


class TestNothingIsFollowed:
    def nothing(self, *trials: Trial, eta: float = 3) -> bool:
        return followed(history(*trials), LINE, eta, FIRST_BRACKET) is None

    def test_but_here_something_is(self) -> None:
        assert not self.nothing(*BASE, *MIDDLE, TOP)

    def test_without_results(self) -> None:
        assert self.nothing()

    def test_before_a_first_brackets_fidelity_was_run(self) -> None:
        assert self.nothing(*BASE[:8], *MIDDLE, TOP)
        pending = Trial(number=9, decision=BASE[8].decision)
        assert self.nothing(*BASE[:8], pending, *MIDDLE, TOP)

    def test_the_default_at_the_target_has_run(self) -> None:
        default = ended(decided(LINE, 1, Suggestion(config={"x": 0.5, "epochs": 9})), None)
        base = [trial(30 + number, number / 10, number, 0) for number in range(1, 9)]
        middle = [trial(10 + number, number / 10, number, 1, 30 + number) for number in range(1, 4)]
        assert not self.nothing(default, *base, *middle, TOP)
        assert self.nothing(*base, *middle, TOP)

    def test_a_failed_trial_has_run(self) -> None:
        assert not self.nothing(*BASE[:8], trial(9, 0.9, None, 0), *MIDDLE, TOP)

    @pytest.mark.parametrize("loss", [None, math.nan, math.inf])
    def test_without_a_good_trial_at_the_top(self, loss: float | None) -> None:
        assert self.nothing(*BASE, *MIDDLE, trial(20, 0.1, loss, 2, 11))
        assert self.nothing(*BASE, *MIDDLE, *MIDDLE, trial(21, 0.1, 0.5, 1, 2), trial(22, 0.1, 0.5, 1, 3))

    def test_without_a_rung_of_eta_finite_results(self) -> None:
        bad = [trial(number, number / 10, math.nan, 0) for number in range(3, 10)]
        worse = [trial(10 + number, 0.1, math.nan, 1, number) for number in (1, 2, 3)]
        assert self.nothing(*BASE[:2], *bad, *worse, TOP)

    def test_a_damaged_trial_does_no_harm(self) -> None:
        damaged = ended(Trial(number=40, decision=None), None)
        assert not self.nothing(*BASE, *MIDDLE, TOP, damaged)


class TestMutation:
    SPACE = SearchSpace(
        {
            "x": Float(0, 1),
            "rate": Float(1e-4, 1, log=True),
            "layers": Integer(1, 8),
            "kind": Categorical(["a", "b", "c"]),
            "single": Categorical(["only"]),
            "data": Constant("digits"),
            "epochs": EPOCHS,
        }
    )
    CONFIG: Mapping[str, Value] = MappingProxyType(
        {"x": 0.5, "rate": 0.01, "layers": 4, "kind": "b", "single": "only", "data": "digits", "epochs": 9}
    )
    VARYING = frozenset({"x", "rate", "layers", "kind"})

    def changes(self, rate: float, deviation: float = 0.25, count: int = 400) -> list[dict[str, Any]]:
        generator = np.random.default_rng(1)
        mutants = [mutated_in_some(self.SPACE, self.CONFIG, rate, deviation, generator) for _ in range(count)]
        assert all(self.SPACE.validate(mutant) == mutant for mutant in mutants)
        return [{name: value for name, value in m.items() if value != self.CONFIG[name]} for m in mutants]

    def test_at_rate_1_all_change_that_can(self) -> None:
        changes = self.changes(1.0)
        assert {frozenset(change) for change in changes} == {self.VARYING}
        kinds = [change["kind"] for change in changes]
        assert abs(kinds.count("a") - kinds.count("c")) < 80

    def test_at_rate_0_one_does(self) -> None:
        changes = self.changes(0.0)
        assert {frozenset(change) for change in changes} == {frozenset({name}) for name in self.VARYING}

    def test_at_rate_a_half_about_half_do(self) -> None:
        counts = [len(change) for change in self.changes(0.5)]
        assert set(counts) == {1, 2, 3, 4}
        assert np.mean(counts) == pytest.approx(4 / 2 + 1 / 16, abs=0.2)

    def test_the_deviation_is_of_the_range(self) -> None:
        steps = [change["x"] - 0.5 for change in self.changes(1.0, deviation=0.05)]
        assert np.std(steps) == pytest.approx(0.05, rel=0.15)
        logs = [math.log10(change["rate"]) + 2 for change in self.changes(1.0, deviation=0.05)]
        assert np.std(logs) == pytest.approx(4 * 0.05, rel=0.15)

    def test_where_nothing_can_change_nothing_does(self) -> None:
        space = SearchSpace({"single": Categorical(["only"], default="only"), "epochs": EPOCHS})
        config: dict[str, Value] = {"single": "only", "epochs": 9}
        assert mutated_in_some(space, config, 0.5, 0.25, np.random.default_rng(1)) == config


@pytest.mark.parametrize(
    "sampler",
    [
        Hyperband(sample_default_first=True, sample_default_at_target=True),
        HyperbandPrior(sample_default_at_target=True),
        SuccessiveHalvingPrior(sample_default_at_target=True),
        ASHA(sample_default_first=True, sample_default_at_target=True),
        ASHAPrior(sample_default_at_target=True),
        AsyncHyperbandPrior(sample_default_at_target=True),
        PriorBand(sample_default_at_target=True),
    ],
    ids=repr,
)
class TestDefaultAtTarget:
    def test_comes_first_and_once_and_outside_the_brackets(self, sampler: BracketSearch) -> None:
        after = simulate(sampler, LINE, value_of_x, 30, seed=2)
        first, *others = [trial.decision for trial in after.trials if trial.decision]
        assert (dict(first.config), first.metadata) == ({"x": 0.5, "epochs": 9}, {"by": "default"})
        assert (first.place, first.previous) == (None, None)
        assert all(decision.config["x"] != 0.5 and decision.previous != 1 for decision in others)


@pytest.mark.parametrize("sampler", [HyperbandPrior, SuccessiveHalvingPrior, ASHAPrior])
def test_with_the_default_at_the_target_the_brackets_are_those_without_it(
    sampler: Callable[..., BracketSearch],
) -> None:
    with_it = simulate(sampler(sample_default_at_target=True), LINE, value_of_x, 31, seed=2)
    without = simulate(sampler(sample_default_first=False), LINE, value_of_x, 30, seed=2)
    assert [trial.config for trial in with_it.trials[1:]] == [trial.config for trial in without.trials]


def test_the_default_comes_first_at_the_lowest_rung() -> None:
    answer = PriorBand().decide(history(), 1, Budget(), generator_for(3, 1))
    assert isinstance(answer, Suggestion)
    assert (dict(answer.config), answer.place) == ({"x": 0.5, "epochs": 1}, Place(0, 0, 0))
    assert answer.metadata == {"by": "default"}


@pytest.mark.parametrize("at_target", [False, True])
def test_async_hyperband_draws_a_bracket_where_no_default_has_to_begin_lowest(*, at_target: bool) -> None:
    sampler = AsyncHyperbandPrior(sample_default_at_target=at_target)
    rungs = set()
    for seed in range(20):
        before = simulate(sampler, LINE, value_of_x, 1, seed=seed) if at_target else History(LINE, {}, seed)
        number = len(before.trials) + 1
        answer = sampler.decide(before, number, Budget(), generator_for(seed, number))
        assert isinstance(answer, Suggestion)
        assert (answer.metadata["by"] == "default") == (not at_target)
        assert answer.place is not None
        rungs.add(answer.place.rung)
    assert rungs == ({0, 1, 2} if at_target else {0})


def test_a_wrong_prior_loses_its_share() -> None:
    space = SearchSpace({"x": Float(0, 1, default=0.9, default_confidence="high"), "epochs": EPOCHS})
    after = simulate(PriorBand(), space, distance, 150, seed=1)
    reasons = [trial.decision.metadata for trial in after.trials if trial.decision]
    assert [reason["share"] for reason in reasons if "share" in reason][-1] > 0.99
    assert after.best is not None
    assert after.best.loss is not None
    assert after.best.loss < 0.02


def test_a_right_prior_keeps_a_share() -> None:
    space = SearchSpace({"x": Float(0, 1, default=0.2, default_confidence="high"), "epochs": EPOCHS})
    after = simulate(PriorBand(), space, distance, 150, seed=1)
    ways = [trial.decision.metadata["by"] for trial in after.trials[75:] if trial.decision]
    assert min(ways.count("prior"), ways.count("incumbent")) >= 5


class TestWithoutAPrior:
    SPACE = SearchSpace({"x": Float(0, 1), "kind": Categorical(["a", "b"]), "epochs": EPOCHS})
    FOUND = simulate(PriorBand(), SPACE, distance, 150, seed=1)

    def test_all_are_uniform_until_the_incumbent_has_its_share(self) -> None:
        sampler = PriorBand(prior_confidence="high")
        for slot in range(50):
            config, reasons = configuration(sampler, history(space=self.SPACE), 1, 2, slot)
            generator = Beginning(history(space=self.SPACE), 3.0, 1, 2, slot).generator()
            generator.random()
            assert (config, reasons) == (self.SPACE.sample(generator), {"by": "random"})

    def test_then_all_are_uniform_or_mutations_of_the_incumbent(self) -> None:
        decisions = [trial.decision for trial in self.FOUND.trials if trial.decision]
        ways = [decision.metadata["by"] for decision in decisions]
        assert set(ways) == {"random", "incumbent", "promotion"}
        assert {decision.metadata["share"] for decision in decisions if "share" in decision.metadata} == {1.0}

    def test_the_incumbent_has_all_that_is_not_uniform(self) -> None:
        count = 2000
        drawn = [configuration(PriorBand(), self.FOUND, 9, 1, slot)[1]["by"] for slot in range(count)]
        assert set(drawn) == {"random", "incumbent"}
        assert abs(drawn.count("random") / count - 1 / 4) < 0.04

    def test_it_finds_better_ones_than_hyperband(self) -> None:
        names = [f"x{index}" for index in range(6)]
        space = SearchSpace({name: Float(0, 1) for name in names} | {"epochs": EPOCHS})

        def squares(config: Mapping[str, Any]) -> float:
            return sum((float(config[name]) - 0.2) ** 2 for name in names)

        def found(sampler: BracketSearch) -> float:
            bests = [simulate(sampler, space, squares, 150, seed=seed).best for seed in range(3)]
            return float(np.mean([best.rank_key for best in bests if best is not None]))

        assert found(PriorBand()) < 0.6 * found(Hyperband())
