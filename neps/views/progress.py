"""Progress while a worker runs: one line on standard error, drawn when something has changed. Called by `neps.run`.

It never fails the worker, and leaves the streams alone: what run_pipeline prints goes where it always goes.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, TextIO

from neps.budget import Budget
from neps.errors import ArgumentError
from neps.fidelity import fidelity_run
from neps.ledger.view import View

__all__ = ["check_progress", "progress_display"]

_logger = logging.getLogger("neps.views")
_SECONDS_ON_TERMINAL = 0.2
_SECONDS_ELSEWHERE = 10.0
_SHARE = 50
"""Between two lines pass at least that many times what one takes: in a large run that is no longer nothing."""
_PATIENCE = 1.0


def check_progress(progress: Any) -> bool:
    """Whether `progress` asks for a display: True, False, or "auto": where standard error is a terminal.

    Raises:
        ArgumentError: if it is anything else.
    """
    if isinstance(progress, str) and progress == "auto":
        return _is_terminal(sys.stderr)
    if not isinstance(progress, bool):
        message = f'progress is {progress!r}; it must be True, False, or "auto" (a line where stderr is a terminal).'
        raise ArgumentError(message)
    return progress


@contextlib.contextmanager
def progress_display(progress: Any, budget: Budget) -> Iterator[Callable[[View, str], None]]:
    """Show how the run goes on; yields what to call, with the worker's view and what it does now, when that changes.

    A call costs about a microsecond: a thread draws. It draws only after a call, and not each second, since anything
    that is drawn in the middle of an evaluation tears the user's own output apart.
    """
    if not check_progress(progress) or sys.stderr is None:  # it is None where a process starts without one
        yield lambda _view, _what: None
        return
    display = _Display(budget, sys.stderr)
    try:
        yield display.update
    finally:
        display.stop()


class _Display:
    """Draws the latest state, and the last one when it is stopped."""

    def __init__(self, budget: Budget, stream: TextIO) -> None:
        self._budget, self._stream = budget, stream
        self._latest: tuple[View, str, float] | None = None
        self._changed, self._stopping = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="neps-progress", daemon=True)
        self._thread.start()

    def update(self, view: View, what: str) -> None:
        """The worker now does something else."""
        self._latest = view, what, time.time()
        self._changed.set()

    def stop(self) -> None:
        """Draw the last state. A stream that doesn't take it must not hold the worker up."""
        self._stopping.set()
        self._changed.set()
        self._thread.join(_PATIENCE)

    def _run(self) -> None:
        try:
            if _is_terminal(self._stream) and os.environ.get("TERM") != "dumb":
                self._keep_drawing(_terminal_line(self._stream), _SECONDS_ON_TERMINAL)
                if self._latest:
                    self._stream.write("\n")
            else:
                self._keep_drawing(lambda text: print(text, file=self._stream, flush=True), _SECONDS_ELSEWHERE)
        except Exception:  # whatever a display meets, the search goes on
            _logger.debug("The display of progress has ended early", exc_info=True)

    def _keep_drawing(self, draw: Callable[[str], None], pause: float) -> None:
        last = False
        while not last:
            self._changed.wait()
            self._changed.clear()
            last = self._stopping.is_set()
            began = time.monotonic()
            if self._latest:
                draw(_line(*self._latest, self._budget))
            self._stopping.wait(max(pause, _SHARE * (time.monotonic() - began)))


def _is_terminal(stream: TextIO | None) -> bool:
    with contextlib.suppress(ValueError, AttributeError):  # closed; or None, or a stand-in of the user's
        return stream is not None and stream.isatty()
    return False


def _line(view: View, what: str, when: float, budget: Budget) -> str:
    """The state in one line. The worker's thread may change the view meanwhile; copying its values is atomic."""
    of = f" of {budget.max_evaluations_total}" if budget.max_evaluations_total is not None else ""
    parts = [f"{view.ended}{of} trials ended" + (f", {view.failures} failed" if view.failures else "")]
    if budget.max_cost_total is not None:
        spent = sum(trial.spent for trial in list(view.trials.values()))
        parts.append(f"cost {spent:g} of {budget.max_cost_total:g}")
    if budget.max_fidelity_total is not None:
        pending = [each.trial for each in list(view.pending.values())]
        fidelity = fidelity_run([*pending, *list(view.trials.values())])
        parts.append(f"fidelity {fidelity:g} of {budget.max_fidelity_total:g}")
    if (best := view.best) is not None:
        parts.append(f"best {best.loss:.6g} (trial {best.number})")
    return f"neps: {' · '.join([*parts, what])} ({time.strftime('%H:%M:%S', time.localtime(when))})"


def _terminal_line(stream: TextIO) -> Callable[[str], None]:
    """What draws over its last line. Not rich's Live: it hides the cursor, which a killed worker can't bring back."""
    from rich.console import Console
    from rich.control import Control
    from rich.segment import ControlType
    from rich.text import Text

    console = Console(file=stream)
    start_over = Control(ControlType.CARRIAGE_RETURN, (ControlType.ERASE_IN_LINE, 2))

    def draw(line: str) -> None:
        text = Text(line, no_wrap=True)
        text.truncate(console.width - 2, overflow="ellipsis")
        with console:
            console.control(start_over)
            console.print(text, end=" ")

    return draw
