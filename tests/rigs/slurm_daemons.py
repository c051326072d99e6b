"""The daemons of the SLURM rig: munged, slurmctld, and a slurmd on each of the hosts that it boots. See `rigs.slurm`.

Runs on a host of its own (`rigs.hosts`), on which all other hosts live: so whatever happens, nothing outlives it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

from rigs.hosts import as_host
from rigs.service import await_true, keep, refuse, serve

__all__ = ["main"]

_SECONDS = 30.0


def main() -> None:
    """Entry: `sys.argv` is the rig's folder, then the names of the nodes."""
    daemons = _Daemons(Path(sys.argv[1]), sys.argv[2:])
    try:
        daemons.start()
    except Exception as error:  # noqa: BLE001 - whatever it is, the test gets to know it
        refuse(error)
        return
    commands = (daemons.boot, daemons.crash, daemons.pause, daemons.resume)
    serve({command.__name__: command for command in commands})


class _Daemons:
    def __init__(self, folder: Path, names: list[str]) -> None:
        self._folder = folder
        self._boots = dict.fromkeys(names, 0)
        self._nodes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        munge = self._folder / "munge"
        files = {"key-file": "key", "socket": "socket", "pid-file": "pid", "seed-file": "seed", "log-file": "log"}
        options = [f"--{option}={munge / name}" for option, name in files.items()]
        self._keep("munged", ["munged", "--foreground", "--force", "--num-threads=2", *options])
        await_true((munge / "socket").exists, _SECONDS, f"munged; see {munge}")
        self._keep("slurmctld", ["slurmctld", "-D", "-i"])
        for name in self._boots:
            self.boot(name)

    def boot(self, name: str) -> None:
        """Starts a node; one that has crashed is rebooted by that."""
        assert name not in self._nodes, f"{name} runs"
        binds: dict[str | Path, str | Path] = {self._folder / "hosts": "/etc/hosts"}
        self._nodes[name] = self._keep(name, as_host(name, ["slurmd", "-D"], self._boots[name], binds))
        self._boots[name] += 1

    def crash(self, name: str) -> None:
        """All processes of a node are gone at once."""
        node = self._nodes.pop(name)
        with contextlib.suppress(AssertionError):
            init = self._init(node)
            os.kill(init, signal.SIGKILL)
        node.kill()
        node.wait()

    def pause(self, name: str) -> None:
        """All processes of a node stop."""

        def all_stopped() -> bool:
            self._signal(name, signal.SIGSTOP)
            return all(_state(pid) in "TtZXD" for pid in self._processes(name))

        await_true(all_stopped, _SECONDS, f"the freezing of {name}")

    def resume(self, name: str) -> None:
        """They go on."""
        self._signal(name, signal.SIGCONT)

    def _keep(self, name: str, command: list[str]) -> subprocess.Popen[bytes]:
        return keep(command, self._folder / "log" / f"{name}.out")

    def _signal(self, name: str, number: int) -> None:
        for pid in self._processes(name):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def _processes(self, name: str) -> list[int]:
        """What runs on a node, its init first."""
        mine = _namespace(self._init(self._nodes[name]))
        pids = sorted(int(process.name) for process in Path("/proc").glob("[0-9]*"))
        return [pid for pid in pids if _namespace(pid) == mine]

    def _init(self, node: subprocess.Popen[bytes]) -> int:
        children = Path(f"/proc/{node.pid}/task/{node.pid}/children").read_text().split()
        assert children, "the node has ended"
        return int(children[0])


def _namespace(pid: int) -> str | None:
    with contextlib.suppress(OSError):
        return str(Path(f"/proc/{pid}/ns/pid").readlink())
    return None


def _state(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return "X"
