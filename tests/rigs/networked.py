"""Networked filesystems, each mounted twice: two clients with caches of their own, as two hosts of a cluster are.

`gluster` is GlusterFS with one brick, in a network namespace of its own. `sshfs` is sshfs, whose two clients talk to an
sftp-server each, without ssh. Needs Linux, root, /dev/fuse, and what scripts/install-test-rigs installs. By hand:
`PYTHONPATH=tests python -m rigs.networked gluster`. Called by tests; the work is done by `rigs.networked_daemons`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, get_args

from rigs import mounts
from rigs.hosts import hosts_available
from rigs.isolated import isolated
from rigs.service import Service, ServiceError, service

__all__ = ["Client", "Kind", "networked", "networked_available"]

Kind = Literal["gluster", "sshfs"]
_PROGRAMS = {"gluster": ("glusterd", "gluster", "glusterfs"), "sshfs": ("sshfs", "fusermount3")}


@dataclasses.dataclass(frozen=True)
class Client:
    """One of the two mounts.

    Args:
        path: where the filesystem is seen.
        pid: the process that serves it.
    """

    path: Path
    pid: int

    def pause(self) -> None:
        """From now on every operation on this mount hangs, as where a network is cut."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """All that hangs goes on."""
        os.kill(self.pid, signal.SIGCONT)


@contextlib.contextmanager
def networked(kind: Kind, options: Sequence[str] = ()) -> Iterator[tuple[Client, Client]]:
    """Mounts an empty filesystem twice, and unmounts it in all cases, also where a client is paused.

    Args:
        kind: `gluster` or `sshfs`.
        options: of the clients: arguments of `glusterfs` (`--entry-timeout=5`), of `sshfs` (`-o`, `disable_hardlink`).
    """
    with tempfile.TemporaryDirectory(prefix=f"{kind}-", ignore_cleanup_errors=True) as temporary:
        folder = Path(temporary)
        paths = [folder / "a", folder / "b"]
        for path in (*paths, folder / "log"):
            path.mkdir()
        command = [*isolated("networked_daemons"), kind, temporary, *options]
        try:
            with service(command, folder / "log" / "daemons.log") as daemons:
                clients = [Client(path, _pid(daemons, path)) for path in paths]
                try:
                    yield clients[0], clients[1]
                finally:
                    for client in clients:
                        with contextlib.suppress(ProcessLookupError):
                            client.resume()
        finally:
            for path in paths:
                mounts.detach(str(path))


@functools.cache
def networked_available(kind: Kind) -> str | None:
    """Why such a filesystem can't be mounted on this machine, or None."""
    if reason := hosts_available():
        return f"{kind}: {reason}"
    if not Path("/dev/fuse").exists():
        return f"{kind}: needs /dev/fuse"
    if missing := [program for program in _PROGRAMS[kind] if not shutil.which(program)]:
        return f"{kind}: {', '.join(missing)} not found; scripts/install-test-rigs installs them"
    try:
        with networked(kind):
            return None
    except (OSError, ServiceError) as error:
        return f"{kind}: {error}"


def _pid(daemons: Service, path: Path) -> int:
    pid = daemons.ask("pid", path.name)
    assert isinstance(pid, int)
    return pid


def _main(kind: Kind) -> None:
    """Two mounts by hand."""
    if reason := networked_available(kind):
        sys.exit(f"error: {reason}")
    with networked(kind) as clients:
        for client in clients:
            print(f"{client.path}    # client {client.pid}: kill -STOP makes it hang, kill -CONT go on")
        print("# Ctrl-C ends all", flush=True)
        signal.sigwait([signal.SIGINT, signal.SIGTERM])


if __name__ == "__main__":
    if sys.argv[1:] not in [[kind] for kind in get_args(Kind)]:
        sys.exit(f"usage: python -m rigs.networked {'|'.join(get_args(Kind))}")
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT, signal.SIGTERM])
    _main(sys.argv[1])  # type: ignore[arg-type]
