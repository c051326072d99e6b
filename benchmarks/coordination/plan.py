"""How much is measured, in quick, full and large mode, and in which folder. Values only."""

from __future__ import annotations

import dataclasses
from pathlib import Path

__all__ = ["Plan"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The size of a benchmark.

    Args:
        scratch: an empty folder on the disk that is measured.
        workers: numbers of worker processes.
        rounds: how often the contenders take turns.
        share: measured trials of each worker of neps and the raw loop in a round: enough to last for seconds, since
            workers look at each other's trials after one.
        finished: trials of the long run that is joined.
        samples: fresh processes for each figure of starting and joining.
    """

    scratch: Path
    workers: tuple[int, ...] = (1, 2, 4, 8)
    rounds: int = 5
    share: int = 150
    finished: int = 10_000
    samples: int = 11

    @classmethod
    def quick(cls, scratch: Path, *, finished: int) -> Plan:
        """For a look in between."""
        return cls(scratch=scratch, workers=(1, 8), rounds=3, share=80, finished=finished, samples=5)
