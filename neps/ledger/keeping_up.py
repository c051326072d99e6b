"""Keeping a reader's view up at the cost of what is new: `neps status --watch`. Writes nothing.

What has succeeded is read from the accelerator, a line a trial; only what it doesn't hold is looked for in folders.
"""

from __future__ import annotations

from neps.ledger.accelerator import Accelerator
from neps.ledger.layout import Layout
from neps.ledger.view import View

__all__ = ["KeepingUp"]

_LIST_EVERY = 10


class KeepingUp:
    """Follows a run that a reader's view has joined."""

    def __init__(self, layout: Layout, view: View) -> None:
        self.view = view
        self._layout, self._looks = layout, 0
        self._accelerator = Accelerator(layout, "")

    def look(self) -> None:
        """Learn what is new.

        Raises:
            OSError: if the filesystem fails; the next look may succeed.
        """
        for number, payload in self._accelerator.news():
            self.view.hear(number, payload)
        self._looks += 1
        if self._looks % _LIST_EVERY == 0:  # samplers that look at nothing leave gaps for a while
            known = self.view.trials.keys() | self.view.pending.keys() | self.view.numbers.taken.keys()
            for number in set(self._layout.numbers()) - known:
                self.view.take(number)
        self.view.refresh()
        self.view.inspect_some()
        self.view.look_for_retries()
