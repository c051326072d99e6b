"""What one rank learns of the others, and what they hear of it: beside real ranks, which tests/stress has."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from neps._distributed.carrier import Carrier, Host
from neps._distributed.endings import Ending
from neps._distributed.following import _Follower
from neps._distributed.launched import Group
from neps._distributed.leading import Leader
from neps._distributed.settling import Settling
from neps._distributed.watching import Watch
from neps._evaluation import Fence, Signals, Stopping
from neps._ledger.identity import Identity
from rigs.waiting import wait_until

FAR = {"host": "elsewhere", "worker": "w", "boot": "", "pid_namespace": "", "pid": 1, "process_started": 0}
AGENT = (
    """
import os, subprocess, sys, time

def start(rank, *command):
    variables = {"RANK": str(rank), "LOCAL_RANK": str(rank), "LOCAL_WORLD_SIZE": "2", "TORCHELASTIC_RUN_ID": "r"}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, env={**os.environ, **variables}, **pipes)

ask = """
    + repr("""
import sys
from neps._distributed.launched import Group
from neps._distributed.siblings import ended_siblings

group = Group(rank=0, size=4, run="r", address="localhost", port=1, agent_hosts=True)
for line in sys.stdin:
    print(ended_siblings(group, [1, 2, 3]), flush=True)
""")
    + """
other = start(1, "sleep", "60")
first = start(0, *sys.argv[1:], sys.executable, "-c", ask)
for line in sys.stdin:
    if line.strip() == "kill":
        other.kill()
        other.wait()
    first.stdin.write("ask\\n")
    first.stdin.flush()
    print(first.stdout.readline(), end="", flush=True)
first.communicate()
other.kill()
"""
)


def group(port: int, rank: int, size: int) -> Group:
    return Group(rank=rank, size=size, run="r", address="localhost", port=port, agent_hosts=True)


def scene(host: Host, rank: int, size: int) -> tuple[Carrier, Group, Watch, Carrier]:
    """A rank whose others are elsewhere: its carrier, its watch, and the carrier of another rank."""
    mine = group(host.port, rank, size)
    carrier = Carrier(mine, "0")
    identities = {each: Identity.from_document(FAR) for each in range(size)} | {rank: Identity.mine()}
    watch = Watch(carrier, mine, identities, Signals(), silence=120.0)
    return carrier, mine, watch, Carrier(group(host.port, 1 - rank % 2, size), "0")


def test_that_rank_0_died_elsewhere_is_learnt_from_who_saw_it() -> None:
    host = Host()
    _, _, watch, other = scene(host, 2, 3)
    watch._look()
    assert watch.lost is None
    other.put_first("dead/0", "process 7 on n2 has ended")
    other.count("news", 1)
    watch._look()
    assert "rank 0 died (process 7 on n2 has ended)" in str(watch.lost)


def test_who_ends_by_a_signal_says_so_once() -> None:
    host = Host()
    carrier, mine, watch, other = scene(host, 0, 2)
    other.count("left", 1)
    leader = Leader(carrier, mine, watch, Signals())
    leader.ends_by_signal(signal.SIGTERM)
    leader.leave(ValueError("later"))
    assert other.find("step/0") == {"kind": "bye", "error": "Interruption", "text": "interrupted by SIGTERM"}
    assert other.find("step/1") is None


@pytest.mark.parametrize("concludes", [True, False])
def test_who_fails_after_it_was_told_to_stop_lets_rank_0_save_first(concludes: bool) -> None:  # noqa: FBT001
    """All were told at the same call. But rank 0 may wait for it in a collective, so it does so for a while only."""
    host = Host()
    carrier, mine, watch, rank_0 = scene(host, 1, 2)
    follower = _Follower(carrier, mine, watch, Signals(), lambda: 0.0)
    watch.begin(1, Fence(lambda: None), lambda _: 0.0)

    def conclude() -> None:
        wait_until(lambda: rank_0.find("ended/1/1") is not None, 60, "rank 1 to tell")
        rank_0.put("step/0", {"kind": "on"})

    other = threading.Thread(target=conclude)
    if concludes:
        other.start()
    follower._tell(1, Ending(how="failed", error="too late"), 60.0 if concludes else 0.05)
    assert rank_0.find("stop/1") == (None if concludes else "failed on rank 1")
    if concludes:
        other.join()


@pytest.mark.parametrize(
    ("signum", "silence", "seconds", "late"),
    [
        (None, 9.0, 14.0, False),
        (None, 0.0, 16.0, True),
        (signal.SIGTERM, 9.0, 4.0, False),
        (signal.SIGTERM, 9.0, 6.0, True),
        (signal.SIGTERM, 1.0, 21.0, False),
        (signal.SIGTERM, 1.0, 23.0, True),
    ],
)
def test_how_long_ranks_may_take_to_end(signum: int | None, silence: float, seconds: float, late: bool) -> None:  # noqa: FBT001
    signals: Any = SimpleNamespace(first=signum)
    watch: Any = SimpleNamespace(dead={}, silent_for=lambda _: silence)
    carrier, stopping = Carrier(group(1, 0, 2), "0"), Stopping(lambda: False, lambda: False)
    assert Settling(carrier, group(1, 0, 2), watch, signals, 1, stopping)._is_late([1], seconds) is late


@pytest.mark.parametrize(("wrapped", "after"), [([], "[1]"), (["sh", "-c", '"$@"; true', "sh"], "[]")])
def test_which_ranks_of_this_host_have_ended(wrapped: list[str], after: str) -> None:
    """Nothing is concluded where a shell stands between a rank and torchrun."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("RANK", "LOCAL_", "TORCH"))}
    done = subprocess.run(
        [sys.executable, "-c", AGENT, *wrapped],
        input="look\nkill\n",
        env=clean,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stdout.splitlines() == ["[]", after], done.stderr
