"""freeze_thaw, mobster and priorband_bo: what a model over configurations and fidelities makes of a history."""

from __future__ import annotations

import dataclasses
import itertools
import math
import statistics
from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from neps._budget import Budget
from neps._history import History
from neps._models.fidelity_process import FidelityProcess
from neps._models.stopping import Stages
from neps._ranking import loss_key
from neps._trial import Result, Trial
from neps.errors import ArgumentError
from neps.samplers import MOBSTER, BayesianOptimization, Done, FreezeThaw, PriorBandBO, Sampler, Suggestion, Wait
from neps.samplers._model_based.fidelity_proposal import _Beliefs, continuation
from neps.samplers._model_based.step_costs import step_costs
from neps.samplers._multi_fidelity.sources import Beginning
from neps.space import Categorical, Constant, Float, Integer, SearchSpace, Value
from neps.testing.simulation import decided, ended, generator_for, simulate

Array = NDArray[np.float64]
EPOCHS = Integer(1, 27, is_fidelity=True)
LINE = SearchSpace({"x": Float(0, 1), "epochs": EPOCHS})
PLANE = SearchSpace({"x": Float(0, 1), "y": Float(0, 1), "epochs": EPOCHS})
LEVELS = (1, 3, 9, 27)


def trial(
    number: int, x: float, epochs: int, loss: float | None = None, previous: int | None = None, **more: Any
) -> Trial:
    """A trial of LINE, pending without a loss."""
    config: dict[str, Value] = {"x": x, "epochs": epochs}
    pending = decided(LINE, number, Suggestion(config=config, previous=previous))
    if loss is None:
        return pending
    done = ended(pending, loss, more.pop("cost", None))
    assert done.outcome is not None
    return dataclasses.replace(done, result=Result(dataclasses.replace(done.outcome, **more))) if more else done


def history(*trials: Trial, space: SearchSpace = LINE) -> History:
    return History(space, MappingProxyType({trial.number: trial for trial in trials}), 3)


def curve(x: float, epochs: float) -> float:
    """Falls to (x - 0.3)² as epochs go on, faster where x is right."""
    return (x - 0.3) ** 2 + (0.2 + abs(x - 0.3)) / epochs


def line(config: Mapping[str, Any]) -> float:
    return curve(config["x"], config["epochs"])


def bowl(config: Mapping[str, Any]) -> float:
    return float(curve(config["x"], config["epochs"]) + 0.5 * (config["y"] - 0.6) ** 2)


def answer(sampler: Sampler, known: History) -> Suggestion | Wait | Done:
    number = len(known.trials) + 1
    return sampler.decide(known, number, Budget(), generator_for(3, number))


def costs_of(known: History) -> NDArray[np.float64]:
    return step_costs(known.trials, known.by_number, LEVELS)


def by(trial: Trial) -> str:
    assert trial.decision is not None
    return str(trial.decision.metadata["by"])


def suggestion(sampler: Sampler, known: History) -> Suggestion:
    decision = answer(sampler, known)
    assert isinstance(decision, Suggestion)
    return decision


BEGUN = [trial(number, number / 10, 1, curve(number / 10, 1)) for number in range(1, 10)]


class TestFreezeThaw:
    def test_it_begins_with_the_design_of_bayesian_optimization(self) -> None:
        first = simulate(FreezeThaw(), PLANE, bowl, 3)
        assert {t.previous for t in first.trials} == {None}
        points = [(t.config["x"], t.config["y"]) for t in simulate(BayesianOptimization(), PLANE, bowl, 3).trials]
        assert [(t.config["x"], t.config["y"]) for t in first.trials] == points

    @pytest.mark.parametrize(
        ("settings", "sizes"),
        [
            ({}, {1: 27, 3: 9, 9: 3, 27: 1}),
            ({"step": 1}, {1: 27, 3: 9, 9: 3, 27: 1}),
            ({"step": 5}, {1: 27, 6: 3, 27: 1}),
            ({"step": 10}, {1: 27, 27: 1}),
            ({"eta": 2}, {1: 16, 3: 8, 7: 4, 14: 2, 27: 1}),
            ({"initial_design_size": 10}, {1: 10, 3: 3, 9: 1}),
        ],
    )
    def test_its_design_is_successive_halving(self, settings: dict[str, Any], sizes: dict[int, int]) -> None:
        first = simulate(FreezeThaw(**settings), PLANE, bowl, sum(sizes.values()) + 1)
        *design, last = first.trials
        assert {by(t) for t in design[: sizes[1]]} == {"initial design"}
        assert {by(t) for t in design[sizes[1] :]} == {"promotion"}
        assert by(last) == "model"
        assert Counter(t.fidelity for t in design) == sizes
        for below, above in itertools.pairwise(sizes):
            ranked = sorted((t for t in design if t.fidelity == below), key=loss_key)
            assert {t.previous for t in design if t.fidelity == above} == {t.number for t in ranked[: sizes[above]]}

    def test_workers_that_do_not_wait_for_others_change_no_promotion(self) -> None:
        """27 results are in once a few more configurations have begun; then the best of all of these go on."""
        after = simulate(FreezeThaw(), PLANE, bowl, 60, workers=4)
        begun = [t for t in after.trials if by(t) == "initial design"]
        assert 27 <= len(begun) <= 27 + 3
        promoted = [t.previous for t in after.trials if by(t) == "promotion" and t.fidelity == 3]
        assert len(promoted) <= 9
        assert set(promoted[:6]) <= {t.number for t in sorted(begun, key=loss_key)[:9]}

    @pytest.mark.parametrize("epochs", [1, 2, 3, 27])
    def test_what_a_user_begins_elsewhere_takes_a_place_of_the_lowest_rung(self, epochs: int) -> None:
        user = {"x": 0.1, "y": 0.9, "epochs": epochs}
        after = simulate(FreezeThaw(), PLANE, bowl, 40, first_configs=[user])
        assert [by(t) for t in after.trials[:28]] == ["user", *["initial design"] * 26, "promotion"]
        assert sum(by(t) == "promotion" for t in after.trials) >= 11

    def test_so_does_the_default_at_the_target(self) -> None:
        space = SearchSpace({"x": Float(0, 1, default=0.9), "epochs": EPOCHS})
        sampler = FreezeThaw(sample_default_first=True, sample_default_at_target=True)
        after = simulate(sampler, space, line, 39)
        assert Counter(map(by, after.trials)) == {"default": 1, "initial design": 26, "promotion": 12}

    def test_where_a_space_has_too_few_the_model_says_what_goes_on(self) -> None:
        space = SearchSpace({"x": Integer(1, 20), "epochs": EPOCHS})
        after = simulate(FreezeThaw(), space, lambda config: float(config["x"]) + 1.0 / float(config["epochs"]), 24)
        assert Counter(map(by, after.trials)) == {"initial design": 20, "model": 4}

    def test_a_design_of_failures_alone_promotes_nobody(self) -> None:
        after = simulate(FreezeThaw(), PLANE, lambda _: None, 30)
        assert {t.previous for t in after.trials} == {None}

    @pytest.mark.parametrize(
        ("upper", "dimensions", "size"),
        [(27, 2, 27), (10, 2, 9), (3, 2, 3), (1, 4, 5), (8, 20, 8), (100, 20, 81), (300, 2, 81), (10**6, 2, 81)],
    )
    def test_how_many_trials_a_design_begins(self, upper: int, dimensions: int, size: int) -> None:
        numbers = {f"x{i}": Float(0, 1) for i in range(dimensions)}
        space = SearchSpace({**numbers, "epochs": Integer(1, upper, is_fidelity=True)})
        after = simulate(FreezeThaw(), space, lambda config: float(config["x0"] or 0), size + 1)
        assert [by(t) for t in after.trials[:size]] == ["initial design"] * size
        assert by(after.trials[size]) == ("promotion" if upper >= 3 else "model")

    def test_it_continues_what_promises_most(self) -> None:
        known = history(*BEGUN, trial(10, 0.5, 27, curve(0.5, 27)))
        thawed = []
        for _ in range(3):
            found = suggestion(FreezeThaw(initial_design_size=3), known)
            if found.previous is not None:
                thawed.append(found)
            number = len(known.trials) + 1
            new = ended(decided(LINE, number, found), line(found.config))
            known = history(*known.trials, new)
        assert thawed, "a configuration near the optimum is known"
        assert all(abs(float(found.config["x"]) - 0.3) < 0.15 for found in thawed)  # type: ignore[arg-type]

    def test_a_new_configuration_begins_at_the_highest_rung_that_loses_little(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """At the lowest while giving up is worth much; at the top once the model knows what it will say."""
        rates: list[Array] = []
        stages = _Beliefs.stages

        def seen(beliefs: _Beliefs, *candidates: Any) -> Stages:
            found = stages(beliefs, *candidates)
            rates.append(found.log_rates)
            return found

        monkeypatch.setattr(_Beliefs, "stages", seen)
        after = simulate(FreezeThaw(initial_design_size=8), PLANE, bowl, 60)
        modelled = [t for t in after.trials if by(t) == "model"]
        begun = [(t.fidelity, rate) for t, rate in zip(modelled, rates, strict=True) if t.previous is None]
        for fidelity, rate in begun:
            within = [LEVELS[at] for at in range(4) if rate[at - 4] >= rate.max() - 0.05]
            assert fidelity == within[-1]
        assert 27 not in {fidelity for fidelity, _ in begun[:3]}
        assert statistics.mode(fidelity for fidelity, _ in begun) == 27

    def test_a_bad_configuration_is_never_continued_where_a_good_one_is(self) -> None:
        after = simulate(FreezeThaw(), PLANE, bowl, 60)
        finished = [t for t in after.trials if t.fidelity == 27]
        assert len(finished) >= 3
        assert np.median([bowl({**t.config, "epochs": 27}) for t in finished]) < 0.05
        assert after.best is not None
        assert after.best.loss is not None
        assert after.best.loss < curve(0.3, 27) + 0.005

    def test_it_needs_less_fidelity_than_full_evaluations(self) -> None:
        """As good a configuration, for half of what Bayesian optimization at the highest fidelity runs."""
        frozen, full = simulate(FreezeThaw(), PLANE, bowl, 60), simulate(BayesianOptimization(), PLANE, bowl, 20)
        assert frozen.best is not None
        assert full.best is not None
        spent = 0.0
        for t in frozen.trials:
            spent += t.fidelity - (frozen.by_number[t.previous].fidelity if t.previous else 0)  # type: ignore[operator]
            if t.fidelity == 27 and t.rank_key <= full.best.rank_key + 0.002:
                break
        assert spent <= 10 * 27

    def test_what_failed_or_runs_or_was_continued_stays_frozen(self) -> None:
        best = [trial(1, 0.30, 1, math.nan), trial(2, 0.31, 1, 0.2), trial(3, 0.31, 3, previous=2)]
        others = [trial(number, 0.5 + number / 100, 1, curve(0.5 + number / 100, 1)) for number in range(4, 9)]
        known = history(*best, *others, trial(9, 0.29, 1))
        found = continuation(known, LEVELS, LEVELS, np.random.default_rng(0))
        assert found is not None
        assert found[1] is None or found[1].number in range(4, 9)

    def test_steps_instead_of_factors(self) -> None:
        sampler = FreezeThaw(step=10, initial_design_size=2)
        assert sampler.levels(LINE) == (1, 11, 21, 27)
        after = simulate(sampler, LINE, line, 30)
        assert {t.fidelity for t in after.trials} == {1, 11, 21, 27}
        for t in after.trials:
            if t.previous is not None:
                begin = after.by_number[t.previous].fidelity
                assert t.fidelity == {1: 11, 11: 21, 21: 27}[begin]  # type: ignore[index]

    def test_the_default_at_the_target_comes_first(self) -> None:
        space = SearchSpace({"x": Float(0, 1, default=0.7), "epochs": EPOCHS})
        first = answer(FreezeThaw(sample_default_first=True, sample_default_at_target=True), history(space=space))
        assert isinstance(first, Suggestion)
        assert first.config == {"x": 0.7, "epochs": 27}
        lowest = answer(FreezeThaw(sample_default_first=True), history(space=space))
        assert isinstance(lowest, Suggestion)
        assert lowest.config == {"x": 0.7, "epochs": 1}

    def test_a_finite_space_waits_for_what_runs_and_then_is_done(self) -> None:
        space = SearchSpace({"c": Categorical(["a", "b"]), "epochs": Integer(1, 3, is_fidelity=True)})

        def of(number: int, choice: str, epochs: int, previous: int | None = None) -> Trial:
            return decided(space, number, Suggestion(config={"c": choice, "epochs": epochs}, previous=previous))

        begun = [of(1, "a", 1), of(2, "b", 1)]
        nothing = answer(FreezeThaw(), history(*begun, space=space))
        assert isinstance(nothing, Wait)
        assert "first result" in nothing.reason
        one = [ended(begun[0], 1.0), begun[1]]
        assert suggestion(FreezeThaw(), history(*one, space=space)).previous == 1
        running = [*one, of(3, "a", 3, 1)]
        waiting = answer(FreezeThaw(), history(*running, space=space))
        assert isinstance(waiting, Wait)
        assert "running trials (2)" in waiting.reason
        over = [*one[:1], ended(begun[1], None), ended(running[2], 0.5)]
        done = answer(FreezeThaw(), history(*over, space=space))
        assert isinstance(done, Done)
        assert done.reason.startswith("every configuration has been evaluated")

    def test_a_fidelity_of_one_value(self) -> None:
        space = SearchSpace({"x": Float(0, 1), "epochs": Integer(5, 5, is_fidelity=True)})
        after = simulate(FreezeThaw(), space, lambda config: abs(float(config["x"] or 0) - 0.3), 12)
        assert {t.previous for t in after.trials} == {None}
        assert after.best is not None
        assert after.best.loss is not None
        assert after.best.loss < 1e-3

    def test_costs_that_were_seen_count_instead_of_fidelities(self) -> None:
        """Where the way to the top costs next to nothing more, what has begun goes on."""
        known = history(*[dataclasses.replace(t) for t in BEGUN], trial(10, 0.4, 27, curve(0.4, 27)))
        cheap = [ended(t, t.loss, 100.0) for t in known.trials[:9]]
        steps = [trial(11, 0.9, 3, curve(0.9, 3), 9, cost=1e-3), trial(12, 0.9, 9, curve(0.9, 9), 11, cost=1e-3)]
        steps.append(trial(13, 0.9, 27, curve(0.9, 27), 12, cost=1e-3))
        found = suggestion(FreezeThaw(initial_design_size=3), history(*cheap, known.trials[9], *steps))
        assert found.previous is not None

    def test_what_levels_cost(self) -> None:
        """What one alone has cost; else its share of what several have; else as much for each epoch."""
        alone = [trial(1, 0.1, 1, 0.5, cost=6.0), trial(2, 0.2, 1, 0.5, cost=8.0)]
        several = trial(3, 0.3, 9, 0.5, cost=18.0)
        free = trial(4, 0.4, 27, 0.5, cost=0.0)
        costs = costs_of(history(*alone, several, free))
        np.testing.assert_allclose(costs / costs[0], np.array([7.0, 4.0, 12.0, 36.0]) / 7.0)
        continued = trial(5, 0.3, 27, 0.4, 3, cost=1.0)
        costs = costs_of(history(*alone, several, free, continued))
        np.testing.assert_allclose(costs / costs[0], np.array([7.0, 4.0, 12.0, 1.0]) / 7.0)

    def test_learning_curves_are_learned_from_where_they_pass_levels(self) -> None:
        steps, losses = [1.0, 2.0, 3.0, 9.0], [curve(0.5, step) for step in (1, 2, 3, 9)]
        plain = trial(10, 0.5, 9, losses[-1])
        known, reported = (
            history(*BEGUN, each)
            for each in (plain, trial(10, 0.5, 9, losses[-1], learning_curve=losses, learning_curve_steps=steps))
        )
        assert reported.trials[-1].learning_curve == tuple(zip(steps, losses, strict=True))
        models = [suggestion(FreezeThaw(initial_design_size=1), each).metadata["model"] for each in (known, reported)]
        assert models[0] != models[1]
        beyond = trial(10, 0.5, 9, losses[-1], learning_curve=[7.0, losses[-1]], learning_curve_steps=[12.0, 9.0])
        assert suggestion(FreezeThaw(initial_design_size=1), history(*BEGUN, beyond)).metadata["model"] == models[0]

    @pytest.mark.parametrize("memory", [{}, {"lengthscales": ["x"]}, "no mapping", {"lengthscales": [math.nan]}])
    def test_a_memory_that_makes_no_sense_is_ignored(self, memory: object) -> None:
        strange = decided(LINE, 10, Suggestion(config={"x": 0.5, "epochs": 1}, metadata={"model": memory}))
        plain = decided(LINE, 10, Suggestion(config={"x": 0.5, "epochs": 1}))
        answers = [
            suggestion(FreezeThaw(initial_design_size=3), history(*BEGUN, ended(each, 0.4)))
            for each in (strange, plain)
        ]
        assert answers[0] == answers[1]

    def test_what_was_fitted_is_where_the_next_fit_begins(self) -> None:
        after = simulate(FreezeThaw(), PLANE, bowl, 42)
        model = after.trials[-1].decision.metadata["model"]  # type: ignore[union-attr]
        assert set(model) == {
            "lengthscales", "signal", "noise", "effects", "walk", "slope", "trend", "early_noise", "bend"
        }  # fmt: skip
        again = suggestion(FreezeThaw(), after)
        assert again == suggestion(FreezeThaw(), after)

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"step": 0}, "step must be a finite number greater than 0, not 0"),
            ({"initial_design_size": 0}, "initial_design_size must be a whole number of at least 1, or None, not 0"),
            ({"random_interleave_prob": 2}, "random_interleave_prob must be a number from 0 to 1, not 2"),
        ],
    )
    def test_bad_settings(self, settings: dict[str, Any], message: str) -> None:
        with pytest.raises(ArgumentError, match=message):
            FreezeThaw(**settings)

    def test_a_step_that_is_not_whole_where_the_fidelity_is(self) -> None:
        FreezeThaw(step=0.5).check(SearchSpace({"x": Float(0, 1), "e": Float(1, 9, is_fidelity=True)}))
        with pytest.raises(ArgumentError, match=r"step is 0\.5, but the fidelity 'epochs' is a whole number"):
            FreezeThaw(step=0.5).check(LINE)

    def test_the_only_configuration_goes_on_to_the_highest_fidelity(self) -> None:
        space = SearchSpace({"k": Constant(3), "epochs": EPOCHS})
        after = simulate(FreezeThaw(), space, lambda config: 1.0 / float(config["epochs"] or 1), 9)
        assert [(t.fidelity, t.previous) for t in after.trials] == [(1, None), (3, 1), (9, 2), (27, 3)]

    @pytest.mark.parametrize("unit", [1e-300, 1e308])
    def test_the_unit_of_costs_is_no_matter(self, unit: float) -> None:
        """Sums of huge costs once were infinite, and the first trial went on whatever it had shown."""

        def priced(unit: float) -> History:
            return history(*(ended(t, t.loss, unit * (t.number / 9)) for t in BEGUN))

        found, expected = (suggestion(FreezeThaw(), priced(each)) for each in (unit, 1.0))
        assert (found.previous, found.config) == (expected.previous, expected.config)

    def test_a_level_that_costs_next_to_nothing_is_not_free(self) -> None:
        """Costs so far apart that their sum is the larger one."""
        began = [ended(t, t.loss, 1e20) for t in BEGUN]
        steps = [trial(10, 0.9, 3, curve(0.9, 3), 9, cost=1e-3), trial(11, 0.9, 9, curve(0.9, 9), 10, cost=1e-3)]
        after = history(*began, *steps)
        rates = (
            _Beliefs(after, LEVELS)
            .stages(np.array([[0.9], [0.3]]), np.array([2, -1]), np.array([3, 0]), np.arange(4))
            .log_rates
        )
        assert np.isfinite(rates).all()

    def test_a_learning_curve_that_begins_far_below_the_lowest_level(self) -> None:
        losses, steps = [2.0, curve(0.5, 9)], [1e-320, 9.0]
        tiny, lowest = (
            trial(10, 0.5, 9, losses[-1], learning_curve=losses, learning_curve_steps=[first, 9.0])
            for first in (steps[0], 1.0)
        )
        found, expected = (
            suggestion(FreezeThaw(initial_design_size=3), history(*BEGUN, each)) for each in (tiny, lowest)
        )
        assert found.metadata == expected.metadata

    def test_many_levels_take_no_more_memory_than_few(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What is ahead of each is looked at, and that in blocks: it is the same whatever their size."""
        space = SearchSpace({"x": Float(0, 1), "epochs": Integer(1, 100, is_fidelity=True)})
        levels, rungs = tuple(range(1, 101)), np.array([0, 10, 99])
        known = history(*BEGUN, space=space)
        points, begun = np.linspace(0.0, 1.0, 12)[:, None], np.arange(12) % 3 - 1
        first = begun + 1
        whole = _Beliefs(known, levels).stages(points, begun, first, rungs)
        asked: list[int] = []
        joint = FidelityProcess.joint

        def counted(process: FidelityProcess, Z: Array, u: Array) -> tuple[Array, Array]:
            asked.append(Z.size * u.size * len(process.X))
            return joint(process, Z, u)

        monkeypatch.setattr(FidelityProcess, "joint", counted)
        monkeypatch.setattr("neps.samplers._model_based.fidelity_proposal._BLOCK", 100)
        parts = _Beliefs(known, levels).stages(points, begun, first, rungs)
        assert max(asked) <= 100
        for name in ("means", "deviations", "costs"):
            np.testing.assert_allclose(getattr(parts, name), getattr(whole, name), rtol=1e-9, atol=1e-12)
        assert whole.costs.shape == (12, 3)

    def test_a_step_that_is_far_too_small(self) -> None:
        space = SearchSpace({"x": Float(0, 1), "e": Float(1, 9, is_fidelity=True)})
        FreezeThaw(step=0.008).check(space)
        with pytest.raises(ArgumentError, match=r"step is 1e-09, .* 1000 steps at most: .* at least 0\.008"):
            FreezeThaw(step=1e-9).check(space)


class TestMOBSTER:
    def test_new_configurations_are_random_at_first_and_then_what_the_model_says(self) -> None:
        after = simulate(MOBSTER(), PLANE, bowl, 60)
        by = [t.decision.metadata["by"] for t in after.trials if t.previous is None]  # type: ignore[union-attr]
        assert by[:8] == ["random"] * 8
        assert set(by[16:]) == {"model"}
        late = [t.config for t in after.trials[30:] if t.previous is None]
        assert np.median([bowl({**config, "epochs": 27}) for config in late]) < 0.05

    def test_some_may_stay_random(self) -> None:
        after = simulate(MOBSTER(random_interleave_prob=0.5), PLANE, bowl, 60)
        late = [t.decision.metadata["by"] for t in after.trials[20:] if t.previous is None]  # type: ignore[union-attr]
        assert {"random", "model"} <= set(late)

    def test_a_finite_space_goes_on(self) -> None:
        space = SearchSpace({"c": Categorical(["a", "b"]), "epochs": EPOCHS})
        after = simulate(MOBSTER(), space, lambda config: float(config["c"] == "a"), 12)
        assert len(after.trials) == 12

    @pytest.mark.parametrize("settings", [{"random_interleave_prob": -1}, {"initial_design_size": 0.5}])
    def test_bad_settings(self, settings: dict[str, Any]) -> None:
        with pytest.raises(ArgumentError, match=f"{next(iter(settings))} must be"):
            MOBSTER(**settings)


class TestPriorBandBO:
    SPACE = SearchSpace({"x": Float(0, 1, default=0.35), "y": Float(0, 1, default=0.5), "epochs": EPOCHS})
    WRONG = SearchSpace({"x": Float(0, 1, default=0.95), "y": Float(0, 1, default=0.05), "epochs": EPOCHS})

    def test_a_model_replaces_prior_and_incumbent_but_not_chance(self) -> None:
        after = simulate(PriorBandBO(), self.SPACE, bowl, 80)
        by = {t.decision.metadata["by"] for t in after.trials[16:] if t.previous is None}  # type: ignore[union-attr]
        assert by == {"random", "model"}

    def test_a_right_prior_draws_the_model_to_it_and_a_wrong_one_loses_its_pull(self) -> None:
        sampler = PriorBandBO(initial_design_size=2)
        for space in (self.SPACE, self.WRONG):
            after = simulate(sampler, space, bowl, 120)
            assert after.best is not None
            assert after.best.loss is not None
            assert after.best.loss < curve(0.3, 27) + 0.02

    def test_where_results_say_nothing_the_prior_does(self) -> None:
        flat = simulate(PriorBandBO(), self.WRONG, lambda _: 1.0, 4)
        places = {}
        for weight in (1e-6, 1e3):
            sampler = PriorBandBO(initial_design_size=1, prior_weight=weight)
            config, reasons = sampler.source.configuration(Beginning(flat, 3.0, 0, 3, 1))
            assert reasons["by"] == "model"
            places[weight] = math.dist((config["x"], config["y"]), (0.95, 0.05))  # type: ignore[arg-type]
        assert places[1e3] < 0.1 < places[1e-6]

    def test_bad_settings(self) -> None:
        with pytest.raises(ArgumentError, match="prior_weight must be a finite number greater than 0, not 0"):
            PriorBandBO(prior_weight=0)
