"""A process that keeps daemons for a rig: it obeys while the test lives, and ends with it, however the test ends.

`Service` is the test's side. `serve` is the other: called by the `main` of a rig's `..._daemons` module, in a bare
interpreter (`rigs.isolated`), it answers one line for each line of its standard input, and returns at its end.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

__all__ = ["Service", "ServiceError", "await_true", "keep", "serve", "service"]

_SET_PARENT_DEATH_SIGNAL = 1
_START_SECONDS = 120.0
_ANSWER_SECONDS = 60.0


class ServiceError(AssertionError):
    """The rig itself failed."""


class Service:
    """What a rig asks its daemons' keeper."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        """Made by `service`."""
        self.pid = process.pid
        self._process = process
        self._lock = threading.Lock()

    def ask(self, command: str, *arguments: object) -> object:
        """Has the service call the command; returns what that returned."""
        assert self._process.stdin is not None
        with self._lock:
            self._process.stdin.write(json.dumps([command, *arguments]).encode() + b"\n")
            self._process.stdin.flush()
            return self._answer(_ANSWER_SECONDS)

    def _answer(self, seconds: float) -> object:
        assert self._process.stdout is not None
        readable, _, _ = select.select([self._process.stdout], [], [], seconds)
        line = self._process.stdout.readline() if readable else b""
        if not line:
            raise ServiceError("no answer in time" if not readable else "the service has ended")
        what, value = json.loads(line)
        if what != "done":
            raise ServiceError(str(value))
        return value


@contextlib.contextmanager
def service(command: Sequence[str], errors: Path) -> Iterator[Service]:
    """Starts a program that calls `serve`, and yields it once it is ready; it has ended afterwards, in all cases.

    Args:
        command: its command line.
        errors: the file of its standard error.
    """
    with errors.open("wb") as file:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=file, start_new_session=True
        )
    assert process.stdin is not None
    assert process.stdout is not None
    made = Service(process)
    try:
        try:
            made._answer(_START_SECONDS)
        except ServiceError as error:
            raise ServiceError(f"{error}\n{errors.read_text(errors='replace')}".strip()) from None
        yield made
    finally:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
        try:
            process.wait(_ANSWER_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def serve(commands: Mapping[str, Callable[..., object]]) -> None:
    """Says that all is ready, and obeys until the test's end of the pipe is closed."""
    _say("done", None)
    for line in sys.stdin.buffer:
        name, *arguments = json.loads(line)
        try:
            _say("done", commands[name](*arguments))
        except Exception as error:  # noqa: BLE001 - whatever it is, the test gets to know it
            _say("failed", f"{name}: {error!r}")


def refuse(reason: object) -> None:
    """Says, instead of that all is ready, why it isn't."""
    _say("failed", str(reason))


def keep(command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
    """Starts a daemon in the foreground, which the kernel kills when this process is gone."""
    libc = ctypes.CDLL(None)
    with log.open("ab") as file:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
            preexec_fn=lambda: libc.prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0),  # noqa: PLW1509
        )


def await_true(condition: Callable[[], object], seconds: float, what: str) -> None:
    """Polls until it is so."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= end:
            raise ServiceError(f"waited {seconds:g} s in vain for {what}")
        time.sleep(0.02)


def _say(what: str, value: object) -> None:
    sys.stdout.write(json.dumps([what, value]) + "\n")
    sys.stdout.flush()
