"""What rank 0 says to the others: its steps, one after the other, and its answers of `should_stop`.

Who hears it is `following`. What has been read is forgotten, so that the store stays small.
"""

from __future__ import annotations

import contextlib
from typing import Any

from neps._distributed.carrier import Carrier
from neps._distributed.endings import ALWAYS, asked
from neps.errors import RankError

__all__ = ["Answers", "Steps", "words"]


class Steps:
    """The steps of one call of `neps.run`: what all do next."""

    def __init__(self, carrier: Carrier) -> None:
        self._carrier = carrier
        self._said = 0
        self._forgettable: list[list[str]] = [[], []]

    def say(self, **message: Any) -> None:
        """The next step."""
        self._carrier.put(f"step/{self._said}", message)
        self.read_later(f"step/{self._said}")
        self._said += 1

    def read_later(self, name: str) -> None:
        """A message of this evaluation, to be forgotten with it."""
        self._forgettable[-1].append(name)

    def forget(self, number: int, ranks: range) -> None:
        """Delete what was said in the evaluation before this one, `number`: all have read it.

        Args:
            number: of the last evaluation; the one before it is forgotten with all that is older.
            ranks: all but the first.
        """
        if number < 1:
            return
        names = [f"{name}/{number}" for name in ("stop", "order", "places", "reports")]
        names += [asked(number), *(f"ended/{number}/{rank}" for rank in ranks)]
        with contextlib.suppress(RankError):
            self._carrier.forget([*names, *self._forgettable.pop(0)])
            self._forgettable.append([])


class Answers:
    """Rank 0's answers of `should_stop` in one evaluation, for the same calls of the other ranks."""

    def __init__(self, carrier: Carrier, number: int) -> None:
        self._carrier, self._name = carrier, asked(number)
        self._calls = 0
        self._first: int | None = None

    def __call__(self, told: bool) -> bool:  # noqa: FBT001 - an answer
        self._calls += 1
        if told and self._first is None:
            self._first = self._calls
        with contextlib.suppress(RankError):  # the evaluation ends by that
            self._carrier.put(self._name, [self._calls, self._first])
        return told

    def conclude(self) -> None:
        """No further answer comes: who asks more often isn't told to stop, but by an answer that was given before."""
        self._carrier.put(self._name, [ALWAYS, self._first])


def words(error: BaseException | None) -> dict[str, Any]:
    """How rank 0's call ended, for the others."""
    match error:
        case None:
            return {"error": None}
        case SystemExit():
            return {"error": "SystemExit", "code": error.code if isinstance(error.code, int | str) else None}
        case KeyboardInterrupt():
            return {"error": "KeyboardInterrupt"}
    return {"error": type(error).__name__, "text": str(error)}
