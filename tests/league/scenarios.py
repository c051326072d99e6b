"""What is done to each library: eight scenarios, the same for all. Each ends with one more worker, as a user restarts.

Called by `python -m league`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from league.contest import Contest, Outcome
from rigs.smallfs import smallfs

__all__ = ["SCENARIOS", "Scenario", "perform"]

_FROZEN_SECONDS = 35.0
"""Longer than neps's lease here (5 s) and than Optuna's grace for a lock (30 s)."""
_FULL_SECONDS = 8.0
_FILL_SECONDS = 1200.0
_KIBIBYTES = 2048
_MANY = 2000

Scenario = Callable[[Contest], Outcome]


def perform(name: str, library: str) -> Outcome:
    """One scenario on one library, in folders that are removed."""
    with tempfile.TemporaryDirectory(prefix="league-") as folder:
        if name == "full disk":
            with smallfs("tmpfs", kibibytes=_KIBIBYTES) as small, Contest(library, Path(folder), small / "root") as on:
                return _full_disk(on, small)
        with Contest(library, Path(folder)) as contest:
            return SCENARIOS[name](contest)


def _starts(contest: Contest) -> Outcome:
    """8 processes at the same moment on a root that isn't there, each of them a user's start of the script."""
    for _ in range(8):
        contest.start_process(budget=24, seconds=0.3)
    contest.wait()
    return contest.outcome(24)


def _budget(contest: Contest) -> Outcome:
    """8 workers and a budget of 20 results."""
    contest.start(8, budget=20, seconds=0.4)
    contest.wait()
    return contest.outcome(20)


def _killed(contest: Contest) -> Outcome:
    """SIGKILL to the process that evaluates, 1 of 4; once the others have ended, one more worker."""
    contest.start(4, budget=16, seconds=0.5)
    contest.until(lambda: contest.ended() >= 4, "four results")
    contest.kill(contest.evaluating())
    contest.wait()
    return _one_more(contest, 16)


def _torn(contest: Contest) -> Outcome:
    """The last record ends in its middle, as after a power failure; then one more worker."""
    contest.start(1, budget=10, seconds=0.3)
    contest.until(lambda: contest.ended() >= 6, "six results")
    contest.evaluating()
    contest.kill_all()
    _TEAR[contest.library](contest.root)
    return _one_more(contest, 10)


def _halve(*paths: Path) -> None:
    for path in paths:
        os.truncate(path, path.stat().st_size // 2)


def _newest(root: Path, name: str) -> Path:
    return max(root.rglob(name), key=lambda path: path.stat().st_mtime_ns)


def _halve_last_line(path: Path) -> None:
    content = path.read_bytes()
    last = content.rstrip(b"\n").rfind(b"\n") + 1
    path.write_bytes(content[: (last + len(content)) // 2])


_TEAR: Mapping[str, Callable[[Path], None]] = MappingProxyType(
    {
        "neps": lambda root: _halve(_newest(root, "result.yaml"), *root.glob(".neps/*/accelerator/*.jsonl")),
        "neps017": lambda root: _halve(_newest(root, "report.yaml"), root / "configs/.trial_cache.pkl"),
        "optuna": lambda root: _halve_last_line(root / "journal.log"),
        "smac": lambda root: _halve(*root.rglob("runhistory.json")),
    }
)
"""What was written last, and the cache beside it, where there is one."""


def _frozen(contest: Contest) -> Outcome:
    """SIGSTOP in mid-evaluation, 1 of 2 workers, for longer than the lease and the grace of locks; then SIGCONT."""
    contest.start(2, budget=10, seconds=1.0)
    contest.until(lambda: contest.ended() >= 2, "two results")
    pid = contest.evaluating()
    os.kill(pid, signal.SIGSTOP)
    time.sleep(_FROZEN_SECONDS)
    os.kill(pid, signal.SIGCONT)
    contest.wait()
    return _one_more(contest, 10)


def _restarted(contest: Contest) -> Outcome:
    """SIGKILL to all 4 workers at once, in mid-evaluation; then 4 new ones."""
    contest.start(4, budget=16, seconds=0.5)
    contest.until(lambda: contest.ended() >= 6, "six results")
    contest.evaluating()
    contest.kill_all()
    contest.start(4, budget=16, seconds=0.5)
    contest.wait()
    return _one_more(contest, 16)


def _joined(contest: Contest) -> Outcome:
    """How many seconds a worker takes from its start to its first evaluation, where there are 2,000 results."""
    budget = _MANY + 50
    contest.start(1, budget=budget, seconds=0.0)
    with contextlib.suppress(TimeoutError):
        contest.until(lambda: contest.ended() >= _MANY, f"{_MANY} results", _FILL_SECONDS)
    contest.kill_all()
    there, began = contest.ended(), time.monotonic()
    contest.start(1, budget=budget, seconds=0.05)
    contest.until(lambda: contest.ended() > there + 1, "an evaluation")
    contest.kill_all()
    try:
        seconds = round(contest.first_begin(began) - began, 2)
    except ValueError:
        seconds = None
    outcome = contest.outcome(contest.ended(), seconds, f"at {there} results")
    return dataclasses.replace(outcome, stuck=0, overspent=0)  # it was killed, and counts by no budget


def _full_disk(contest: Contest, place: Path) -> Outcome:
    """2 workers on a disk that is full for 8 s; then there is room again, and one more worker."""
    contest.start(2, budget=12, seconds=0.5)
    contest.until(lambda: contest.ended() >= 3, "three results")
    ballast = place / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            time.sleep(_FULL_SECONDS)
    ballast.unlink()
    contest.wait()
    return _one_more(contest, 12)


def _one_more(contest: Contest, budget: int) -> Outcome:
    """As a user does who finds that all workers have left."""
    contest.start(1, budget=budget, seconds=0.1)
    contest.wait()
    return contest.outcome(budget)


SCENARIOS: Mapping[str, Scenario] = MappingProxyType(
    {
        "8 starts at once": _starts,
        "budget": _budget,
        "SIGKILL": _killed,
        "torn record": _torn,
        "freeze": _frozen,
        "restart": _restarted,
        "join": _joined,
        "full disk": lambda contest: _full_disk(contest, contest.root.parent),
    }
)
"""By name, in the order of the table."""
