"""Showing what workers print while they run: the new lines of their logs, each after the name of its worker.

Reads only. What the states of workers are, and when all have ended, the caller says.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

__all__ = ["Tail", "follow"]

_PIECE = 1 << 20
_LONGEST_LINE = 1 << 16
_NOT_BEGUN = "PENDING"
"""A state in which there is no log to look for, among thousands of tasks."""

States = Callable[[], Mapping[str, str]]


class Tail:
    """One log: `lines` gives those that are new and whole; what has no end of line yet comes later, or at the end."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = 0
        self._rest = b""

    def lines(self, *, to_the_end: bool = False) -> list[str]:
        """New lines. A log that isn't there yet, or can't be read now, has none."""
        content = self._rest
        with contextlib.suppress(OSError), self._path.open("rb") as file:
            file.seek(self._read)
            new = file.read(_PIECE)
            self._read += len(new)
            content += new
        *whole, self._rest = content.replace(b"\r\n", b"\n").split(b"\n")
        if self._rest and (to_the_end or len(self._rest) > _LONGEST_LINE):
            whole.append(self._rest)
            self._rest = b""
        return [line.decode(errors="replace") for line in whole]


def follow(
    logs: Mapping[str, Path],
    states: States,
    over: Callable[[Mapping[str, str]], bool],
    say: Callable[[str], object],
    pause: Callable[[], object] = lambda: time.sleep(1.0),
) -> Mapping[str, str]:
    """Show new lines and changed states until all is over; the last states.

    Args:
        logs: of each worker, by its name.
        states: how each worker stands now, in a word; those that have none are left out.
        over: whether these mean that all have ended.
        say: shows a line.
        pause: between two looks.
    """
    tails, last = {name: Tail(path) for name, path in logs.items()}, dict[str, str]()
    while True:
        now = dict(states())
        for name, state in now.items():
            if last.get(name) != state:
                say(f"[{name}] {state}")
        last, done = now, over(now)
        _show_new({name: tail for name, tail in tails.items() if now.get(name, _NOT_BEGUN) != _NOT_BEGUN}, say)
        if done:
            _show_rest(tails, say)
            return last
        pause()


def _show_new(tails: Mapping[str, Tail], say: Callable[[str], object]) -> None:
    for name, tail in tails.items():
        _show(name, tail.lines(), say)


def _show_rest(tails: Mapping[str, Tail], say: Callable[[str], object]) -> None:
    for name, tail in tails.items():
        while lines := tail.lines():
            _show(name, lines, say)
        _show(name, tail.lines(to_the_end=True), say)


def _show(name: str, lines: Sequence[str], say: Callable[[str], object]) -> None:
    for line in lines:
        say(f"[{name}] {line}")
