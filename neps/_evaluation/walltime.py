"""When the job ends that this process runs in: NEPS_JOB_END_TIME, else what SLURM says. Elsewhere nothing is known.

An end is a time of the wall clock. It is read once, and from then on counted by the monotonic clock, so a clock that
jumps later changes nothing. SLURM's controller is asked in a thread: nobody waits for it, and it never fails anything.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import re
import threading
import time
from collections.abc import Mapping

__all__ = ["WALLTIME", "Walltime"]

_logger = logging.getLogger("neps.evaluation")
_END, _JOB = "NEPS_JOB_END_TIME", "SLURM_JOB_ID"
_START_OF_SLURM, _END_OF_SLURM = "SLURM_JOB_START_TIME", "SLURM_JOB_END_TIME"
_NEVER = "never"
_SHORT = 600.0
"""So near to its end, a job may have been given more time meanwhile (`scontrol update`)."""
_LOOK_AGAIN, _LOOK_AGAIN_IN_VAIN = 60.0, 3600.0
_SECONDS_TO_ANSWER = 10.0
_TIMES = re.compile(r"\b(StartTime|EndTime)=(\S+)")


class Walltime:
    """How much is left of the time that this process's job has.

    Args:
        environment: the process's.

    Example:
        >>> Walltime({}).left() is None, Walltime({"NEPS_JOB_END_TIME": str(time.time() + 100)}).left() > 90
        (True, True)
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        clock = time.monotonic()
        self._offset = clock - time.time()
        self._begins, self._ends = clock, math.inf
        self._job: str | None = None
        if own := environment.get(_END, "").strip():
            self._set(None, _seconds(own))
            if math.isinf(self._ends) and own != _NEVER:
                _logger.warning(
                    "%s=%s is ignored: it must be the Unix time, in seconds, at which this job ends, later than now. "
                    'Set it to "$(( $(date +%%s) + 4 * 3600 ))" for a job of four hours, or to %s.',
                    *(_END, own, _NEVER),
                )
        elif job := environment.get(_JOB, "").strip():
            self._job = job
            self._set(_seconds(environment.get(_START_OF_SLURM)), _seconds(environment.get(_END_OF_SLURM)))
        self._look_at = clock if math.isinf(self._ends) else clock + _LOOK_AGAIN
        self._looking = threading.Lock()

    def left(self) -> float | None:
        """Seconds until the job ends; None while no end is known. It costs next to nothing."""
        if self._job is not None:
            now = time.monotonic()
            if now >= self._look_at and (math.isinf(self._ends) or self._ends - now < _SHORT):
                self._ask(self._job)
        return self.known

    @property
    def known(self) -> float | None:
        """The same, and nobody is asked: in a handler of signals, no thread may be started."""
        return None if math.isinf(self._ends) else self._ends - time.monotonic()

    def latest(self) -> float | None:
        """The same, after SLURM was asked where that is due, and has answered: for decisions that end a worker."""
        if self._job is not None and self._looking.acquire(timeout=_SECONDS_TO_ANSWER):
            if time.monotonic() >= self._look_at:
                self._look(self._job)
            else:
                self._looking.release()
        return self.known

    @property
    def may_end(self) -> bool:
        """Whether an end is known, or may come to be known."""
        return self._job is not None or self.known is not None

    @property
    def whole(self) -> float:
        """How many seconds the job has from its start to its end, as far as that is known."""
        return self._ends - self._begins

    def _set(self, start: float | None, end: float | None) -> None:
        """Take times of the wall clock. An end that is over is another job's, or the clock is wrong."""
        if end is not None and end + self._offset > time.monotonic():
            self._ends = end + self._offset
            if start is not None:
                self._begins = min(self._begins, start + self._offset)

    def _ask(self, job: str) -> None:
        if not self._looking.acquire(blocking=False):
            return
        try:
            threading.Thread(target=self._look, args=(job,), name="neps-walltime", daemon=True).start()
        except (RuntimeError, MemoryError):  # no more threads
            self._looking.release()

    def _look(self, job: str) -> None:
        self._look_at = time.monotonic() + _LOOK_AGAIN_IN_VAIN
        try:
            start, end = _of_slurm(job)
            self._set(start, end)
            if end is not None:
                self._look_at = time.monotonic() + _LOOK_AGAIN
        finally:
            self._looking.release()


def _of_slurm(job: str) -> tuple[float | None, float | None]:
    """When a job began and when it ends, by SLURM's controller, each None where that isn't said."""
    import subprocess  # not before somebody's job needs it

    command = ["scontrol", "--oneliner", "show", "job", job]
    environment = {**os.environ, "SLURM_TIME_FORMAT": "%s"}  # Unix seconds; older versions ignore it
    said = ""
    with contextlib.suppress(OSError, ValueError, subprocess.SubprocessError):
        said = subprocess.run(  # noqa: S603 - an argument list, no shell
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SECONDS_TO_ANSWER,
            check=False,
        ).stdout
    times = {name: _seconds(value) for name, value in _TIMES.findall(said)}
    return times.get("StartTime"), times.get("EndTime")


def _seconds(said: str | None) -> float | None:
    """Unix seconds, from such or from a local time as SLURM writes it; None for anything else, such as Unknown.

    Example:
        >>> _seconds("1795809600"), _seconds("Unknown"), _seconds(None)
        (1795809600.0, None, None)
    """
    with contextlib.suppress(ValueError):
        seconds = float(said or "")
        return seconds if math.isfinite(seconds) else None
    with contextlib.suppress(ValueError, OverflowError):
        return time.mktime(time.strptime(said or "", "%Y-%m-%dT%H:%M:%S"))
    return None


WALLTIME = Walltime(os.environ)
"""That of this process."""
