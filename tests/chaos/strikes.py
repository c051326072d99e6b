"""What strikes a cluster: SIGKILL, SIGSTOP beyond the lease, power failures, outages of storage, clocks that jump."""

from __future__ import annotations

import math
import random
import signal
import time
from collections.abc import Callable, Mapping

from chaos.cluster import Cluster, Processes
from chaos.evidence import read, record
from chaos.plan import Plan
from chaos.storage import OUTAGES, Storage

__all__ = ["CHAOS", "Strikes"]

CHAOS = "chaos"
"""Who strikes, in the evidence."""
_HOUR, _YEAR = 3600, 365 * 24 * 3600
_MEAN_SECONDS = {"kill": 6.0, "freeze": 6.0, "clock": 15.0, "power": 120.0, "outage": 30.0}
_SHORT = 0.2  # so many freezes are shorter than the lease
_ALONE = 0.5  # so often only the worker's own process is struck, without what it has started
_EVERYWHERE = 0.4  # so many outages are the file server's, and the others one host's


class Strikes:
    """Strikes at random moments; the same seed plans the same, but whom it meets depends on who runs then.

    Nothing strikes before each host has begun to work: who starts at once with a frozen worker takes it for dead.
    """

    def __init__(self, plan: Plan, cluster: Cluster, storage: Storage | None = None) -> None:
        """Nothing is due yet; without a storage there are no outages."""
        self._plan, self._cluster, self._storage = plan, cluster, storage
        self._chance = random.Random(plan.seed)
        self._due: dict[str, float] = {}
        self._frozen: dict[str, float] = {}
        self._failing: list[str] = []
        self._works_again = math.inf
        self._act: Mapping[str, Callable[[], None]] = {
            "kill": self._kill,
            "freeze": self._freeze,
            "clock": self._set_clock,
            "power": self._fail_power,
            **({} if storage is None else {"outage": self._fail_storage}),
        }

    def skew(self) -> None:
        """Before the hosts boot: their clocks are hours wrong, in both directions."""
        for index, host in enumerate(self._cluster.hosts):
            self._jump(host, int((-1) ** index * self._chance.uniform(1, 9) * _HOUR))

    def strike(self) -> None:
        """Does all that is due by now."""
        now = time.monotonic()
        if not self._due:
            if self._have_begun():
                self._due = {kind: now + self._pause(kind) for kind in self._act}
            return
        self._thaw(before=now)
        self._mend_storage(before=now)
        for kind, moment in self._due.items():
            if moment <= now:
                self._due[kind] = now + self._pause(kind)
                self._act[kind]()

    def end(self) -> None:
        """Thaws whoever is frozen, and lets all storage work."""
        self._mend_storage(before=math.inf)
        self._thaw(before=math.inf)

    def _have_begun(self) -> bool:
        begun = {entry.worker.split(".")[0] for entry in read(self._plan.evidence) if entry.event == "begin"}
        return begun >= set(self._cluster.hosts)

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
        scale = self._chance.choice([60, _HOUR, 24 * _HOUR, _YEAR])
        self._jump(self._chance.choice(self._cluster.hosts), int(self._chance.uniform(-5, 5) * scale))

    def _jump(self, host: str, seconds: int) -> None:
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

    def _fail_storage(self) -> None:
        if self._storage is None or self._failing:
            return
        hosts, outage = self._cluster.hosts, self._chance.choice(OUTAGES)
        self._failing = hosts if self._chance.random() < _EVERYWHERE else [self._chance.choice(hosts)]
        seconds = self._plan.lease * self._chance.uniform(0.1, outage.leases)
        everywhere = len(self._failing) > 1
        for host in self._failing:
            also = host != self._failing[0]  # the same outage, and so not counted
            self._tell(host, "outage", how=outage.name, seconds=seconds, everywhere=everywhere, also=also)
        self._storage.fail(self._failing, outage)
        self._works_again = time.monotonic() + seconds

    def _mend_storage(self, before: float) -> None:
        if self._storage is not None and self._works_again <= before and self._failing:
            self._storage.work(self._failing)
            for host in self._failing:
                self._tell(host, "works again")
            self._failing, self._works_again = [], math.inf

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
