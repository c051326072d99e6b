"""One round: workers on both mounts of a filesystem search, strikes come one after the other, the verdict is given."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import random
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from chaos.evidence import record
from rigs.networked import Client, Kind, networked
from rigs.processes import Fleet, Host, Worker
from rigs.waiting import wait_until
from storms import worker as program
from storms.plan import Plan
from storms.program import Account
from storms.reach import Reach
from storms.verdict import STORM, judge
from stress.evidence import results

__all__ = ["KINDS", "Setting", "run_round"]

KINDS = ("kill", "freeze", "leave", "paused client")
"""SIGKILL; SIGSTOP until others have taken over; SIGTERM; a client that hangs until others have taken over."""
_SECONDS = 240.0
_AHEAD = 8
_TRIALS = {"kill": 3, "leave": 3, "freeze": 20, "paused client": 20}
_TRIES = 100
_WORKERS_PER_CLIENT = 3


@dataclasses.dataclass(frozen=True)
class Setting:
    """A filesystem, how it is mounted, the lease that suits it, and about how long an epoch takes."""

    name: str
    kind: Kind
    options: Sequence[str] = ()
    lease: float = 6.0
    epoch_seconds: float = 0.3


def run_round(setting: Setting, folder: Path, kinds: Sequence[str], chance: random.Random, account: Account) -> None:
    """Adds to the account what was done, and what is wrong."""
    folder.mkdir(parents=True)
    with networked(setting.kind, setting.options) as clients, Fleet(folder, chance) as fleet:
        storm = _Storm(setting, folder, kinds, clients, fleet)
        for kind in kinds:
            start = time.monotonic()
            account.faults[f"{setting.name}: {kind}"] += 1
            storm.strike(kind, chance)
            print(f"    {kind}: {time.monotonic() - start:.1f} s", flush=True)
        account.wrong += [("", f"{setting.name}: {finding}") for finding in storm.end()]
        logs = [folder / f"{worker.name}.err" for worker in fleet.workers]
        counts, wrong = judge(storm.seen, logs)
    account.counts += counts
    account.wrong += [("", f"{setting.name}: {finding}") for finding in wrong]


class _Storm:
    def __init__(
        self, setting: Setting, folder: Path, kinds: Sequence[str], clients: tuple[Client, Client], fleet: Fleet
    ) -> None:
        (folder / "shared").mkdir()
        trials = _AHEAD + sum(_TRIALS[kind] for kind in kinds)
        plan = Plan(folder, trials, len(kinds), lease=setting.lease, place=folder / "shared" / "root")
        self._plan = dataclasses.replace(plan, epoch_seconds=setting.epoch_seconds)
        self._plan.write()
        self.seen = dataclasses.replace(self._plan, place=clients[0].backing / "root")
        self._reach = Reach(self._plan, self.seen)
        self._reach.advance(_AHEAD)
        self._clients = clients
        self._fleet = fleet
        self._ended: set[str] = set()
        self._on: dict[str, tuple[Worker, int]] = {}
        for index in range(2 * _WORKERS_PER_CLIENT):
            self._start(index % 2)

    def strike(self, kind: str, chance: random.Random) -> None:
        """Once, and until it has had its effect."""
        strikes: dict[str, Callable[[random.Random], None]] = {
            "kill": functools.partial(self._replace, kind, signal.SIGKILL),
            "leave": functools.partial(self._replace, kind, signal.SIGTERM),
            "freeze": self._freeze,
            "paused client": self._pause,
        }
        strikes[kind](chance)
        self._reach.advance(_TRIALS["kill"])

    def _replace(self, kind: str, number: int, chance: random.Random) -> None:
        name = self._victim(chance)
        worker, side = self._on[name]
        with self._striking(kind, name):
            worker.kill() if number == signal.SIGKILL else worker.signal(number)
            worker.wait(_SECONDS)
        self._ended.add(name)
        self._start(side)

    def _freeze(self, chance: random.Random) -> None:
        for _ in range(_TRIES):
            name = self._victim(chance)
            worker, _ = self._on[name]
            with self._striking("freeze", name):
                worker.freeze()
                still_evaluates = name in self._able()
                if still_evaluates:
                    self._await_takeover(name)
                worker.thaw()
            if still_evaluates:
                return

    def _pause(self, chance: random.Random) -> None:
        for _ in range(_TRIES):
            side = self._on[self._victim(chance)][1]
            there = {name for name, (_, where) in self._on.items() if where == side} - self._ended
            with self._striking("paused client", *there):
                self._clients[side].pause()
                evaluate = there & set(self._able())
                if evaluate:
                    self._await_takeover(*evaluate)
                self._clients[side].resume()
            if evaluate:
                return

    def end(self) -> Iterator[str]:
        """Lets the search come to its end; whatever is wrong with workers."""
        self._reach.advance(self._plan.trials)
        wait_until(
            lambda: sum(results(self.seen.root).values()) >= self._plan.trials, _SECONDS, f"results in {self.seen}", 0.2
        )
        for name, (worker, _) in self._on.items():
            if name not in self._ended and (code := worker.wait(_SECONDS)):
                yield f"worker {name} ended with {code}: {worker.stderr[-2000:]}"

    def _able(self) -> list[str]:
        return sorted((self._reach.evaluating() & self._on.keys()) - self._ended)

    def _start(self, side: int) -> None:
        name = f"{'ab'[side]}{len(self._on)}"
        host = Host(name, binds={self._clients[side].path: self._plan.folder / "shared"})
        environment = {"NEPS_STORM_WORKER": name}
        file = Path(program.__file__)
        self._on[name] = self._fleet.start(file, self._plan.file, environment=environment, host=host), side

    def _victim(self, chance: random.Random) -> str:
        wait_until(self._able, _SECONDS, "somebody who evaluates", 0.1)
        return chance.choice(self._able())

    def _await_takeover(self, *names: str) -> None:
        """Each of these is stopped in an evaluation, which it can't end."""
        before = len(self._reach.deaths())
        wait_until(lambda: self._reach.has_died(before), _SECONDS, f"a takeover from one of {names}", 2.0)

    @contextlib.contextmanager
    def _striking(self, kind: str, *workers: str) -> Iterator[None]:
        since = time.monotonic()
        yield
        facts = {"by": kind, "workers": workers, "host": "", "since": since, "until": time.monotonic()}
        record(self._plan.evidence, STORM, "struck", **facts)
