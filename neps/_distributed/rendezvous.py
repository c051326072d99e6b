"""Where `init_process_group` finds the other ranks, in run_pipeline and after a new start: torchrun's variables.

torchrun's own store serves one process group: a second one, in the same processes or in those that it has restarted,
would read the addresses that the first has left there, and wait for them in vain. So each trial that begins without a
group gets a store that nobody has used, from rank 0.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from collections.abc import Iterator

from neps._distributed.carrier import Host

__all__ = ["Rendezvous", "anew", "at", "is_grouped", "restored"]

_PORT, _AGENT = "MASTER_PORT", "TORCHELASTIC_USE_AGENT_STORE"


def is_grouped() -> bool:
    """Whether this process has a default process group now."""
    distributed = sys.modules.get("torch.distributed")
    return distributed is not None and distributed.is_available() and bool(distributed.is_initialized())


def at(port: int | None) -> None:
    """From now on, `init_process_group` is to find the others by the store at this port, which rank 0 hosts already."""
    if port is not None:
        os.environ[_PORT], os.environ[_AGENT] = str(port), "True"


def anew() -> dict[str, str]:
    """The variables for a new start of all ranks: rank 0 then hosts the store itself, at a port that is free now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as free:
        free.bind(("", 0))
        return {_PORT: str(free.getsockname()[1]), _AGENT: "False"}


@contextlib.contextmanager
def restored() -> Iterator[None]:
    """Let the variables be what they were, afterwards."""
    before = {name: os.environ.get(name) for name in (_PORT, _AGENT)}
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


class Rendezvous:
    """Rank 0's stores for run_pipeline."""

    def __init__(self) -> None:
        self._host: Host | None = None

    def port(self) -> int | None:
        """Where the trial that begins finds its store: a new one, unless the group of an earlier trial goes on."""
        if not is_grouped():
            self._host = Host()
        return None if self._host is None else self._host.port
