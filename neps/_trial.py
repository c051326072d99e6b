"""What a trial is: its decision and its result (`neps._outcome`) together. Values only; no files.

`Decision` mirrors trial.yaml, less what only the ledger needs. Built by the ledger, read by samplers, budgets and
views.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterator, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from neps._outcome import MEASURES, Outcome, Result
from neps._ranking import incumbent_key, rank_key
from neps._tables import as_html, cell, printable
from neps.errors import SpaceError, gist, shown
from neps.space import SearchSpace, Value

__all__ = ["MOST_PLACES", "Decision", "Entry", "Place", "Result", "Status", "Trial", "Value", "place_fields"]

MOST_PLACES = 1_000_000
"""Brackets, rungs and slots are counted from 0 to here."""
_LONGEST_ERROR = 80
_EMPTY: Mapping[str, Any] = MappingProxyType({})


def _nothing() -> Mapping[str, Any]:
    return _EMPTY


class Status(enum.StrEnum):
    """Where a trial stands, derived from its files and never stored."""

    SUCCESS = "success"
    FAILED = "failed"
    RUNNING = "running"
    WAITING = "waiting"
    """Nobody holds it: its last attempt has ended without a result, and any worker may resume it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """Where a decision stands in a search over fidelities; each is counted from 0.

    Args:
        rung: the fidelity that it runs to, among those of the search, the lowest being 0.
        bracket: the group of trials that compete for promotion; None in a search without brackets.
        slot: which of the bracket's places at this rung it takes; None where they aren't counted.

    Example:
        >>> Place(2, bracket=0, slot=1)
        Place(rung=2, bracket=0, slot=1)
    """

    rung: int
    bracket: int | None = None
    slot: int | None = None


def place_fields(place: Place | None) -> dict[str, int | None]:
    """A place by the names that it has on disk and in views, each None where there is none.

    Example:
        >>> place_fields(Place(2, bracket=0))
        {'bracket': 0, 'rung': 2, 'slot': None}
    """
    names = ("bracket", "rung", "slot")
    return {name: getattr(place, name) if place is not None else None for name in names}


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Entry:
    """Which of the configurations that users have enqueued: number `place` of list `batch`.

    List 0 are the run's `first_configs`; the others are counted from 1, as they were enqueued. Places count from 1.
    """

    batch: int
    place: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A committed suggestion: what trial `number` evaluates, and why.

    `config` holds every parameter, the fidelity and constants included. `fidelity` is the value of the space's
    fidelity, None without one. `place` is where it stands in a search over fidelities, None in others.
    `previous` is the number of the trial whose checkpoint it continues. `reserved_cost` is what its evaluation
    was expected to cost when it was decided, None while no cost was known. `metadata` is what the sampler wants
    to remember; `seen_results` is how many results the decision had seen, and `incumbent` the number of the best of
    them, 0 where none was finite, None where the budget has no patience and so nobody asked. `seen_known` is how many
    documents of what users know it had seen. `entry` is the enqueued configuration that it takes, None where the
    sampler has decided. `index` is which of the sampler's own decisions it is; None: as many as the number, less that
    of `first_configs`.
    """

    number: int
    config: Mapping[str, Value]
    fidelity: float | None = None
    place: Place | None = None
    previous: int | None = None
    seed: int = 0
    reserved_cost: float | None = None
    metadata: Mapping[str, Any] = dataclasses.field(default_factory=_nothing)
    seen_results: int = 0
    incumbent: int | None = None
    seen_known: int = 0
    entry: Entry | None = None
    index: int | None = None
    worker: str = ""
    claimed: datetime | None = None

    def check(self, space: SearchSpace) -> None:
        """Make sure that `config` is a configuration of the space, and `fidelity` what it says of that.

        Raises:
            SpaceError: if not.
        """
        config = space.parsed(self.config)  # what is forbidden may change, and is no damage
        fidelity = config[space.fidelity] if space.fidelity is not None else None
        if fidelity != self.fidelity:
            raise SpaceError(f"fidelity is {shown(self.fidelity)}, but the configuration says {shown(fidelity)}.")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One config_N: its decision, and its result once there is one.

    `decision` is None where trial.yaml is damaged. `attempts` counts the attempts that were started.
    `spent` is what its evaluations have cost so far, failed ones that were retried included. `awaits_tell`: it runs
    without a worker, since run_pipeline has returned `neps.PENDING`, until `neps.tell`.
    """

    number: int
    decision: Decision | None
    result: Result | None = None
    status: Status = Status.RUNNING
    attempts: int = 1
    spent: float = 0.0
    awaits_tell: bool = False

    def __repr__(self) -> str:
        """One short line.

        >>> Trial(number=1, decision=None, result=Result.of(success=True, loss=0.25), status=Status.SUCCESS)
        <Trial 1: success, loss 0.25>
        """
        what = f"Trial {self.number}" if self.number else "Imported trial"
        return f"<{what}: {', '.join(self._in_short())}>"

    def _in_short(self) -> Iterator[str]:
        yield f"{self.status}" + (" (damaged)" if self.damaged else "")
        if self.awaits_tell:
            yield "waits for neps.tell"
        if self.loss is not None:
            yield f"loss {self.loss:.6g}"
        if self.fidelity is not None:
            yield f"fidelity {self.fidelity:g}"
        if self.error is not None:
            line = printable(gist(self.error))
            yield line if len(line) <= _LONGEST_ERROR else f"{line[:_LONGEST_ERROR]}…"

    def _repr_html_(self) -> str:
        """What a notebook shows: the same, and the configuration."""
        rows = [("parameter", "value"), *((printable(name), cell(value)) for name, value in self.config.items())]
        return as_html(rows, repr(self)[1:-1])

    @property
    def config(self) -> Mapping[str, Value]:
        """The configuration, or an empty mapping where the trial is damaged."""
        return self.decision.config if self.decision else _EMPTY

    @property
    def fidelity(self) -> float | None:
        """The fidelity that was decided, None without one."""
        return self.decision.fidelity if self.decision else None

    @property
    def previous(self) -> int | None:
        """The number of the trial that it continues, or None."""
        return self.decision.previous if self.decision else None

    @property
    def place(self) -> Place | None:
        """Where it stands in a search over fidelities, or None."""
        return self.decision.place if self.decision else None

    @property
    def enqueued(self) -> bool:
        """Whether a user has given its configuration, by `neps.enqueue` or `first_configs`."""
        return self.decision is not None and self.decision.entry is not None

    @property
    def outcome(self) -> Outcome | None:
        """What its evaluation came to, or None while that isn't known."""
        return self.result.outcome if self.result else None

    @property
    def loss(self) -> float | None:
        """The loss, or None while there is none."""
        return self.result.outcome.loss if self.result else None

    @property
    def cost(self) -> float | None:
        """The cost of the last evaluation, or None where none was returned."""
        return self.result.outcome.cost if self.result else None

    @property
    def measures(self) -> dict[str, Any]:
        """What its evaluation measured, by name: the loss first."""
        outcome = self.outcome
        return {name: getattr(outcome, name) if outcome is not None else None for name in MEASURES}

    @property
    def worker(self) -> str:
        """Who published the result, or else who claimed the trial."""
        if self.result and self.result.origin.worker:
            return self.result.origin.worker
        return self.decision.worker if self.decision else ""

    @property
    def error(self) -> str | None:
        """The error's text with its traceback, where the trial failed."""
        return self.result.outcome.error if self.result else None

    @property
    def info_dict(self) -> Mapping[str, Any]:
        """What the evaluation returned beside its loss."""
        return self.result.outcome.info_dict if self.result else _EMPTY

    @property
    def learning_curve(self) -> tuple[tuple[float, float], ...]:
        """The (step, loss) pairs that the evaluation reported, by step, or returned; empty where there are none.

        Of a trial that continues another one these are its own: `History.learning_curve` joins them.

        Returned losses carry no steps: they are taken to be one apart, the last at the trial's fidelity (n losses at
        `fidelity - n + 1` to `fidelity`), or 1 to n where the space has none. Losses may be NaN and infinite.

        Example:
            >>> decision = Decision(number=1, config={"epochs": 9}, fidelity=9)
            >>> result = Result.of(success=True, learning_curve=[3, 2])
            >>> Trial(number=1, decision=decision, result=result).learning_curve
            ((8.0, 3.0), (9.0, 2.0))
        """
        outcome = self.outcome
        if outcome is None or outcome.learning_curve is None:
            return ()
        losses, steps = outcome.learning_curve, outcome.learning_curve_steps
        if steps is None:
            last = len(losses) if self.fidelity is None else self.fidelity
            steps = [last - len(losses) + place for place in range(1, len(losses) + 1)]
        return tuple((float(step), float(loss)) for step, loss in zip(steps, losses, strict=True))

    @property
    def claimed(self) -> datetime | None:
        """When it was decided (UTC)."""
        return self.decision.claimed if self.decision else None

    @property
    def started(self) -> datetime | None:
        """When the last evaluation began (UTC)."""
        return self.result.origin.started if self.result else None

    @property
    def finished(self) -> datetime | None:
        """When the last evaluation ended (UTC)."""
        return self.result.origin.finished if self.result else None

    @property
    def duration(self) -> float | None:
        """Seconds that the last evaluation took."""
        return self.result.origin.duration if self.result else None

    @property
    def ended(self) -> bool:
        """Whether there is a result, good or bad."""
        return self.result is not None

    @property
    def succeeded(self) -> bool:
        """Whether its evaluation returned a loss (which may be NaN)."""
        return self.result is not None and self.result.outcome.success

    @property
    def damaged(self) -> bool:
        """Whether its documents can't be read, and it counts as failed for that."""
        return self.result is not None and self.result.origin.damaged

    @property
    def incumbent_key(self) -> tuple[bool, bool, float, float, int]:
        """Smallest for the incumbent: a success, of finite loss, at the highest fidelity, the lowest, the earliest.

        A training that diverged at the highest fidelity is worse than one that went well at a lower.
        """
        return incumbent_key(self)

    @property
    def rank_key(self) -> float:
        """What to sort by: the finite loss of a success, infinity for everything else."""
        return rank_key(self)
