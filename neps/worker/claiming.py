"""Claiming the next trial: decide, reserve, commit. The link of trial.yaml decides; everything else is politeness.

In turn (the lowest number without a decision, after all earlier ones were seen), or, where the sampler looks at
nothing but the number, any free number.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import logging
import math
import operator
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np

from neps.budget import Budget
from neps.errors import ArgumentError, NepsError, shown
from neps.evaluation import plain
from neps.evaluation.plain import as_number
from neps.history import History
from neps.ledger.records import AttemptStart
from neps.ledger.standing import Standing
from neps.ledger.trial_folder import TrialFolder
from neps.samplers.protocol import Done, Suggestion, Wait
from neps.trial import MOST_PLACES, Decision, Value
from neps.worker.context import Context
from neps.worker.steps import Held, Leave, Pause, Step

__all__ = ["Claims"]

_logger = logging.getLogger("neps.worker")
_PATIENCE = 1.0
_PATIENCE_IN_CLAIMS = 20
_LONGEST_VALUE = 40
_LONGEST_LINE = 200


class Claims:
    """Claims numbers for one worker."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._view = context.view
        self._slowest = 0.0
        self._spare: Suggestion | None = None
        self._first_cost_of: int | None = None

    def next(self) -> Step:
        """Claim a trial, or say why not."""
        return self._any_number() if self._context.independent else self._in_turn()

    @property
    def _name(self) -> str:
        return type(self._context.sampler).__qualname__

    # Which number

    def _in_turn(self) -> Step:
        number = self._view.numbers.lowest
        taken = self._view.numbers.taken.get(number)
        if taken is not None:
            if taken.torn.looks:
                path = self._context.layout.trial(number)
                return Pause(f"{path} to become readable, or to count as damaged after lease_seconds")
            if not taken.is_half_claim(self._patience):
                return _pause_for(number)
        suggestion = self._decide(number)
        if not isinstance(suggestion, Suggestion):
            return suggestion
        return self._claim(number, suggestion) or _pause_for(number)

    def _any_number(self) -> Step:
        for number in self._view.half_claims(self._patience):
            suggestion = self._decide(number)
            if isinstance(suggestion, Suggestion) and (held := self._claim(number, suggestion)):
                return held
        while True:
            number = self._view.numbers.frontier
            if TrialFolder(self._context.layout, number).taken():  # a hint that spares a decision
                self._view.take(number)
                continue
            suggestion = self._decide(number)
            if not isinstance(suggestion, Suggestion):
                return self._at_the_end(suggestion)
            if held := self._claim(number, suggestion):
                return held

    def _at_the_end(self, step: Step) -> Step:
        """Before leaving, make sure that no half claim is left to complete."""
        self._view.refresh()
        if any(isinstance(self._decide(number), Suggestion) for number in sorted(self._view.numbers.taken)):
            return _pause_for(self._view.numbers.lowest)
        return step

    @property
    def _patience(self) -> float:
        """How long a reserved number may stay uncommitted before anybody commits it."""
        return max(_PATIENCE, _PATIENCE_IN_CLAIMS * self._slowest)

    # What to evaluate

    def _decide(self, number: int) -> Suggestion | Pause | Leave:
        budget = self._context.settings.budget
        if budget.max_evaluations_total is not None and number > budget.max_evaluations_total:
            return Leave(f"max_evaluations_total={budget.max_evaluations_total} is reached")
        if (limited := self._limited(budget)) is not None:
            return limited
        history = History(self._context.space, self._view.known(), self._context.seed, self._context.brackets)
        if (spare := self._use_spare(history)) is not None:
            return spare
        try:
            answer = self._context.sampler.decide(history, number, budget, _generator(self._context.seed, number))
        except OSError as error:  # not the run's filesystem, for which a worker would wait
            message = f"{self._name}.decide failed for trial {number}: {error}"
            raise NepsError(message) from error
        match answer:
            case Suggestion():
                return answer
            case Wait():
                return Pause(answer.reason)
            case Done():
                return Leave(answer.reason)
        message = f"{self._name}.decide returned {answer!r}; it must be a Suggestion, Wait or Done."
        raise NepsError(message)

    def _limited(self, budget: Budget) -> Pause | Leave | None:
        """What a budget of cost or fidelity says against another trial now."""
        spending, waited_for = self._context.spending, self._first_cost_of
        if waited_for is not None and spending.mean is None and self._lacks_cost(waited_for):
            return Leave(
                f"trial {waited_for} returned no cost, which max_cost_total={budget.max_cost_total:g} needs. Have "
                'run_pipeline return {"loss": …, "cost": …}, or pass cost="duration" or cost_value_on_error=…'
            )
        pending = [pending.standing.decision for pending in self._view.pending.values()]
        limit = spending.limit(budget, pending, expected=self._context.settings.expected_cost is not None)
        if limit is None:
            return None
        self._first_cost_of = limit.first_cost_of
        return Leave(limit.reason) if limit.done else Pause(limit.reason)

    def _lacks_cost(self, number: int) -> bool:
        """Whether a trial that others waited for has succeeded, and its cost is missing: theirs would be, too."""
        trial = self._view.known().get(number)
        result = trial.result if trial is not None else None
        return result is not None and result.success and result.account_for_cost and result.cost is None

    def _use_spare(self, history: History) -> Suggestion | None:
        """A suggestion that lost its number, unless somebody has decided the same since."""
        spare, self._spare = self._spare, None
        if spare is None or any(trial.config == spare.config for trial in history.by_number.values()):
            return None
        return spare

    # Reserving and committing

    def _claim(self, number: int, suggestion: Suggestion) -> Held | None:
        decision = self._decision(number, suggestion)
        folder, began = TrialFolder(self._context.layout, number), time.monotonic()
        if not folder.reserve() and number not in self._view.numbers.taken:
            self._lost(number, suggestion)
            return None
        self._context.tenure.check()
        self._context.heartbeat.expect()
        if not folder.commit(decision, self._context.me):
            self._lost(number, suggestion)
            return None
        self._slowest = max(self._slowest, time.monotonic() - began)
        held = Held(folder, Standing(decision, AttemptStart(1, self._context.me)))
        self._view.begun(folder, held.standing)
        goes_on = f", continuing trial {decision.previous}" if decision.previous is not None else ""
        _logger.info("Trial %d claimed%s: %s in %s", number, goes_on, _readable(decision.config), folder.path)
        return held

    def _lost(self, number: int, suggestion: Suggestion) -> None:
        self._view.take(number)
        if self._context.sampler.bears_old_view and suggestion.previous is None and suggestion.rung is None:
            self._spare = suggestion

    def _decision(self, number: int, suggestion: Suggestion) -> Decision:
        config = self._context.space.validate(suggestion.config)
        previous = suggestion.previous
        if previous is not None and not self._context.independent and previous not in self._view.known():
            message = f"{self._name}.decide has trial {number} continue trial {previous}, which doesn't exist."
            raise NepsError(message)
        fidelity = config[self._context.space.fidelity] if self._context.space.fidelity is not None else None
        decision = Decision(
            number=number,
            config=config,
            fidelity=fidelity,  # type: ignore[arg-type]  # a fidelity is a number
            bracket=self._counted(number, "bracket", suggestion.bracket, MOST_PLACES),
            rung=self._counted(number, "rung", suggestion.rung, MOST_PLACES),
            slot=self._counted(number, "slot", suggestion.slot, MOST_PLACES),
            previous=self._counted(number, "previous", previous, number - 1),
            seed=_trial_seed(self._context.seed, number),
            reasons=self._reasons(number, suggestion.reasons),
            seen_results=self._view.ended,
            worker=self._context.me.worker,
            claimed=datetime.now(UTC),
        )
        return dataclasses.replace(decision, reserved_cost=self._expected_cost(decision))

    def _reasons(self, number: int, given: object) -> dict[Any, Any]:
        reasons = plain(given)
        if isinstance(given, Mapping) and isinstance(reasons, dict):
            return reasons
        message = (
            f"{self._name}.decide gives trial {number} the reasons {shown(reasons)} ({type(given).__name__}); they "
            "must be a mapping, {} for none."
        )
        raise NepsError(message)

    def _counted(self, number: int, name: str, value: int | None, most: int) -> int | None:
        """What readers will believe: a place that somebody may have counted to, an earlier trial."""
        if value is None:
            return None
        with contextlib.suppress(TypeError):  # no whole number
            if 0 <= operator.index(value) <= most:
                return operator.index(value)
        rule = f"it must be a whole number from 0 to {most}"
        message = f"{self._name}.decide gives trial {number} the {name} {shown(value)}; {rule}."
        raise NepsError(message)

    def _expected_cost(self, decision: Decision) -> float | None:
        expected, config = self._context.settings.expected_cost, decision.config
        if not callable(expected):
            return expected if expected is not None else self._context.spending.expected_cost(decision)
        try:
            answer = expected(self._context.space.handed(config))
        except OSError as error:
            message = f"expected_cost failed for {dict(config)}: {error}"
            raise NepsError(message) from error
        cost = None
        with contextlib.suppress(OverflowError):  # an integer beyond all floats
            cost = as_number(answer)
        if cost is None or not (math.isfinite(cost) and cost >= 0):
            message = (
                f"expected_cost returned {shown(answer)} for {dict(config)}; it must be a finite number of at least 0."
            )
            raise ArgumentError(message)
        return cost


def _pause_for(number: int) -> Pause:
    return Pause(f"trial {number} to be committed by the worker that reserved it", brief=True)


def _readable(config: Mapping[str, Value]) -> str:
    """The values of a configuration, as far as they fit in a line."""
    line = ""
    for place, (name, value) in enumerate(config.items()):
        shorter = f"{value:.4g}" if isinstance(value, float) else shown(value, _LONGEST_VALUE)
        item = f"{', ' if place else ''}{shown(name, _LONGEST_VALUE)[1:-1]}={shorter}"
        if len(line) + len(item) > _LONGEST_LINE:
            return f"{line} and {len(config) - place} more"
        line += item
    return line


def _generator(seed: int, number: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(number,))))


def _trial_seed(seed: int, number: int) -> int:
    return int.from_bytes(hashlib.blake2b(f"{seed} {number}".encode(), digest_size=4).digest())
