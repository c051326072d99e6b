"""A short storm on a real SLURM: each number has one result, polite leaves are no deaths, jobs end as they should.

`python -m slurm_storm` is the long one.
"""

from __future__ import annotations

import random
from pathlib import Path

from rigs.requirements import require
from rigs.slurm import slurm, slurm_available
from slurm_storm.rounds import KINDS, run_round
from storms.program import Account

STRIKES = ["limit", "nest", "requeue", "usr1", "cancel", "preempt", "crash", "join", "freeze"]


def test_a_short_storm(tmp_path: Path, rng: random.Random) -> None:
    require(slurm_available())
    account = Account()
    with slurm(kill_wait=20, grace=0) as cluster:
        run_round(cluster, tmp_path / "round", STRIKES, rng, account, quick=True)
    print(account)
    assert account.wrong == []
    assert account.faults == {KINDS[strike]: 1 for strike in STRIKES}
    assert account.counts["died"] > 0, "nobody took over"
    assert account.counts["left"] > 0, "nobody left politely"
