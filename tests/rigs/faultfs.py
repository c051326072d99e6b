"""A filesystem that fails on demand, mounted over a folder: what the servers and networks of a cluster do to neps.

Two mounts over one folder are two hosts: each has caches of its own, which `Validity` sets. Needs Linux, root and
/dev/fuse; nothing is to be installed. Called by tests; the server is `rigs.faultfs_server`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import select
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from rigs import mounts
from rigs.fault_rules import Fault, Rule, RuleBook
from rigs.fuse_wire import Validity
from rigs.isolated import isolated

__all__ = ["Fault", "Mount", "Rule", "Validity", "faultfs", "faultfs_available"]

_DEADLINE_SECONDS = 20.0


@dataclasses.dataclass(frozen=True)
class Mount:
    """A mounted faulty filesystem."""

    path: Path
    backing: Path
    _rules: Path
    _log: Path

    def rules(self, rules: list[Rule]) -> None:
        """Replaces the rules, from the next operation on; counts begin anew. An empty list ends all faults."""
        RuleBook.write(self._rules, rules)

    def faults(self) -> list[Fault]:
        """The faults given so far, oldest first: so that a test can say that what it survived did happen."""
        return RuleBook.faults(self._log)


@contextlib.contextmanager
def faultfs(backing: Path, cache: Validity | None = None, writes: Path | None = None) -> Iterator[Mount]:
    """Mounts a faulty view of the existing folder `backing`.

    Args:
        backing: what the mount shows; it may be used directly, too, as by a host without faults.
        cache: how long the kernel may answer from its caches; None is not at all.
        writes: a file in which to log all that is written and synced, for `rigs.write_log`; None is nowhere.

    Yields:
        The mount, without rules. It goes away in all cases, busy or hanging or not: who is still in it gets an error.
    """
    with tempfile.TemporaryDirectory(prefix="faultfs-") as folder:
        mount = Mount(Path(folder, "mount"), backing, Path(folder, "rules.json"), Path(folder, "faults.jsonl"))
        mount.path.mkdir()
        mount.rules([])
        valid = json.dumps(dataclasses.asdict(cache or Validity()))
        files = [str(path) for path in (backing, mount.path, mount._rules, mount._log)]
        with Path(folder, "stderr").open("wb") as errors:
            server = subprocess.Popen(
                [*isolated("faultfs_server"), *files, valid, str(writes or "")],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
            )
        try:
            _await_ready(server, Path(folder, "stderr"))
            yield mount
        finally:
            _stop(server)
            mounts.detach(str(mount.path))
            complaints = Path(folder, "stderr").read_text()
    if complaints:
        raise AssertionError(f"the server of the faulty filesystem failed itself:\n{complaints}")


@functools.cache
def faultfs_available() -> str | None:
    """Why a faulty filesystem can't be mounted on this machine, or None."""
    if reason := mounts.not_root_on_linux():
        return f"faultfs: {reason}"
    if not Path("/dev/fuse").exists():
        return "faultfs: needs /dev/fuse"
    try:
        with tempfile.TemporaryDirectory() as backing, faultfs(Path(backing)):
            return None
    except AssertionError as error:
        return f"faultfs: {error}"


def _await_ready(server: subprocess.Popen[bytes], errors: Path) -> None:
    assert server.stdout is not None
    readable, _, _ = select.select([server.stdout], [], [], _DEADLINE_SECONDS)
    if not readable or server.stdout.readline() != b"ready\n":
        raise AssertionError(f"no mount: {errors.read_text() or 'no answer in time'}")


def _stop(server: subprocess.Popen[bytes]) -> None:
    """Ends the server; when it is gone, the kernel fails all that still waits for it."""
    assert server.stdin is not None
    assert server.stdout is not None
    server.stdin.close()
    try:
        server.wait(_DEADLINE_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
    server.stdout.close()
