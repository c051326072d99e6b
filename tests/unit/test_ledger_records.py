"""Documents that were written by hand, or by something else, are refused rather than half understood."""

from __future__ import annotations

from typing import Any

import pytest

from neps._ledger import documents
from neps._ledger.documents import UnreadableDocumentError
from neps._ledger.records import AttemptEnd, AttemptStart, End, decision_fields, parsed, read_decision, result_fields
from neps._trial import Decision, Place, Result
from unit.ledger_scene import here

DECISION = Decision(number=3, config={"x": None}, previous=1)
RESULT = Result.of(success=True, loss=1.0, cost=2.0)


def stored(fields: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return documents.decode("a.yaml", documents.encode(fields | changes))


def refused(read: Any) -> str:
    with pytest.raises(UnreadableDocumentError, match=r"a.yaml: (its .* is |it has no )") as caught:
        parsed("a.yaml", read)
    return str(caught.value)


def test_a_choice_may_be_none() -> None:
    assert read_decision(stored(decision_fields(DECISION)), 3).config == {"x": None}


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"bracket": 1, "rung": 2, "slot": 3}, Place(2, bracket=1, slot=3)),
        ({"rung": 2}, Place(2)),
        ({"rung": 2, "slot": 3}, Place(2, slot=3)),
        ({"bracket": 1, "rung": 2}, Place(2, bracket=1)),
        ({"bracket": 1}, None),
        ({"slot": 3}, None),
        ({"bracket": 1, "slot": 3}, None),
        ({}, None),
    ],
)
def test_a_place_has_a_rung_whatever_else_a_foreign_file_says(fields: dict[str, int], place: Place | None) -> None:
    assert read_decision(stored(decision_fields(DECISION), **fields), 3).place == place


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
        ("number", True),
        ("number", 3.0),
        ("previous", "config_3"),
        ("previous", "config_0"),
        ("previous", "config_-1"),
        ("previous", "config_99999999999999999999"),
        ("fidelity", "3"),
        ("fidelity", True),
        ("fidelity", float("nan")),
        ("fidelity", [1]),
        *((name, value) for name in ("bracket", "rung", "slot") for value in (-1, 10**6 + 1, 10**30, 0.5, "0", [0])),
        ("seed", "1"),
        ("seed", -1),
        ("seen_results", 0.5),
        ("reasons", [1]),
        ("reserved_cost", "1"),
        ("worker", 7),
        ("worker", "a" * 1001),
        ("config", {1: 2}),
        ("config", {"x": [1]}),
        ("config", {"x": {}}),
        ("time", "0001-01-01"),
        ("time", "9999-12-31T23:59:59+00:00"),
        ("time", "1" * 10**6),
    ],
    ids=lambda value: f"{value!s:.20}",
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
        ("attempt", 0),
        ("attempt", 10**30),
        ("end", ["result"]),
        ("end", "damaged"),
        ("status", ["success"]),
        ("loss", True),
        ("account_for_cost", 1),
        ("info_dict", [1]),
        ("info_dict", "text"),
        ("learning_curve", 3),
        ("learning_curve", [1, "2"]),
        ("learning_curve", [10**400]),
        ("learning_curve_steps", [1.0]),
        ("error", 3),
        ("duration", "long"),
        ("duration", float("inf")),
    ],
    ids=lambda value: f"{value!s:.20}",
)
def test_result_that_does_not_fit(field: str, value: object) -> None:
    fields = stored(result_fields(RESULT), **{field: value})
    refused(lambda: AttemptEnd.from_fields(fields))


def test_success_has_a_loss_and_a_failure_may_have_one() -> None:
    end = AttemptEnd.from_fields(stored(result_fields(Result.of(success=False, loss=9, cost=1))))
    assert end.result is not None
    assert (end.result.outcome.loss, end.result.outcome.cost) == (9.0, 1.0)


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
    assert stored(result_fields(Result.of(success=True, loss=1, account_for_cost=False)))["account_for_cost"] is False


@pytest.mark.parametrize(
    ("field", "value"),
    [("pid", 0), ("pid", -1), ("pid", 2**31), ("pid", "1"), ("process_started", -1), ("host", 3), ("boot", None)],
)
def test_start_that_does_not_fit(field: str, value: object) -> None:
    """A pid of -1 would mean all processes."""
    fields = AttemptStart(2, here(), "left").fields(time=documents.now()) | {field: value}
    refused(lambda: AttemptStart.from_fields(stored(fields), 2))


def test_start_of_another_attempt() -> None:
    fields = AttemptStart(3, here(), "left").fields(time=documents.now())
    assert "its attempt is 3, not 2" in refused(lambda: AttemptStart.from_fields(stored(fields), 2))


def test_no_foreign_value_is_shown_whole() -> None:
    fields = stored(decision_fields(DECISION), number=["x" * 10_000] * 1000)
    assert len(refused(lambda: read_decision(fields, 3))) < 200


def test_which_trial_was_the_best_is_there_where_it_was_asked_for() -> None:
    for incumbent in (None, 0, 7):
        fields = decision_fields(Decision(number=9, config={}, incumbent=incumbent))
        there = {name: value for name, value in fields.items() if value is not None}
        assert ("incumbent" in there) is (incumbent is not None)
        assert read_decision(there, 9).incumbent == incumbent
