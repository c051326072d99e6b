"""What a local worker's process runs first, before its script takes its place by exec: it is bound to its cores.

And it is told to end once `neps launch` is gone, however that ended. A program that imports nothing of neps.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

__all__: list[str] = []

_PR_SET_PDEATHSIG = 1


def _main() -> None:
    """`sys.argv` is the launcher's pid, the cores (or nothing), and the command."""
    launcher, cores, command = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != launcher:  # gone already
        sys.exit(1)
    if cores:
        os.sched_setaffinity(0, map(int, cores.split(",")))
    os.execv(command[0], command)  # noqa: S606 - no shell is what is wanted


if __name__ == "__main__":
    _main()
