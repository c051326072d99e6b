"""The program. See `python -m slurm_storm --help`."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

from rigs.slurm import slurm, slurm_available
from slurm_storm.rounds import KINDS, run_round
from storms.program import Account, run_program

WHAT = "Arrays of workers on a real SLURM lose tasks and nodes in every way that SLURM knows, while they search."
_MORE = 6  # so many strikes of a round besides one of each kind


def main() -> int:
    """Entry."""
    return run_program("slurm_storm", "SLURM storms", WHAT, _storm, slurm_available())


def _storm(options: argparse.Namespace, account: Account) -> None:
    folder = Path(options.folder or tempfile.mkdtemp(prefix="neps-slurm-storm-")).resolve()
    end, number = time.monotonic() + 60 * options.minutes, 0
    with slurm(kill_wait=15, node_timeout=12) as cluster:
        while time.monotonic() < end:
            number += 1
            chance = random.Random(f"{options.seed} {number}")
            kinds = [*KINDS, *chance.choices([kind for kind in KINDS if kind not in ("limit", "nest")], k=_MORE)]
            chance.shuffle(kinds)
            print(f"round {number}: {', '.join(kinds)}; evidence in {folder / str(number)}", flush=True)
            try:
                run_round(cluster, folder / str(number), kinds, chance, account)
            except AssertionError as error:
                account.wrong.append(("", f"round {number}: {error}"))
                cluster.run("scancel", "--me", "--full", "--signal=KILL")
            print(f"    {len(account.wrong)} wrong so far", flush=True)


if __name__ == "__main__":
    sys.exit(main())
