"""The end of a process that was forked to run one function: nothing of the process that it was forked from runs there.

Called by rigs and proofs, in the child.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from typing import NoReturn

__all__ = ["end_by"]


def end_by(function: Callable[[], object]) -> NoReturn:
    """Call the function, and end this process: with status 0, or, where it raises, with 1 and a traceback."""
    code = 1
    try:
        function()
        code = 0
    except BaseException:  # noqa: BLE001 - the process ends in any case, and its log says why
        sys.excepthook(*sys.exc_info())
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)
