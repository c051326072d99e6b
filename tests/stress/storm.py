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
        seconds: after which a search in which nothing happens is stuck: no result, and no kill.
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
        progress, since = (0, 0), time.monotonic()
        while crowd.exit_code is None:
            seen = watch.look()
            if (seen, len(killed)) != progress:
                progress, since = (seen, len(killed)), time.monotonic()
            stuck = time.monotonic() - since > self.seconds
            assert not stuck, f"stuck with {results(root)}, {len(killed)} kills: {leftovers(root)}"
            lengthen(leash, self._reach(len(killed)))
            recent = {entry.pid for entry in journal(root)[-3 * self.workers :]}
            at_work = recent & _children(crowd.pid) - set(killed)
            if at_work and len(killed) < self.kills and seen >= len(killed) * self.pace:
                time.sleep(rng.uniform(0.0, _LATEST))
                victim = rng.choice(sorted(at_work))
                if _strike(root, victim, evaluating=len(killed) % 2 == 0):
                    killed.append(victim)
        assert crowd.exit_code == 0, crowd.stderr
        assert watch.look() == self.trials
        moments = _moments_of_death(root, killed)
        print(f"{len(killed)} kills: {moments}")
        return crowd, moments

    def _reach(self, kills: int) -> int:
        """How far the search may get after so many kills, so that there is something left for the others."""
        return self.trials if kills == self.kills else int((kills + 1) * self.pace) + _AHEAD * self.workers


def _strike(root: Path, pid: int, *, evaluating: bool) -> bool:
    """Kill a worker, if asked for only while it evaluates: on a busy machine few do. Whether it was killed."""
    try:
        if evaluating:
            os.kill(pid, signal.SIGSTOP)  # so that it doesn't go on between the look and the kill
            if _last_events(root).get(pid) == "end":
                os.kill(pid, signal.SIGCONT)
                return False
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:  # it has ended well: there was nothing left to do
        return False
    return True


def _last_events(root: Path) -> dict[int, str]:
    return {entry.pid: entry.event for entry in journal(root)}


def _children(pid: int) -> set[int]:
    with contextlib.suppress(OSError):
        return set(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))
    return set()


def _moments_of_death(root: Path, killed: list[int]) -> Counter[str]:
    """Where each killed worker was, as its last entry in the journal tells."""
    last = _last_events(root)
    return Counter("claiming or publishing" if last[pid] == "end" else "evaluating" for pid in killed)
