"""A thread that learns of each signal as it comes, also while the main thread sits in C code or swallows interrupts.

It says what a second signal does, ends the process after one, and asks the main thread again and again to raise an
interruption that couldn't be raised at once. What signals mean, and where they interrupt, is in `signals`.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable

from neps._evaluation.actions import end_by

__all__ = ["REPEAT_SECONDS", "Watch"]

_logger = logging.getLogger("neps.evaluation")
REPEAT_SECONDS = 1.0
"""timeout, srun and shells signal a process and then its group: what comes within this time is one signal."""
_GRACE, _GRACE_OF_SIGINT = 30.0, 5.0  # SLURM's KillWait is 30 s; who presses Ctrl-C twice sits and waits
_LAST_WORDS = 5.0
_ASK_AGAIN = 0.02
_LEAST_DESCRIPTOR = 512
_WAKE, _MARK = b"\0", b"\xff"


class Watch:
    """Watches from `begin` to `stop`, both called in the main thread.

    Python's own C handler writes each signal's number into a pipe (`signal.set_wakeup_fd`), so it needs the GIL, but
    not the main thread. The pipe has high descriptors: user code that closes low ones that it doesn't know, and opens
    files in their place, then finds no bytes in them.

    Args:
        counts: called in the watching thread with a signal's number: whether it is to end the process.
        poke: one that is sent to the main thread after `ask_again`; None if there is none.
        is_ready: called in the watching thread: whether to send it now.
    """

    def __init__(
        self, counts: Callable[[int], bool], poke: signal.Signals | None, is_ready: Callable[[], bool]
    ) -> None:
        self.first: int | None = None
        """The first signal that came."""
        self.last_words: Callable[[], object] | None = None
        """Called in a thread of its own before the process is ended; it has a few seconds."""
        self.patience = 0.0
        """For how many seconds run_pipeline, which asks whether to stop, isn't interrupted by the first signal."""
        self._counts, self._poke, self._is_ready = counts, poke, is_ready
        self._asking = self._stopping = False
        self._caught_up = threading.Event()
        self._began = 0.0
        self._due: dict[Callable[[], None], float] = {}
        self._reading = self._writing = self._chained = -1

    def begin(self) -> None:
        """Begin to watch; where there are no descriptors left, do nothing."""
        with contextlib.suppress(OSError):
            self._reading, self._writing = _pipe()
            self._chained = signal.set_wakeup_fd(self._writing, warn_on_full_buffer=False)
            self._thread = threading.Thread(target=self._watch, name="neps-signals", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Put things back, and end the thread; a process that is being ended doesn't return from here."""
        if self._writing < 0:
            return
        self.unhook()
        self._stopping = True
        if self._wake():
            self._thread.join()
        for descriptor in (self._reading, self._writing):
            with contextlib.suppress(OSError):
                os.close(descriptor)

    def unhook(self) -> None:
        """Let signals be told to whom they were told before; in a forked child, too."""
        current = signal.set_wakeup_fd(-1)
        wanted = self._chained if current == self._writing else current
        with contextlib.suppress(ValueError, OSError):  # closed meanwhile
            signal.set_wakeup_fd(wanted)

    def ask_again(self) -> bool:
        """Send `poke` to the main thread every few milliseconds once it's ready, until `asked`; False if it can't.

        From any thread.
        """
        self._asking = self._poke is not None  # before the thread wakes, and looks
        if not (self._asking and self._wake()):
            self._asking = False
            return False
        return True

    def asked(self) -> None:
        """The main thread needs no more of it."""
        self._asking = False

    def tell(self, signum: int) -> None:
        """A signal was handled; needed where user code (asyncio) has a wakeup descriptor of its own by now."""
        current = signal.set_wakeup_fd(-1)
        with contextlib.suppress(ValueError, OSError):
            signal.set_wakeup_fd(current, warn_on_full_buffer=current != self._writing)
        if current != self._writing and self._writing >= 0:
            with contextlib.suppress(OSError):
                os.write(self._writing, bytes([signum]))

    def catch_up(self, seconds: float) -> None:
        """Wait until `first` says what has come before this call; for so long at most."""
        self._caught_up.clear()
        if self._wake(_MARK):
            self._caught_up.wait(seconds)

    def _wake(self, byte: bytes = _WAKE) -> bool:
        try:
            os.write(self._writing, byte)
        except BlockingIOError:  # full: it wakes anyway
            return True
        except OSError:
            return False
        return True

    # In the thread.

    def _watch(self) -> None:
        poll = select.poll()
        poll.register(self._reading, select.POLLIN)
        while not self._stopping:
            try:
                if poll.poll(self._timeout()):
                    self._take(os.read(self._reading, 4096))
            except OSError:  # user code has closed it
                return
            if not self._stopping:  # what was due meanwhile is of no meaning any more
                self._act(time.monotonic())

    def _timeout(self) -> float | None:
        due = [*self._due.values()]
        if self._asking:
            due.append(time.monotonic() + _ASK_AGAIN)
        return max(0.0, min(due) - time.monotonic()) * 1000 + 1 if due else None

    def _take(self, signums: bytes) -> None:
        if self._chained >= 0:
            with contextlib.suppress(OSError):
                os.write(self._chained, signums.translate(None, _WAKE + _MARK))
        for signum in signums:
            if self._counts(signum):
                self._count(signum, time.monotonic())
        if _MARK in signums:
            self._caught_up.set()

    def _count(self, signum: int, now: float) -> None:
        if self.first is None:
            self.first, self._began = signum, now
            self._due[self._say_first] = now + REPEAT_SECONDS
        elif now - self._began >= REPEAT_SECONDS and self._end not in self._due:
            seconds = _GRACE_OF_SIGINT if signum == signal.SIGINT else _GRACE
            self._due[self._end] = now + seconds
            _say(
                f"{signal.Signals(signum).name} received, the second signal: this process will be ended within "
                f"{seconds:g} s, unless it ends before."
            )

    def _act(self, now: float) -> None:
        for what, at in list(self._due.items()):
            if now >= at:
                del self._due[what]
                what()
        main = threading.main_thread().ident
        if self._asking and self._poke is not None and main is not None and self._is_ready():
            signal.pthread_kill(main, self._poke)  # a real one: it may have gone on to a call that waits

    def _say_first(self) -> None:
        does = "interrupting run_pipeline"
        if self.patience:
            does = f"run_pipeline is asked to stop (should_stop), and interrupted in {self.patience:.0f} s"
        _say(
            f"{signal.Signals(self.first or 0).name} received: {does}; another worker will resume its trial. If it "
            "takes long (an import, C code), send a second signal: Ctrl-C then ends this process within "
            f"{_GRACE_OF_SIGINT:g} s, any other signal within {_GRACE:g} s."
        )

    def _end(self) -> None:
        """End the process as its first signal does."""
        last = threading.Thread(target=self._speak_last, daemon=True)
        with contextlib.suppress(RuntimeError, MemoryError):  # no more threads
            last.start()
            last.join(_LAST_WORDS)
        end_by(self.first or signal.SIGTERM)

    def _speak_last(self) -> None:
        if self.last_words is not None:
            with contextlib.suppress(Exception):
                self.last_words()
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()


def _pipe() -> tuple[int, int]:
    """One that doesn't block, with high descriptors where the process may have such."""
    low = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        reading, writing = (fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, _LEAST_DESCRIPTOR) for end in low)
    except OSError:
        return low
    for end in low:
        os.close(end)
    return reading, writing


def _say(message: str) -> None:
    """In a thread of its own: who is interrupted may hold the lock of logging for ever."""
    with contextlib.suppress(RuntimeError, MemoryError):  # no more threads: that it ends the process matters more
        threading.Thread(target=_logger.warning, args=("%s", message), daemon=True).start()
