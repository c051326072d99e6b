"""A line that stays below everything else on a terminal. Drawn by `progress`; knows nothing of what it says.

Not rich's Live. That hides the cursor, which a killed worker can't bring back; it replaces `sys.stdout` and
`sys.stderr`, so a logging handler that was made before writes past it; and it holds back what doesn't end in a newline.

- Streams stay the objects that they are; only their `write` is another one meanwhile. So all that Python writes passes
  here, from whatever holds a stream: the line is erased before, and drawn again once that has ended its line.
- What doesn't pass here (C code, child processes) finds the cursor behind the last column, where the line always ends.
  A terminal wraps what comes next: it begins a row of its own.
- Workers that share a terminal draw over each other's line, and never over a line that one has begun (`sharing`).
"""

from __future__ import annotations

import contextlib
import math
import os
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Self, TextIO

from neps.views.sharing import Row

__all__ = ["LiveLine", "is_terminal"]

_ERASE = "\r\x1b[2K"
_FALLBACK_COLUMNS = 80
_in_use = threading.Lock()


def is_terminal(stream: TextIO | None) -> bool:
    """Whether a stream leads to a terminal; never raises."""
    with contextlib.suppress(Exception):  # closed; or a stand-in of the user's
        return stream is not None and bool(stream.isatty())
    return False


class LiveLine:
    """One for a process at a time.

    Args:
        stream: of the terminal.
        on_write: called after somebody else has written, in that one's thread: the line may have to be drawn again.
    """

    def __init__(self, stream: TextIO, on_write: Callable[[], object]) -> None:
        self._stream, self._write, self._on_write = stream, stream.write, on_write
        self._descriptor = stream.fileno()
        self._process, self._ended = os.getpid(), False
        self._lock = threading.RLock()  # a signal handler may print while its thread is in here
        self._row = Row(self._descriptor)
        self._drawn = False
        self._unfinished: set[int] = set()  # which streams (`id`) have begun a line; their buffers may hold it still
        self.begun = math.inf
        """When somebody has begun a line that isn't ended, as `time.time()`."""
        self._undo: list[Callable[[], object]] = []

    @classmethod
    def on(cls, stream: TextIO, on_write: Callable[[], object]) -> Self | None:
        """One on this stream; None where there can't be: it is no terminal, can't go back in a row, or has one."""
        if not is_terminal(stream) or os.environ.get("TERM") == "dumb" or not _in_use.acquire(blocking=False):
            return None
        try:
            line = cls(stream, on_write)
        except (OSError, AttributeError, ValueError):  # a stand-in without a descriptor
            _in_use.release()
            return None
        try:
            line._pass_through()
        except BaseException:
            line.close()
            raise
        return line

    @property
    def columns(self) -> int:
        """How wide the terminal is now."""
        with contextlib.suppress(OSError):
            return os.get_terminal_size(self._descriptor).columns or _FALLBACK_COLUMNS
        return _FALLBACK_COLUMNS

    def draw(self, text: str, aside: str, *, insist: bool) -> bool:
        """Draw it over the last one; False if it has no place now: the shell has the terminal, or a line isn't ended.

        Args:
            text: cut where it is longer than the terminal is wide.
            aside: at the end of the row, where there is room.
            insist: end the line that this process has begun.
        """
        with self._lock:
            if not self._has_place(insist=insist):
                return False
            try:
                if self._unfinished:
                    self._flush_all()
                    self._write("\n")
                    for stream in list(self._unfinished):
                        self._note(stream, ended=True)
                self._drawn = True
                self._put(_ERASE + _filled(text, aside, self.columns))
            finally:
                self._let_go()
            return True

    def close(self) -> None:
        """Erase it, and let the streams be."""
        with self._lock:
            if self._ended:
                return
            self._erase()
            self._ended = True
            for undo in self._undo:
                undo()
            self._row.close()
        _in_use.release()

    def _has_place(self, *, insist: bool) -> bool:
        is_free = not self._unfinished or insist
        return is_free and not self._ended and self._is_ours() and self._row.hold()

    def _is_ours(self) -> bool:
        """Whether the terminal is this process's, or that of a parent, no shell, who gave it a group of its own.

        And nobody edits a line there (a shell, a debugger), or has the whole screen.
        """
        with contextlib.suppress(OSError, termios.error):
            if not termios.tcgetattr(self._descriptor)[3] & termios.ICANON:
                return False
        with contextlib.suppress(OSError):  # no controlling terminal, so no shell that might have it
            group = os.tcgetpgrp(self._descriptor)
            return group == os.getpgrp() or (group == os.getpgid(os.getppid()) and group != os.getsid(0))
        return True

    def _put(self, text: str) -> None:
        self._write(text)
        self._stream.flush()

    def _erase(self) -> None:
        if self._drawn and self._is_ours():
            with contextlib.suppress(Exception):  # it isn't the caller's fault, who wants to write something else
                self._put(_ERASE)
        self._drawn = False

    # What others write

    def _pass_through(self) -> None:
        for stream in self._streams():
            with contextlib.suppress(AttributeError, TypeError):  # a stand-in whose `write` can't be another one
                self._undo.append(_replaced_write(stream, self._passing(id(stream), stream.write)))

    def _streams(self) -> Iterator[TextIO]:
        device = os.fstat(self._descriptor).st_rdev
        streams = (self._stream, sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__)
        for stream in {id(stream): stream for stream in streams if is_terminal(stream)}.values():
            with contextlib.suppress(OSError, AttributeError, ValueError):
                if stream is not None and os.fstat(stream.fileno()).st_rdev == device:
                    yield stream

    def _passing(self, stream: int, write: Callable[[str], int]) -> Callable[[str], int]:
        def passing(text: str, /) -> int:
            # Not in a forked child: somebody may have held the lock. Nor later, where somebody has kept this function.
            if self._ended or os.getpid() != self._process or not (isinstance(text, str) and text):
                return write(text)
            with self._lock:
                self._clear()
                self._note(stream, ended=text.endswith("\n"))
                try:
                    written = write(text)
                finally:
                    self._let_go()
            self._on_write()
            return written

        return passing

    def _clear(self) -> None:
        """Clear the row for what is written next, unless that continues a line.

        Not together with it: a carriage return would have its beginning flushed, for another process to write over.
        """
        if self._row.hold(patiently=not self._unfinished):
            self._erase()
            before = _ERASE
        else:
            self._drawn, before = False, "\n"  # what another has begun stands there by now
        if self._unfinished or not (self._row.shared and self._is_ours()):
            return
        with contextlib.suppress(Exception):
            self._put(before)

    def _note(self, stream: int, *, ended: bool) -> None:
        """Somebody ends a line in this stream, or doesn't."""
        if ended:
            self._unfinished.discard(stream)
        else:
            self._unfinished.add(stream)
            self.begun = min(self.begun, time.time())
        if not self._unfinished:
            self.begun = math.inf

    def _let_go(self) -> None:
        """Let others write, unless a line has been begun here."""
        if not self._unfinished:
            self._row.release()

    def _flush_all(self) -> None:
        for stream in self._streams():
            with contextlib.suppress(Exception):
                stream.flush()


def _replaced_write(stream: Any, write: Callable[[str], int]) -> Callable[[], object]:
    """Give a stream another `write`; returns what undoes that, unless somebody has done the same since."""
    had = vars(stream).get("write")
    stream.write = write

    def undo() -> None:
        if vars(stream).get("write") is not write:
            return
        if had is None:
            del stream.write
        else:
            stream.write = had

    return undo


def _filled(text: str, aside: str, columns: int) -> str:
    """A row that ends in the last column, so that whatever is written next begins another."""
    from rich.cells import cell_len, set_cell_size

    text = "".join(char if char.isprintable() else "?" for char in text)
    if cell_len(text) + 2 + len(aside) <= columns:
        return f"{text}\x1b[{columns - len(aside) + 1}G{aside}"
    if cell_len(text) > columns:
        text = f"{set_cell_size(text, columns - 1)}…"
    return text if cell_len(text) == columns else f"{text}\x1b[{columns}G "
