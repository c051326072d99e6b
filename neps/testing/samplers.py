"""The contract of samplers, as a test suite to inherit: every sampler of neps passes it, and yours should.

    class TestMine(SamplerContract):
        def make(self) -> Sampler:
            return MySampler()

pytest then runs each `test_…` method. docs/writing-a-sampler.md walks through it. Whether a sampler is any good is
not tested here: `neps.testing.simulation.simulate` helps with that.
"""

from __future__ import annotations

import json
import pickle
import random
import sys
import warnings
from collections.abc import Iterator
from types import MappingProxyType
from typing import Any

import numpy as np
import yaml

from neps._budget import Budget
from neps._history import History
from neps._trial import Result, Status, Trial
from neps.errors import ArgumentError, SpaceError
from neps.samplers._protocol import Done, Sampler, Suggestion, Wait
from neps.samplers._registry import remade
from neps.space import Categorical, Constant, Float, Integer, SearchSpace, at_least, more_than
from neps.testing.simulation import decided, ended, generator_for

__all__ = ["SPACES", "SamplerContract"]

SPACES = MappingProxyType(
    {
        "floats": SearchSpace({"x": Float(-1.0, 1.0), "y": Float(0.0, 10.0)}),
        "log": SearchSpace({"rate": Float(1e-5, 1e-1, log=True), "width": Integer(1, 1000, log=True)}),
        "mixed": SearchSpace(
            {
                "rate": Float(1e-5, 1e-1, log=True),
                "layers": Integer(1, 4),
                "activation": Categorical(["relu", None, 3, 0.5, True]),
                "data": Constant("digits"),
            }
        ),
        "prior": SearchSpace(
            {
                "x": Float(0.0, 1.0, default=0.3, default_confidence="high"),
                "kind": Categorical(["a", "b"], default="b"),
                "free": Integer(-5, 5),
            }
        ),
        "fidelity": SearchSpace({"x": Float(0.0, 1.0), "epochs": Integer(1, 27, is_fidelity=True)}),
        "fidelity and prior": SearchSpace(
            {"x": Float(0.0, 1.0, default=0.5), "epochs": Integer(1, 9, is_fidelity=True), "k": Integer(1, 3)}
        ),
        "steps": SearchSpace(
            {
                "width": Integer(16, 64, step=16),
                "drop": Float(0.0, 1.0, step=0.1),
                "depth": Categorical([2, 4, 8], ordered=True),
                "net": Categorical({"small": object(), "large": object()}),
            }
        ),
        "steps, fidelity and prior": SearchSpace(
            {
                "drop": Float(0.0, 0.5, step=0.1, default=0.3),
                "depth": Categorical([2, 4, 8], default=8, default_confidence="medium", ordered=True),
                "epochs": Integer(1, 9, is_fidelity=True),
            }
        ),
        "finite": SearchSpace({"a": Integer(0, 2), "b": Categorical(["p", "q"])}),
        "single values": SearchSpace({"x": Float(2.0, 2.0), "n": Integer(3, 3), "c": Categorical(["only"])}),
        "constants": SearchSpace({"c": Constant(1), "d": Constant(None)}),
        "many": SearchSpace({f"x{index}": Float(0.0, 1.0) for index in range(12)}),
        "conditional": SearchSpace(
            {
                "optimizer": Categorical(["sgd", "adam", "none"]),
                "momentum": Float(0.0, 1.0, active_if={"optimizer": "sgd"}),
                "beta": Float(1e-3, 1.0, log=True, active_if={"optimizer": "adam"}),
                "amsgrad": Categorical([True, False], active_if={"optimizer": "adam"}),
                "delay": Integer(1, 9, active_if={"amsgrad": True}),
                "dropout": Float(0.0, 1.0),
                "where": Categorical(["input", "all"], active_if={"dropout": more_than(0.4)}),
                "eps": Constant(1e-8, active_if={"optimizer": ["sgd", "adam"]}),
            }
        ),
        "conditional and finite": SearchSpace(
            {
                "layers": Integer(1, 3),
                "second": Integer(1, 2, active_if={"layers": at_least(2)}),
                "third": Categorical(["p", "q"], active_if={"layers": at_least(3), "second": 2}),
            },
            forbid=[{"second": 1, "layers": 3}],
        ),
        "conditional, fidelity and prior": SearchSpace(
            {
                "kind": Categorical(["a", "b"], default="b", default_confidence="medium"),
                "x": Float(0.0, 1.0, default=0.2, active_if={"kind": "a"}),
                "y": Integer(1, 100, log=True, default=10, active_if={"kind": "b"}),
                "free": Float(0.0, 1.0),
                "epochs": Integer(1, 9, is_fidelity=True),
            }
        ),
        "forbidden": SearchSpace(
            {"x": Float(0.0, 1.0), "n": Integer(1, 9), "kind": Categorical(["a", "b"], default="a")},
            forbid=[{"kind": "a", "n": at_least(4)}, lambda config: config["x"] * config["n"] > 4.0],
        ),
    }
)
"""Small search spaces of every kind, by name."""

_COUNT = 12
_SEED = 7
_LOSSES = (0.5, float("nan"), None, 0.25, float("inf"), 2.0, float("-inf"), 0.25, 1e300)
_COSTS = (1.0, 0.0, 1e-12, 3.5, None)
_PENDING = (4, 9)
_LATE = 4
_DAMAGED = (6, 11)


class SamplerContract:
    """What every sampler promises. Inherit from it, override `make`, and give the class a name that begins with Test.

    Spaces that the sampler's `check` refuses are left out; it must take at least one.
    """

    def make(self) -> Sampler:
        """A new sampler, equal at each call."""
        raise NotImplementedError

    def spaces(self) -> dict[str, SearchSpace]:
        """Where to test it, by name: override to test other spaces."""
        return dict(SPACES)

    def test_it_takes_at_least_one_space(self) -> None:
        """And refuses the others with an ArgumentError."""
        assert list(self._histories()), "check() refused every space"

    def test_the_same_arguments_give_the_same_answer(self) -> None:
        """From the same instance, a new one, and one that went through pickle."""
        sampler = self.make()
        others = {"asked twice": sampler, "made anew": self.make(), "unpickled": pickle.loads(pickle.dumps(sampler))}  # noqa: S301
        for name, history, number in self._questions():
            first = repr(_ask(sampler, history, number))
            for how, other in others.items():
                again = repr(_ask(other, history, number))
                assert again == first, f"{name}, number {number}, {how}: {again} instead of {first}"

    def test_global_state_is_left_alone(self) -> None:
        """Random generators, warning filters and NumPy's error handling; and no warning comes out."""
        sampler = self.make()
        for name, history, number in self._questions():
            before = _global_state()
            with warnings.catch_warnings(), np.errstate(all="raise"):
                warnings.simplefilter("error")
                _ask(sampler, history, number)
            assert _global_state() == before, f"{name}: decide changed global state (random, numpy, torch, warnings)"

    def test_configurations_are_valid_and_plain(self) -> None:
        """Every active parameter, nothing else, as plain Python values within their bounds, and none is forbidden."""
        for name, space, number, suggestion in self._suggestions():
            config = dict(suggestion.config)
            try:
                validated = space.validate(config)
            except SpaceError as error:
                raise AssertionError(f"{name}, number {number}: {error}") from error
            wanted = {key: config[key] for key in space.parameters if key in config}
            assert repr(validated) == repr(wanted), f"{name}, number {number}: not plain values: {config}"

    def test_what_is_continued_is_earlier(self) -> None:
        """`previous` is the number of a trial that was decided before, or None."""
        for name, _, number, suggestion in self._suggestions():
            previous = suggestion.previous
            assert previous is None or 1 <= previous < number, f"{name}: {number} can't continue trial {previous}"

    def test_places_are_plain(self) -> None:
        """A place's rung is an int; its bracket and slot are ints or None."""
        for name, _, _, suggestion in self._suggestions():
            if (place := suggestion.place) is not None:
                types = {type(at) for at in (place.rung, place.bracket or 0, place.slot or 0)}
                assert types == {int}, f"{name}: {place!r} has no plain int"

    def test_reasons_survive_yaml_and_json(self) -> None:
        """They're stored with the decision, and read again."""
        for name, _, _, suggestion in self._suggestions():
            metadata = dict(suggestion.metadata)
            json.dumps(metadata)
            assert _through_yaml(metadata) == metadata, f"{name}: {metadata} changes when it is stored"

    def test_settings_are_plain_and_make_an_equal_sampler(self) -> None:
        """They're published in neps.yaml; a worker that joins compares them."""
        sampler = self.make()
        settings = sampler.settings()
        assert _through_yaml(settings) == settings, f"{settings} changes when it is stored"
        again = remade(sampler)
        assert again.settings() == settings, f"made from {settings}, it has {again.settings()}"
        for name, history, number in self._questions():
            first, second = repr(_ask(sampler, history, number)), repr(_ask(again, history, number))
            assert first == second, f"{name}: made from its settings, it answers {second} instead of {first}"

    def test_the_history_is_not_changed(self) -> None:
        """Neither its trials nor what they hold."""
        for name, history, number in self._questions():
            before = repr(history.trials)
            _ask(self.make(), history, number)
            assert repr(history.trials) == before, f"{name}: decide changed the history"

    def test_it_goes_on_whatever_became_of_earlier_trials(self) -> None:
        """All failed, all NaN, all infinite, all pending, all damaged."""
        sampler = self.make()
        for name, history in self._histories():
            for what, other in _disasters(history).items():
                answer = _ask(sampler, other, len(other.trials) + 1)
                assert isinstance(answer, Suggestion | Wait | Done), f"{name}, {what}: answered {answer!r}"

    def test_numbers_get_different_configurations(self) -> None:
        """Where there are infinitely many; but nobody knows what a damaged trial evaluated."""
        for name, space in self._searchable():
            if space.size is None:
                suggestions = _rough_run(self.make(), space, _COUNT)[1]
                known = [suggestion.config for number, suggestion in suggestions.items() if number not in _DAMAGED]
                configs = [repr(sorted(config.items())) for config in known]
                assert len(set(configs)) == len(configs), f"{name}: a configuration comes twice in {configs}"

    def test_done_stays_done(self) -> None:
        """Whatever number is asked for next, and whatever results come in."""
        sampler = self.make()
        for name, space in self._searchable():
            history, _ = _rough_run(sampler, space, _COUNT)
            number = len(history.trials) + 1
            if not isinstance(_ask(sampler, history, number), Done):
                continue
            finished = {n: t if t.ended else ended(t, 1.0) for n, t in history.by_number.items()}
            for later in (history, History(space, MappingProxyType(finished), _SEED)):
                for after in range(number, number + 3):
                    answer = _ask(sampler, later, after)
                    assert isinstance(answer, Done), f"{name}: done at {number}, but at {after} {answer!r}"

    def test_an_independent_sampler_looks_at_no_trial(self) -> None:
        """Its numbers may be claimed in any order: gaps, other results, no trial at all give the same answers."""
        sampler = self.make()
        for name, history in self._histories() if sampler.independent else ():
            odd = _with(history, {number: trial for number, trial in history.by_number.items() if number % 2})
            for number in range(1, 2 * _COUNT):
                answers = {repr(_ask(sampler, other, number)) for other in (history, odd, _with(history, {}))}
                assert len(answers) == 1, f"{name}: number {number} depends on other trials: {answers}"

    def test_what_it_says_of_itself_is_true_or_false(self) -> None:
        """Workers act on it."""
        for name in ("independent", "tolerates_stale_history", "needs_max_cost_total"):
            assert isinstance(getattr(self.make(), name), bool), f"{name} must be True or False"

    def test_what_is_given_up_is_never_continued(self) -> None:
        """`continuable` holds for ever, whatever results come in later; here each is seen four decisions late."""
        sampler = self.make()
        for name, space in self._searchable():
            trials: dict[int, Trial] = {}
            given_up: set[int] = set()
            for number in range(1, 2 * _COUNT if space.fidelity is not None else 1):
                history = History(space, MappingProxyType(dict(trials)), _SEED)
                given_up |= {t.number for t in history.trials if t.ended} - sampler.continuable(history)
                answer = _ask(sampler, history, number)
                if not isinstance(answer, Suggestion):
                    break
                assert answer.previous not in given_up, f"{name}: trial {number} continues one that was given up"
                trials[number] = decided(space, number, answer)
                if number > _LATE:
                    late = number - _LATE
                    trials[late] = ended(trials[late], _LOSSES[late % len(_LOSSES)], 1.0)

    def _searchable(self) -> Iterator[tuple[str, SearchSpace]]:
        for name, space in self.spaces().items():
            try:
                self.make().check(space)
            except ArgumentError:
                continue
            yield name, space

    def _histories(self) -> Iterator[tuple[str, History]]:
        for name, space in self._searchable():
            yield name, _rough_run(self.make(), space, _COUNT)[0]

    def _questions(self) -> Iterator[tuple[str, History, int]]:
        """At the beginning, in the middle, and late."""
        for name, history in self._histories():
            for known in sorted({0, len(history.trials) // 2, len(history.trials)}):
                yield name, _with(history, {n: t for n, t in history.by_number.items() if n <= known}), known + 1

    def _suggestions(self) -> Iterator[tuple[str, SearchSpace, int, Suggestion]]:
        for name, space in self._searchable():
            for number, suggestion in _rough_run(self.make(), space, _COUNT)[1].items():
                yield name, space, number, suggestion


def _ask(sampler: Sampler, history: History, number: int) -> Suggestion | Wait | Done:
    budget = Budget(max_evaluations_total=100, max_cost_total=20.0 if sampler.needs_max_cost_total else None)
    return sampler.decide(history, number, budget, generator_for(history.seed, number))


def _with(history: History, trials: dict[int, Trial]) -> History:
    return History(history.space, MappingProxyType(trials), history.seed)


def _rough_run(sampler: Sampler, space: SearchSpace, count: int) -> tuple[History, dict[int, Suggestion]]:
    """At most `count` trials as the sampler decides them, of which some are pending, failed, damaged or not finite."""
    trials: dict[int, Trial] = {}
    suggestions: dict[int, Suggestion] = {}
    for number in range(1, count + 1):
        answer = _ask(sampler, History(space, MappingProxyType(dict(trials)), _SEED), number)
        if not isinstance(answer, Suggestion):
            break
        suggestions[number] = answer
        trial = decided(space, number, answer)
        if number in _DAMAGED:
            trial = _damaged(number)
        elif number not in _PENDING:
            trial = ended(trial, _LOSSES[number % len(_LOSSES)], _COSTS[number % len(_COSTS)])
        trials[number] = trial
    return History(space, MappingProxyType(trials), _SEED), suggestions


def _damaged(number: int) -> Trial:
    verdict = Result.of_damage("trial.yaml is damaged")
    return Trial(number=number, decision=None, result=verdict, status=Status.FAILED)


def _disasters(history: History) -> dict[str, History]:
    """The same decisions with one outcome for all."""
    trials = {number: trial for number, trial in history.by_number.items() if trial.decision}
    pending = {n: Trial(number=n, decision=trial.decision) for n, trial in trials.items()}
    losses = {"all failed": None, "all NaN": float("nan"), "all infinite": float("inf"), "all equal": 1.0}
    outcomes = {what: {n: ended(trial, loss) for n, trial in pending.items()} for what, loss in losses.items()}
    outcomes |= {"all pending": pending, "all damaged": {n: _damaged(n) for n in pending}}
    return {what: _with(history, outcome) for what, outcome in outcomes.items()}


def _global_state() -> tuple[str, ...]:
    legacy: Any = np.random.get_state()  # noqa: NPY002 - the global state is what must not change
    torch = sys.modules.get("torch")
    of_torch = "" if torch is None else torch.get_rng_state().numpy().tobytes().hex()
    numpy_state = (legacy[0], legacy[1].tobytes(), *legacy[2:])
    return (repr(random.getstate()), repr(numpy_state), of_torch, repr(warnings.filters), repr(np.geterr()))


def _through_yaml(data: dict[str, Any]) -> Any:
    return yaml.safe_load(yaml.safe_dump(data))
