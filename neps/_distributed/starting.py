"""Starting a script as several ranks on one host, by torchrun, and ending all of them.

Called by `neps launch` and `neps preempt-test` where each worker is to have ranks. No torch here.
"""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

from neps.errors import ArgumentError

__all__ = ["RESTARTS", "handed_on", "kill_all", "torchrun"]

RESTARTS = 10
"""How often torchrun starts all ranks of a worker again, once one has died."""
_FEWEST_RANKS, _MOST_RANKS = 2, 1024
_HANDED_ON = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP})


def torchrun(python: str, ranks: int | None, restarts: int = RESTARTS) -> tuple[str, ...]:
    """The beginning of a command, behind which the script comes; without `ranks` it is the interpreter alone.

    Raises:
        ArgumentError: if there can't be so many.

    Example:
        >>> torchrun("python", 2, restarts=0)[:3]
        ('python', '-m', 'torch.distributed.run')
    """
    if ranks is None:
        return (python,)
    if not _FEWEST_RANKS <= ranks <= _MOST_RANKS:
        raise ArgumentError(
            f"--ranks is {ranks}; it must be from {_FEWEST_RANKS} to {_MOST_RANKS}: how many processes train a trial. "
            "Leave it out for one process."
        )
    module = (python, "-m", "torch.distributed.run")
    return (*module, "--standalone", f"--nproc-per-node={ranks}", f"--max-restarts={restarts}")


def handed_on(signum: int, ranks: int | None) -> int:
    """The signal to send in the place of this one: others than these end torchrun at once, without its ranks."""
    return signum if ranks is None or signum in _HANDED_ON else signal.SIGTERM


def kill_all(pid: int) -> None:
    """SIGKILL a process and all that it has started: ranks are in sessions of their own."""
    for process in [*_descendants(pid), pid]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def _descendants(pid: int) -> list[int]:
    """Those that the kernel tells of, none where it doesn't."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for path in Path(f"/proc/{pid}/task").glob("*/children"):
            for child in map(int, path.read_text().split()):
                found += [child, *_descendants(child)]
    return found
