"""The verdict of the storms finds what it is there to find: a search is made, and then its evidence is spoilt."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chaos.evidence import record
from storms.plan import Plan
from storms.program import Account
from storms.verdict import STORM, judge

TESTS = str(Path(__file__).resolve().parents[1])
Entries = list[list[Any]]


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a search of three trials."""
    folder = tmp_path_factory.mktemp("search")
    plan = Plan(folder, 3, 1, "random_search", epoch_seconds=0.0)
    plan.write()
    plan.let(3)
    environment = {**os.environ, "PYTHONPATH": TESTS, "NEPS_STORM_WORKER": "w"}
    subprocess.run([sys.executable, "-m", "storms.worker", str(plan.file)], env=environment, check=True, timeout=120)
    return folder


@pytest.fixture
def plan(searched: Path, tmp_path: Path) -> Plan:
    """The same search, whose evidence may be changed."""
    (tmp_path / "evidence.jsonl").write_bytes((searched / "evidence.jsonl").read_bytes())
    return Plan(tmp_path, 3, 1, "random_search", place=searched / "root")


def change(plan: Plan, what: Callable[[Entries], Entries]) -> list[str]:
    """What is wrong once the evidence was changed."""
    entries = what([json.loads(line) for line in plan.evidence.read_text().splitlines()])
    plan.evidence.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    return judge(plan, [])[1]


def test_nothing_is_wrong_with_a_calm_search(plan: Plan) -> None:
    counts, wrong = judge(plan, [])
    assert wrong == []
    assert (counts["trials"], counts["result"], counts["evaluations begun"], counts["epochs begun again"]) == (
        3,
        3,
        3,
        0,
    )


def test_a_trial_too_few_and_too_many(plan: Plan) -> None:
    assert "missing [4]" in judge(Plan(plan.folder, 4, 1, place=plan.root), [])[1][0]
    assert "too many [3]" in judge(Plan(plan.folder, 2, 1, place=plan.root), [])[1][0]


def test_a_result_of_no_evaluation(plan: Plan) -> None:
    wrong = change(plan, lambda entries: [entry for entry in entries if entry[2] != "end"])
    assert sum("its result" in finding for finding in wrong) == 3


def test_an_evaluation_that_nothing_ended(plan: Plan) -> None:
    facts = {"number": 1, "evaluation": "lost", "x": 0.0, "epochs": 1, "previous": None}
    wrong = change(plan, lambda entries: [*entries, [1e9, "v", "begin", facts]])
    assert any("v never ended it, and nothing struck that worker" in finding for finding in wrong)
    assert any("was evaluated as" in finding for finding in wrong)


def test_a_checkpoint_that_was_not_gone_on_from(plan: Plan) -> None:
    again = [[1e9, "w", "begin", {"number": 1, "evaluation": "again", "x": 0.0, "epochs": 1, "previous": None}]]
    again += [[1e9 + 1, "w", "loaded", {"number": 1, "evaluation": "again", "epoch": 0}]]
    assert any("went on from fewer" in finding for finding in change(plan, lambda entries: entries + again))


def test_epochs_that_were_wasted(plan: Plan) -> None:
    epochs = [[1e9, "w", "epoch", {"number": 1, "evaluation": "x", "epoch": 1}]]
    assert any("epochs were begun again" in finding for finding in change(plan, lambda entries: entries + 2 * epochs))


@pytest.mark.parametrize(("kind", "findings"), [("", 1), ("cancel", 1), ("crash", 0)])
def test_a_death_that_nothing_caused(plan: Plan, tmp_path: Path, kind: str, findings: int) -> None:
    root = tmp_path / "copy"
    subprocess.run(["cp", "-r", plan.root, root], check=True)
    end = root / "config_2" / "attempt_1.end.yaml"
    end.write_text("format_version: 1\nattempt: 1\nend: died\n...\n")
    if kind:
        facts = {"by": kind, "workers": ["w"], "host": "", "since": 0.0, "until": 1.0}
        record(plan.evidence, STORM, "struck", **facts)
    wrong = judge(Plan(plan.folder, 3, 1, place=root), [])[1]
    assert sum("counts as dead" in finding for finding in wrong) == findings


def test_trouble_in_a_log(plan: Plan, tmp_path: Path) -> None:
    (tmp_path / "log").write_text("Traceback (most recent call last)\n")
    assert len(judge(plan, [tmp_path / "log"])[1]) == 1


def test_a_row_has_survived_unless_something_is_wrong() -> None:
    counts = Counter({"trials": 9, "workers": 1, "evaluations begun": 9, "left": 0, "died": 0})
    account = Account(faults=Counter({"crash": 2, "freeze": 1}), counts=counts)
    assert [row["survived"] for row in account.rows()] == [2, 1, 9]
    account.wrong.append(("crash", "it is wrong"))
    assert [row["survived"] for row in account.rows()] == [1, 1, 9]
    account.wrong.append(("unknown", "that, too"))
    assert [row["survived"] for row in account.rows()] == [0, 0, 8]
