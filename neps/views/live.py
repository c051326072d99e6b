"""A run as it stands now, kept up at the cost of what is new since the last look. Reads, and writes nothing.

For views that stay open while workers go on. One that looks once reads the run once (`neps.ledger.reading`).
"""

from __future__ import annotations

import logging
import os

from neps.errors import DirectoryError, NepsError
from neps.ledger.definition import Definition
from neps.ledger.layout import DEFINITION, Layout
from neps.ledger.reading import read_definition, read_view
from neps.ledger.view import View
from neps.space import SearchSpace
from neps.trial import Status, Trial

__all__ = ["LiveRun"]

_logger = logging.getLogger("neps.views")


class LiveRun:
    """The run in `root`, the one that overwrite_working_directory put in its place included.

    Not thread-safe.

    Args:
        root: its absolute path.

    Raises:
        neps.errors.DirectoryError: if there is no run.
    """

    def __init__(self, root: str) -> None:
        self.root = root
        self._layout = Layout(root)
        self._missing = False
        self._open()

    def _open(self) -> None:
        self._mark = self._definition_mark()
        self.definition: Definition = read_definition(self.root)
        self.space = SearchSpace.from_definition(dict(self.definition.space))
        self._view: View = read_view(self.root, self.definition)

    def _definition_mark(self) -> tuple[int, ...] | None:
        try:
            status = os.stat(self._layout.definition)  # noqa: PTH116
        except FileNotFoundError:
            return None
        return status.st_dev, status.st_ino, status.st_mtime_ns

    def trials(self) -> dict[int, Trial]:
        """All trials by number, as they stand now; numbers that are reserved but not committed wait.

        A trial that has not changed since the last call is the same object. While the directory can't be read, they
        stand as they stood last.
        """
        try:
            self._look()
            self._missing = False
        except (OSError, NepsError) as error:
            if not self._missing:
                _logger.warning("%s can't be read now, and is shown as it was: %s", self.root, error)
            self._missing = True
        trials = dict(self._view.known())
        for number in self._view.numbers.taken:
            trials[number] = Trial(number=number, decision=None, status=Status.WAITING, attempts=0)
        return dict(sorted(trials.items()))

    def _look(self) -> None:
        mark = self._definition_mark()
        if mark is None:
            raise DirectoryError(f"there is no {DEFINITION} in it")
        if mark != self._mark:  # it was moved aside, and another one has begun
            self._open()
            return
        view = self._view
        for number, pending in list(view.pending.items()):
            if not pending.folder.has_start(1):  # somebody has removed it
                view.forget(number)
        known = view.known()
        for number in self._layout.numbers():  # a listing, since the frontier stops at a number that nobody has taken
            if number not in known:
                view.take(number)
        view.refresh()
        view.inspect_all()
        view.reopen_retried(most=view.failures)
        view.say_damage()

    def reported(self, number: int) -> dict[float, float]:
        """The losses by step that a trial without a result has reported so far, in all its attempts."""
        pending = self._view.pending.get(number)
        return pending.folder.reported(pending.standing.start.attempt) if pending is not None else {}
