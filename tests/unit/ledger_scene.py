"""A run's folder under a test's hand: trials are claimed, left, taken over and ended step by step, by anybody.

Everything goes through the ledger's own functions; only what a test breaks is broken by hand.
"""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from neps._ledger import documents, examining, lookout, trial_folder, view
from neps._ledger.definition import Definition
from neps._ledger.exclusive import publish
from neps._ledger.identity import Identity
from neps._ledger.layout import Layout
from neps._ledger.records import AttemptStart, End, result_fields
from neps._ledger.trial_folder import TrialFolder
from neps._ledger.trial_state import TrialState
from neps._ledger.view import View
from neps._trial import Decision, Result

__all__ = ["RUN", "SPACE", "TORN", "Clock", "Scene", "dead", "failing", "here", "somewhere"]

RUN = "run0"
SPACE = {"x": {"type": "float", "lower": 0.0, "upper": 1.0, "log": False, "is_fidelity": False}}
TORN = b"format_version: 1\nnumber: 1\nconf"


def here(name: str = "here") -> Identity:
    """A worker that lives: this process."""
    return dataclasses.replace(Identity.mine(), worker=name)


def dead(name: str = "dead") -> Identity:
    """A worker of this host that has ended, as everybody here can prove."""
    ended = subprocess.Popen([sys.executable, "-S", "-c", ""])
    ended.wait()
    return dataclasses.replace(Identity.mine(), worker=name, pid=ended.pid, process_started=1)


def somewhere(name: str = "somewhere") -> Identity:
    """A worker on another host: nobody here can tell whether it lives."""
    return Identity(name, "elsewhere", "another-boot", "pid:[1]", os.getpid(), 1)


def failing(function: Callable[..., Any], number: int, *, done: bool, times: int = 1) -> Callable[..., Any]:
    """The function, but its first calls fail by an errno, before or after the thing is done."""
    left = [times]

    def call(*args: Any, **kwargs: Any) -> Any:
        if left[0] == 0:
            return function(*args, **kwargs)
        left[0] -= 1
        if done:
            function(*args, **kwargs)
        raise OSError(number, os.strerror(number))

    return call


class Clock:
    """The clock of views, which a test moves by hand; who can't read a document doesn't wait for it then."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        for module in (view, examining, lookout):
            monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: self.now))
        monkeypatch.setattr(
            trial_folder, "publish", lambda *args, **kwargs: publish(*args, **({"patience": 0.01} | kwargs))
        )

    def run(self, observer: View, seconds: float) -> None:
        """Look once a second, as a waiting worker does."""
        for _ in range(int(seconds)):
            self.now += 1.0
            observer.refresh()
            observer.update_all()


class Scene:
    """One run in `root`."""

    def __init__(self, root: Path, run: str = RUN) -> None:
        root.mkdir(exist_ok=True)
        self.root = root
        self.layout = Layout(root, run)

    def define(self, **changes: Any) -> Definition:
        """Publish neps.yaml."""
        usual: dict[str, Any] = {"space": SPACE, "searcher": {"name": "random_search"}, "seed": 1}
        self.definition = Definition(**(usual | {"run": self.layout.run} | changes))
        assert publish(str(self.root), "neps.yaml", documents.encode(self.definition.to_fields()), "scene")
        return self.definition

    def folder(self, number: int) -> TrialFolder:
        return TrialFolder(self.layout, number)

    def path(self, number: int, name: str = "") -> Path:
        return self.root / f"config_{number}" / name

    def decision(self, number: int, who: Identity, **changes: Any) -> Decision:
        usual: dict[str, Any] = {"number": number, "config": {"x": number / 10}, "worker": who.worker}
        return Decision(**(usual | changes))

    def claim(self, number: int, who: Identity | None = None, **changes: Any) -> TrialFolder:
        """Reserve and commit."""
        who, folder = who or here(), self.folder(number)
        folder.reserve()
        assert folder.commit(self.decision(number, who, **changes), who)
        return folder

    def end(self, number: int, attempt: int = 1, who: Identity | None = None, **result: Any) -> bool:
        """End an attempt with a result: a success with loss 1 by default."""
        who = who or here()
        usual: dict[str, Any] = {"success": True, "loss": 1.0, "attempt": attempt, "worker": who.worker}
        return self.folder(number).end_with_result(attempt, result_fields(Result.of(**(usual | result))), who)

    def fail(self, number: int, attempt: int = 1, **result: Any) -> bool:
        return self.end(number, attempt, **({"success": False, "loss": None, "error": "it broke"} | result))

    def take_over(self, number: int, attempt: int, who: Identity, end: End = End.DIED) -> None:
        """End an attempt, and open the next."""
        folder = self.folder(number)
        folder.end_attempt(attempt, end, who)
        assert folder.open_attempt(attempt + 1, who, str(end))

    def spoil(self, number: int, name: str, content: bytes = TORN) -> None:
        """Make a document of a trial what it isn't, or what it isn't yet."""
        path = self.path(number, name)
        path.parent.mkdir(exist_ok=True)
        path.unlink(missing_ok=True)  # its inode may have another name
        path.write_bytes(content)

    def view(self, me: Identity | None = None, *, lease: float = 60.0, details: bool = True) -> View:
        """What a worker knows that has just joined."""
        view = View(self.layout, me or here(), lease=lease, poll=1.0, details=details)
        view.join()
        return view

    def reader(self, lease: float = 60.0) -> View:
        """What somebody knows who takes no part."""
        view = View(self.layout, None, lease=lease, poll=1.0)
        view.join()
        return view

    def snapshot(self) -> dict[str, bytes]:
        """Every file of the run."""
        return {str(p.relative_to(self.root)): p.read_bytes() for p in sorted(self.root.rglob("*")) if p.is_file()}

    def running(self, number: int, who: Identity, attempt: int = 1) -> TrialState:
        return TrialState(self.decision(number, who), AttemptStart(attempt, who))
