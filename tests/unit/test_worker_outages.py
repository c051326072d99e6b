"""Trials that are gone, or can't be read or written, and failures while joining: `neps.run` and `neps.load` go on."""

from __future__ import annotations

import errno
import itertools
import math
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

import neps
from rigs.faultfs import Mount, Rule
from unit.ledger_scene import Scene, dead, somewhere

LEASE = 0.6
IN_TURN = "bayesian_optimization"
ANY_NUMBER = "random_search"

searchers = pytest.mark.parametrize("searcher", [IN_TURN, ANY_NUMBER])


def objective(x: float) -> float:
    return x


def work(root: Path, searcher: str, total: int, call: Callable[..., Any] = objective, **more: Any) -> neps.History:
    usual: dict[str, Any] = {"seed": 1, "lease_seconds": LEASE, "max_seconds_per_run": 60.0, "post_run_summary": False}
    arguments = usual | {"searcher": searcher, "max_evaluations_total": total} | more
    return neps.run(call, root, {"x": neps.Float(0, 1)}, **arguments)


def defined(root: Path, searcher: str) -> Scene:
    """A run that nobody has worked in."""
    work(root, searcher, 1, max_seconds_per_run=1e-9)
    assert not list(root.glob("config_*"))
    return Scene(root, yaml.safe_load((root / "neps.yaml").read_text())["run"])


def states(history: neps.History) -> dict[int, str]:
    return {trial.number: str(trial.status) for trial in history.trials}


def successes(*numbers: int) -> dict[int, str]:
    return dict.fromkeys(numbers, "success")


# Folders of pending trials


@searchers
def test_a_pending_trial_whose_folder_is_gone_is_decided_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, searcher: str
) -> None:
    scene = defined(tmp_path / "root", searcher)
    scene.claim(1, somewhere())
    losses: list[float] = []

    def remove(x: float) -> float:
        if not losses:
            shutil.rmtree(scene.path(1))
        losses.append(x)
        return x

    history = work(scene.root, searcher, 3, remove, continue_until_max_evaluation_completed=True)
    assert states(history) == successes(1, 2, 3)
    assert history.by_number[1].loss == losses[-1]
    assert len(losses) == 3
    assert "is gone" in caplog.text


@searchers
def test_a_pending_trial_that_cannot_be_written_to_keeps_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, searcher: str
) -> None:
    scene = defined(tmp_path / "root", searcher)
    scene.claim(1, dead())
    real = os.open

    def refusing(path: Any, flags: int, *args: Any, **kwargs: Any) -> int:
        if "config_1/" in str(path) and flags & os.O_CREAT:
            raise PermissionError(errno.EACCES, "as a test has it", path)
        return real(path, flags, *args, **kwargs)

    monkeypatch.setattr(os, "open", refusing)
    assert states(work(scene.root, searcher, 3)) == {1: "running", **successes(2, 3)}
    assert caplog.text.count("Trial 1 can't be resumed") == 1
    monkeypatch.undo()
    assert states(work(scene.root, searcher, 3)) == successes(1, 2, 3)


# Removed trials, and what the results cache remembers of them


@searchers
def test_a_removed_trial_is_forgotten(tmp_path: Path, searcher: str) -> None:
    """The second time it fails, which no results cache remembers."""
    root = tmp_path / "root"
    work(root, searcher, 4)
    assert list(root.glob(".neps/*/accelerator/*.jsonl"))
    shutil.rmtree(root / "config_3")
    assert states(neps.load(root)) == successes(1, 2, 4)

    def fail(x: float) -> float:
        raise ValueError(x)

    expected = successes(1, 2) | {3: "failed"} | successes(4)
    assert states(work(root, searcher, 4, fail, ignore_errors=True)) == expected
    assert states(neps.load(root)) == expected
    assert states(work(root, searcher, 4, fail)) == expected


# Files that can't be read


def bad_block(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """This file can't be read any more."""
    real = os.open

    def failing(path: Any, *args: Any, **kwargs: Any) -> int:
        if str(path).endswith(name):
            raise OSError(errno.EIO, "as a test has it", path)
        return real(path, *args, **kwargs)

    monkeypatch.setattr(os, "open", failing)


@searchers
@pytest.mark.parametrize("name", ["trial.yaml", "result.yaml"])
def test_a_finished_trial_with_a_bad_block_keeps_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, searcher: str, name: str
) -> None:
    root = tmp_path / "root"
    work(root, searcher, 3)
    shutil.rmtree(root / ".neps")
    bad_block(monkeypatch, f"config_2/{name}")
    assert states(neps.load(root)) == {1: "success", 2: "waiting", 3: "success"}
    history = work(root, searcher, 5)
    assert {number: state for number, state in states(history).items() if number != 2} == successes(1, 3, 4, 5)
    if searcher == IN_TURN or name == "result.yaml":  # else nobody needed to read its decision
        assert "Trial 2 is damaged" in caplog.text
    assert neps.load(root).best == history.best


@searchers
def test_a_pending_trial_with_a_bad_block_is_damaged_after_a_lease(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, searcher: str
) -> None:
    scene = defined(tmp_path / "root", searcher)
    scene.claim(1, somewhere())
    bad_block(monkeypatch, "config_1/trial.yaml")
    history = work(scene.root, searcher, 3, continue_until_max_evaluation_completed=True)
    assert states(history) == {1: "failed", **successes(2, 3)}
    assert history.by_number[1].damaged
    assert states(neps.load(scene.root)) == states(history)


# Joining

CALLS = ("link", "listdir", "lstat", "makedirs", "mkdir", "open", "scandir", "stat", "unlink", "utime")


class Glitch:
    """Lets the n-th call of any of `CALLS` fail that is about a run, and no other."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, root: Path, nth: int) -> None:
        self._root, self._left = str(root), nth
        self.failed = ""
        for name in CALLS:
            monkeypatch.setattr(os, name, self._counted(name, getattr(os, name)))

    def end(self) -> None:
        self._left = 0

    def _counted(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(path: Any = ".", *args: Any, **kwargs: Any) -> Any:
            if str(path).startswith(self._root):
                self._left -= 1
                if self._left == 0:
                    self.failed = f"{name} {path}"
                    raise OSError(errno.EIO, "as a test has it", path)
            return call(path, *args, **kwargs)

        return counted


def join_with_a_glitch(root: Path, nth: int, arguments: dict[str, Any]) -> tuple[str, dict[int, str]]:
    """What failed before the first evaluation, if anything, and how the run stands."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        glitch = Glitch(monkeypatch, root, nth)

        def call(x: float) -> dict[str, float]:
            glitch.end()
            return {"loss": x, "cost": 1.0}

        stand = states(work(root, ANY_NUMBER, 3, call, **arguments))
        return glitch.failed, stand


@pytest.mark.parametrize("arguments", [{}, {"max_cost_total": 9.0, "expected_cost": 1.0}], ids=["any", "in turn"])
def test_one_failure_kills_nobody_who_joins(tmp_path: Path, arguments: dict[str, Any]) -> None:
    """Whatever it is that fails, until the first evaluation."""
    original, failures = tmp_path / "original", set[str]()
    work(original, ANY_NUMBER, 2)
    for nth in itertools.count(1):
        root = Path(shutil.copytree(original, tmp_path / f"copy{nth}"))
        failed, stand = join_with_a_glitch(root, nth, arguments)
        assert stand == successes(1, 2, 3), failed
        if not failed:
            break
        failures.add(failed.replace(str(root), "root"))
    assert failures >= {"open root/neps.yaml", "scandir root", "mkdir root/config_3"}


class Away:
    """A server that is away: nothing can be listed, until it has been asked so often."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, root: Path, times: float) -> None:
        self.asked, real = 0, os.listdir

        def listdir(path: Any = ".") -> list[str]:
            if str(path).startswith(str(root)) and self.asked < times:
                self.asked += 1
                raise OSError(errno.EIO, "as a test has it", path)
            return real(path)

        monkeypatch.setattr(os, "listdir", listdir)


def test_who_starts_in_an_outage_waits_for_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """So does a worker that was frozen and starts anew: it is no crash."""
    root = tmp_path / "root"
    work(root, ANY_NUMBER, 1)
    away = Away(monkeypatch, root, 4)
    assert states(work(root, ANY_NUMBER, 2)) == successes(1, 2)
    assert away.asked == 4
    assert "Trying again" in caplog.text


def test_who_starts_in_an_outage_without_end_says_so_after_ten_leases(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "root"
    work(root, ANY_NUMBER, 1)
    away = Away(monkeypatch, root, math.inf)
    with pytest.raises(neps.errors.DirectoryError, match=r"can't be used: .*Tried for .* Start again later"):
        work(root, ANY_NUMBER, 2, lease_seconds=0.05)
    assert away.asked > 2


# The end of an attempt


def test_a_trial_is_handed_back_though_a_call_fails(faulty: Mount) -> None:
    """Who leaves politely has not died, though the storage fails for a moment just then."""

    def interrupted(x: float) -> float:
        faulty.rules([Rule("create", "root/config_1/.attempt_1.end.yaml.*", "EIO", times=1)])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work(faulty.path / "root", ANY_NUMBER, 1, interrupted)
    assert faulty.faults()
    end = yaml.safe_load((faulty.backing / "root" / "config_1" / "attempt_1.end.yaml").read_text())
    assert end["end"] == "left"
