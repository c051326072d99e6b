"""Starting the worker's process anew, in place of an evaluation that nobody needs any more and that doesn't end.

The kernel replaces the whole process (`execv`: same command line, environment and pid, so the same SLURM task), hence
nothing of the evaluation is left in it: no half of an import, no memory on a GPU. Starting a script again is what neps
is made for. Everything here is about where that would be something else than going on.
"""

from __future__ import annotations

import contextlib
import importlib.machinery
import os
import signal
import site
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from neps.ledger.launches import launch_token
from neps.worker.settings import Settings

__all__ = ["evaluated", "obstacle", "start", "working"]

_MOST_IN_A_ROW = 3
_SECONDS_OF_FLUSHING = 1.0
_SECONDS_OF_CHILDREN = 5.0
_VARIABLE = "NEPS_STARTED_ANEW"
_FORKED = 0x40  # PF_FORKNOEXEC of Linux, in field 9 of /proc/PID/stat
_INSTALLED = {"site-packages", "dist-packages"}


class _Process:
    """What is known of this process, from the first import on."""

    def __init__(self) -> None:
        self.directory = _directory()
        self.forked = False
        self.workers = 0
        self.mask: set[int] = set()
        self.unrepeatable: str | None = None
        pid, _, times = os.environ.get(_VARIABLE, "").partition(":")
        self.times = int(times) if pid == str(os.getpid()) and times.isdecimal() else 0

    def mark_forked(self) -> None:
        self.forked, self.times = True, 0


def _directory() -> str | None:
    with contextlib.suppress(OSError):
        return os.getcwd()  # noqa: PTH109
    return None


_process = _Process()
os.register_at_fork(after_in_child=_process.mark_forked)


@contextlib.contextmanager
def working(settings: Settings, *, overwrite: bool) -> Iterator[None]:
    """While a worker works; what one was asked that would come twice by a new start is remembered for good."""
    if settings.max_evaluations_per_run is not None or settings.max_seconds_per_run is not None:
        _process.unrepeatable = "max_evaluations_per_run and max_seconds_per_run would count from zero"
    if overwrite and launch_token() is None:
        _process.unrepeatable = "overwrite_working_directory would move this run aside (set NEPS_RUN_TOKEN)"
    _process.workers += 1
    _process.mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        yield
    finally:
        _process.workers -= 1


def evaluated() -> None:
    """An evaluation has come to its end: new starts are counted from here."""
    _process.times = 0


def obstacle(*, main_thread: bool) -> str | None:
    """Why this process can't be restarted, to complete "since"; None if it can.

    Args:
        main_thread: whether the evaluation runs in the main thread.
    """
    if not main_thread or _process.workers != 1:
        return "neps.run was called in a thread, or more than once at a time"
    if _process.unrepeatable is not None:
        return _process.unrepeatable
    if _process.times >= _MOST_IN_A_ROW:
        return f"it was restarted {_process.times} times without coming to the end of an evaluation"
    if _is_forked():
        return "it was forked by another one"
    if sys.flags.interactive or sys.flags.inspect or hasattr(sys, "ps1"):
        return "it is interactive"
    return None if _is_named() else "its command line doesn't name a script or module of yours"


def start() -> NoReturn:
    """Replace this process by a new start of its command line. Its children are ended, as by its own end."""
    flushing = threading.Thread(target=_flush, daemon=True)
    flushing.start()
    flushing.join(_SECONDS_OF_FLUSHING)  # the evaluation may sit in the lock of a stream for ever
    _end_children()
    signal.pthread_sigmask(signal.SIG_SETMASK, _process.mask)  # not that of some library's thread
    os.environ[_VARIABLE] = f"{os.getpid()}:{_process.times + 1}"
    try:
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - no shell is what is wanted
    finally:  # it has no heartbeat by now
        os.kill(os.getpid(), signal.SIGKILL)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()


def _is_forked() -> bool:
    multiprocessing = sys.modules.get("multiprocessing.process")
    if _process.forked or (multiprocessing is not None and multiprocessing.parent_process() is not None):
        return True
    with contextlib.suppress(OSError, ValueError, IndexError):
        flags = Path("/proc/self/stat").read_bytes().rpartition(b")")[2].split()[6]
        return bool(int(flags) & _FORKED)
    return False


def _is_named() -> bool:
    """Whether the command line names a file that is the program: not standard input, a notebook, a test runner."""
    main = sys.modules.get("__main__")
    file, spec = getattr(main, "__file__", None), getattr(main, "__spec__", None)
    if not isinstance(file, str) or _is_installed(Path(file)):
        return False
    if isinstance(spec, importlib.machinery.ModuleSpec):  # python -m
        names = {spec.name, spec.name.removesuffix(".__main__")}
        return bool(names & set(sys.orig_argv)) and _process.directory == _directory()
    return any(_is_same(argument, file) for argument in sys.orig_argv[1:])


def _is_same(path: str, other: str) -> bool:
    with contextlib.suppress(OSError, ValueError):
        return os.path.samefile(path, other)  # noqa: PTH121
    return False


def _is_installed(file: Path) -> bool:
    """Whether a program is installed, rather than written by the user: pytest, Jupyter, joblib, submitit."""
    prefixes = {sys.prefix, sys.base_prefix, sys.exec_prefix, site.USER_BASE or sys.prefix}
    found = file.resolve()
    return bool(_INSTALLED & set(found.parts)) or any(found.is_relative_to(prefix) for prefix in prefixes)


def _end_children() -> None:
    """End the processes that this one has started: they'd work on a trial that is another worker's."""
    children = _children()
    for signum, seconds in ((signal.SIGTERM, _SECONDS_OF_CHILDREN), (signal.SIGKILL, 1.0)):
        for child in children:
            with contextlib.suppress(OSError):
                os.kill(child, signum)
        deadline = time.monotonic() + seconds
        while children and time.monotonic() < deadline:
            children = [child for child in children if _runs(child)]
            time.sleep(0.01)


def _children() -> list[int]:
    """Their pids; none where the kernel doesn't tell."""
    pids: list[int] = []
    with contextlib.suppress(OSError):
        for path in Path("/proc/self/task").glob("*/children"):
            pids.extend(int(pid) for pid in path.read_text().split())
    # It ends with its pipe, and then removes the semaphores and shared memory that were left.
    tracker = sys.modules.get("multiprocessing.resource_tracker")
    spared = getattr(getattr(tracker, "_resource_tracker", None), "_pid", None)
    return [pid for pid in pids if pid != spared]


def _runs(child: int) -> bool:
    with contextlib.suppress(ChildProcessError):
        return os.waitpid(child, os.WNOHANG) == (0, 0)
    return False
