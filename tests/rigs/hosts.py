"""Commands that run as if on another host of a cluster: what neps sees of hosts, two of these differ in.

Files, network, clock and users are shared with the real host. Needs Linux and root. Called by tests and by
`rigs.processes`; the work is done by `rigs.host_entry`, in a process of its own.
"""

from __future__ import annotations

import functools
import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from rigs.isolated import isolated
from rigs.mounts import not_root_on_linux

__all__ = ["as_host", "hosts_available"]


def as_host(
    name: str, argv: Sequence[str], boot: int = 0, binds: Mapping[str | Path, str | Path] | None = None
) -> list[str]:
    """The command line that runs `argv` on a host called `name`.

    In there hostname, boot id, pids (from 1 on), /proc and System V IPC are the host's own. Signals that a user or
    a scheduler sends (TERM, INT, HUP, QUIT, USR1, USR2, CONT) are handed on. SIGKILL is a power failure: everything on
    the host dies. When the command ends, so does everything it left behind.

    Each call boots a host: two workers that share one, pids included, are started by one call
    (`as_host("a", ["sh", "-c", "first & second & wait"])`).

    Args:
        name: the hostname; the boot id follows from it and `boot`.
        argv: the command and its arguments.
        boot: how often the host was rebooted: another number, another boot id.
        binds: existing folder -> existing folder at which this host sees the first one.

    Returns:
        A command line. Its exit status is that of `argv`, or 128 + n if signal n ended it, or 125 if the host
        couldn't be made.
    """
    paths = {str(source): str(target) for source, target in (binds or {}).items()}
    host = json.dumps({"name": name, "boot": boot, "binds": paths})
    return [*isolated("host_entry"), host, *argv]


@functools.cache
def hosts_available() -> str | None:
    """Why hosts can't be made on this machine, or None."""
    if reason := not_root_on_linux():
        return f"hosts: {reason}"
    trial = subprocess.run(as_host("probe", ["true"]), capture_output=True, text=True, timeout=30, check=False)
    return None if trial.returncode == 0 else f"hosts: {trial.stderr.strip()}"
