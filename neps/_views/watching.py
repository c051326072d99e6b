"""`neps status --watch`: how runs stand, again and again. It reads what is new, and pauses far longer than it looks.

A terminal shows the latest state in its place; anything else gets each state that differs, one after the other.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Callable, Hashable, Iterator, Sequence

from neps._ledger.following import Follower
from neps._ledger.reading import root_of
from neps._views.overview import Overview, overview
from neps._views.status import MOST_RUNNING, as_text
from neps._views.status_json import fields
from neps.errors import DirectoryError

__all__ = ["Pauses", "Watched", "watch"]

_SHORTEST, _LONGEST = 1.0, 10.0
_GROWTH = 1.5
_SHARE = 50
"""A pause is at least that many times what the look before it took, so that workers don't feel it."""

Show = Callable[[Sequence[Overview]], None]


class Watched:
    """A run that is looked at again and again, at the cost of what is new.

    Raises:
        neps.errors.DirectoryError: if there is no run.
    """

    def __init__(self, root_directory: str) -> None:
        self._follower = Follower(root_of(root_directory))

    def overview(self) -> Overview:
        """How it stands now. A run that was moved aside gives way to the one that follows it."""
        follower = self._follower
        with contextlib.suppress(DirectoryError, OSError):  # in the middle of such a move, or of an outage
            follower.update()
        return overview(follower.root, follower.definition, follower.view, MOST_RUNNING)


class Pauses:
    """How long to pause between looks: longer while nothing changes, and after a look that took long.

    Example:
        >>> pauses = Pauses()
        >>> [pauses.after(took=0.001, changed=changed) for changed in (True, False, False, True)]
        [1.0, 1.5, 2.25, 1.0]
        >>> pauses.after(took=0.5, changed=True)
        25.0
    """

    def __init__(self) -> None:
        self._pause = _SHORTEST

    def after(self, *, took: float, changed: bool) -> float:
        """Seconds to pause after a look that took so many seconds."""
        self._pause = _SHORTEST if changed else min(self._pause * _GROWTH, _LONGEST)
        return max(self._pause, _SHARE * took)


def watch(roots: Sequence[str], *, as_json: bool = False, sleep: Callable[[float], object] = time.sleep) -> None:
    """Show how runs stand, again and again, until KeyboardInterrupt.

    Args:
        roots: where the runs lie.
        as_json: a line a run instead of text.
        sleep: pauses for so many seconds.
    """
    watched, pauses = [Watched(root) for root in roots], Pauses()
    last: Hashable = None
    with contextlib.suppress(KeyboardInterrupt), _display(as_json=as_json) as (show, always):
        while True:
            began = time.monotonic()
            seen = [run.overview() for run in watched]
            state = tuple(map(_state, seen))
            if always or state != last:
                show(seen)
            took, changed, last = time.monotonic() - began, state != last, state
            sleep(pauses.after(took=took, changed=changed))


def _state(run: Overview) -> Hashable:
    """What differs when there is something new to show; ages always do."""
    running = tuple((each.number, each.attempt, each.dead, each.report) for each in run.running)
    counts = (len(run.history), len(run.history.succeeded), run.waiting, run.dead_count, run.running_count)
    leaving = None if run.leaving is None else (run.leaving.made, len(run.leaving.staying))
    known = (run.queue.total, run.queue.waiting, len(run.history.imported), run.ended, str(run.confirmation))
    return run.definition.run, counts, len(run.failed), len(run.damaged), tuple(run.short), running, leaving, known


@contextlib.contextmanager
def _display(*, as_json: bool) -> Iterator[tuple[Show, bool]]:
    """How to show what was seen, and whether to though nothing has changed, for the ages."""
    if as_json:
        yield lambda runs: _write("".join(f"{json.dumps(fields(run))}\n" for run in runs)), False
    elif not sys.stdout.isatty():
        yield lambda runs: _write(f"{_text(runs)}\n\n"), False
    else:
        from rich.console import Console
        from rich.live import Live
        from rich.text import Text

        with Live(console=Console(), auto_refresh=False, vertical_overflow="ellipsis") as live:
            yield lambda runs: live.update(Text(_text(runs), overflow="fold"), refresh=True), True


def _text(runs: Sequence[Overview]) -> str:
    return "\n\n".join(map(as_text, runs))


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
