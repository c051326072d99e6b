"""One way to tolerate a filesystem that fails: try again, at growing intervals, and say so at growing intervals, too.

Whoever tries decides what is tried and what happens when patience ends; here is only for how long, and the words.
"""

from __future__ import annotations

import logging
import math
import time

from neps._ledger.storage import advice
from neps.errors import DirectoryError

__all__ = ["LEASES", "Outage"]

LEASES = 10
"""For so many leases somebody waits who holds nothing that could be lost."""

_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 10.0
_SAY_AGAIN = 10.0
_SAY_AT_LEAST = 600.0


class Outage:
    """Something that fails, from its first failure on until it works or patience ends.

    Args:
        logger: where to say so.
        patience: for how many seconds to try again; infinite for ever.
        longest_pause: the most seconds between two tries; None: a sixtieth of the patience. Never more than ten.

    Example:
        >>> outage = Outage(logging.getLogger("example"), patience=60.0)
        >>> outage.failed("notes.txt can't be written", OSError(28, "No space left on device"))
        0.1
        >>> outage.failed("notes.txt can't be written", OSError(28, "No space left on device"))
        0.2
        >>> outage.worked()
    """

    def __init__(self, logger: logging.Logger, patience: float, longest_pause: float | None = None) -> None:
        self._logger, self._patience = logger, patience
        self._longest_pause = min(_LONGEST_PAUSE, patience / 60 if longest_pause is None else longest_pause)
        self.worked()

    def worked(self) -> None:
        """It works (again)."""
        self._since: float | None = None
        self._pause, self._say_at, self._silence = _FIRST_PAUSE, 0.0, _SAY_AGAIN

    @property
    def seconds(self) -> float:
        """For how long it has failed."""
        return 0.0 if self._since is None else time.monotonic() - self._since

    def failed(self, what: str, error: OSError) -> float | None:
        """It failed: in how many seconds to try again, or None if patience is at an end.

        Args:
            what: what could not be done, and where: a sentence without its full stop.
            error: why.
        """
        if self._since is None:
            self._since = time.monotonic()
        if self.seconds >= self._patience:
            return None
        if self.seconds >= self._say_at:
            self._say(what, error)
        pause, self._pause = self._pause, min(2 * self._pause, self._longest_pause)
        return min(pause, self._longest_pause)

    def over(self, root: str, error: OSError) -> DirectoryError:
        """The error to raise where patience is at an end, and nothing was held that could be lost."""
        return DirectoryError(
            f"{root} can't be used: {error}. Tried for {self.seconds:.0f} s. {advice(error)} "
            "Nothing is lost. Start again later."
        )

    def _say(self, what: str, error: OSError) -> None:
        now = time.time()
        until = f" until {_clock(now - self.seconds + self._patience)}" if math.isfinite(self._patience) else ""
        since = f"since {_clock(now - self.seconds)}, for {self.seconds:.0f} s so far"
        self._logger.warning("%s: %s (%s). Trying again%s. %s", what, error, since, until, advice(error))
        self._say_at = self.seconds + self._silence
        self._silence = min(2 * self._silence, _SAY_AT_LEAST)


def _clock(moment: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(moment))
