"""Claiming the next trial: which number, reserve, commit. The link of trial.yaml decides; the rest is politeness.

In turn (the lowest number without a decision, after all earlier ones were seen), or, where the sampler looks at
nothing but the number, any free number. What it evaluates is decided in `neps._deciding`.
"""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType

from neps._budget import Limit
from neps._deciding import Request, decide
from neps._history import History
from neps._ledger.claims import Claim
from neps._ledger.trial_folder import TrialFolder
from neps._trial import Decision, Value
from neps._worker.context import Context
from neps._worker.steps import Leave, Pause, Step
from neps.errors import shown

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
        self._spare: Decision | None = None
        self._first_cost_of: int | None = None

    def next(self) -> Step:
        """Claim a trial, or say why not."""
        return self._any_number() if self._context.independent else self._in_turn()

    # Which number

    def _in_turn(self) -> Step:
        number = self._view.numbers.lowest
        reserved = self._view.numbers.reserved.get(number)
        if reserved is not None:
            if reserved.torn.looks:
                path = self._context.layout.trial(number)
                return Pause(f"{path} to become readable, or to count as damaged after lease_seconds")
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
        while True:
            number = self._view.numbers.frontier
            if TrialFolder(self._context.layout, number).is_reserved():  # a hint that spares a decision
                self._view.note_reserved(number)
                continue
            decision = self._decide(number)
            if not isinstance(decision, Decision):
                return self._at_the_end(decision)
            if held := self._claim(decision):
                return held

    def _at_the_end(self, step: Step) -> Step:
        """Before leaving, make sure that no half claim is left to complete."""
        self._view.refresh()
        if any(isinstance(self._decide(number), Decision) for number in sorted(self._view.numbers.reserved)):
            return _pause_for(self._view.numbers.lowest)
        return step

    @property
    def _patience(self) -> float:
        """How long a reserved number may stay uncommitted before anybody commits it."""
        return max(_PATIENCE, _PATIENCE_IN_CLAIMS * self._slowest)

    # What to evaluate

    def _decide(self, number: int) -> Decision | Pause | Leave:
        context, view = self._context, self._view
        request = Request(
            history=History(context.space, MappingProxyType(view.known()), context.seed, context.brackets),
            number=number,
            budget=context.settings.budget,
            spending=context.spending,
            pending=[pending.state.decision for pending in view.pending.values()],
            seen_results=view.ended,
            expected_cost=context.settings.expected_cost,
            independent=context.independent,
            awaited=self._first_cost_of,
            spare=self._spare,
        )
        match decide(context.sampler, request):
            case Limit(done=True, reason=reason):
                return Leave(reason)
            case Limit(reason=reason, first_cost_of=awaited):
                self._first_cost_of = awaited or self._first_cost_of
                return Pause(reason)
            case decision:
                self._spare = None
                if (lacks := context.time_left.lacks(decision)) is not None:
                    return Leave(lacks, at_once=True)
                return dataclasses.replace(decision, worker=context.me.worker, claimed=datetime.now(UTC))

    # Reserving and committing

    def _claim(self, decision: Decision) -> Claim | None:
        number = decision.number
        folder, began = TrialFolder(self._context.layout, number), time.monotonic()
        if not folder.reserve() and number not in self._view.numbers.reserved:
            self._lost(decision)
            return None
        self._context.tenure.check()
        self._context.heartbeat.expect()
        if (held := Claim.commit(folder, decision, self._context.me)) is None:
            self._lost(decision)
            return None
        self._slowest = max(self._slowest, time.monotonic() - began)
        self._view.begun(folder, held.state)
        goes_on = f", continuing trial {decision.previous}" if decision.previous is not None else ""
        _logger.info("Trial %d claimed%s: %s in %s", number, goes_on, _readable(decision.config), folder.path)
        return held

    def _lost(self, decision: Decision) -> None:
        self._view.note_reserved(decision.number)
        if self._context.sampler.tolerates_stale_history and decision.previous is None and decision.place is None:
            self._spare = decision


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
