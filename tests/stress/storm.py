"""SIGKILL at random moments, while a nursery starts again what is killed. Called by tests."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import random
import signal
import time
from collections import Counter
from pathlib import Path

from rigs.processes import Worker
from stress.evidence import Watch, leftovers, results
from stress.objective import journal

__all__ = ["Storm"]

_LATEST = 0.04


@dataclasses.dataclass(frozen=True)
class Storm:
    """So many kills while a search makes so many results.

    Args:
        trials: that the search makes.
        kills: how many.
        workers: how many the nursery has.
        seconds: after which a search that has not ended is stuck.
    """

    trials: int
    kills: int
    workers: int
    seconds: float

    @property
    def pace(self) -> float:
        """So many results are waited for between two kills, so that the last kill comes well before the last trial."""
        return 0.7 * self.trials / self.kills

    def rage(self, crowd: Worker, root: Path, rng: random.Random) -> Counter[str]:
        """Kills until the nursery has ended well, and returns how often at what; no result that was seen may change."""
        watch, killed = Watch(root), list[int]()
        deadline = time.monotonic() + self.seconds
        while crowd.exit_code is None:
            assert time.monotonic() < deadline, f"stuck with {results(root)}, {len(killed)} kills: {leftovers(root)}"
            seen = watch.look()
            recent = {entry.pid for entry in journal(root)[-3 * self.workers :]}
            at_work = recent & _children(crowd.pid) - set(killed)
            if at_work and len(killed) < self.kills and seen >= len(killed) * self.pace:
                time.sleep(rng.uniform(0.0, _LATEST))
                killed.append(rng.choice(sorted(at_work)))
                with contextlib.suppress(ProcessLookupError):  # it has ended well: there was nothing left to do
                    os.kill(killed[-1], signal.SIGKILL)
        assert crowd.exit_code == 0, crowd.stderr
        assert watch.look() == self.trials
        moments = _moments_of_death(root, killed)
        print(f"{len(killed)} kills: {moments}")
        return moments


def _children(pid: int) -> set[int]:
    with contextlib.suppress(OSError):
        return set(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))
    return set()


def _moments_of_death(root: Path, killed: list[int]) -> Counter[str]:
    """Where each killed worker was, as its last entry in the journal tells."""
    last = {entry.pid: entry.event for entry in journal(root)}
    return Counter("claiming or publishing" if last[pid] == "end" else "evaluating" for pid in killed)
