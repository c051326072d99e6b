"""Keeps so many workers running on its host, a program: what ends is replaced at once, until the round is over.

`sys.argv` is the plan, the host's name and how often it was booted. Started by `chaos.cluster`, one for each host.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import time
from pathlib import Path

from chaos.evidence import WORKER, record
from chaos.plan import Plan

_GRACE_SECONDS = 30.0


def main() -> None:
    """Entry: ends when the round is over and the last worker has ended."""
    plan, host, boot = Plan.from_json(sys.argv[1]), sys.argv[2], sys.argv[3]
    counter = itertools.count(1)
    living: dict[int, str] = {}
    while True:
        while len(living) < plan.workers_per_host and not plan.over.exists():
            name = f"{host}.{boot}.{next(counter)}"
            living[_start(plan, name)] = name
        if not living:
            break
        pid, status = os.wait()
        record(plan.evidence, living.pop(pid), "exit", code=os.waitstatus_to_exitcode(status))
    _tell_who_is_left(plan, host)


def _start(plan: Plan, name: str) -> int:
    host, boot, _ = name.split(".")
    launch = {"NEPS_RUN_TOKEN": plan.token(host, int(boot))} if plan.kind.launches else {}
    with plan.log(name).open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("worker.py")), sys.argv[1]],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, WORKER: name, "PYTHONFAULTHANDLER": "1", **launch, **_wrong_clock(plan, host)},
            start_new_session=True,
        )
    process.returncode = 0  # reaped by os.wait() above, not by subprocess
    record(plan.evidence, name, "start", pid=process.pid)
    return process.pid


def _wrong_clock(plan: Plan, host: str) -> dict[str, str]:
    if not plan.faketime:
        return {}
    return {
        "LD_PRELOAD": plan.faketime,
        "FAKETIME_TIMESTAMP_FILE": str(plan.clock(host)),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_DISABLE_SHM": "1",
        "NO_FAKE_STAT": "1",
    }


def _tell_who_is_left(plan: Plan, host: str) -> None:
    """What workers started and left behind: all of this host but its init and this process."""
    end = time.monotonic() + _GRACE_SECONDS
    while (left := _others()) and time.monotonic() < end:
        time.sleep(0.05)
    for pid, command in left.items():
        record(plan.evidence, host, "left behind", pid=pid, command=command)


def _others() -> dict[int, str]:
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        if int(process.name) not in (1, os.getpid()):
            try:
                found[int(process.name)] = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()[:300]
            except OSError:
                continue
    return found


if __name__ == "__main__":
    main()
