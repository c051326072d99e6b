"""What strikes a cluster: SIGKILL, SIGSTOP for longer than the lease, power failures, clocks that jump by years."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable, Mapping

from chaos.cluster import Cluster, Processes
from chaos.evidence import read, record
from chaos.plan import Plan

__all__ = ["CHAOS", "Strikes"]

CHAOS = "chaos"
"""Who strikes, in the evidence."""
_HOUR, _YEAR = 3600, 365 * 24 * 3600
_MEAN_SECONDS = {"kill": 6.0, "freeze": 6.0, "clock": 15.0, "power": 120.0}
_SHORT = 0.2  # so many freezes are shorter than the lease
_ALONE = 0.5  # so often only the worker's own process is struck, without what it has started


class Strikes:
    """Strikes at random moments; the same seed plans the same, but whom it meets depends on who runs then."""

    def __init__(self, plan: Plan, cluster: Cluster) -> None:
        """Nothing is due yet."""
        self._plan = plan
        self._cluster = cluster
        self._chance = random.Random(plan.seed)
        now = time.monotonic()
        self._due = {kind: now + self._pause(kind) for kind in _MEAN_SECONDS}
        self._frozen: dict[str, float] = {}
        self._act: Mapping[str, Callable[[], None]] = {
            "kill": self._kill,
            "freeze": self._freeze,
            "clock": self._set_clock,
            "power": self._fail_power,
        }

    def strike(self) -> None:
        """Does all that is due by now."""
        now = time.monotonic()
        self._thaw(before=now)
        for kind, moment in self._due.items():
            if moment <= now:
                self._due[kind] = now + self._pause(kind)
                self._act[kind]()

    def end(self) -> None:
        """Thaws whoever is frozen."""
        self._thaw(before=float("inf"))

    def _pause(self, kind: str) -> float:
        return self._chance.expovariate(1 / _MEAN_SECONDS[kind])

    def _kill(self) -> None:
        if met := self._victim():
            name, processes = met
            alone = self._chance.random() < _ALONE
            self._tell(name, "kill", alone=alone)
            processes.signal(signal.SIGKILL, alone=alone)

    def _freeze(self) -> None:
        importing = self._importing() if self._chance.random() < 0.5 else set()
        if met := self._victim(importing):
            name, processes = met
            low, high = (0.1, 0.8) if self._chance.random() < _SHORT else (1.3, 2.5)
            seconds = self._plan.lease * self._chance.uniform(low, high)
            alone = self._chance.random() < _ALONE
            self._tell(name, "freeze", seconds=seconds, alone=alone)
            processes.signal(signal.SIGSTOP, alone=alone)
            self._frozen[name] = time.monotonic() + seconds

    def _thaw(self, before: float) -> None:
        for name, moment in list(self._frozen.items()):
            if moment <= before:
                del self._frozen[name]
                if processes := self._cluster.workers().get(name):
                    self._tell(name, "thaw")
                    processes.signal(signal.SIGCONT)

    def _set_clock(self) -> None:
        host = self._chance.choice(self._cluster.hosts)
        scale = self._chance.choice([60, _HOUR, 24 * _HOUR, _YEAR])
        seconds = int(self._chance.uniform(-5, 5) * scale)
        self._tell(host, "clock", seconds=seconds)
        self._cluster.set_clock(host, seconds)

    def _fail_power(self) -> None:
        host = self._chance.choice(self._cluster.hosts)
        for name in self._cluster.workers():
            if name.startswith(f"{host}."):
                self._tell(name, "kill", power=True)
                self._frozen.pop(name, None)
        self._tell(host, "power")
        self._cluster.fail_power(host)

    def _victim(self, preferred: set[str] = frozenset()) -> tuple[str, Processes] | None:  # type: ignore[assignment]
        workers = [(name, met) for name, met in self._cluster.workers().items() if name not in self._frozen]
        chosen = [(name, met) for name, met in workers if name in preferred]
        return self._chance.choice(chosen or workers) if workers else None

    def _importing(self) -> set[str]:
        """Who is in the middle of an import of run_pipeline."""
        last = {entry.worker: entry.event for entry in read(self._plan.evidence)}
        return {name for name, event in last.items() if event == "import"}

    def _tell(self, struck: str, event: str, **facts: object) -> None:
        record(self._plan.evidence, struck, event, by=CHAOS, **facts)
