"""Starting torchrun, as users do, and reading what its ranks have written down."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

__all__ = ["TORCHRUN", "environment", "evidence_of", "order", "torchrun", "training"]

TORCHRUN = [sys.executable, "-m", "torch.distributed.run"]
_TRAINING = Path(__file__).with_name("training.py")


def environment() -> dict[str, str]:
    """For ranks: few threads, and nothing of whoever runs the tests."""
    dropped = ("RANK", "WORLD_SIZE", "MASTER_", "TORCHELASTIC", "NEPS_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    return {**kept, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}


def training(root: Path, evidence: Path, *options: str) -> list[str]:
    """The script and its arguments."""
    return [str(_TRAINING), str(root), str(evidence), *options]


@contextlib.contextmanager
def torchrun(size: int, script: list[str], log: Path, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """A torchrun of so many ranks on this machine, in a process group of its own; all of it is gone afterwards."""
    where = [] if any(option.startswith(("--rdzv", "--nnodes")) for option in options) else ["--standalone"]
    command = [*TORCHRUN, *where, f"--nproc-per-node={size}", *options, *script]
    with log.open("ab") as output:
        agent = subprocess.Popen(
            command, stdout=output, stderr=output, env=environment(), start_new_session=True, cwd=log.parent
        )
    try:
        yield agent
    finally:
        for pid in [*_children(agent.pid), agent.pid]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        agent.wait()


def _children(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        return [
            int(child) for path in Path(f"/proc/{pid}/task").glob("*/children") for child in path.read_text().split()
        ]
    return []


def order(
    evidence: Path, what: str, *, rank: int | str = "any", trial: int | str = "any", epoch: int | str = "any"
) -> Path:
    """Have a rank do this in that epoch of that trial: `kill`, `sudden` (a kill a moment later, wherever it is by
    then), `term`, `usr1`, `raise`, `exit`.
    """
    path = evidence / f"{rank}.{trial}.{epoch}.{what}.order"
    path.touch()
    return path


def evidence_of(folder: Path) -> list[dict[str, Any]]:
    """All lines that are whole, in order of time."""
    entries = []
    for path in folder.glob("rank-*.jsonl"):
        for line in path.read_text().splitlines():
            with contextlib.suppress(json.JSONDecodeError):  # a process that was killed in the midst of it
                entries.append(json.loads(line))
    return sorted(entries, key=lambda entry: entry["moment"])
