"""A history as a message, so that all ranks return the same one: rank 0 has read it, and workers may go on meanwhile.

As in the results cache, a trial is what its documents say. What JSON can't hold as YAML does goes as YAML.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from neps._history import History
from neps._ledger import documents
from neps._ledger.records import AttemptEnd, decision_fields, read_decision, result_fields
from neps._ledger.results_cache import survives_json
from neps._trial import Status, Trial
from neps.space import SearchSpace

__all__ = ["history_as_message", "read_message"]


def history_as_message(history: History) -> dict[str, Any]:
    """All that it holds, but for the space."""
    return {
        "trials": list(map(_fields, history.trials)),
        "seed": history.seed,
        "ended_by": history.ended_by,
        "imported": list(map(_fields, history.imported)),
        "earlier": list(map(_fields, history.earlier)),
    }


def read_message(message: Mapping[str, Any], space: SearchSpace) -> History:
    """The history of such a message."""
    return History(
        space,
        {trial.number: trial for trial in map(_read, message["trials"])},
        message["seed"],
        ended_by=message["ended_by"],
        imported=tuple(map(_read, message["imported"])),
        earlier=tuple(map(_read, message["earlier"])),
    )


def _fields(trial: Trial) -> dict[str, Any]:
    return {
        "number": trial.number,
        "decision": None if trial.decision is None else _packed(decision_fields(trial.decision)),
        "result": None if trial.result is None else _packed(result_fields(trial.result)),
        "attempt": 0 if trial.result is None else trial.result.origin.attempt,
        "status": str(trial.status),
        "attempts": trial.attempts,
        "spent": trial.spent,
        "awaits_tell": trial.awaits_tell,
    }


def _read(fields: Mapping[str, Any]) -> Trial:
    number, decision, result = fields["number"], fields["decision"], fields["result"]
    return Trial(
        number=number,
        decision=None if decision is None else read_decision(_unpacked(decision), number),
        result=None if result is None else AttemptEnd.from_fields(_unpacked(result)).result,
        status=Status(fields["status"]),
        attempts=fields["attempts"],
        spent=fields["spent"],
        awaits_tell=fields["awaits_tell"],
    )


def _packed(fields: dict[str, Any]) -> dict[str, Any] | str:
    """As they are, or, where JSON would change them, the document (ten times slower)."""
    there = {name: value for name, value in fields.items() if value is not None}
    return there if survives_json(there) else documents.encode(there).decode()


def _unpacked(packed: dict[str, Any] | str) -> Mapping[str, Any]:
    return packed if isinstance(packed, dict) else documents.decode("a trial of rank 0's history", packed.encode())
