"""`neps.report`: intermediate losses of the evaluation that runs now, kept until whoever evaluates takes them.

No file is touched here: who evaluates says how points are written, and `Reports` says when.
"""

from __future__ import annotations

import collections
import logging
import math
import os
import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from neps._evaluation.fence import check
from neps._evaluation.plain import as_number, text
from neps.errors import ArgumentError

__all__ = ["Reports", "Take", "report", "reported_elsewhere"]

_logger = logging.getLogger("neps.evaluation")
_SECONDS_BETWEEN_WRITES = 1.0
_MOST_UNWRITTEN = 100  # so that no call has to write a great many
_MAX_SHOWN = 200

Point = tuple[float, float]
Take = Callable[[float, float], object]
"""What takes a step and its loss."""


def report(step: float, loss: float) -> None:
    """Report an intermediate loss from inside run_pipeline: a point of the trial's learning curve.

    What was reported is stored with the trial's result, whether it succeeds or fails, unless run_pipeline returns a
    `learning_curve` of its own. Where the worker dies, it is kept for the attempt that goes on: what that reports for
    the same step replaces it. `neps status` shows the last report of a running trial.

    It costs a few microseconds: points are written to the trial's folder once a second, by the hundred, or before
    `neps.checkpoint.save` replaces a checkpoint. It may be
    called from any thread of the worker's process, as long as that evaluates one trial at a time, and from processes
    that run_pipeline starts or forks, which write each point at once (let one rank of several do so). Everywhere else
    (in a script that runs alone, between two evaluations) it does nothing, and says so to the logger `neps._evaluation`
    at level DEBUG: so a training script needs no second version.

    Args:
        step: how far training has come, finite and at least 0; best in units of the fidelity, counted from the very
            beginning (a trial that continues from epoch 3 reports epoch 4 next).
        loss: the loss there, any number; NaN and infinite ones are fine. Arrays and tensors of one element are numbers.

    Raises:
        neps.errors.ArgumentError: if one of them isn't such a number, inside an evaluation or not.
        neps.errors.TakenOverError: in other threads than run_pipeline's, if another worker has taken the trial over.
            run_pipeline itself is interrupted then.
        neps.errors.TimeLimitError: there and in child processes, if max_seconds_per_trial is over; the same.

    Example:
        >>> import neps, tempfile
        >>> def run_pipeline(rate):
        ...     for epoch in (1, 2):
        ...         neps.report(epoch, rate / epoch)
        ...     return rate / 2
        >>> root, space = tempfile.mkdtemp(), {"rate": neps.Constant(0.5)}
        >>> history = neps.run(run_pipeline, root, space, searcher="random_search", max_evaluations_total=1, seed=1)
        >>> history.best.learning_curve
        ((1.0, 0.5), (2.0, 0.25))
    """
    point = _step(step), _loss(loss)
    check()
    reports = _current()
    if reports is not None:
        reports.compare(*point)
    take = reports.add if reports is not None else _elsewhere()
    if take is None:
        _logger.debug("neps.report(%r, %r) does nothing: it was called outside of an evaluation", *point)
    else:
        take(*point)


class Reports:
    """What one evaluation reports; as a context manager, `report` goes here meanwhile.

    Args:
        write: takes points that were not written yet, in order; called from any thread, never twice at once. After an
            OSError the same points come again.
        tell: called with each point at once, in the thread that reports it; None if nobody needs to know.

    Example:
        >>> with Reports(lambda points: None) as reports:
        ...     report(1, 0.5)
        >>> reports.points
        {1.0: 0.5}
    """

    def __init__(self, write: Callable[[Sequence[Point]], object], tell: Take | None = None) -> None:
        self.points: dict[float, float] = {}
        """The last loss that was reported for each step."""
        self.process, self.thread = os.getpid(), threading.get_ident()
        self._write, self._tell = write, tell
        self._write_at = 0.0
        self._before: Point | None = None
        self._compared = False
        self._writing = threading.Lock()
        self._unwritten: collections.deque[Point] = collections.deque()

    def __enter__(self) -> Self:
        _active.append(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _active.remove(self)

    def compare(self, step: float, loss: float) -> None:
        """Say once that the arguments look swapped: losses count up, and steps fall or aren't whole."""
        before, self._before = self._before, (step, loss)
        if before is None or self._compared:
            return
        swapped = loss == before[1] + 1 and (step < before[0] or not step.is_integer())
        if swapped:
            self._compared = True
            _logger.warning(
                "neps.report got the step %g and the loss %g after the step %g and the loss %g. Are they swapped? "
                "It is neps.report(step, loss).",
                *(step, loss, *before),
            )

    def add(self, step: float, loss: float) -> None:
        """Take a point, and write it if the last write was long enough ago, or many have come since."""
        self.points[step] = loss
        self._unwritten.append((step, loss))
        if time.monotonic() >= self._write_at or len(self._unwritten) % _MOST_UNWRITTEN == 0:
            self.flush()
        if self._tell is not None:
            self._tell(step, loss)

    def flush(self) -> None:
        """Write what isn't written yet, unless another thread does: a full disk never fails an evaluation."""
        if not self._unwritten or not self._writing.acquire(blocking=False):
            return
        points: list[Point] = []
        try:
            self._write_at = time.monotonic() + _SECONDS_BETWEEN_WRITES
            while self._unwritten:
                points.append(self._unwritten.popleft())
            self._write(points)
            points = []
        except OSError as error:
            _logger.debug("Reported losses can't be written: %s. Trying again with the next.", error)
        finally:
            self._unwritten.extendleft(reversed(points))
            self._writing.release()


_active: list[Reports] = []
_finders: list[Callable[[], Take | None]] = []


def reported_elsewhere(find: Callable[[], Take | None]) -> None:
    """Have `find` say where reports go that are of no evaluation of this process; None is nowhere."""
    _finders[:] = [find]


def _elsewhere() -> Take | None:
    return _finders[0]() if _finders else None


def _current() -> Reports | None:
    """Of the calling thread's evaluations the innermost, or of the process's, where they are all of one thread."""
    process, thread = os.getpid(), threading.get_ident()
    active = [reports for reports in _active if reports.process == process]  # a forked child inherits its parent's
    own = [reports for reports in active if reports.thread == thread]
    if own:
        return own[-1]
    return active[-1] if len({reports.thread for reports in active}) == 1 else None


def _step(value: object) -> float:
    step = _number(value)
    if step is not None and math.isfinite(step) and step >= 0:
        return step
    raise ArgumentError(
        f"neps.report got the step {text(value, _MAX_SHOWN)} ({type(value).__name__}); a step must be a finite number "
        "of at least 0. Give the epochs (or whatever the fidelity counts) that training has done so far."
    )


def _loss(value: object) -> float:
    loss = _number(value)
    if loss is not None:
        return loss
    raise ArgumentError(
        f"neps.report got the loss {text(value, _MAX_SHOWN)} ({type(value).__name__}); a loss must be a number (NaN "
        "and infinity are allowed). Give the loss alone: neps.report(step, loss)."
    )


def _number(value: object) -> float | None:
    try:
        return as_number(value)
    except OverflowError:
        return None
