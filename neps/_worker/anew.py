"""Starting the worker's process anew, in place of an evaluation that nobody needs any more and that doesn't end.

The kernel replaces the whole process (`execve`: same command line and pid, so the same SLURM task), hence nothing of
the evaluation is left in it: no half of an import, no memory on a GPU. Starting a script again is what neps is for.
Everything here is about where that would be something else than going on; `fresh` and `descendants` see to what an exec
would leave as it is.
"""

from __future__ import annotations

import contextlib
import importlib.machinery
import logging
import os
import signal
import site
import stat
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NoReturn

from neps._evaluation.actions import end_by
from neps._ledger.launches import launch_token
from neps._worker.descendants import Descendants
from neps._worker.fresh import Beginning
from neps._worker.settings import Settings

__all__ = ["evaluated", "hand_on", "known_stops", "obstacle", "restarted", "start", "working"]

_logger = logging.getLogger("neps.worker")
_MOST_IN_A_ROW = 3
_PATIENCE = 1.0
_VARIABLE = "NEPS_STARTED_ANEW"
_FORKED = 0x40  # PF_FORKNOEXEC of Linux, in field 9 of /proc/PID/stat
_INSTALLED = {"site-packages", "dist-packages"}
_NO_SCRIPTS = ("/dev/fd/", "/dev/std", "/proc/")


class _Process:
    """What is known of this process, from the first import on."""

    def __init__(self) -> None:
        self.beginning = Beginning()
        self.descendants = Descendants()
        self.forked = False
        self.workers = 0
        self.mask: set[int] = set()
        self.unrepeatable: str | None = None
        pid, times, self.run, stops = [*os.environ.get(_VARIABLE, "").split(":"), "", "", ""][:4]
        self.times = int(times) if pid == str(os.getpid()) and times.isdecimal() else 0
        self.handing_on: Callable[[], str] = lambda: ":"
        self.stops = int(stops) if self.times and stops.isdecimal() else None

    def mark_forked(self) -> None:
        self.forked, self.times = True, 0


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
    _process.descendants.begin()
    try:
        yield
    finally:
        _process.workers -= 1


def evaluated() -> None:
    """An evaluation has come to its end: new starts are counted from here."""
    _process.times = 0


def restarted() -> bool:
    """Whether this process is a new start of itself that has not come to the end of an evaluation yet."""
    return _process.times > 0


def known_stops(run: str) -> int | None:
    """The last stop request in this run that the process knew before it was restarted; None if it wasn't."""
    return _process.stops if _process.run == run else None


def obstacle(*, main_thread: bool) -> str | None:
    """Why this process can't be restarted, as a sentence without its full stop; None if it can.

    Args:
        main_thread: whether the evaluation runs in the main thread.
    """
    if not main_thread or _process.workers != 1:
        return "neps.run was called in a thread, or more than once at a time"
    if _process.unrepeatable is not None:
        return _process.unrepeatable
    if _process.times >= _MOST_IN_A_ROW:
        return f"it was restarted {_process.times} times without coming to the end of an evaluation"
    return next((why for holds, why in _OBSTACLES if holds()), None)


def hand_on(run: str, stops: Callable[[], int]) -> None:
    """For good, have a new start know in which run it works, and the last stop request there that is not for it."""
    _process.handing_on = lambda: f"{run}:{stops()}"


def start(
    end_of_handling: Callable[[], int | None] = lambda: None, environment: Mapping[str, str] | None = None
) -> NoReturn:
    """Replace this process by a new start of its command line. What its evaluations have started is ended before.

    Args:
        end_of_handling: called last of all, to have signals act as if nobody handled them; returns one that has come
            until then: the process then ends by that.
        environment: variables that the new one has instead.
    """
    try:
        _patiently(_flush)
        _process.descendants.end()
        _replace(end_of_handling, environment or {})
    except Exception as failure:  # noqa: BLE001 - whatever it is, the process has no heartbeat by now
        error = failure
        _patiently(lambda: _logger.critical("This process can't be restarted, so it ends: %r", error))
    finally:
        os.kill(os.getpid(), signal.SIGKILL)
        os._exit(128 + signal.SIGKILL)  # the first process of a container survives that


def _replace(end_of_handling: Callable[[], int | None], other: Mapping[str, str]) -> NoReturn:
    handed_on = f"{os.getpid()}:{_process.times + 1}:{_process.handing_on()}"
    environment = {**_process.beginning.environment, _VARIABLE.encode(): handed_on.encode()}
    environment |= {os.fsencode(name): os.fsencode(value) for name, value in other.items()}
    _process.beginning.restore()
    if (signum := end_of_handling()) is not None:
        end_by(signum)
    _process.beginning.restore_actions()
    # An exec would keep this thread's, which may be that of a library. What the new one's holds back waits for it.
    signal.pthread_sigmask(signal.SIG_SETMASK, _process.mask)
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)  # noqa: S606 - no shell is what is wanted


def _patiently(action: Callable[[], object]) -> None:
    """The evaluation may sit in the lock of a stream, or of logging, for ever."""
    thread = threading.Thread(target=action, daemon=True)
    with contextlib.suppress(RuntimeError, MemoryError):  # no more threads
        thread.start()
        thread.join(_PATIENCE)


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


def _is_interactive() -> bool:
    return bool(sys.flags.interactive or sys.flags.inspect or hasattr(sys, "ps1"))


def _is_unnamed() -> bool:
    """Whether the command line names no file that is the program: standard input, a notebook, a test runner."""
    main = sys.modules.get("__main__")
    file, spec = getattr(main, "__file__", None), getattr(main, "__spec__", None)
    directory = _process.beginning.directory
    if not isinstance(file, str) or directory is None or not _is_script(file) or _is_installed(Path(file)):
        return True
    if isinstance(spec, importlib.machinery.ModuleSpec):
        return not _is_named_module(spec.name, directory)
    return not any(_is_same(os.path.join(directory, argument), file) for argument in sys.orig_argv[1:])  # noqa: PTH118


def _is_named_module(name: str, directory: str) -> bool:
    """Whether `python -m` was given this module, and finds it once more."""
    named = {name, name.removesuffix(".__main__")} & set(sys.orig_argv)
    return bool(named) and (sys.flags.safe_path or directory in sys.path)


def _is_script(file: str) -> bool:
    """Whether it can be read once more: not what the shell has opened for this process."""
    with contextlib.suppress(OSError, ValueError):
        return stat.S_ISREG(os.stat(file).st_mode) and not os.path.abspath(file).startswith(_NO_SCRIPTS)  # noqa: PTH100, PTH116
    return False


def _is_same(path: str, other: str) -> bool:
    with contextlib.suppress(OSError, ValueError):
        return os.path.samefile(path, other)  # noqa: PTH121
    return False


def _is_installed(file: Path) -> bool:
    """Whether a program is installed, rather than written by the user: pytest, Jupyter, joblib, submitit."""
    prefixes = {sys.prefix, sys.base_prefix, sys.exec_prefix, site.USER_BASE or sys.prefix}
    found = file.resolve()
    return bool(_INSTALLED & set(found.parts)) or any(found.is_relative_to(prefix) for prefix in prefixes)


_OBSTACLES: tuple[tuple[Callable[[], bool], str], ...] = (
    (_is_forked, "it was forked by another one"),
    (_is_interactive, "it is interactive"),
    (lambda: _process.beginning.directory is None, "the working directory in which it began is gone"),
    (_is_unnamed, "its command line doesn't name a script or module of yours"),
    (lambda: not _process.beginning.has_its_streams, "its standard input, output or error was redirected"),
    (lambda: not os.access(sys.executable or "", os.X_OK), "its Python interpreter can't be executed"),
)
