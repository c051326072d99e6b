"""Hosts with workers on them, as seen from outside: booted, robbed of their power, signalled, and never left behind."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import subprocess
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from chaos.evidence import WORKER
from chaos.plan import Plan
from rigs.hosts import as_host
from rigs.waiting import wait_until

__all__ = ["Cluster", "Processes"]

_FOLDER = "NEPS_CHAOS_FOLDER"
_TESTS = Path(__file__).resolve().parents[1]
_END_SECONDS = 30.0


@dataclasses.dataclass(frozen=True)
class Processes:
    """What a worker consists of: its own process, and what that has started."""

    main: int
    others: tuple[int, ...]

    def signal(self, number: int, *, alone: bool = False) -> None:
        """To its own process, and to the others if not `alone`."""
        for pid in (self.main, *(() if alone else self.others)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)


class Cluster:
    """All hosts of a round; a context manager after which nothing of it runs."""

    def __init__(self, plan: Plan, binds: Mapping[str, Mapping[Path, Path]] | None = None) -> None:
        """Starts nothing yet.

        Args:
            plan: the round's.
            binds: by host, existing folder -> existing folder at which that host sees the first one.
        """
        self._plan, self._binds = plan, binds or {}
        self._boots = {f"host{index}": -1 for index in range(plan.hosts)}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        """Boots all hosts; `set_clock` was called for each."""
        for host in self.hosts:
            self._boot(host)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """The power fails everywhere."""
        for process in self._processes.values():
            process.kill()
        for process in self._processes.values():
            process.wait(_END_SECONDS)

    @property
    def hosts(self) -> list[str]:
        """Their names."""
        return list(self._boots)

    @property
    def has_ended(self) -> bool:
        """Whether all workers have, and so their hosts."""
        return all(process.poll() is not None for process in self._processes.values())

    def set_clock(self, host: str, seconds: int) -> None:
        """How wrong the clock of a host is from now on."""
        new = self._plan.clock(host).with_suffix(".new")
        new.parent.mkdir(parents=True, exist_ok=True)
        new.write_text(f"{seconds:+d}\n")
        new.replace(self._plan.clock(host))

    def fail_power(self, host: str) -> None:
        """All processes of a host are gone at once; then it is booted anew."""
        self._processes[host].kill()
        self._processes[host].wait(_END_SECONDS)
        wait_until(lambda: not any(_is_on(name, host) for name in self.workers()), _END_SECONDS, f"the end of {host}")
        self._boot(host)

    def workers(self) -> dict[str, Processes]:
        """All that run now, by name."""
        found: dict[str, dict[int, int]] = defaultdict(dict)
        mark = f"{_FOLDER}={self._plan.folder}".encode()
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                environment = (process / "environ").read_bytes().split(b"\0")
                name = next((v[len(WORKER) + 1 :] for v in environment if v.startswith(f"{WORKER}=".encode())), None)
                if mark in environment and name is not None:
                    stat = (process / "stat").read_text().rpartition(")")[2].split()
                    found[name.decode()][int(process.name)] = int(stat[1])
        return {name: _with_main(parents) for name, parents in sorted(found.items())}

    def _boot(self, host: str) -> None:
        self._boots[host] += 1
        boot = self._boots[host]
        keeper = str(Path(__file__).with_name("keeper.py"))
        with self._plan.log(f"{host}.{boot}").open("wb") as log:
            self._processes[host] = subprocess.Popen(
                as_host(
                    host,
                    [self._plan.python, keeper, self._plan.to_json(), host, str(boot)],
                    boot,
                    {str(source): str(target) for source, target in self._binds.get(host, {}).items()},
                ),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, _FOLDER: str(self._plan.folder), "PYTHONPATH": str(_TESTS)},
                start_new_session=True,
            )

    def abort(self) -> None:
        """Python answers SIGABRT by a traceback in the worker's log."""
        for processes in self.workers().values():
            processes.signal(signal.SIGABRT, alone=True)


def _is_on(worker: str, host: str) -> bool:
    return worker.startswith(f"{host}.")


def _with_main(parents: dict[int, int]) -> Processes:
    """The process that none of the others has started, the eldest if there are several."""
    main = min((pid for pid, parent in parents.items() if parent not in parents), default=min(parents))
    return Processes(main, tuple(pid for pid in parents if pid != main))
