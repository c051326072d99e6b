"""A line that stays below everything else on a terminal. Drawn by `progress`; knows nothing of what it says.

Not rich's Live. That hides the cursor, which a killed worker can't bring back; it replaces `sys.stdout` and
`sys.stderr`, so a logging handler that was made before writes past it; and it holds back what doesn't end in a newline.

- Python's own streams stay the objects that they are; only their `write` is another one meanwhile. So all that Python
  writes passes here, from whatever holds a stream, or wraps one: the line is erased before, and drawn again once that
  has ended its line. Where somebody else's object stands for the stream (rich's Live, tqdm's redirection, which are
  about to keep a line or more at the bottom, too), there is no live line.
- Whoever writes waits here only briefly, and the line is written without waiting: the terminal may be one that takes
  nothing (Ctrl-S, a connection that hangs).
- What doesn't pass here (C code, child processes) finds the cursor behind the last column, where the line always ends.
  A terminal wraps what comes next: it begins a row of its own.
- Workers that share a terminal draw over each other's line, and never over a line that one has begun (`sharing`).
"""

from __future__ import annotations

import contextlib
import io
import math
import os
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from typing import Self, TextIO, TypeGuard

from neps._views.saying import takes
from neps._views.sharing import Row

__all__ = ["LiveLine", "is_terminal"]

_ERASE = "\r\x1b[2K"
_FALLBACK_COLUMNS = 80
_PATIENCE = 0.5
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

    def __init__(self, stream: io.TextIOWrapper, on_write: Callable[[], object]) -> None:
        self._stream, self._on_write = stream, on_write
        self._descriptor = stream.fileno()
        self._process, self._ended = os.getpid(), False
        self._lock = threading.RLock()  # a signal handler may print while its thread is in here
        self._patience = _PATIENCE
        self._row = Row(self._descriptor)
        self._drawn = False
        self._unfinished: set[int] = set()  # which streams (`id`) have begun a line; their buffers may hold it still
        self.begun = math.inf
        """When somebody has begun a line that isn't ended, as `time.time()`."""
        self._undo: list[Callable[[], object]] = []

    @classmethod
    def on(cls, stream: TextIO, on_write: Callable[[], object]) -> Self | None:
        """One on this stream; None where there can't be: it is no terminal of Python's, can't go back, or has one."""
        if not _is_pythons(stream) or not is_terminal(stream) or os.environ.get("TERM") == "dumb":
            return None
        if not _in_use.acquire(blocking=False):
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
        if not self._enter():
            return False
        try:
            if not self._has_place(insist=insist):
                return False
            try:
                return self._replace(_filled(text, aside, self.columns))
            finally:
                self._let_go()
        finally:
            self._lock.release()

    def close(self) -> None:
        """Erase it, and let the streams be; also where somebody is stuck in here."""
        entered = self._enter()
        try:
            if self._ended:
                return
            self._ended = True
            if os.getpid() == self._process:
                self._erase()
            for undo in self._undo:
                with contextlib.suppress(Exception):
                    undo()
            self._row.close()
        finally:
            if entered:
                self._lock.release()
        with contextlib.suppress(RuntimeError):
            _in_use.release()

    def _enter(self) -> bool:
        """Take the lock, unless its holder keeps it: then don't wait again until that one has let go."""
        entered = self._lock.acquire(timeout=self._patience)
        self._patience = _PATIENCE if entered else 0.0
        return entered

    def _replace(self, line: str) -> bool:
        """Draw this one, below what this process has begun."""
        before = ""
        if self._unfinished:
            if not takes(self._descriptor, 0.0):
                return False
            self._flush_all()
            before = "\n"
        self._drawn = True
        if not self._put(f"{before}{_ERASE}{line}"):
            return False
        for stream in list(self._unfinished):
            self._note(stream, ended=True)
        return True

    def _has_place(self, *, insist: bool) -> bool:
        is_free = not self._unfinished or insist
        return is_free and not self._ended and _is_ours(self._descriptor) and self._row.hold()

    def _put(self, text: str) -> bool:
        """Past the stream, whose buffer is empty then, and which would wait."""
        return self._row.put(text.encode(self._stream.encoding, "replace"))

    def _erase(self) -> None:
        if self._drawn and _is_ours(self._descriptor):
            self._put(_ERASE)
        self._drawn = False

    # What others write

    def _pass_through(self) -> None:
        for stream in self._streams():
            self._undo.append(_replaced_write(stream, self._passing(id(stream), stream.write)))

    def _streams(self) -> Iterator[io.TextIOWrapper]:
        device = os.fstat(self._descriptor).st_rdev
        streams = (self._stream, sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__)
        for stream in {id(stream): stream for stream in streams}.values():
            with contextlib.suppress(OSError, ValueError):  # it is closed
                if _is_pythons(stream) and is_terminal(stream) and os.fstat(stream.fileno()).st_rdev == device:
                    yield stream

    def _passing(self, stream: int, write: Callable[[str], int]) -> Callable[[str], int]:
        def passing(text: str, /) -> int:
            # Not in a forked child: somebody may have held the lock. Nor later, where somebody has kept this function.
            if self._ended or os.getpid() != self._process or not (isinstance(text, str) and text):
                return write(text)
            if not self._enter():
                return write(text)
            try:
                with contextlib.suppress(Exception):  # it isn't the caller's fault, who wants to write something else
                    self._clear()
                    self._note(stream, ended=text.endswith("\n"))
                return write(text)
            finally:
                with contextlib.suppress(Exception):
                    self._let_go()
                self._lock.release()
                with contextlib.suppress(Exception):
                    self._on_write()

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
        if self._unfinished or not (self._row.shared and _is_ours(self._descriptor)):
            return
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
                io.TextIOWrapper.flush(stream)


def _is_ours(terminal: int) -> bool:
    """Whether the terminal is this process's, or that of a parent, no shell, who gave it a group of its own.

    And nobody edits a line there (a shell, a debugger), or has the whole screen.
    """
    with contextlib.suppress(OSError, termios.error):
        if not termios.tcgetattr(terminal)[3] & termios.ICANON:
            return False
    with contextlib.suppress(OSError):  # no controlling terminal, so no shell that might have it
        group = os.tcgetpgrp(terminal)
        return group == os.getpgrp() or (group == os.getpgid(os.getppid()) and group != os.getsid(0))
    return True


def _is_pythons(stream: object) -> TypeGuard[io.TextIOWrapper]:
    """Whether it is a stream of Python's own. A wrapper's class and attributes may be those of what it wraps."""
    return issubclass(type(stream), io.TextIOWrapper)


def _replaced_write(stream: io.TextIOWrapper, write: Callable[[str], int]) -> Callable[[], object]:
    """Give a stream another `write`; returns what undoes that, unless somebody has done the same since."""
    own = vars(stream)  # not `setattr`, which a subclass may forward
    had = own.get("write")
    own["write"] = write

    def undo() -> None:
        if own.get("write") is not write:
            return
        if had is None:
            del own["write"]
        else:
            own["write"] = had

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
