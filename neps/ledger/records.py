"""What documents say, as values: decisions, results, and the starts and ends of attempts. No file is opened here.

Each record has a way to a document's fields and back. Reading is strict: what does not fit is unreadable.
"""

from __future__ import annotations

import dataclasses
import enum
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from neps.ledger.documents import UnreadableDocumentError, moment, whole_number
from neps.ledger.identity import Identity
from neps.trial import Decision, Result

__all__ = ["AttemptEnd", "AttemptStart", "End", "decision_fields", "parsed", "read_decision", "result_fields"]


_T = TypeVar("_T")


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
        return cls(attempt, Identity.from_document(fields), fields.get("after"))


@dataclasses.dataclass(frozen=True, slots=True)
class AttemptEnd:
    """How attempt `attempt` ended; `result` is there where that decides the trial.

    `needs_bytes`: it was left since the storage failed, and needs room for about so many.
    """

    attempt: int
    end: End
    result: Result | None = None
    needs_bytes: int | None = None

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> AttemptEnd:
        """Read from attempt_K.end.yaml or result.yaml."""
        attempt, end = whole_number(fields["attempt"]), End(fields["end"])
        if end in (End.RESULT, End.DAMAGED):
            return cls(attempt, end, _read_result(fields, attempt, damaged=end is End.DAMAGED))
        needs = fields.get("needs_bytes") if end is End.LEFT else None
        return cls(attempt, end, None, whole_number(needs) if needs is not None else None)


def parsed(path: str, read: Callable[[], _T]) -> _T:
    """Call `read`, and say of which path it is that something in it doesn't fit."""
    try:
        return read()
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise UnreadableDocumentError(path, f"a field is missing or wrong: {error!r}") from error


def decision_fields(decision: Decision) -> dict[str, Any]:
    """A decision as fields of trial.yaml, which has the committer's identity beside them."""
    return {
        "number": decision.number,
        "config": dict(decision.config),
        "fidelity": decision.fidelity,
        "bracket": decision.bracket,
        "rung": decision.rung,
        "slot": decision.slot,
        "previous": f"config_{decision.previous}" if decision.previous is not None else None,
        "seed": decision.seed,
        "reserved_cost": decision.reserved_cost,
        "reasons": dict(decision.reasons) or None,
        "seen_results": decision.seen_results,
        "worker": decision.worker,
        "time": decision.claimed.isoformat() if decision.claimed else None,
    }


def read_decision(fields: Mapping[str, Any], number: int) -> Decision:
    """A decision from the fields of trial.yaml; `number` is its folder's."""
    if fields["number"] != number:
        message = f"it is of trial {fields['number']}"
        raise ValueError(message)
    previous = fields.get("previous")
    config = fields["config"]
    if not isinstance(config, dict):
        message = f"config is {config!r}, not a mapping"
        raise TypeError(message)
    return Decision(
        number=number,
        config=config,
        fidelity=fields.get("fidelity"),
        bracket=fields.get("bracket"),
        rung=fields.get("rung"),
        slot=fields.get("slot"),
        previous=int(previous.removeprefix("config_")) if previous is not None else None,
        seed=fields.get("seed", 0),
        reserved_cost=_cost(fields.get("reserved_cost")),
        reasons=fields.get("reasons", {}),
        seen_results=fields.get("seen_results", 0),
        worker=fields.get("worker", ""),
        claimed=moment(fields.get("time")),
    )


def result_fields(result: Result) -> dict[str, Any]:
    """A result as fields of attempt_K.end.yaml and result.yaml."""
    return {
        "attempt": result.attempt,
        "end": str(End.DAMAGED if result.damaged else End.RESULT),
        "status": "success" if result.success else "failed",
        "loss": result.loss,
        "cost": result.cost,
        "account_for_cost": None if result.account_for_cost else False,
        "info_dict": dict(result.info_dict) or None,
        "learning_curve": _listed(result.learning_curve),
        "learning_curve_steps": _listed(result.learning_curve_steps),
        "error": result.error,
        "worker": result.worker,
        "started": result.started.isoformat() if result.started else None,
        "finished": result.finished.isoformat() if result.finished else None,
        "duration": result.duration,
    }


def _read_result(fields: Mapping[str, Any], attempt: int, *, damaged: bool) -> Result:
    status = fields["status"]
    if status not in ("success", "failed"):
        message = f"status is {status!r}, neither success nor failed"
        raise ValueError(message)
    loss, error = fields.get("loss"), fields.get("error")
    if status == "success" and loss is None:
        message = "a success without a loss"
        raise ValueError(message)
    return Result(
        success=status == "success",
        loss=float(loss) if loss is not None else None,
        cost=_cost(fields.get("cost")),
        account_for_cost=fields.get("account_for_cost", True),
        info_dict=fields.get("info_dict", {}),
        learning_curve=_numbers(fields.get("learning_curve")),
        learning_curve_steps=_steps(fields),
        error=str(error) if error is not None else None,
        damaged=damaged,
        worker=fields.get("worker", ""),
        attempt=attempt,
        started=moment(fields.get("started")),
        finished=moment(fields.get("finished")),
        duration=fields.get("duration"),
    )


def _listed(values: Sequence[float] | None) -> list[float] | None:
    return None if values is None else list(values)


def _numbers(values: Any) -> list[float] | None:
    """A list of numbers; whoever shows it relies on that."""
    if values is None:
        return None
    if not isinstance(values, list):
        message = f"{values!r} is no list of numbers"
        raise TypeError(message)
    return [float(value) for value in values]


def _steps(fields: Mapping[str, Any]) -> list[float] | None:
    """The steps of a learning curve, as many as there are losses."""
    steps = _numbers(fields.get("learning_curve_steps"))
    if steps is not None and len(steps) != len(fields["learning_curve"]):
        message = f"learning_curve_steps has {len(steps)} steps for {len(fields['learning_curve'])} losses"
        raise ValueError(message)
    return steps


def _cost(value: object) -> float | None:
    """A cost, of which a budget can make a sum."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not (math.isfinite(value) and value >= 0):
        message = f"a cost is {value!r}, not a finite number of at least 0"
        raise ValueError(message)
    return float(value)
