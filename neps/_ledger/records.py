"""What documents say, as values: decisions, results, and the starts and ends of attempts. No file is opened here.

Each record has a way to a document's fields and back. Reading is strict: what does not fit is unreadable.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar

from neps._ledger import fields as typed
from neps._ledger.documents import UnreadableDocumentError
from neps._ledger.identity import Identity
from neps._outcome import Kind, Origin, Outcome, Result, recorded
from neps._trial import Decision, Entry, Place, place_fields
from neps.errors import shown

__all__ = [
    "AttemptEnd",
    "AttemptStart",
    "End",
    "decision_fields",
    "digest_of",
    "parsed",
    "read_decision",
    "result_fields",
]


_T = TypeVar("_T")
_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


class End(enum.StrEnum):
    """How an attempt ended."""

    RESULT = "result"
    LEFT = "left"
    DIED = "died"
    DAMAGED = "damaged"


@dataclasses.dataclass(frozen=True, slots=True)
class AttemptStart:
    """Who began attempt `attempt`, and after what: None for the first, else left, died or retry."""

    attempt: int
    identity: Identity
    after: str | None = None

    def fields(self, *, time: str) -> dict[str, Any]:
        """As the fields of attempt_K.yaml."""
        return {"attempt": self.attempt, "after": self.after, **self.identity.to_document(), "time": time}

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any], attempt: int) -> AttemptStart:
        """Read from attempt_K.yaml, or from trial.yaml for the first."""
        typed.get(fields, "attempt", functools.partial(typed.equal, attempt))
        return cls(attempt, Identity.from_document(fields), typed.get(fields, "after", typed.text))


@dataclasses.dataclass(frozen=True, slots=True)
class AttemptEnd:
    """How attempt `attempt` ended; `result` is there where that decides the trial.

    `decision` is the digest of what it is the result of, if it names that. `needs_bytes`: it was left since the storage
    failed, and needs room for about so many. `seconds`: how long it was evaluated until it was left. `asks_within`: in
    how many seconds it asked whether to stop, and had returned. `job_too_short`: whether it was left since its job
    ends, before any progress, though it had most of that job.
    """

    attempt: int
    end: End
    result: Result | None = None
    needs_bytes: int | None = None
    seconds: float | None = None
    asks_within: float | None = None
    job_too_short: bool = False
    decision: int | None = None

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> AttemptEnd:
        """Read from attempt_K.end.yaml or result.yaml."""
        attempt, end = typed.need(fields, "attempt", typed.counted), typed.need(fields, "end", _how)
        if end in (End.RESULT, End.DAMAGED):
            result = _read_result(fields, attempt, damaged=end is End.DAMAGED)
            return cls(attempt, end, result, decision=typed.get(fields, "decision", typed.whole))
        if end is not End.LEFT:
            return cls(attempt, end)
        return cls(
            attempt,
            end,
            needs_bytes=typed.get(fields, "needs_bytes", typed.whole),
            seconds=typed.get(fields, "seconds", typed.cost),
            asks_within=typed.get(fields, "asks_within", typed.cost),
            job_too_short=typed.get(fields, "job_too_short", typed.flag, False),
        )


def _how(value: object) -> End:
    return End(typed.text(value))


def parsed(path: str, read: Callable[[], _T]) -> _T:
    """Call `read`, and say of which path it is that something in it doesn't fit."""
    try:
        return read()
    except KeyError as error:
        raise UnreadableDocumentError(path, f"it has no {shown(error.args[0])}") from error
    except (TypeError, ValueError, OverflowError) as error:
        raise UnreadableDocumentError(path, f"its {error}") from error


def decision_fields(decision: Decision) -> dict[str, Any]:
    """A decision as fields of trial.yaml, which has the committer's identity beside them."""
    return {
        **_evaluated(decision),
        "seed": decision.seed,
        "reserved_cost": decision.reserved_cost,
        "reasons": dict(decision.metadata) or None,
        "seen_results": decision.seen_results,
        "incumbent": decision.incumbent,
        **_queue_fields(decision),
        "worker": decision.worker,
        "time": decision.claimed.isoformat() if decision.claimed else None,
    }


def _evaluated(decision: Decision) -> dict[str, Any]:
    """What is evaluated, and for which place in the search."""
    return {
        "number": decision.number,
        "config": dict(decision.config),
        "fidelity": decision.fidelity,
        **place_fields(decision.place),
        "previous": f"config_{decision.previous}" if decision.previous is not None else None,
    }


def digest_of(run: str, decision: Decision) -> int:
    """What a result names its decision by: all that an evaluation depends on, and the place that its result counts for.

    Who decided it, and when, makes no difference. The same for a decision that was read and one that was written.

    Example:
        >>> digest_of("run", Decision(number=1, config={"x": 0.5})) == digest_of("run", Decision(number=1, config={}))
        False
    """
    fields = {"run": run, **_evaluated(decision), "seed": decision.seed}
    return int.from_bytes(hashlib.blake2b(_canonical(fields).encode(), digest_size=8).digest()) >> 1


def _queue_fields(decision: Decision) -> dict[str, int]:
    """What hardly any decision has, and so no line of the results cache pays for."""
    entry, index = decision.entry, decision.index
    taken = {"batch": entry.batch, "entry": entry.place} if entry is not None else {}
    seen = {"seen_known": decision.seen_known} if decision.seen_known else {}
    return seen | taken | ({"index": index} if index is not None else {})


def read_decision(fields: Mapping[str, Any], number: int) -> Decision:
    """A decision from the fields of trial.yaml; `number` is its folder's."""
    typed.need(fields, "number", functools.partial(typed.equal, number))
    return Decision(
        number=number,
        config=typed.need(fields, "config", typed.config),
        fidelity=typed.get(fields, "fidelity", typed.number),
        place=_read_place(fields),
        previous=typed.get(fields, "previous", functools.partial(_earlier, number)),
        seed=typed.get(fields, "seed", typed.whole, 0),
        reserved_cost=typed.get(fields, "reserved_cost", typed.cost),
        metadata=typed.get(fields, "reasons", typed.mapping, {}),
        seen_results=typed.get(fields, "seen_results", typed.whole, 0),
        incumbent=typed.get(fields, "incumbent", typed.whole),
        seen_known=typed.get(fields, "seen_known", typed.whole, 0),
        entry=_read_entry(fields),
        index=typed.get(fields, "index", functools.partial(typed.whole, least=1, most=number)),
        worker=typed.get(fields, "worker", typed.text, ""),
        claimed=typed.get(fields, "time", typed.moment),
    )


def _read_place(fields: Mapping[str, Any]) -> Place | None:
    """The place, if it has a rung: without one, a bracket or a slot in a foreign trial.yaml says nothing."""
    bracket, rung, slot = (typed.get(fields, name, typed.place) for name in ("bracket", "rung", "slot"))
    return Place(rung, bracket, slot) if rung is not None else None


def _read_entry(fields: Mapping[str, Any]) -> Entry | None:
    """The enqueued configuration that it takes: a list alone, or a place in none, says nothing."""
    batch, place = typed.get(fields, "batch", typed.whole), typed.get(fields, "entry", typed.counted)
    return Entry(batch, place) if batch is not None and place is not None else None


def _earlier(number: int, value: object) -> int:
    """The number of the trial that this one continues: its name is `config_M`, and it was decided before."""
    name = typed.text(value)
    previous = name.removeprefix("config_")
    if name == previous or not previous.isascii() or not previous.isdigit() or not 1 <= int(previous) < number:
        raise typed.WrongError(name, f"not config_M with an M below {number}")
    return int(previous)


def result_fields(result: Result) -> dict[str, Any]:
    """A result as fields of attempt_K.end.yaml and result.yaml."""
    outcome, origin = result.outcome, result.origin
    return {
        "attempt": origin.attempt,
        "end": str(End.DAMAGED if origin.damaged else End.RESULT),
        "status": "success" if outcome.success else "failed",
        **_written(outcome),
        **_written(origin),
    }


def _read_result(fields: Mapping[str, Any], attempt: int, *, damaged: bool) -> Result:
    status = typed.need(fields, "status", typed.text)
    if status not in ("success", "failed"):
        raise typed.WrongError(status, "neither success nor failed", "status")
    outcome = Outcome(success=status == "success", **_read(Outcome, fields))
    if outcome.success and (outcome.loss is None or damaged):
        raise typed.WrongError(outcome.loss, "not the loss of a success", "loss")
    losses, steps = outcome.learning_curve or (), outcome.learning_curve_steps
    if steps is not None and len(steps) != len(losses):
        raise typed.WrongError(steps, f"not as many as the {len(losses)} losses", "learning_curve_steps")
    return Result(outcome, Origin(attempt=attempt, damaged=damaged, **_read(Origin, fields)))


_RECORDED = {cls: recorded(cls) for cls in (Outcome, Origin)}
_READERS: dict[Kind, Callable[[object], Any]] = {
    Kind.NUMBER: typed.any_number,
    Kind.FINITE: typed.number,
    Kind.COST: typed.cost,
    Kind.FLAG: typed.flag,
    Kind.NUMBERS: typed.numbers,
    Kind.MAPPING: typed.mapping,
    Kind.NAME: typed.text,
    Kind.TEXT: typed.long_text,
    Kind.MOMENT: typed.moment,
}
_WRITERS: dict[Kind, Callable[[Any], object]] = {
    Kind.NUMBERS: list,
    Kind.MAPPING: lambda value: dict(value) or None,
    Kind.MOMENT: datetime.isoformat,
}
"""Of the kinds that aren't written as they are."""


def _read(cls: type[Outcome | Origin], fields: Mapping[str, Any]) -> dict[str, Any]:
    """The recorded fields that are there."""
    there = (field for field in _RECORDED[cls] if fields.get(field.name) is not None)
    return {field.name: typed.need(fields, field.name, _READERS[field.kind]) for field in there}


_WRITTEN = {
    cls: tuple(
        (each.name, _WRITERS.get(each.kind), each.default if each.kind is Kind.FLAG else None) for each in fields
    )
    for cls, fields in _RECORDED.items()
}
"""Each field's name, how it is written (None: as it is), and what is left out: None, or what a flag is by default."""


def _written(part: Outcome | Origin) -> dict[str, Any]:
    """What a document holds: None where a value is left out."""
    written = {}
    for name, write, left_out in _WRITTEN[type(part)]:
        value = getattr(part, name)
        written[name] = None if value is None or value is left_out else value if write is None else write(value)
    return written
