"""Documents that were written by hand, or by something else, are refused rather than half understood."""

from __future__ import annotations

from typing import Any

import pytest

from neps.ledger import documents
from neps.ledger.documents import UnreadableDocumentError
from neps.ledger.records import AttemptEnd, End, decision_fields, parsed, read_decision, result_fields
from neps.trial import Decision, Result

DECISION = Decision(number=3, config={"x": None}, previous=1)
RESULT = Result(success=True, loss=1.0, cost=2.0)


def stored(fields: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return documents.decode("a.yaml", documents.encode(fields | changes))


def refused(read: Any) -> str:
    with pytest.raises(UnreadableDocumentError, match=r"a.yaml: (its .* is |it has no )") as caught:
        parsed("a.yaml", read)
    return str(caught.value)


def test_a_choice_may_be_none() -> None:
    assert read_decision(stored(decision_fields(DECISION)), 3).config == {"x": None}


def test_previous_is_named_as_its_folder() -> None:
    assert decision_fields(DECISION)["previous"] == "config_1"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("number", 4),
        ("config", [1]),
        ("config", None),
        ("previous", 1),
        ("previous", "config_x"),
        ("time", "yesterday"),
    ],
)
def test_decision_that_does_not_fit(field: str, value: object) -> None:
    fields = stored(decision_fields(DECISION), **{field: value})
    refused(lambda: read_decision(fields, 3))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("attempt", None),
        ("attempt", True),
        ("attempt", "1"),
        ("end", None),
        ("end", "won"),
        ("status", None),
        ("status", "good"),
        ("loss", None),
        ("loss", "low"),
        ("loss", [1]),
        ("loss", 10**400),
        ("cost", "much"),
        ("started", "now"),
    ],
)
def test_result_that_does_not_fit(field: str, value: object) -> None:
    fields = stored(result_fields(RESULT), **{field: value})
    refused(lambda: AttemptEnd.from_fields(fields))


def test_success_has_a_loss_and_a_failure_may_have_one() -> None:
    end = AttemptEnd.from_fields(stored(result_fields(Result(success=False, loss=9, cost=1))))
    assert end.result is not None
    assert (end.result.loss, end.result.cost) == (9.0, 1.0)


@pytest.mark.parametrize("how", [End.LEFT, End.DIED])
def test_ends_without_a_result(how: End) -> None:
    assert AttemptEnd.from_fields({"attempt": 2, "end": str(how)}) == AttemptEnd(2, how)


def test_only_what_differs_from_the_usual_is_written() -> None:
    assert set(stored(result_fields(RESULT))) == {
        "format_version",
        "attempt",
        "end",
        "status",
        "loss",
        "cost",
        "worker",
    }
    assert stored(result_fields(Result(success=True, loss=1, account_for_cost=False)))["account_for_cost"] is False
