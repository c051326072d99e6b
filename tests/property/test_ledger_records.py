"""Decisions, results and attempts come back from their documents as they were, and no part of a document is trusted."""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from neps._evaluation.plain import clean, plain
from neps._ledger import documents
from neps._ledger.foreign import is_complete
from neps._ledger.identity import Identity
from neps._ledger.records import AttemptEnd, AttemptStart, End, decision_fields, read_decision, result_fields
from neps._ledger.results_cache import line_of, parse
from neps._outcome import Kind, Origin, Outcome, Result, recorded
from neps._trial import Decision, Place, Status, Trial

TEXT = st.text(max_size=30).map(clean)
FLOATS = st.floats(allow_nan=True, allow_infinity=True)
SCALARS = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | FLOATS | TEXT
NAMES = st.text(max_size=8).map(clean)
DATA = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=8
).map(plain)
YEARS = (dt.datetime.fromisoformat("1970-01-01"), dt.datetime.fromisoformat("9998-12-31"))
TIMES = st.none() | st.datetimes(*YEARS, timezones=st.just(dt.UTC)).map(lambda time: time.replace(fold=0))
COSTS = st.none() | st.floats(0, allow_infinity=False)
COUNTS = st.integers(0, 10**6)

DECISIONS = st.builds(
    Decision,
    number=st.integers(10**6 + 1, 10**9),
    config=st.dictionaries(NAMES, SCALARS, max_size=4),
    fidelity=st.none() | st.floats(1, 100),
    place=st.none() | st.builds(Place, COUNTS, st.none() | COUNTS, st.none() | COUNTS),
    previous=st.none() | st.integers(1, 10**6),
    seed=st.integers(0, 2**32 - 1),
    reserved_cost=COSTS,
    metadata=st.dictionaries(NAMES, DATA, max_size=3),
    seen_results=COUNTS,
    worker=TEXT,
    claimed=TIMES,
)
OF_KIND = {
    Kind.NUMBER: FLOATS,
    Kind.FINITE: st.floats(allow_nan=False, allow_infinity=False),
    Kind.COST: st.floats(0, allow_infinity=False),
    Kind.FLAG: st.booleans(),
    Kind.NUMBERS: st.lists(FLOATS, max_size=4),
    Kind.MAPPING: st.dictionaries(NAMES, DATA, max_size=3),
    Kind.NAME: TEXT,
    Kind.TEXT: TEXT,
    Kind.MOMENT: TIMES.filter(bool),
}


def parts(cls: type[Any], **known: Any) -> st.SearchStrategy[Any]:
    """All that are recorded of an outcome or an origin, whichever fields that has, but for those that are given."""
    found = {each.name: OF_KIND[each.kind] for each in recorded(cls)}
    absent = {each.name for each in recorded(cls) if each.default is None}
    return st.builds(cls, **{name: st.none() | of if name in absent else of for name, of in found.items()} | known)


def with_steps(outcome: Outcome) -> Outcome:
    """As many steps as losses, or none."""
    steps, losses = outcome.learning_curve_steps, outcome.learning_curve
    if steps is None or losses is None:
        return dataclasses.replace(outcome, learning_curve_steps=None)
    least = min(len(steps), len(losses))
    return dataclasses.replace(outcome, learning_curve=losses[:least], learning_curve_steps=steps[:least])


SUCCESSES = st.builds(
    Result,
    parts(Outcome, success=st.just(True), loss=FLOATS).map(with_steps),
    parts(Origin, attempt=st.integers(1, 99)),
)
FAILURES = st.builds(
    Result,
    parts(Outcome, success=st.just(False)).map(with_steps),
    parts(Origin, attempt=st.integers(1, 99), damaged=st.booleans()),
)
IDENTITIES = st.builds(Identity, TEXT, TEXT, TEXT, TEXT, st.integers(1, 2**22), st.integers(0, 2**40))


def through(fields: dict[str, Any]) -> dict[str, Any]:
    return documents.decode("a.yaml", documents.encode(fields))


def same(one: object, other: object) -> bool:
    """Equal, where NaN equals NaN."""
    return repr(one) == repr(other)


@given(DECISIONS)
def test_decision(decision: Decision) -> None:
    assert same(read_decision(through(decision_fields(decision)), decision.number), decision)


@given(SUCCESSES | FAILURES)
def test_result(result: Result) -> None:
    end = AttemptEnd.from_fields(through(result_fields(result)))
    assert same(end.result, result)
    assert end.attempt == result.origin.attempt
    assert end.end is (End.DAMAGED if result.origin.damaged else End.RESULT)


@given(IDENTITIES, st.integers(2, 99), st.none() | st.sampled_from(["left", "died", "retry"]))
def test_start(identity: Identity, attempt: int, after: str | None) -> None:
    start = AttemptStart(attempt, identity, after)
    assert AttemptStart.from_fields(through(start.fields(time=documents.now())), attempt) == start


@given(DECISIONS, SUCCESSES)
def test_results_cache_says_what_the_folder_says(decision: Decision, result: Result) -> None:
    trial = Trial(
        number=decision.number, decision=decision, result=result, status=Status.SUCCESS, attempts=3, spent=1.5
    )
    line = line_of("run", trial)
    if line is not None:
        assert line.count(b"\n") == 1
        _, number, payload = line.rstrip(b"\n").split(b" ", 2)
        assert same(parse(int(number), payload), trial)


@given(SUCCESSES | FAILURES, st.data())
def test_no_part_of_a_document_is_trusted(result: Result, data: st.DataObject) -> None:
    content = documents.encode(result_fields(result))
    assert is_complete(content)
    length = data.draw(st.integers(0, len(content) - 1))
    assert not is_complete(content[:length])
    assert not is_complete(content[:length] + b"\0" * (len(content) - length))


@given(st.dictionaries(NAMES, SCALARS, max_size=6))
def test_configuration_for_people(config: dict[str, Any]) -> None:
    content = documents.encode(config, versioned=False)
    assert is_complete(content)
    read = yaml.safe_load(content)
    assert same(read, config)


@given(FAILURES)
def test_failure_never_looks_like_a_success(result: Result) -> None:
    """As the view looks at it, without parsing."""
    content = documents.encode(result_fields(result))
    assert b"\nstatus: success\n" not in content


def test_extremes_are_kept() -> None:
    for loss in (math.nan, math.inf, -math.inf, 5e-324, 1.7976931348623157e308, -0.0):
        end = AttemptEnd.from_fields(through(result_fields(Result.of(success=True, loss=loss))))
        assert end.result is not None
        assert same(end.result.outcome.loss, loss)
