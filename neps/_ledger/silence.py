"""How long has an attempt been silent? Counted on the observer's own monotonic clock; pure arithmetic.

Wall clocks and file times of different hosts can't be compared, so only *changes* of the heartbeat's mark count.
An outage of the filesystem, or a stall of the observer, must never look like somebody else's death.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable

__all__ = ["Silence"]

_LOOKS_AFTER_STALL = 3


@dataclasses.dataclass(slots=True)
class Silence:
    """The silence of one attempt, as seen by one observer.

    Args:
        poll: the longest pause in seconds that the observer plans between two looks.

    Example:
        >>> silence = Silence(poll=1.0)
        >>> for second in range(5): silence.observe(float(second), mark="unchanged")
        >>> silence.seconds, silence.longer_than(3.5)
        (4.0, True)
        >>> silence.observe(100.0, mark="unchanged")  # the observer itself was stopped: two polls count, not 96 s
        >>> silence.seconds, silence.longer_than(3.5)
        (6.0, False)
    """

    poll: float
    seconds: float = 0.0
    looks: int = 0
    _mark: Hashable = None
    _last: float | None = None
    _owed: int = 0

    def observe(self, now: float, mark: Hashable) -> None:
        """One look that succeeded, at monotonic time `now`, which saw the heartbeat's `mark` (None: none yet)."""
        if self._last is None or mark != self._mark:
            self.seconds, self._owed = 0.0, 0
        else:
            gap = now - self._last
            if gap > 2 * self.poll:
                self._owed = _LOOKS_AFTER_STALL
            elif self._owed:
                self._owed -= 1
            self.seconds += min(gap, 2 * self.poll)
        self._mark, self._last = mark, now
        self.looks += 1

    def go_on_from(self, seconds: float) -> None:
        """Another observer has seen the same for so long before: own looks must bear it out, as after a stall."""
        self.seconds += seconds
        self._owed = _LOOKS_AFTER_STALL

    @property
    def mark(self) -> Hashable:
        """What the last look saw."""
        return self._mark

    def longer_than(self, lease: float) -> bool:
        """Whether the silence has outlasted the lease, beyond what a stall of the observer explains."""
        return self.seconds > lease and not self._owed
