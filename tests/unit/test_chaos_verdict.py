"""What `scripts/stress chaos` would find wrong: a verdict that finds nothing in a broken round would prove nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from chaos.evidence import record
from chaos.plan import Plan
from chaos.rounds import Round
from chaos.verdict import judge

HOST = {"host": "host0", "boot": "b", "pid": 7}


def write(path: Path, **fields: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(fields) + "...\n")


def tell(plan: Plan, event: str, worker: str = "host0.0.1", **facts: object) -> None:
    record(plan.evidence, worker, event, **facts)


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    """A round of one trial without any trouble, but for a worker that was killed and its trial taken over."""
    plan = Plan(tmp_path, Round("random_search"), trials=1, lease=6.0, seed=1, python="")
    folder = plan.root / "config_1"
    write(folder / "trial.yaml", **HOST, worker="w1", config={"x": 0.5, "epochs": 3})
    write(folder / "attempt_1.end.yaml", end="died")
    write(folder / "attempt_2.yaml", **{**HOST, "pid": 8}, worker="w2")
    write(folder / "attempt_2.end.yaml", end="result")
    write(folder / "result.yaml", status="success", loss=0.25, attempt=2, info_dict={"evaluation": "second"})
    plan.log("host0.0.1").parent.mkdir()
    plan.log("host0.0.1").write_text("12 neps Trial 1 began\n")
    for pid, worker, evaluation, begun in ((7, "host0.0.1", "first", 0), (8, "host0.0.2", "second", 1)):
        tell(plan, "start", worker)
        tell(plan, "worker", worker, **{**HOST, "pid": pid})
        tell(plan, "begin", worker, number=1, attempt=begun + 1, evaluation=evaluation, x=0.5, epochs=3, previous=None)
        tell(plan, "loaded", worker, number=1, evaluation=evaluation, epoch=begun)
        tell(plan, "saved", worker, number=1, evaluation=evaluation, epoch=begun + 1)
        if pid == 7:
            tell(plan, "kill", worker, by="chaos")
            tell(plan, "exit", worker, code=-9)
    tell(plan, "end", "host0.0.2", number=1, evaluation="second", loss=0.25)
    tell(plan, "seen", "chaos", number=1)
    tell(plan, "returned", "host0.0.2", trials=1, ended=1)
    tell(plan, "exit", "host0.0.2", code=0)
    return plan


def test_nothing_is_wrong(plan: Plan) -> None:
    verdict = judge(plan)
    assert verdict.findings == []
    assert verdict.counts["kills"] == verdict.counts["takeovers"] == verdict.counts["exits with -9"] == 1


def change(name: str, **fields: object) -> Callable[[Plan], None]:
    def apply(plan: Plan) -> None:
        path = plan.root / "config_1" / name
        write(path, **{**yaml.safe_load(path.read_text()), **fields})

    return apply


def add(event: str, worker: str = "host0.0.2", **facts: object) -> Callable[[Plan], None]:
    return lambda plan: tell(plan, event, worker, **facts)


BEGIN: dict[str, Any] = {"number": 1, "attempt": 3, "evaluation": "third", "x": 0.5, "epochs": 3, "previous": None}
TROUBLE: dict[str, tuple[Callable[[Plan], object], str]] = {
    "a result is lost": (lambda plan: (plan.root / "config_1" / "result.yaml").unlink(), "no result: "),
    "a number too many": (lambda plan: (plan.root / "config_2").mkdir(), "numbers: too many "),
    "a trial failed": (change("result.yaml", status="failed", error="of\nno module torch"), "no module torch"),
    "a result of no evaluation": (change("result.yaml", loss=0.5), "is of none of"),
    "a result changed": (add("changed", "chaos", what="config_1 was overwritten"), "was overwritten"),
    "another configuration": (change("trial.yaml", config={"x": 0.75, "epochs": 3}), "was evaluated as"),
    "a checkpoint of before": (add("loaded", number=1, evaluation="second", epoch=0), "went on from fewer"),
    "an evaluation of what is known": (add("begin", **BEGIN), "began attempt 3 after"),
    "a crash": (add("exit", code=-11), "ended with -11"),
    "a kill by somebody else": (add("exit", code=-9), "ended with -9"),
    "a worker that hangs": (add("start", "host0.0.3"), "never ended"),
    "a traceback": (lambda plan: plan.log("host0.0.2").write_text("Traceback (most recent\n"), "trouble in"),
    "a freed checkpoint": (change("trial.yaml", previous="config_1"), "continues config_1, of 3 epochs, and found "),
    "a run of live workers moved aside": (lambda plan: (plan.root / "overwritten" / "r").mkdir(parents=True), "moved"),
    "a look that fails": (add("trouble", "passer-by", what="_load: OSError"), "_load: OSError"),
    "a process too many": (add("left behind", "host0", pid=9, command="sleep"), "left behind"),
}


@pytest.mark.parametrize(("break_it", "said"), TROUBLE.values(), ids=TROUBLE)
def test_trouble_is_found(plan: Plan, break_it: Callable[[Plan], object], said: str) -> None:
    break_it(plan)
    findings = judge(plan).findings
    assert len(findings) >= 1
    assert any(said in finding for finding in findings)


def test_a_worker_that_leaves_too_early_is_trouble(plan: Plan) -> None:
    tell(plan, "returned", "host0.0.3", trials=1, ended=0)
    tell(plan, "exit", "host0.0.3", code=0)
    assert "host0.0.3 ended with 0" in judge(plan).findings[0]


def test_a_cost_budget_is_spent_exactly(plan: Plan) -> None:
    change("result.yaml", cost=2.0)(plan)
    assert judge(dataclasses.replace(plan, kind=Round("random_search", cost=2.0))).findings == []
    assert judge(dataclasses.replace(plan, kind=Round("random_search", cost=1.0))).findings == [
        "2.0 is spent of a budget of 1.0"
    ]


def test_whose_storage_failed_may_be_taken_for_dead(plan: Plan) -> None:
    """But it may not crash."""
    change("attempt_2.end.yaml", end="died")(plan)
    change("result.yaml", status="failed", error="given up after 3 deaths of its worker (max_attempts=3)")(plan)
    assert len(judge(plan).findings) == 1
    tell(plan, "outage", "host0", by="chaos", how="EIO", everywhere=False, seconds=1.0)
    tell(plan, "exit", "host0.0.2", code=0)
    assert judge(plan).findings == []
    tell(plan, "exit", "host0.0.2", code=1)
    assert len(judge(plan).findings) == 1


def test_a_trial_that_the_chaos_killed_too_often_is_no_trouble(plan: Plan) -> None:
    error = "given up after 3 deaths of its worker (max_attempts=3)"
    change("result.yaml", status="failed", error=error)(plan)
    assert judge(plan).findings == []
    change("attempt_2.end.yaml", end="died")(plan)
    assert len(judge(plan).findings) == 1, "nobody has struck the second worker"
