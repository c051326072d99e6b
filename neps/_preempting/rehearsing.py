"""The user's script as a process of its own that works in a rehearsal: started, signalled, started again."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from neps._distributed.starting import kill_all, torchrun
from neps._ledger.rehearsal import VARIABLE

__all__ = ["Script"]

_LINES = 15


class Script:
    """A script and its arguments; whatever of it runs at the end of `with` is killed.

    Args:
        arguments: the script and what comes behind it.
        rehearsal: an existing folder for the roots and for what the script prints.
        ranks: how many processes it has, started by torchrun; None: it is one.
    """

    def __init__(self, arguments: Sequence[str], rehearsal: Path, ranks: int | None = None) -> None:
        self.rehearsal = rehearsal
        self.output = rehearsal / "output.txt"
        self._command = [*torchrun(sys.executable, ranks, restarts=0), *arguments]
        self._launch = f"preempt-test-{secrets.token_hex(8)}"  # so that a script which overwrites joins its own run
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.kill()

    def start(self) -> None:
        """Start it (again)."""
        environment = {**os.environ, VARIABLE: str(self.rehearsal), "NEPS_RUN_TOKEN": self._launch}
        with self.output.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603 - the user's own script, as they would start it
                self._command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def exit_code(self) -> int | None:
        """None while it runs; -N if signal N ended it."""
        return self._process.poll() if self._process is not None else None

    @property
    def runs(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def signal(self, signum: int) -> None:
        """Send a signal to it and to all in its process group, as schedulers do."""
        if self._process is not None and self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signum)

    def ends_within(self, seconds: float) -> float | None:
        """After how many seconds it has ended; None if it still runs after so many."""
        began = time.monotonic()
        with contextlib.suppress(subprocess.TimeoutExpired):
            if self._process is not None:
                self._process.wait(seconds)
            return time.monotonic() - began
        return None

    def kill(self) -> None:
        """SIGKILL to all of it, as when a node is lost. Returns when it is dead."""
        if self._process is not None and self._process.poll() is None:
            kill_all(self._process.pid)
        self.signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()

    def last_lines(self) -> str:
        """The last that it has printed."""
        lines = self.output.read_text(encoding="utf-8", errors="replace").splitlines() if self.output.exists() else []
        return "\n".join(f"    {line}" for line in lines[-_LINES:])
