"""Progress while a worker runs: one line on standard error, drawn when something has changed. Called by `neps.run`.

What the line says stands here, and when it's drawn; how it stays below everything else on a terminal is in `live_line`.
Elsewhere than on a terminal it's a plain line, seldom. It never fails the worker.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import math
import queue
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any, TextIO

from neps import _ranking as ranking
from neps._budget import Budget, Improvement
from neps._fidelity import fidelity_run
from neps._ledger.incumbent import Incumbent
from neps._ledger.view import View
from neps._listing import counted
from neps._trial import Trial
from neps._views.live_line import LiveLine, is_terminal
from neps._views.saying import say
from neps._views.wording import best_words, loss_words
from neps.errors import ArgumentError

__all__ = ["Display", "check_progress", "progress_display"]

_logger = logging.getLogger("neps.views")
_SECONDS_ON_TERMINAL = 0.2
_SECONDS_ELSEWHERE = 10.0
_SECONDS_WITHOUT_PLACE = 1.0
_SHARE = 50
"""Between two lines pass at least that many times what one takes: in a large run that is no longer nothing."""
_PATIENCE = 1.0
_EVALUATING, _WAITING = "evaluating ", "waiting for "
_WIDE = 100
"""Columns of a terminal that has room for whole words."""
_Latest = tuple[View, str, float, tuple[float, float] | None]
"""What a worker does, since when, and what was tried since the best result, as `Improvement.tried`."""


def check_progress(progress: Any) -> bool:
    """Whether `progress` asks for a display: True, False, or "auto": where standard error is a terminal.

    Raises:
        ArgumentError: if it is anything else.
    """
    if isinstance(progress, str) and progress == "auto":
        return is_terminal(sys.stderr)
    if not isinstance(progress, bool):
        message = f'progress is {progress!r}; it must be True, False, or "auto" (a line where stderr is a terminal).'
        raise ArgumentError(message)
    return progress


class Display:
    """What to tell of a worker's state. This one shows nothing."""

    def update(self, view: View, what: str) -> None:
        """The worker now does something else. Costs about a microsecond: a thread draws."""

    def follow(self, incumbent: Incumbent | None = None, improvement: Improvement | None = None) -> None:
        """What a view doesn't know: others' losses, where the worker's has none, and what was tried since the best."""

    def stop(self) -> None:
        """Nothing more comes."""


@contextlib.contextmanager
def progress_display(progress: Any, budget: Budget, fidelity: str | None = None) -> Iterator[Display]:
    """Show how the run goes on.

    Args:
        progress: as of `check_progress`.
        budget: what may be spent.
        fidelity: the name of the parameter, where the space has exactly one.
    """
    shown = check_progress(progress) and sys.stderr is not None  # it is None where a process starts without one
    display = Display()
    if shown:
        with contextlib.suppress(RuntimeError, MemoryError):  # no more threads
            display = _Shown(budget, fidelity, sys.stderr)
    try:
        yield display
    finally:
        display.stop()


class _Shown(Display):
    """Draws the latest state: after it has changed, and after somebody else has written."""

    def __init__(self, budget: Budget, fidelity: str | None, stream: TextIO) -> None:
        self._budget, self._fidelity, self._stream = budget, fidelity, stream
        self._latest: _Latest | None = None
        self._incumbent: Incumbent | None = None
        self._improvement: Improvement | None = None
        self._changed, self._stopping = _Flag(), _Flag()
        self._line: LiveLine | None = None
        with contextlib.suppress(Exception):  # whatever a stand-in for a stream does, the search goes on
            self._line = LiveLine.on(stream, self._changed.set)
        self._thread = threading.Thread(target=self._run, name="neps-progress", daemon=True)
        try:
            self._thread.start()
        except BaseException:
            if self._line is not None:
                self._line.close()
            raise

    def update(self, view: View, what: str) -> None:
        improvement = self._improvement  # its worker's thread changes it, which is this one
        self._latest = view, what, time.time(), improvement.tried if improvement is not None else None
        self._changed.set()

    def follow(self, incumbent: Incumbent | None = None, improvement: Improvement | None = None) -> None:
        self._incumbent = incumbent
        self._improvement = improvement if self._budget.has_patience else None

    def stop(self) -> None:
        """A stream that doesn't take the last state must not hold the worker up."""
        self._stopping.set()
        self._changed.set()
        self._thread.join(_PATIENCE)
        if self._line is not None:
            self._line.close()

    def _run(self) -> None:
        try:
            if self._line is not None:
                self._keep_drawing(self._line)
            else:
                self._keep_printing()
        except Exception:  # whatever a display meets, the search goes on
            _logger.debug("The progress display failed, and was switched off", exc_info=True)
        finally:
            if self._line is not None:
                self._line.close()

    def _keep_drawing(self, line: LiveLine) -> None:
        drawing, has_place = _Drawing(line, self._stream), True
        while not self._stopping.is_set():
            self._changed.wait(None if has_place else _SECONDS_WITHOUT_PLACE)
            self._changed.clear()
            if (latest := self._latest) is None or self._stopping.is_set():
                continue
            began = time.monotonic()
            has_place = drawing.draw(self._state(*latest), began)
            self._pause(_SECONDS_ON_TERMINAL, began)
            self._catch_up(_SECONDS_ON_TERMINAL)

    def _keep_printing(self) -> None:
        """The first line comes late, and the last state is left to who says how all has ended."""
        self._pause(_SECONDS_ELSEWHERE, time.monotonic())
        while not self._stopping.is_set():
            self._catch_up(_SECONDS_ON_TERMINAL)
            self._changed.wait()
            self._changed.clear()
            if (latest := self._latest) is None or self._stopping.is_set():
                continue
            began, state = time.monotonic(), self._state(*latest)
            say(self._stream, f"neps: {state.forms()[0]} ({state.clock})")
            self._pause(_SECONDS_ELSEWHERE, began)

    def _pause(self, least: float, began: float) -> None:
        self._stopping.wait(max(least, _SHARE * (time.monotonic() - began)))

    def _catch_up(self, pause: float) -> None:
        """While nothing happens, read on until the run's best is known: in a large run not before the first line."""
        incumbent = self._incumbent
        while incumbent is not None and not (incumbent.complete or self._changed.is_set()):
            began = time.monotonic()
            incumbent.read_on()
            if incumbent.complete:
                self._changed.set()
            self._pause(pause, began)

    def _state(self, view: View, what: str, when: float, tried: tuple[float, float] | None) -> _State:
        """The worker's thread may change the view meanwhile; copying its values is atomic."""
        spent = fidelity = None
        if self._budget.max_cost_total is not None:
            spent = math.fsum(trial.spent for trial in list(view.trials.values()))
        if self._budget.max_fidelity_total is not None:
            begun = [each.trial for each in list(view.pending.values())]
            fidelity = fidelity_run([*begun, *list(view.trials.values())])
        (best, best_briefly), (ended, running) = self._best_words(view), self._numbers(view)
        untold = len(view.untold)
        return _State(
            budget=self._budget,
            ended=ended,
            failed=view.failures,
            running=running - untold,
            untold=untold,
            spent=spent,
            fidelity=fidelity,
            best=best,
            best_briefly=best_briefly,
            what=what,
            when=when,
            tried=tried,
        )

    def _numbers(self, view: View) -> tuple[int, int]:
        """How many trials have ended, and how many run."""
        running = sum(not pending.waits for pending in list(view.pending.values()))
        if (incumbent := self._incumbent) is None or not incumbent.complete:
            return view.ended, running
        ended = max(view.ended, len(incumbent.succeeded) + view.failures)
        begun = view.numbers.frontier - 1 - (len(view.pending) - running)
        return ended, max(running, begun - ended)

    def _best_words(self, view: View) -> tuple[str, str]:
        """The best so far, and the same briefly."""
        best, not_finite = self._best(view)
        if best is None and not not_finite:
            return "", ""
        briefly = f"best {loss_words(best, self._fidelity, 4)}" if best else "no finite loss"
        return best_words(best, self._fidelity, not_finite), briefly

    def _best(self, view: View) -> tuple[Trial | None, int]:
        """The run's incumbent, if its loss is finite, and how many losses are not, where none is."""
        best, not_finite = view.best, 0
        if (incumbent := self._incumbent) is not None:
            incumbent.read_on()
            if not incumbent.complete:
                return None, 0
            not_finite = len(incumbent.without_loss)
            best = ranking.best([best, incumbent.best])
        elif best is None:
            not_finite = sum(trial.succeeded for trial in list(view.trials.values()))
        return (best, 0) if best is not None else (None, not_finite)


class _Drawing:
    """Draws states on a live line, and remembers of each whether it has been tried before."""

    def __init__(self, line: LiveLine, stream: TextIO) -> None:
        self._line, self._stream = line, stream
        self._said, self._tried, self._first_tried = "", -math.inf, 0.0

    def draw(self, state: _State, now: float) -> bool:
        """Draw one; False if it has no place now. What is waited for is said once, where it doesn't fit."""
        text, is_whole = state.fitting(self._line.columns)
        if not is_whole and state.what != self._said and state.what.startswith(_WAITING):
            self._said = state.what
            say(self._stream, f"neps: {state.what}")
        if state.when != self._tried:
            self._tried, self._first_tried = state.when, now
        # What an evaluation has left of a line is ended after it; but somebody may just be writing one.
        insist = self._line.begun < state.when and now - self._first_tried >= _SECONDS_WITHOUT_PLACE
        return self._line.draw(text, state.since, insist=insist)


class _Flag:
    """An event for one who waits. It is set by whoever prints, also by a signal handler that interrupts just that.

    `threading.Event.set` would wait for itself there, or, where the handler raises, leave its lock taken.
    """

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[None] = queue.SimpleQueue()

    def is_set(self) -> bool:
        return not self._queue.empty()

    def set(self) -> None:
        if not self.is_set():
            self._queue.put(None)

    def wait(self, seconds: float | None = None) -> None:
        with contextlib.suppress(queue.Empty):
            self._queue.get(timeout=seconds)
            self._queue.put(None)

    def clear(self) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                self._queue.get_nowait()


@dataclasses.dataclass(frozen=True, kw_only=True)
class _State:
    """What the line says, in an order in which the end can be missed most."""

    budget: Budget
    ended: int
    failed: int
    running: int
    untold: int = 0
    spent: float | None
    fidelity: float | None
    best: str
    best_briefly: str
    what: str
    when: float
    tried: tuple[float, float] | None = None

    @property
    def clock(self) -> str:
        return time.strftime("%H:%M:%S", time.localtime(self.when))

    @property
    def since(self) -> str:
        return f"since {self.clock}"

    def forms(self) -> tuple[str, str, str]:
        """In whole words, briefly, and as briefly as can be."""
        most = self.budget.max_evaluations_total
        most = most if most is not None and most >= self.ended else None  # a later budget may be lower
        ended = f"{counted(self.ended, 'trial')} ended" if most is None else f"{self.ended} of {most} trials ended"
        briefly = f"{self.ended} ended" if most is None else f"{self.ended}/{most} ended"
        full = [*self._parts(ended, " of ", self.best), *self._patience(" of ", " without improvement"), self.what]
        parts = [*self._parts(briefly, "/", self.best_briefly), *self._patience("/", " unimproved")]
        brief, briefest = [*parts, self.what], [*parts, self.what.removeprefix(_EVALUATING)]
        return " · ".join(full), " · ".join(brief), " · ".join(briefest)

    def _parts(self, ended: str, of: str, best: str) -> list[str]:
        parts = [ended + (f" ({self.failed} failed)" if self.failed else "")]
        if self.spent is not None:
            parts.append(f"cost {self.spent:g}{of}{self.budget.max_cost_total:g}")
        if self.fidelity is not None:
            parts.append(f"fidelity {self.fidelity:g}{of}{self.budget.max_fidelity_total:g}")
        if self.running:
            parts.append(f"{self.running} running")
        if self.untold:
            parts.append(f"{self.untold} waiting for neps.tell")
        if best:
            parts.append(best)
        if self.budget.target_loss is not None:
            parts.append(f"target {self.budget.target_loss:g}")
        return parts

    def _patience(self, of: str, unimproved: str) -> Iterator[str]:
        """How much of it is used up."""
        evaluations, cost = self.tried or (0.0, 0.0)
        if self.tried and self.budget.patience is not None:
            yield f"{evaluations:.4g}{of}{self.budget.patience}{unimproved}"
        if self.tried and self.budget.patience_cost is not None:
            yield f"cost {cost:g}{of}{self.budget.patience_cost:g}{unimproved}"

    def fitting(self, columns: int) -> tuple[str, bool]:
        """The form for a terminal of this width, so that it doesn't change with each state; and whether it fits."""
        full, *brief = self.forms()
        fitting = [form for form in ([full, *brief] if columns >= _WIDE else brief) if len(form) < columns]
        return (fitting[0], True) if fitting else (brief[-1], False)
