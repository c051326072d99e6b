"""Claiming the next trial: which number, reserve, commit. The link of trial.yaml decides; the rest is politeness.

In turn (the lowest number without a decision, after all earlier ones were seen), or, where the sampler looks at
nothing but the number, any free number. What it evaluates is decided in `neps._deciding`.
"""

from __future__ import annotations

import dataclasses
import logging
import random
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType

from neps._budget import Limit
from neps._deciding import Refused, Request, decide
from neps._fidelity import Brackets
from neps._history import History
from neps._ledger.claims import Claim, Hold
from neps._ledger.trial_folder import TrialFolder
from neps._listing import readable
from neps._trial import Decision, Trial
from neps._worker.context import Context
from neps._worker.steps import Leave, Pause, Step

__all__ = ["Claims", "unreadable"]

_logger = logging.getLogger("neps.worker")
_PATIENCE = 1.0
_PATIENCE_IN_CLAIMS = 20
_LOST_BEFORE_SPREADING = 3
_WIDEST_SPREAD = 1024


class Claims:
    """Claims numbers for one worker."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._view = context.view
        self._slowest = 0.0
        self._spare: Decision | None = None
        self._first_cost_of: int | None = None
        self._random = random.Random(context.me.worker)  # noqa: S311 - not the user's, and another for each worker

    def next(self) -> Step:
        """Claim a trial, or say why not."""
        if (lacks := self._context.known.lacks) is not None:
            return Pause(lacks)
        return self._any_number() if self._context.independent else self._in_turn()

    # Which number

    def _in_turn(self) -> Step:
        number = self._view.numbers.lowest
        reserved = self._view.numbers.reserved.get(number)
        if reserved is not None:
            if reserved.torn.looks:
                return unreadable(self._context.layout.trial(number))
            if not reserved.is_half_claim(self._patience):
                return _pause_for(number)
        decision = self._decide(number)
        if not isinstance(decision, Decision):
            return decision
        return self._claim(decision) or _pause_for(number)

    def _any_number(self) -> Step:
        for number in self._view.half_claims(self._patience):
            decision = self._decide(number)
            if isinstance(decision, Decision) and (held := self._claim(decision)):
                return held
        lost = 0
        while True:
            number = self._spread(lost)
            if TrialFolder(self._context.layout, number).is_reserved():  # a hint that spares a decision
                self._view.note_reserved(number)
                lost += 1
                continue
            decision = self._decide(number)
            if not isinstance(decision, Decision):
                if number != self._view.numbers.frontier:
                    lost = 0  # it was beyond the last one: there may be free ones below
                    continue
                return self._at_the_end(decision)
            if held := self._claim(decision):
                return held
            lost += 1

    def _spread(self, lost: int) -> int:
        """Which number to try after so many were lost: mostly the lowest free one, in a crowd one further on.

        If all of a thousand workers tried the same number, one of them would win in each round trip.
        """
        numbers = self._view.numbers
        width = min(1 << max(0, lost - _LOST_BEFORE_SPREADING), _WIDEST_SPREAD)
        number = numbers.frontier + self._random.randrange(width)
        return numbers.frontier if numbers.is_noted(number) else number

    def _at_the_end(self, step: Step) -> Step:
        """Before leaving, make sure that no half claim is left to complete."""
        self._view.settle_reserved()
        undecided = [number for number, each in self._view.numbers.reserved.items() if not each.torn.looks]
        if any(isinstance(self._decide(number), Decision) for number in sorted(undecided)):
            return _pause_for(min(undecided))
        return step

    @property
    def _patience(self) -> float:
        """How long a reserved number may stay uncommitted before anybody commits it."""
        return max(_PATIENCE, _PATIENCE_IN_CLAIMS * self._slowest)

    # What to evaluate

    def _request(self, number: int) -> Request:
        context, view = self._context, self._view
        known, brackets = view.known(), context.brackets
        if not context.independent and len(view.trials) + len(view.pending) >= number:
            # Later ones are known: this client has not seen that it was decided, or its folder was moved away. It is
            # decided (again) by what lies before it, as it was: it can't continue what was decided after it.
            known, brackets = {earlier: trial for earlier, trial in known.items() if earlier < number}, None
        return Request(
            history=self._history(known, brackets),
            number=number,
            budget=context.settings.budget,
            spending=context.spending,
            pending=[pending.state.decision for pending in view.pending.values() if pending.folder.number in known],
            seen_results=view.ended,
            expected_cost=context.settings.expected_cost,
            independent=context.independent,
            awaited=self._first_cost_of,
            improvement=context.improvement,
            endings=context.endings.look() if context.settings.budget.ends_by_results else (),
            queue=context.known.queue,
            seen_known=context.known.seen,
            spare=self._spare,
        )

    def _decide(self, number: int) -> Decision | Pause | Leave:
        context, request = self._context, self._request(number)
        while isinstance(answer := decide(context.sampler, request), Refused):
            context.known.refuse(answer, number)
        match answer:
            case Limit(done=True, reason=reason, ending=ending):
                if ending is not None:
                    context.tenure.check()
                    context.endings.publish(ending)
                return Leave(reason)
            case Limit(reason=reason, first_cost_of=awaited):
                self._first_cost_of = awaited or self._first_cost_of
                return Pause(reason)
            case decision:
                self._spare = None
                if (lacks := context.time_left.lacks(decision)) is not None:
                    return Leave(lacks, at_once=True, cut_short_by="walltime")
                return dataclasses.replace(decision, worker=context.me.worker, claimed=datetime.now(UTC))

    def _history(self, known: Mapping[int, Trial], brackets: Brackets | None) -> History:
        context, results = self._context, self._context.known.results
        space, trials = context.space, MappingProxyType(known)
        return History(space, trials, context.seed, brackets, imported=results.imported, earlier=results.earlier)

    # Reserving and committing

    def _claim(self, decision: Decision) -> Claim | None:
        number = decision.number
        folder, began = TrialFolder(self._context.layout, number), time.monotonic()
        if not folder.reserve() and number not in self._view.numbers.reserved:
            self._lost(decision)
            return None
        self._context.tenure.check()
        hold, me = Hold(folder, 1, self._context.me.worker), self._context.me
        held = self._context.heartbeat.while_opening(hold, lambda: Claim.commit(folder, decision, me))
        if held is None:
            self._lost(decision)
            return None
        self._slowest = max(self._slowest, time.monotonic() - began)
        self._view.begun(folder, held.state)
        goes_on = f", continuing trial {decision.previous}" if decision.previous is not None else ""
        _logger.info("Trial %d claimed%s: %s in %s", number, goes_on, readable(decision.config), folder.path)
        return held

    def _lost(self, decision: Decision) -> None:
        self._view.note_reserved(decision.number)
        if self._context.sampler.tolerates_stale_history and decision.previous is None and decision.place is None:
            self._spare = decision


def unreadable(path: str) -> Pause:
    """What a worker waits for where something in a trial's folder can't be read."""
    return Pause(f"{path} to become readable, or to count as damaged after lease_seconds")


def _pause_for(number: int) -> Pause:
    return Pause(f"trial {number} to be committed by the worker that reserved it", brief=True)
