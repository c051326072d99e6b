"""Workers as processes of this machine, each with its share of it: started, signalled, and waited for.

They live no longer than the process that has started them. What each gets, `shares` says.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from neps._distributed.starting import handed_on, kill_all
from neps._launching import entry
from neps._launching.plan import TOKEN, Plan
from neps._launching.shares import Share

__all__ = ["Workers", "described"]

_HANDED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
_REPEAT_SECONDS = 1.0
"""A terminal, srun and timeout may signal twice at once; that is one signal."""
_PATIENCE = {signal.SIGINT: 15.0}
_OTHER_PATIENCE = 45.0
"""A worker ends within 5 s of a second SIGINT, and within 30 s of another second signal; then it is killed."""


def described(plan: Plan, share: Share, index: int) -> str:
    """How one worker would be started, as a line for people."""
    said = {TOKEN: plan.token, **share.environment(os.environ, plan.ranks or 1)}
    variables = " ".join(f"{name}={value}" for name, value in said.items())
    bound = f" on cores {','.join(map(str, share.cores))}" if share.bound else ""
    return f"{index}: {variables} {shlex.join(plan.command)}{bound} > {_log(plan, index)}"


def _log(plan: Plan, index: int) -> Path:
    return plan.logs / f"{_stamp()}_{index}.log"


def _stamp() -> str:
    """Of this launch: no two processes have a pid within the same second."""
    return f"local-{time.strftime('%Y%m%d-%H%M%S', time.localtime(_BEGAN))}-{os.getpid()}"


_BEGAN = time.time()


@dataclasses.dataclass(slots=True)
class _Received:
    """The signals that this process was sent: the first, and whether a second has come."""

    first: int | None = None
    at: float = 0.0
    again: float | None = None


class Workers:
    """Workers that run; a context manager that ends with none of them left.

    Args:
        plan: what they run.
        shares: of each, in order.
    """

    def __init__(self, plan: Plan, shares: Sequence[Share]) -> None:
        self.logs = {str(index): _log(plan, index) for index in range(len(shares))}
        self.received = _Received()
        self._plan, self._shares = plan, shares
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    @contextmanager
    def started(self) -> Iterator[None]:
        """All are started; at the end, none is left, and signals act as before."""
        before = {signum: signal.signal(signum, self._hand_on) for signum in _HANDED_ON}
        try:
            self._plan.logs.mkdir(parents=True, exist_ok=True)
            for index, share in enumerate(self._shares):
                self._processes[str(index)] = self._start(index, share)
                if self.received.first is not None:  # before this one was there
                    self._send(self._processes[str(index)], self.received.first)
            yield
        finally:
            self._end()
            for signum, action in before.items():
                signal.signal(signum, action)

    def _start(self, index: int, share: Share) -> subprocess.Popen[bytes]:
        said = {**self._plan.environment, **share.environment(os.environ, self._plan.ranks or 1)}
        cores = ",".join(map(str, share.cores)) if share.bound else ""
        own = [sys.executable, "-I", "-S", entry.__file__, str(os.getpid()), cores]
        with self.logs[str(index)].open("ab") as log:
            return subprocess.Popen(  # noqa: S603 - the user's own script
                [*own, *self._plan.command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **said},
                start_new_session=True,  # a terminal's Ctrl-C comes to this process, which hands it on, once
            )

    def states(self) -> Mapping[str, str]:
        """How each stands, in a word."""
        self._end_what_outlasts()
        return {name: _state(process.poll()) for name, process in self._processes.items()}

    @staticmethod
    def are_over(states: Mapping[str, str]) -> bool:
        """Whether all have ended, by their states."""
        return "runs" not in states.values()

    @property
    def failed(self) -> dict[str, str]:
        """Those that have ended otherwise than with status 0."""
        return {name: _state(process.poll()) for name, process in self._processes.items() if process.poll()}

    def _hand_on(self, signum: int, _: FrameType | None) -> None:
        now, received = time.monotonic(), self.received
        if received.first is None:
            received.first, received.at = signum, now
        elif now - received.at >= _REPEAT_SECONDS:
            received.again = received.again or now
        else:
            return
        for process in self._processes.values():
            if process.returncode is None:
                self._send(process, signum)

    def _send(self, process: subprocess.Popen[bytes], signum: int) -> None:
        process.send_signal(handed_on(signum, self._plan.ranks))

    def _end(self) -> None:
        """Have those that still run hand their trials back, and kill what is left after that."""
        running = [process for process in self._processes.values() if process.poll() is None]
        for process in running:
            process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + _OTHER_PATIENCE
        for process in running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, deadline - time.monotonic()))
            if process.poll() is None:
                kill_all(process.pid)
            process.wait()

    def _end_what_outlasts(self) -> None:
        """Kill what a second signal has not ended in time."""
        first, again = self.received.first, self.received.again
        if first is None or again is None:
            return
        patience = _PATIENCE.get(signal.Signals(first), _OTHER_PATIENCE)
        if time.monotonic() - again > patience:
            for process in self._processes.values():
                if process.poll() is None:
                    kill_all(process.pid)


def _state(status: int | None) -> str:
    if status is None:
        return "runs"
    if status < 0:
        return f"ended by {signal.Signals(-status).name}"
    return "ended" if status == 0 else f"failed with status {status}"
