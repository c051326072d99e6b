"""What came of an evaluation, where that came from, and the two together: values only, from evaluation to history.

Each field says here of which kind it is, and whether it is a measure. From that the ledger writes and reads results,
the results cache remembers them, and histories, exports and views list them. What compares them is `neps._ranking`.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple

__all__ = ["MEASURES", "Field", "Kind", "Origin", "Outcome", "Result", "recorded"]


class Kind(enum.Enum):
    """What a recorded field holds. `neps._ledger.records` says how each kind is written and read."""

    NUMBER = enum.auto()
    """A float; NaN and infinities, too."""
    FINITE = enum.auto()
    COST = enum.auto()
    """Finite, and at least 0."""
    FLAG = enum.auto()
    NUMBERS = enum.auto()
    MAPPING = enum.auto()
    NAME = enum.auto()
    """A text of one line or so."""
    TEXT = enum.auto()
    MOMENT = enum.auto()


def _recorded(kind: Kind, *, measure: bool = False) -> Mapping[str, Any]:
    return MappingProxyType({"kind": kind, "measure": measure})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What an evaluation came to, well or badly: what run_pipeline returned, or how it failed.

    `loss` is None only where the evaluation failed without a `loss_value_on_error`; NaN and infinite losses are
    legal and rank worst. `cost` is of this evaluation alone. `learning_curve` holds losses, and
    `learning_curve_steps` as many steps, None where they follow from the fidelity: see `Trial.learning_curve`.
    `error` is the text to store, with the traceback.

    Measures are numbers that tables have a column for, in this order; the first is what is minimised.
    """

    success: bool
    loss: float | None = dataclasses.field(default=None, metadata=_recorded(Kind.NUMBER, measure=True))
    cost: float | None = dataclasses.field(default=None, metadata=_recorded(Kind.COST, measure=True))
    account_for_cost: bool = dataclasses.field(default=True, metadata=_recorded(Kind.FLAG))
    info_dict: Mapping[Any, Any] = dataclasses.field(default_factory=dict, metadata=_recorded(Kind.MAPPING))
    learning_curve: Sequence[float] | None = dataclasses.field(default=None, metadata=_recorded(Kind.NUMBERS))
    learning_curve_steps: Sequence[float] | None = dataclasses.field(default=None, metadata=_recorded(Kind.NUMBERS))
    error: str | None = dataclasses.field(default=None, metadata=_recorded(Kind.TEXT))

    @property
    def accounted_cost(self) -> float:
        """What it adds to the cost of the run."""
        return self.cost if self.cost is not None and self.account_for_cost else 0.0

    @property
    def lacks_cost(self) -> bool:
        """Whether it is of a success that returned no cost, and counts towards budgets."""
        return self.success and self.account_for_cost and self.cost is None


MEASURES = tuple(each.name for each in dataclasses.fields(Outcome) if each.metadata.get("measure"))
"""The names of the outcome's measures."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where an outcome came from: the attempt, the worker that evaluated, and when (UTC); `duration` is in seconds.

    `damaged`: from no evaluation, but from the verdict that the trial's documents can't be read.
    """

    worker: str = dataclasses.field(default="", metadata=_recorded(Kind.NAME))
    attempt: int = 1
    started: datetime | None = dataclasses.field(default=None, metadata=_recorded(Kind.MOMENT))
    finished: datetime | None = dataclasses.field(default=None, metadata=_recorded(Kind.MOMENT))
    duration: float | None = dataclasses.field(default=None, metadata=_recorded(Kind.FINITE))
    damaged: bool = False


class Field(NamedTuple):
    """A recorded field. `default` is what it is where none was recorded."""

    name: str
    kind: Kind
    default: object


def recorded(cls: type[Outcome | Origin]) -> tuple[Field, ...]:
    """The recorded fields of one of the two, in the order in which they are written."""
    fields = (each for each in dataclasses.fields(cls) if each.metadata)
    return tuple(Field(each.name, each.metadata["kind"], each.default) for each in fields)


@dataclasses.dataclass(frozen=True, slots=True)
class Result:
    """The outcome of a trial and its origin, published exactly once.

    Example:
        >>> Result.of(success=True, loss=0.5, worker="w") == Result(Outcome(success=True, loss=0.5), Origin(worker="w"))
        True
    """

    outcome: Outcome
    origin: Origin = Origin()

    @classmethod
    def of(cls, *, success: bool, **fields: Any) -> Result:
        """From the fields of both by their names."""
        origin = {each.name: fields.pop(each.name) for each in dataclasses.fields(Origin) if each.name in fields}
        return cls(Outcome(success=success, **fields), Origin(**origin))

    @classmethod
    def of_damage(cls, error: str | None, worker: str = "", attempt: int = 1, *, cost: float | None = None) -> Result:
        """The verdict that a trial is damaged, and why; `cost` is what its evaluation has cost, where that is known."""
        return cls(Outcome(success=False, error=error, cost=cost), Origin(worker=worker, attempt=attempt, damaged=True))
