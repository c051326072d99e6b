"""Which ranks of the same torchrun on this host have ended: their processes are children of the same agent.

Only Linux tells. Asked by `joining`, of ranks that don't call `neps.run`; nothing else is concluded from it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

from neps._distributed.launched import Group

__all__ = ["ended_siblings"]


def ended_siblings(group: Group, ranks: Iterable[int]) -> list[int]:
    """Those of these ranks that torchrun had started beside this one, and that have ended."""
    local, count = (os.environ.get(name, "") for name in ("LOCAL_RANK", "LOCAL_WORLD_SIZE"))
    agent = os.getppid()
    variables = _variables(agent)
    if not (local.isdecimal() and count.isdecimal()) or variables is None or _run(variables) == group.run:
        return []  # that isn't the agent, but a shell which a rank was wrapped in
    first = group.rank - int(local)
    if (running := _running(agent, group)) is None or group.rank not in running:
        return []
    return [rank for rank in ranks if first <= rank < first + int(count) and rank not in running]


def _running(agent: int, group: Group) -> set[int] | None:
    """The ranks whose processes are there; None if one can't be looked at."""
    running = set()
    try:
        children = [pid for path in Path(f"/proc/{agent}/task").glob("*/children") for pid in path.read_text().split()]
    except OSError:
        return None
    for pid in children:
        if (variables := _variables(int(pid))) is None:
            return None
        rank = variables.get("RANK", "")
        if _run(variables) == group.run and rank.isdecimal():
            running.add(int(rank))
    return running


def _run(variables: dict[str, str]) -> str | None:
    return variables.get("TORCHELASTIC_RUN_ID")


def _variables(pid: int) -> dict[str, str] | None:
    """With which a process was started; none of one that has ended (a zombie), None if they can't be read."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        try:
            content = Path(f"/proc/{pid}/environ").read_bytes()
        except PermissionError:
            return None
        pairs = (os.fsdecode(entry).partition("=") for entry in content.split(b"\0") if entry)
        return {name: value for name, _, value in pairs}
    return {}
