"""The tables in summary/: what they hold, that they are up to date, and that nothing can make them fail a worker."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

import neps
from neps.errors import EvaluationError
from neps.space import Parameter
from neps.views.summary import write_summary

SPACE: dict[str, Parameter] = {"rate": neps.Float(0, 1), "kind": neps.Categorical(["a", "b"]), "size": neps.Constant(3)}


def evaluate(root: Path, evaluations: int, objective: Callable[..., Any], *, summary: bool = True) -> neps.History:
    return neps.run(
        objective,
        root,
        SPACE,
        searcher="random_search",
        max_evaluations_total=evaluations,
        seed=1,
        ignore_errors=True,
        post_run_summary=summary,
    )


def succeed(rate: float, kind: str, size: int) -> dict[str, float]:
    return {"loss": rate, "cost": 2.0}


def fail(rate: float, kind: str, size: int) -> float:
    raise ValueError("two\nlines")


def table(root: Path) -> list[dict[str, str]]:
    with (root / "summary" / "trials.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_table_has_all_trials_and_their_configurations(tmp_path: Path) -> None:
    evaluate(tmp_path, 2, succeed)
    history = evaluate(tmp_path, 3, fail)
    rows = table(tmp_path)
    assert [(row["number"], row["status"], row["cost"]) for row in rows] == [
        ("1", "success", "2.0"),
        ("2", "success", "2.0"),
        ("3", "failed", ""),
    ]
    for row, trial in zip(rows, history.trials, strict=True):
        assert {name: row[f"config.{name}"] for name in SPACE} == {k: str(v) for k, v in trial.config.items()}
        assert trial.claimed is not None
        assert row["claimed"] == trial.claimed.isoformat()
    assert [row["error"] for row in rows] == ["", "", "ValueError: two"]


def test_the_incumbent_can_be_loaded(tmp_path: Path) -> None:
    best = evaluate(tmp_path, 3, succeed).best
    assert best is not None
    assert yaml.safe_load((tmp_path / "summary" / "best.yaml").read_bytes()) == {
        "number": best.number,
        "loss": best.loss,
        "cost": 2.0,
        "folder": f"config_{best.number}",
        "config": dict(best.config),
    }


def test_fidelity_is_accounted_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    space = {"rate": neps.Float(0, 1), "epochs": neps.Integer(1, 9, is_fidelity=True)}
    caplog.set_level("INFO", "neps")
    history = neps.run(
        lambda rate, epochs: rate / epochs, tmp_path, space, searcher="asha", seed=1, max_fidelity_total=30
    )
    spent = history.fidelity_spent
    assert spent is not None
    assert spent.from_scratch > spent.continued >= 30
    assert yaml.safe_load((tmp_path / "summary" / "spent.yaml").read_bytes()) == {
        "fidelity": spent.continued,
        "full_evaluations": spent.continued / 9,
        "full_evaluations_from_scratch": spent.from_scratch / 9,
        "trials": len(history.trials),
        "trials_at_highest": sum(trial.fidelity == 9 for trial in history.trials),
    }
    assert f"Fidelity spent by all trials of this run: {spent}" in caplog.messages
    text = io.StringIO()
    neps.status(tmp_path, file=text)
    assert f"\nfidelity  {spent}\n" in text.getvalue()


def test_without_an_incumbent_no_old_one_is_left(tmp_path: Path) -> None:
    (tmp_path / "summary").mkdir()
    (tmp_path / "summary" / "best.yaml").write_text("of a run that was moved aside")
    (tmp_path / "summary" / "spent.yaml").write_text("of a run that was moved aside")
    evaluate(tmp_path, 1, fail)
    assert [path.name for path in (tmp_path / "summary").iterdir()] == ["trials.csv"]


def test_what_has_happened_since_the_history_was_read_is_in_it(tmp_path: Path) -> None:
    history = evaluate(tmp_path, 1, succeed)
    evaluate(tmp_path, 2, succeed, summary=False)
    write_summary(str(tmp_path), history)
    assert [row["number"] for row in table(tmp_path)] == ["1", "2"]


def test_trials_that_have_ended_since_are_in_it(tmp_path: Path) -> None:
    stale = list[neps.History]()

    def look(rate: float, kind: str, size: int) -> float:
        stale.append(neps.load(tmp_path))
        return rate

    evaluate(tmp_path, 1, look, summary=False)
    assert [str(trial.status) for trial in stale[0].trials] == ["running"]
    write_summary(str(tmp_path), stale[0])
    assert [row["status"] for row in table(tmp_path)] == ["success"]


def test_it_is_left_out_if_not_wanted(tmp_path: Path) -> None:
    evaluate(tmp_path, 1, succeed, summary=False)
    assert not (tmp_path / "summary").exists()


@pytest.mark.parametrize("obstacle", ["summary", "summary/trials.csv/in the way", "summary/best.yaml/in the way"])
def test_it_never_fails_a_worker_and_leaves_nothing_half_written(tmp_path: Path, obstacle: str) -> None:
    (tmp_path / obstacle).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / obstacle).write_text("the user's")
    assert len(evaluate(tmp_path, 1, succeed).trials) == 1
    assert (tmp_path / obstacle).read_text() == "the user's"
    assert not list(tmp_path.glob("summary/.*"))


def test_a_worker_that_raises_writes_none_and_the_next_does(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError):
        neps.run(fail, tmp_path, SPACE, searcher="random_search", max_evaluations_total=2, seed=1)
    evaluate(tmp_path, 2, succeed)
    assert [row["status"] for row in table(tmp_path)] == ["failed", "success"]
