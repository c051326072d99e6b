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

from rigs.processes import Fleet, Worker
from stress.evidence import Watch, leftovers, results
from stress.leash import lengthen
from stress.objective import journal
from stress.share import Share
from stress.team import nursery

__all__ = ["Storm"]

_LATEST = 0.04
_AHEAD = 4
"""So many trials for each worker may be ahead of the kills: on a quiet machine the search never is."""


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

    def rage(self, fleet: Fleet, share: Share, rng: random.Random) -> tuple[Worker, Counter[str]]:
        """Kills until a nursery has ended well; no result that was seen may change.

        Returns:
            The nursery, and how often a worker was killed at what.
        """
        root = share.root
        leash = root.with_suffix(".leash")
        lengthen(leash, 0)
        share = dataclasses.replace(share, objective={**share.objective, "leash": str(leash)})
        crowd = nursery(fleet, share, self.workers)
        watch, killed = Watch(root), list[int]()
        deadline = time.monotonic() + self.seconds
        while crowd.exit_code is None:
            assert time.monotonic() < deadline, f"stuck with {results(root)}, {len(killed)} kills: {leftovers(root)}"
            seen = watch.look()
            lengthen(leash, self._reach(len(killed)))
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
        return crowd, moments

    def _reach(self, kills: int) -> int:
        """How far the search may get after so many kills, so that there is something left for the others."""
        return self.trials if kills == self.kills else int((kills + 1) * self.pace) + _AHEAD * self.workers


def _children(pid: int) -> set[int]:
    with contextlib.suppress(OSError):
        return set(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))
    return set()


def _moments_of_death(root: Path, killed: list[int]) -> Counter[str]:
    """Where each killed worker was, as its last entry in the journal tells."""
    last = {entry.pid: entry.event for entry in journal(root)}
    return Counter("claiming or publishing" if last[pid] == "end" else "evaluating" for pid in killed)
