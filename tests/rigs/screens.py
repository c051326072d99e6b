"""A terminal whose screen a test can read: a pseudoterminal with pyte behind it. Called by tests.

Programs run with the terminal as their standard streams, several at once if wanted, as from one shell.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self, TextIO

import pyte

from rigs.waiting import wait_until

__all__ = ["Terminal"]

_SCROLLBACK = 100_000


class Terminal:
    """A context manager: what was started in it is killed at the end."""

    def __init__(self, columns: int = 80, rows: int = 24) -> None:
        self.columns = columns
        self._raw, self._fed = bytearray(), 0
        self._screen = pyte.HistoryScreen(columns, rows, history=_SCROLLBACK)
        self._bytes = pyte.ByteStream(self._screen)
        self._lock = threading.Lock()
        self._master, self.slave = os.openpty()
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self._streams: list[TextIO] = []
        self.stream = self.another_stream()
        self._processes: list[subprocess.Popen[bytes]] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._processes:
            process.kill()
            process.wait()
        for stream in self._streams:
            with contextlib.suppress(OSError):
                stream.close()
        os.close(self.slave)
        self._reader.join(60)
        os.close(self._master)

    def another_stream(self) -> TextIO:
        """One that leads here, as Python's standard streams lead to a terminal."""
        stream = open(os.dup(self.slave), "w", encoding="utf-8", buffering=1)  # noqa: PTH123, SIM115 - a descriptor
        self._streams.append(stream)
        return stream

    def start(self, program: str, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
        """A Python program, given as its source."""
        added: Mapping[str, str] = {
            "TERM": "xterm",
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            **environment,
        }
        process = subprocess.Popen(
            [sys.executable, "-c", program, *arguments],
            stdin=self.slave,
            stdout=self.slave,
            stderr=self.slave,
            env={**os.environ, **added},
        )
        self._processes.append(process)
        return process

    @property
    def raw(self) -> bytes:
        """All that was written."""
        with self._lock:
            return bytes(self._raw)

    @property
    def lines(self) -> list[str]:
        """All rows, those that have scrolled away included, up to the last one that isn't empty."""
        with self._lock:
            self._feed()
            rows: list[Any] = [*self._screen.history.top, *(self._screen.buffer[y] for y in range(self._screen.lines))]
            texts = ["".join(row[x].data for x in range(self.columns)).rstrip() for row in rows]
        while texts and not texts[-1]:
            texts.pop()
        return texts

    @property
    def cursor_hidden(self) -> bool:
        """Whether a person would look for the cursor in vain."""
        with self._lock:
            self._feed()
            return bool(self._screen.cursor.hidden)

    def wait_for(self, text: str, seconds: float = 60.0) -> None:
        """Until it stands in some row."""
        try:
            wait_until(lambda: any(text in line for line in self.lines), seconds, text)
        except AssertionError as error:
            raise AssertionError(f"{error}; there is {self.lines}") from None

    def settle(self) -> None:
        """Until all is read that was written before."""
        mark = b"\x1b]0;%d\x07" % len(self.raw)  # a title, which is no part of the screen
        os.write(self.slave, mark)
        wait_until(lambda: mark in self.raw, 60, "the terminal to be read")

    def _read(self) -> None:
        with contextlib.suppress(OSError):  # the last writer has closed it
            while chunk := os.read(self._master, 1 << 16):
                with self._lock:
                    self._raw += chunk

    def _feed(self) -> None:
        """Let the screen have the rest. Only now: a terminal takes what is written at once, and pyte is slow."""
        self._bytes.feed(bytes(self._raw[self._fed :]))
        self._fed = len(self._raw)
