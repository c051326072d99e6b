"""`neps.retry`: all that is asked for is reopened, or nothing is and it says why."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

import neps
from neps.errors import ArgumentError, DirectoryError


def fail_at_first(x: float, pipeline_directory: Path) -> float:
    if pipeline_directory.name != "config_1":
        raise ValueError("no good")
    return x


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A run with one success and two failures."""
    space = {"x": neps.Float(0, 1)}
    neps.run(
        fail_at_first, tmp_path, space, searcher="random_search", max_evaluations_total=3, seed=1, ignore_errors=True
    )
    return tmp_path


def statuses(root: Path) -> list[str]:
    return [str(trial.status) for trial in neps.load(root)]


def test_one_or_several_or_all_that_failed(root: Path) -> None:
    assert neps.retry(root, 3) == (3,)
    assert statuses(root) == ["success", "failed", "waiting"]
    assert neps.retry(root, failed=True) == (2,)
    assert statuses(root) == ["success", "waiting", "waiting"]
    assert neps.retry(root, failed=True) == ()


def test_several_each_once(root: Path) -> None:
    assert neps.retry(root, (number for number in (3, 2, 3))) == (3, 2)


def test_all_or_nothing(root: Path) -> None:
    with pytest.raises(ArgumentError) as refused:
        neps.retry(root, [1, 2, 9])
    assert str(refused.value) == (
        f"Nothing was reopened in {root}, because not all of them can be: trial 1: it has not failed: its status is "
        "success; nothing to retry; trial 9: there is no such trial."
    )
    assert statuses(root) == ["success", "failed", "failed"]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({}, r"Say which trials to retry.*\n  trial 2: ValueError: no good\n  trial 3"),
        ({"trials": 2, "failed": True}, "give one or the other"),
        ({"trials": "2"}, "trials is '2'; it must be the number of a trial"),
        ({"trials": 2.0}, "trials is 2.0; it must be"),
        ({"trials": True}, "trials is True; it must be"),
        ({"failed": 1}, "failed is 1; it must be True or False"),
    ],
    ids=str,
)
def test_a_wrong_call(root: Path, arguments: dict[str, Any], why: str) -> None:
    with pytest.raises(ArgumentError, match=why):
        neps.retry(root, **arguments)
    assert statuses(root) == ["success", "failed", "failed"]


def test_no_run(tmp_path: Path) -> None:
    with pytest.raises(DirectoryError, match="absent does not exist"):
        neps.retry(tmp_path / "absent", 1)


def test_what_can_not_be_retried_among_all_that_failed_is_logged(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    (root / "config_4").write_text("not a folder")
    with caplog.at_level(logging.INFO, "neps.api"):
        assert neps.retry(root, failed=True) == (2, 3)
    levels = [(record.levelname, record.getMessage()[:17]) for record in caplog.records if record.name == "neps.api"]
    assert levels == [("INFO", "Retrying trial 2:"), ("INFO", "Retrying trial 3:"), ("WARNING", "Retrying trial 4:")]
