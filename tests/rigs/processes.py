"""Fleets of real worker processes: started at the same instant, frozen, killed, and never left behind.

The programs are Python source text or files and run unchanged; what they print lies in files. On Linux what they
started themselves is found and ended, too, also in other process groups. Called by tests.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import random
import select
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from rigs import barrier
from rigs.hosts import as_host
from rigs.waiting import wait_until

__all__ = ["Fleet", "Host", "Worker"]

_TESTS = Path(__file__).resolve().parents[1]
_MARK = "NEPS_TEST_WORKER"
_TEARDOWN_SECONDS = 60.0


@dataclasses.dataclass(frozen=True)
class Host:
    """Where a worker runs, if not on the real host: the arguments of `rigs.hosts.as_host`."""

    name: str
    boot: int = 0
    binds: Mapping[str | Path, str | Path] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Launch:
    """All that is needed to start a worker, and to start it again."""

    argv: Sequence[str]
    environment: Mapping[str, str]
    host: Host | None


class Worker:
    """One process of a fleet, and what it started."""

    def __init__(self, name: str, launch: Launch, process: subprocess.Popen[bytes], output: Path, mark: str) -> None:
        """Made by `Fleet.start`."""
        self.name = name
        self.launch = launch
        self.pid = process.pid
        self._process = process
        self._output = output
        self._mark = mark

    def __repr__(self) -> str:
        """Its name, program and state."""
        return f"<Worker {self.name}, pid {self.pid}, exit code {self.exit_code}>"

    @property
    def exit_code(self) -> int | None:
        """None while it runs; -9 after SIGKILL."""
        return self._process.poll()

    @property
    def stdout(self) -> str:
        """What it has printed so far."""
        return self._output.with_suffix(".out").read_text(errors="replace")

    @property
    def stderr(self) -> str:
        """What it has printed to standard error so far."""
        return self._output.with_suffix(".err").read_text(errors="replace")

    def signal(self, number: int) -> None:
        """Sends a signal to this process alone; a host hands it on to its command."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL to this process alone; on a host that ends all of it. Returns when that is dead."""
        self.signal(signal.SIGKILL)
        self._process.wait(_TEARDOWN_SECONDS)
        if self.launch.host:
            wait_until(lambda: not _marked(self._mark), _TEARDOWN_SECONDS, f"the end of host {self.launch.host.name}")

    def freeze(self) -> None:
        """SIGSTOP to this process and all that it started. Returns when they have stopped."""

        def all_stopped() -> bool:
            self._signal_all(signal.SIGSTOP)
            return not _marked(self._mark, states="RS")  # D waits in the kernel, and stops before it runs again

        wait_until(all_stopped, _TEARDOWN_SECONDS, f"the freezing of {self}")

    def thaw(self) -> None:
        """SIGCONT to all that `freeze` stopped."""
        self._signal_all(signal.SIGCONT)

    def wait(self, timeout_seconds: float) -> int:
        """Waits for its end and returns its exit code.

        Raises:
            AssertionError: it still runs; the message shows where, and what it wrote to standard error.
        """
        try:
            return self._process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            stack = self._end_with_traceback()
            raise AssertionError(f"{self} still ran after {timeout_seconds:g} s. Its stderr:\n{stack}") from None

    def destroy(self) -> None:
        """SIGKILL to this process and all that it started, in whatever group or session. Returns when they are dead."""

        def all_dead() -> bool:
            self._signal_all(signal.SIGKILL)
            return self._process.poll() is not None and not _marked(self._mark)

        wait_until(all_dead, _TEARDOWN_SECONDS, f"the end of {self} and what it started")

    def _signal_all(self, number: int) -> None:
        if self._process.poll() is None:  # then its group, which has its pid as number, is surely its own still
            os.killpg(self.pid, number)
        for pid in _marked(self._mark):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def _end_with_traceback(self) -> str:
        """Python answers SIGABRT by a traceback on stderr, as PYTHONFAULTHANDLER is set."""
        self.thaw()
        host_process = {self.pid} if self.launch.host else set[int]()  # its death would take the others' words away
        for pid in set(_marked(self._mark)) - host_process:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGABRT)
        with contextlib.suppress(AssertionError):
            wait_until(lambda: not _marked(self._mark), 2, "tracebacks")
        return self.stderr


class Fleet:
    """Starts workers and answers for their end: a context manager that leaves no process behind."""

    def __init__(self, folder: Path, rng: random.Random) -> None:
        """Programs and outputs go into the existing `folder`; `rng` chooses victims and moments of `disturb`."""
        self.workers: list[Worker] = []
        self._folder = folder
        self._rng = rng
        self._token = uuid.uuid4().hex
        self._unready: dict[Worker, int] = {}
        self._go_read, self._go_write = os.pipe()

    def __enter__(self) -> Self:
        """Nothing is started yet."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Destroys whatever is left of all workers; each is tried, however the others end."""
        with contextlib.ExitStack() as stack:
            for descriptor in (self._go_read, *self._unready.values()):
                stack.callback(os.close, descriptor)
            stack.callback(self._fire)
            for worker in self.workers:
                stack.callback(worker.destroy)
            for worker in self.workers:  # all at once first: one may be stuck in the kernel behind another
                worker.signal(signal.SIGKILL)

    def start(
        self,
        program: str | Path,
        *arguments: str | Path,
        environment: Mapping[str, str] | None = None,
        host: Host | None = None,
    ) -> Worker:
        """Starts one worker.

        Args:
            program: Python source text, or the path of a Python file. It may call `rigs.barrier.await_start()` once.
            *arguments: its `sys.argv[1:]`.
            environment: added to this process's.
            host: where it runs; None is here.
        """
        path = program if isinstance(program, Path) else self._folder / f"program{len(self.workers)}.py"
        if isinstance(program, str):
            path.write_text(program)
        argv = [sys.executable, str(path), *map(str, arguments)]
        return self.launch(Launch(argv, dict(environment or {}), host))

    def launch(self, launch: Launch) -> Worker:
        """Starts any command, or another worker like an earlier one (`launch(worker.launch)`)."""
        name = f"worker{len(self.workers)}"
        output, mark = self._folder / name, f"{self._token}/{name}"
        ready_read, ready_write = os.pipe()
        own = {_MARK: mark, barrier.READY: str(ready_write), barrier.GO: str(self._go_read), "PYTHONFAULTHANDLER": "1"}
        own["PYTHONPATH"] = os.pathsep.join(filter(None, [str(_TESTS), os.environ.get("PYTHONPATH")]))
        host, argv = launch.host, launch.argv
        with output.with_suffix(".out").open("wb") as out, output.with_suffix(".err").open("wb") as err:
            process = subprocess.Popen(
                as_host(host.name, argv, host.boot, host.binds) if host else argv,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env={**os.environ, **own, **launch.environment},
                pass_fds=(ready_write, self._go_read),
                start_new_session=True,
            )
        os.close(ready_write)
        worker = Worker(name, launch, process, output, mark)
        self.workers.append(worker)
        self._unready[worker] = ready_read
        return worker

    def release(self, deadline_seconds: float = 120.0) -> None:
        """Waits until all workers are in `await_start()`, and lets them go at the same instant.

        Workers started later don't wait.

        Raises:
            AssertionError: one ended, or wasn't there in time.
        """
        end = time.monotonic() + deadline_seconds
        for worker, descriptor in self._unready.items():
            readable, _, _ = select.select([descriptor], [], [], max(0.0, end - time.monotonic()))
            if not readable or os.read(descriptor, 1) != b"!":
                raise AssertionError(f"{worker} never called await_start(). Its stderr:\n{worker.stderr}")
        self._fire()

    def wait_all(self, timeout_seconds: float) -> list[int]:
        """Waits for the end of all workers and returns their exit codes, in order of their start."""
        end = time.monotonic() + timeout_seconds
        return [worker.wait(max(0.0, end - time.monotonic())) for worker in self.workers]

    def disturb(
        self,
        until: Callable[[], object],
        deadline_seconds: float,
        *,
        seconds_between: tuple[float, float] = (0.05, 0.3),
        kinds: Sequence[str] = ("kill", "freeze"),
    ) -> list[str]:
        """Kills or freezes random workers at random moments, until `until()` is true.

        A killed worker is replaced by a new one like it; a frozen one is thawed one moment later.

        Args:
            until: asked before each disturbance.
            deadline_seconds: after so long the test fails.
            seconds_between: bounds of the random pause before each disturbance, and of a freeze's length.
            kinds: what to choose from, out of `kill` and `freeze`.

        Returns:
            What was done, in order, such as `kill worker3`.
        """
        end, done = time.monotonic() + deadline_seconds, list[str]()
        while not until():
            if time.monotonic() >= end:
                raise AssertionError(f"not finished after {deadline_seconds:g} s and these disturbances: {done}")
            time.sleep(self._rng.uniform(*seconds_between))
            running = [worker for worker in self.workers if worker.exit_code is None]
            if running:
                victim, kind = self._rng.choice(running), self._rng.choice(kinds)
                self._disturb_one(victim, kind, self._rng.uniform(*seconds_between))
                done.append(f"{kind} {victim.name}")
        return done

    def _disturb_one(self, victim: Worker, kind: str, seconds: float) -> None:
        if kind == "kill":
            victim.kill()
            self.launch(victim.launch)
        else:
            victim.freeze()
            time.sleep(seconds)
            victim.thaw()

    def _fire(self) -> None:
        if self._go_write >= 0:
            os.close(self._go_write)
            self._go_write = -1


def _marked(mark: str, states: str = "RSDTt") -> list[int]:
    """The living processes that a worker consists of, by the mark in their environment (on Linux; none elsewhere)."""
    wanted, found = f"{_MARK}={mark}".encode(), list[int]()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if wanted in (process / "environ").read_bytes().split(b"\0"):
                state = (process / "stat").read_text().rpartition(")")[2].split()[0]
                found += [int(process.name)] if state in states else []
    return found
