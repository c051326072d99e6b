"""What a signal does to this process, set from any thread: Python itself lets only the main thread do that."""

from __future__ import annotations

import ctypes
import os
import time
from typing import NoReturn

__all__ = ["end_by", "set_action"]

_DEFAULT, _IGNORE = 0, 1


def set_action(signum: int, *, ignored: bool = False) -> None:
    """Have the kernel ignore a signal, or do what it does by default. `signal.getsignal` doesn't learn of it."""
    c_signal = ctypes.CDLL(None).signal
    c_signal.argtypes, c_signal.restype = (ctypes.c_int, ctypes.c_void_p), ctypes.c_void_p
    c_signal(signum, _IGNORE if ignored else _DEFAULT)


def end_by(signum: int) -> NoReturn:
    """End this process as a signal does by default."""
    set_action(signum)
    os.kill(os.getpid(), signum)
    time.sleep(1)  # the first process of a container survives that, and a blocked signal is kept back
    os._exit(128 + signum)
