"""The program. See `python -m mounts_storm --help`."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import get_args

from mounts_storm.refused import refuse
from mounts_storm.rounds import KINDS, Setting, run_round
from rigs.networked import Kind, networked_available
from storms.program import Account, run_program

WHAT = (
    "Workers on two clients of GlusterFS, and on two of sshfs, are killed and frozen, and lose their mount for longer "
    "than the lease, while they search with hyperband and checkpoints."
)
SETTINGS = (
    Setting("GlusterFS", "gluster"),
    Setting("sshfs (dir_cache=no)", "sshfs", ("-o", "dir_cache=no")),
    Setting("GlusterFS (caches of 3 s)", "gluster", ("--attribute-timeout=3", "--entry-timeout=3"), lease=10),
    Setting("sshfs (caches of 20 s, lease of 60 s)", "sshfs", lease=60, epoch_seconds=2),
)
_MORE = 4  # so many strikes of a round besides one of each kind


def main() -> int:
    """Entry."""
    reasons = [reason for kind in get_args(Kind) if (reason := networked_available(kind))]
    return run_program("mounts_storm", "networked mounts", WHAT, _storm, "; ".join(reasons) or None)


def _storm(options: argparse.Namespace, account: Account) -> None:
    folder = Path(options.folder or tempfile.mkdtemp(prefix="neps-mounts-storm-")).resolve()
    end, number = time.monotonic() + 60 * options.minutes, 0
    refuse(folder / "refused", account)
    while time.monotonic() < end:
        setting = SETTINGS[number % len(SETTINGS)]
        number += 1
        chance = random.Random(f"{options.seed} {number}")
        kinds = [*KINDS, *chance.choices(KINDS, k=_MORE)]
        chance.shuffle(kinds)
        print(f"round {number}: {setting.name}: {', '.join(kinds)}; evidence in {folder / str(number)}", flush=True)
        try:
            run_round(setting, folder / str(number), kinds, chance, account)
        except AssertionError as error:
            account.wrong.append(("", f"round {number}, {setting.name}: {error}"))
        print(f"    {len(account.wrong)} wrong so far", flush=True)


if __name__ == "__main__":
    sys.exit(main())
