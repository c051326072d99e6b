"""Following a run that goes on, at the cost of what is new since the last look. Reads, and writes nothing.

For `neps status --watch` and the view of Optuna, which stay open. Whoever looks once reads the run once (`reading`).
"""

from __future__ import annotations

import os

from neps._ledger.layout import DEFINITION, Layout
from neps._ledger.reading import read_definition, read_view
from neps.errors import DirectoryError

__all__ = ["Follower"]

_LIST_EVERY = 10


class Follower:
    """Follows the run in `root`, the one that overwrite_working_directory put in its place included.

    `definition` is that of the run, and `view` what is known of it.

    Args:
        root: its absolute path.

    Raises:
        neps.errors.DirectoryError: if there is no run.
    """

    def __init__(self, root: str) -> None:
        self.root = root
        self._layout = Layout(root)
        self._looks = 0
        self._join()

    def _join(self) -> None:
        mark, definition = self._definition_mark(), read_definition(self.root)
        view = read_view(self.root, definition)
        self._mark, self.definition, self.view = mark, definition, view  # all of one run, or none if reading fails

    def update(self) -> None:
        """Learn what is new: of what runs or has failed, a few are looked at each time, in turn.

        Raises:
            DirectoryError: if there is no run now, as in the middle of a move.
            OSError: if the filesystem fails; the next look may succeed.
        """
        if self._is_another():
            self._join()
            return
        self.view.hear()
        self._looks += 1
        if self._looks % _LIST_EVERY == 0:  # samplers that look at nothing leave gaps for a while
            self._note_listed()
        self.view.refresh()
        self.view.update_some()
        self.view.check_for_retries()

    def update_all(self) -> None:
        """Learn how each trial stands now: all that run or have failed are looked at, and folders that are gone count.

        Raises:
            DirectoryError, OSError: as `look`.
        """
        if self._is_another():
            self._join()
            return
        view = self.view
        view.hear()
        for number, pending in list(view.pending.items()):
            if not pending.folder.has_start(1):  # somebody has removed it
                view.forget(number)
        self._note_listed()
        view.refresh()
        view.update_all()
        view.reopen_retried(most=view.failures)
        view.say_damage()

    def _is_another(self) -> bool:
        """Whether another run has begun in the place of this one."""
        mark = self._definition_mark()
        if mark is None:
            raise DirectoryError(f"there is no {DEFINITION} in it")
        return mark != self._mark

    def _definition_mark(self) -> tuple[int, ...] | None:
        try:
            status = os.stat(self._layout.definition)  # noqa: PTH116
        except FileNotFoundError:
            return None
        return status.st_dev, status.st_ino, status.st_mtime_ns

    def _note_listed(self) -> None:
        """A listing shows what lies behind a number that nobody has taken, where the frontier stops."""
        known = self.view.known()
        for number in self._layout.numbers():
            if number not in known:
                self.view.note_reserved(number)
