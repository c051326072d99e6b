"""A driver in a process of its own: started, talked to, and ended whatever it does.

The protocol's other end is `benchmarks/peers/pipe.py`. Called by `campaign`, and by whoever performs a run.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import select
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Protocol, Self, cast

from benchmarks.driving.environments import interpreter, variables

__all__ = ["Driver", "OutOfTime", "Program", "RunFailed", "StopRequested", "check_suggestion", "version_of"]

_DRIVERS = Path(__file__).parents[1] / "peers"
_GLANCE_SECONDS = 0.2  # how long a request to stop may go unnoticed
_TAIL_LINES = 12
_ROUNDING = 1e-9  # of a bound, relative to the range


class RunFailed(Exception):  # noqa: N818 - a run that failed is no error of the benchmark
    """The driver crashed, or broke the protocol."""


class OutOfTime(RunFailed):
    """The run took longer than it may."""


class StopRequested(Exception):  # noqa: N818 - nor is this one
    """The benchmark is to end."""


class Program(Protocol):
    """What is run: a script of benchmarks/peers, in an environment, told what to be."""

    @property
    def name(self) -> str:
        """Of the method."""

    @property
    def driver(self) -> str:
        """The script's name."""

    @property
    def environment(self) -> str:
        """A name that `environments` knows."""

    @property
    def argument(self) -> str:
        """What the script is told."""


class Driver:
    """A started driver. Leaving the context kills it and all that it started."""

    def __init__(self, method: Program, stop: threading.Event, seconds: float) -> None:
        python = interpreter(method.environment)
        self._stop, self._seconds, self._deadline = stop, seconds, time.monotonic() + seconds
        self._messages = tempfile.TemporaryFile()  # noqa: SIM115 - `__exit__` closes it
        self._received = b""
        self._process = subprocess.Popen(
            [python, _DRIVERS / method.driver, method.argument],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._messages,
            bufsize=0,
            env=variables(),
            start_new_session=True,  # Ctrl-C is ours to handle, and the group ours to kill
        )
        self._input, self._output = cast("IO[bytes]", self._process.stdin), cast("IO[bytes]", self._process.stdout)
        self.version = "unknown"

    def __enter__(self) -> Self:
        try:
            self.version = str(self.receive()["version"])
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for stream in (self._input, self._output, self._messages):
            stream.close()

    def send(self, message: Mapping[str, Any]) -> None:
        """Send a line. A driver that is gone by then shows at the next `receive`."""
        with contextlib.suppress(BrokenPipeError):
            self._input.write(json.dumps(message).encode() + b"\n")

    def receive(self) -> dict[str, Any]:
        """The driver's next message."""
        while b"\n" not in self._received:
            if not (more := self._read()):
                raise RunFailed(f"the driver ended early, {self._ending()}")
            self._received += more
        line, self._received = self._received.split(b"\n", 1)
        try:
            message: dict[str, Any] = json.loads(line)
        except ValueError:
            raise RunFailed(f"the driver sent {line[:200]!r}, which is not JSON") from None
        return message

    def finish(self) -> None:
        """Wait for the driver to end by itself, with exit status 0."""
        if more := self._received or self._read():
            raise RunFailed(f"the driver went on after its last evaluation, with {more[:200]!r}")
        if self._process.wait(max(self._deadline - time.monotonic(), 1)) != 0:
            raise RunFailed(f"the driver made all evaluations, but {self._ending()}")

    def _read(self) -> bytes:
        """Some bytes, or none at the end."""
        while True:
            if self._stop.is_set():
                raise StopRequested
            if time.monotonic() > self._deadline:
                raise OutOfTime(f"killed at the limit of {self._seconds / 60:g} minutes")
            if select.select([self._output], [], [], _GLANCE_SECONDS)[0]:
                return self._output.read(1 << 16) or b""

    def _ending(self) -> str:
        """How the process ended, and the last of what it printed."""
        try:
            status: object = self._process.wait(5)
        except subprocess.TimeoutExpired:
            status = "none yet: it closed its output"
        self._messages.seek(0)
        lines = self._messages.read().decode(errors="replace").splitlines()[-_TAIL_LINES:]
        return f"with exit status {status}. Its last lines:\n" + "\n".join(f"    {line}" for line in lines)


def version_of(method: Program, stop: threading.Event) -> str:
    """The version that a driver of `method` says it runs."""
    with Driver(method, stop, seconds=600) as driver:
        return driver.version


def check_suggestion(space: Sequence[Mapping[str, Any]], config: Mapping[str, Any]) -> None:
    """A configuration outside of the space would be an unfair advantage, or a mistake of the driver."""
    present = [parameter for parameter in space if _is_active(parameter, config)]
    if set(config) != {parameter["name"] for parameter in present}:
        raise RunFailed(f"the driver suggested {dict(config)}, which are not the active parameters of the space")
    for parameter in present:
        value = config[parameter["name"]]
        if not _allows(parameter, value):
            raise RunFailed(f"the driver suggested {parameter['name']}={value!r}, outside of {dict(parameter)}")


def _is_active(parameter: Mapping[str, Any], config: Mapping[str, Any]) -> bool:
    """Where each parameter of a configuration is active."""
    conditions: Mapping[str, Sequence[Any]] = parameter.get("active_if", {})
    return all(name in config and config[name] in values for name, values in conditions.items())


def _allows(parameter: Mapping[str, Any], value: Any) -> bool:
    if parameter["type"] == "categorical":
        return value in parameter["choices"]
    if isinstance(value, bool) or not isinstance(value, int if parameter["type"] == "integer" else (int, float)):
        return False
    margin = _ROUNDING * (parameter["upper"] - parameter["lower"])
    return math.isfinite(value) and parameter["lower"] - margin <= value <= parameter["upper"] + margin
