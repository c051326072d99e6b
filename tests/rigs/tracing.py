"""Stops a function, in a process of its own, at each system call that changes a file below a folder, and does as told.

It may be killed there, before or after the call; the call may fail undone, or be done and reported as failed, as when
a network filesystem loses the reply (strace can't do that). Child processes and threads are followed. A seccomp filter
leaves all other calls at full speed. Linux on x86_64; needs nothing to be installed, and no root. Called by proofs.
"""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import errno
import functools
import os
import platform
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from rigs.forked import end_by
from rigs.isolated import isolated

__all__ = ["DONE", "Call", "Done", "Fail", "Kill", "Lose", "traced", "tracing_available"]


@dataclasses.dataclass(frozen=True)
class Call:
    """A system call that is about to change something.

    Args:
        name: of the call, without the variants: `mkdir` is `mkdirat`, too, and `open` is one that may make a file.
        paths: below the folder; "" is the folder itself. Of a rename or link both, if both are there.
        role: `main` for the function's own thread, `thread` for another one of its process, or `process`.
    """

    name: str
    paths: tuple[str, ...]
    role: str


@dataclasses.dataclass(frozen=True)
class Done:
    """It goes well."""


@dataclasses.dataclass(frozen=True)
class Kill:
    """SIGKILL to the function's process, before the call or right after it."""

    after: bool = False


@dataclasses.dataclass(frozen=True)
class Fail:
    """Not done, and reported as failed."""

    error: int


@dataclasses.dataclass(frozen=True)
class Lose:
    """Done, but reported as failed. If it fails by itself, that stays as it is."""

    error: int


Action = Done | Kill | Fail | Lose
DONE: Final = Done()

# How the arguments name files: p a path, d a folder's descriptor (for the path after it), f a descriptor; - neither.
_CALLS = {
    1: ("write", "f"),
    2: ("open", "p"),
    18: ("write", "f"),
    20: ("write", "f"),
    40: ("write", "f"),
    74: ("fsync", "f"),
    75: ("fsync", "f"),
    76: ("truncate", "p"),
    77: ("truncate", "f"),
    82: ("rename", "pp"),
    83: ("mkdir", "p"),
    84: ("rmdir", "p"),
    85: ("open", "p"),
    86: ("link", "pp"),
    87: ("unlink", "p"),
    88: ("symlink", "-p"),
    90: ("chmod", "p"),
    91: ("chmod", "f"),
    235: ("utime", "p"),
    257: ("open", "dp"),
    258: ("mkdir", "dp"),
    261: ("utime", "dp"),
    263: ("unlink", "dp"),
    264: ("rename", "dpdp"),
    265: ("link", "dpdp"),
    266: ("symlink", "-dp"),
    268: ("chmod", "dp"),
    280: ("utime", "dp"),
    285: ("truncate", "f"),
    296: ("write", "f"),
    316: ("rename", "dpdp"),
    326: ("write", "--f"),
}
_OPEN_FLAGS = {2: 1, 257: 2}  # which argument they are
_CHANGING = os.O_CREAT | os.O_TRUNC
_AT_FDCWD = 0xFFFFFFFFFFFFFF9C
_REMOVEDIR = 0x200

_CONT, _SYSCALL, _POKEUSER, _LISTEN, _SEIZE, _INFO = 7, 24, 6, 0x4208, 0x4206, 0x420E
_OPTIONS = 0x1 | 0x2 | 0x4 | 0x8 | 0x80 | 0x100000  # good exits; forks, vforks, clones; seccomp; die with the tracer
_EVENT_SECCOMP, _EVENT_STOP = 7, 128
_RAX, _ORIG_RAX = 10 * 8, 15 * 8
_WALL = 0x40000000
_STOPS = {signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU}
_ARCHITECTURE = 0xC000003E
_PAGE = 4096

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
_libc.ptrace.restype = ctypes.c_long


@functools.cache
def tracing_available() -> str | None:
    """Why it doesn't work on this machine, or None."""
    if not sys.platform.startswith("linux") or platform.machine() != "x86_64":
        return f"tracing: needs Linux on x86_64, and this is {sys.platform} on {platform.machine()}"
    tried = subprocess.run(isolated("tracing"), capture_output=True, text=True, check=False)
    return f"tracing: {tried.stderr.strip().splitlines()[-1]}" if tried.returncode else None


def main() -> None:
    """Entry: traces a function that does nothing."""
    sys.exit(traced(lambda: None, Path("/nowhere"), lambda _: DONE, deadline=60.0))


def traced(function: Callable[[], object], folder: Path, decide: Callable[[Call], Action], *, deadline: float) -> int:
    """Run the function in a forked process, and ask at each change below the folder what is to become of it.

    The caller has no other children and no threads.

    Args:
        function: what to run; an exception that leaves it ends the process with status 1.
        folder: an absolute path without links in it.
        decide: called with each call.
        deadline: in seconds; then all is killed.

    Returns:
        The exit code of the process, negative if a signal ended it.

    Raises:
        TimeoutError: it was still there at the deadline.
    """
    ready, go = os.pipe()
    if (pid := os.fork()) == 0:
        os.close(go)
        _be_traced(ready, function)
    os.close(ready)
    try:
        _ptrace(_SEIZE, pid, 0, _OPTIONS)
        os.write(go, b"!")
        return _Tracer(pid, str(folder), decide, time.monotonic() + deadline).follow()
    finally:
        os.close(go)


def _be_traced(ready: int, function: Callable[[], object]) -> None:
    """In the new process: wait for the tracer, and begin."""

    def begin() -> None:
        if not os.read(ready, 1):
            raise EOFError("the tracer has gone")
        os.close(ready)
        _filter()
        function()

    end_by(begin)


def _filter() -> None:
    """From here on the calls of the table stop for the tracer; all others don't."""
    load, equal, give = 0x20, 0x15, 0x06
    allow, trace = 0x7FFF0000, 0x7FF00000
    program = [(load, 0, 0, 4), (equal, 1, 0, _ARCHITECTURE), (give, 0, 0, allow), (load, 0, 0, 0)]
    program += [(equal, len(_CALLS) - index, 0, number) for index, number in enumerate(_CALLS)]
    program += [(give, 0, 0, allow), (give, 0, 0, trace)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *line) for line in program))
    filtering = struct.pack("=H6xQ", len(program), ctypes.addressof(code))
    for arguments in ((38, 1, 0, 0, 0), (22, 2, filtering, 0, 0)):  # no new privileges; this filter
        if _libc.prctl(*arguments) != 0:
            raise OSError(ctypes.get_errno(), "prctl")


def _ptrace(request: int, pid: int, address: int = 0, data: int = 0) -> int:
    value = int(_libc.ptrace(request, pid, address, data))
    if value < 0 and (number := ctypes.get_errno()):
        raise OSError(number, f"ptrace {request:#x}: {os.strerror(number)}")
    return value


class _Tracer:
    """Follows one process and all that it starts, until none of them is left."""

    def __init__(self, main: int, folder: str, decide: Callable[[Call], Action], end: float) -> None:
        self._main, self._folder, self._decide, self._end = main, folder, decide, end
        self._status = 0
        self._pending: dict[int, Lose | Kill] = {}
        self._followed = {main}

    def follow(self) -> int:
        """Until the end of all."""
        while True:
            if time.monotonic() > self._end:
                self._kill_all()
                raise TimeoutError("still there at the deadline")
            try:
                pid, status = os.waitpid(-1, _WALL | os.WNOHANG)
                if pid == 0:
                    time.sleep(0.0005)
                    continue
            except ChildProcessError:
                return self._status
            self._followed.add(pid)
            if os.WIFSTOPPED(status):
                with contextlib.suppress(ProcessLookupError):  # it was killed meanwhile
                    self._stopped(pid, os.WSTOPSIG(status), status >> 16)
            else:
                self._followed.discard(pid)
                if pid == self._main:
                    self._status = os.waitstatus_to_exitcode(status)

    def _kill_all(self) -> None:
        for pid in self._followed:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while True:
                os.waitpid(-1, _WALL)

    def _stopped(self, pid: int, signum: int, event: int) -> None:
        if event == _EVENT_SECCOMP:
            self._at_call(pid)
        elif event == _EVENT_STOP and signum in _STOPS:
            _ptrace(_LISTEN, pid)
        elif event:
            _ptrace(_CONT, pid)
        elif signum == signal.SIGTRAP | 0x80:
            self._after_call(pid)
        else:
            _ptrace(_CONT, pid, 0, signum)

    def _at_call(self, pid: int) -> None:
        number, arguments = _call_of(pid)
        call = self._named(pid, number, arguments)
        action = DONE if call is None else self._decide(call)
        match action:
            case Kill(after=False):
                os.kill(self._main, signal.SIGKILL)
            case Fail(error):
                _ptrace(_POKEUSER, pid, _ORIG_RAX, -1)
                _ptrace(_POKEUSER, pid, _RAX, -error)
                _ptrace(_CONT, pid)
            case Lose() | Kill():
                self._pending[pid] = action
                _ptrace(_SYSCALL, pid)
            case Done():
                _ptrace(_CONT, pid)

    def _after_call(self, pid: int) -> None:
        match self._pending.pop(pid):
            case Kill():
                os.kill(self._main, signal.SIGKILL)
            case Lose(error):
                if _result_of(pid) >= 0:
                    _ptrace(_POKEUSER, pid, _RAX, -error)
                _ptrace(_CONT, pid)

    def _named(self, pid: int, number: int, arguments: tuple[int, ...]) -> Call | None:
        """What the call is to the caller; None if it changes nothing below the folder."""
        name, kinds = _CALLS[number]
        if number in _OPEN_FLAGS and not arguments[_OPEN_FLAGS[number]] & _CHANGING:
            return None
        if number == 263 and arguments[2] & _REMOVEDIR:
            name = "rmdir"
        inside = [self._below(path) for path in _paths(pid, kinds, arguments)]
        found = tuple(path for path in inside if path is not None)
        return Call(name, found, self._role(pid)) if found else None

    def _below(self, path: str) -> str | None:
        if path == self._folder:
            return ""
        return path.removeprefix(f"{self._folder}/") if path.startswith(f"{self._folder}/") else None

    def _role(self, pid: int) -> str:
        if pid == self._main:
            return "main"
        return "thread" if Path(f"/proc/{self._main}/task/{pid}").exists() else "process"


def _call_of(pid: int) -> tuple[int, tuple[int, ...]]:
    found = _info(pid)
    return struct.unpack_from("=Q", found, 24)[0], struct.unpack_from("=6Q", found, 32)


def _result_of(pid: int) -> int:
    return int(struct.unpack_from("=q", _info(pid), 24)[0])


def _info(pid: int) -> bytes:
    """The struct ptrace_syscall_info."""
    buffer = ctypes.create_string_buffer(96)
    _ptrace(_INFO, pid, len(buffer), ctypes.addressof(buffer))
    return buffer.raw


def _paths(pid: int, kinds: str, arguments: tuple[int, ...]) -> Iterator[str]:
    folder = _AT_FDCWD
    for kind, value in zip(kinds, arguments, strict=False):
        if kind == "d":
            folder = value
        elif kind == "f" or (kind == "p" and value == 0):  # utimensat without a path is about the descriptor
            yield _opened(pid, value if kind == "f" else folder)
        elif kind == "p":
            yield os.path.normpath(os.path.join(_opened(pid, folder), _text(pid, value)))  # noqa: PTH118


def _opened(pid: int, descriptor: int) -> str:
    link = f"/proc/{pid}/cwd" if descriptor == _AT_FDCWD else f"/proc/{pid}/fd/{descriptor & 0xFFFFFFFF}"
    try:
        return os.readlink(link).removesuffix(" (deleted)")  # noqa: PTH115 - a path would lose what the kernel says
    except OSError:
        return ""


def _text(pid: int, address: int) -> str:
    """A path in the memory of the process, read page by page, since the next one need not be there."""
    text = b""
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:  # noqa: PTH123
        while b"\0" not in text:
            memory.seek(address + len(text))
            piece = memory.read(_PAGE - (address + len(text)) % _PAGE)
            if not piece:
                raise OSError(errno.EFAULT, "no path there")
            text += piece
    return os.fsdecode(text.partition(b"\0")[0])
