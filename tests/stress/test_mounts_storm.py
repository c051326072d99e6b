"""Short rounds of the storm on networked filesystems, each mounted twice. `python -m mounts_storm` is the long one."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from mounts_storm.refused import refuse
from mounts_storm.rounds import KINDS, Setting, run_round
from rigs.networked import networked_available
from rigs.requirements import require
from storms.program import Account


@pytest.mark.parametrize(
    ("setting", "kinds"),
    [
        (Setting("GlusterFS", "gluster"), ["kill", "paused client"]),
        (Setting("sshfs", "sshfs", ("-o", "dir_cache=no")), ["leave", "freeze"]),
    ],
    ids=["gluster", "sshfs"],
)
def test_a_short_storm(setting: Setting, kinds: list[str], tmp_path: Path, rng: random.Random) -> None:
    require(networked_available(setting.kind))
    assert set(kinds) <= set(KINDS)
    account = Account()
    run_round(setting, tmp_path / "round", kinds, rng, account)
    print(account)
    assert account.wrong == []
    assert account.counts["died"] > 0, "nobody took over"


def test_a_filesystem_without_hard_links_is_refused(tmp_path: Path) -> None:
    require(networked_available("sshfs"))
    account = Account()
    refuse(tmp_path / "refused", account)
    assert account.wrong == []
