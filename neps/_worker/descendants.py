"""The processes that evaluations have started, and ending them: they'd work on a trial that is another worker's.

What the process had before is spared: a job script's servers, which are children of whatever it has exec'd.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from pathlib import Path

from neps._ledger.identity import process_state

__all__ = ["Descendants"]

_SECONDS_TO_END, _SECONDS_TO_DIE = 5.0, 1.0
_Process = tuple[int, int]
"""Pid and start time: a pid by itself may be another process's by now."""


class Descendants:
    """Those that were started since `begin`, and theirs, as long as the kernel knows them as such (no daemons)."""

    def __init__(self) -> None:
        self._before: set[_Process] = set()

    def begin(self) -> None:
        """The children that are there now are no evaluation's."""
        self._before = _children("self")

    def end(self) -> None:
        """Ask them to end, and kill what is left after some seconds."""
        found: set[_Process] = set()
        for signum, seconds in ((signal.SIGTERM, _SECONDS_TO_END), (signal.SIGKILL, _SECONDS_TO_DIE)):
            found = {process for process in found | self._found() if _runs(process)}
            for pid, _ in found:
                with contextlib.suppress(OSError):
                    os.kill(pid, signum)
            deadline = time.monotonic() + seconds
            while found and time.monotonic() < deadline:
                time.sleep(0.01)
                found = {process for process in found if _runs(process)}

    def _found(self) -> set[_Process]:
        spared = _trackers()
        found = unseen = {process for process in _children("self") - self._before if process[0] not in spared}
        while unseen:
            unseen = {child for pid, _ in unseen for child in _children(str(pid))} - found
            found = found | unseen
        return found


def _children(pid: str) -> set[_Process]:
    """Those of one process; none where the kernel doesn't tell."""
    found = set()
    with contextlib.suppress(OSError):
        for path in Path(f"/proc/{pid}/task").glob("*/children"):
            with contextlib.suppress(OSError):  # a thread that has ended
                found |= {(child, process_state(child)[1]) for child in map(int, path.read_text().split())}
    return found


def _trackers() -> set[int]:
    """Those of multiprocessing and loky: each ends with its pipe, and then removes the shared memory that was left."""
    modules = [module for name, module in list(sys.modules.items()) if name.endswith(".resource_tracker")]
    return {getattr(getattr(module, "_resource_tracker", None), "_pid", None) or 0 for module in modules}


def _runs(process: _Process) -> bool:
    pid, started = process
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    state, since = process_state(pid)
    return state not in ("", "Z", "X") and since == started
