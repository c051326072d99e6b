"""The tables in summary/: what they hold, that they are up to date, and that nothing can make them fail a worker."""

from __future__ import annotations

import csv
import io
import json
import shutil
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

import neps
from neps._ledger.reading import read_history
from neps._views.summary import write_summary, write_summary_within
from neps.errors import DirectoryError, EvaluationError
from neps.space import Parameter
from rigs.processes import Fleet
from rigs.waiting import wait_until

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


def test_a_worker_that_raises_writes_it_too(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError):
        neps.run(fail, tmp_path, SPACE, searcher="random_search", max_evaluations_total=2, seed=1)
    assert [row["status"] for row in table(tmp_path)] == ["failed"]


# info_dict


def test_it_has_what_info_dict_has(tmp_path: Path) -> None:
    infos = iter(
        [{"acc": 0.5, "of": {"train": 1, "deep": {"er": None}}}, {"curve": [1, 2.5], "note": "a,b\nc", "none": {}}]
    )
    evaluate(tmp_path, 2, lambda rate, **_: {"loss": rate, "info_dict": next(infos), "top": 1})
    one, two = table(tmp_path)
    names = ["info.acc", "info.of.train", "info.of.deep.er", "info.top", "info.curve", "info.note", "info.none"]
    assert sorted(name for name in one if name.startswith("info.")) == sorted(names)
    assert [one[name] for name in names] == ["0.5", "1", "", "1", "", "", ""]
    assert [two[name] for name in names] == ["", "", "", "1", "[1, 2.5]", "a,b\nc", "{}"]


def test_of_many_keys_the_last_share_a_column(tmp_path: Path) -> None:
    info = {f"k{number}": number for number in range(203)}
    evaluate(tmp_path, 1, lambda rate, **_: {"loss": rate, "info_dict": info})
    (row,) = table(tmp_path)
    assert sum(name.startswith("info.") for name in row) == 200
    assert row["info.k199"] == "199"
    assert json.loads(row["info"]) == {"info.k200": 200, "info.k201": 201, "info.k202": 202}


# Where a worker ends early


_WORKER = """
import sys, time, neps
def run_pipeline(x, pipeline_directory):
    if pipeline_directory.name == "config_2":
        print("ready", flush=True)
        while True:
            time.sleep(0.01)
    return x
neps.run(run_pipeline, sys.argv[1], {"x": neps.Float(0, 1)}, searcher="random_search", seed=1, max_evaluations_total=3)
"""


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1])
def test_it_is_written_after_a_signal(tmp_path: Path, fleet: Fleet, signum: signal.Signals) -> None:
    worker = fleet.start(_WORKER, str(tmp_path))
    wait_until(lambda: "ready" in worker.stdout, 60, "trial 2")
    worker.signal(signum)
    assert worker.wait(60) == -signum
    assert [(row["number"], row["status"]) for row in table(tmp_path)] == [("1", "success"), ("2", "waiting")]


def test_a_filesystem_that_hangs_delays_no_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    evaluate(tmp_path, 1, succeed, summary=False)
    goes_on, done = threading.Event(), threading.Event()

    def hang(*arguments: Any) -> Any:
        goes_on.wait(60)
        done.set()
        return read_history(*arguments)

    monkeypatch.setattr("neps._views.summary.read_history", hang)
    write_summary_within(str(tmp_path), 0.01)
    goes_on.set()
    assert done.wait(60)
    for thread in threading.enumerate():
        if thread.name == "neps-summary":
            thread.join(60)
    assert not (tmp_path / "summary").exists(), "what comes too late is not written: the process may end in the middle"


def test_a_root_that_can_not_be_used_is_left_alone(tmp_path: Path) -> None:
    def run_pipeline(pipeline_directory: Path, **config: Any) -> float:
        shutil.rmtree(pipeline_directory)
        return 1.0

    with pytest.raises(DirectoryError, match="is gone"):
        neps.run(run_pipeline, tmp_path, SPACE, searcher="random_search", max_evaluations_total=1)
    assert not (tmp_path / "summary").exists()
