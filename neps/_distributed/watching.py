"""A thread of each rank that learns what happens to the others: one that ended, was signalled, or died.

It ends the evaluation here when it has ended there: by `Fence.interrupt`, or, for a signal, by sending that to this
process, too. What comes of it is decided elsewhere (`leading`, `following`).
"""

from __future__ import annotations

import dataclasses
import logging
import os
import threading
import time
from collections.abc import Callable, Mapping

from neps._distributed.carrier import Carrier
from neps._distributed.launched import Group
from neps._evaluation import Fence, Signals
from neps._ledger.identity import Identity
from neps.errors import RankError

__all__ = ["GRACE", "Watch"]

_logger = logging.getLogger("neps.distributed")
GRACE = 5.0
"""For how many seconds an evaluation that was ended elsewhere may go on here."""
_TICK, _BEAT = 0.1, 1.0
_SECONDS_TO_HANDLE, _SECONDS_TO_LEAVE = 2.0, 20.0
"""After a signal: until the main thread has noticed it, or else sits in C code; until run_pipeline must be over."""


@dataclasses.dataclass(slots=True)
class _Watched:
    """The evaluation that runs: its number, what interrupts it, and for how long a signal waits. `stopped`: why."""

    number: int
    fence: Fence
    patience: Callable[[int], float]
    stopped: str | None = None


class Watch:
    """Watches from `start` to `stop`.

    Args:
        carrier: the call's.
        group: the ranks.
        identities: their processes, by rank.
        signals: of this process.
        silence: for how many seconds a rank on another host may be silent until it counts as dead.
    """

    def __init__(
        self,
        carrier: Carrier,
        group: Group,
        identities: Mapping[int, Identity],
        signals: Signals,
        *,
        silence: float,
    ) -> None:
        self.dead: dict[int, str] = {}
        """The ranks whose processes have ended, and how that is known."""
        self.lost: RankError | None = None
        """The store is gone, or rank 0 is."""
        self.on_tick: Callable[[], object] = lambda: None
        """Called in the thread, again and again; may use the carrier."""
        self._carrier, self._group, self._signals = carrier, group, signals
        self._others = {rank: each for rank, each in identities.items() if rank != group.rank}
        mine = identities[group.rank]
        self._neighbours = {rank: each for rank, each in self._others.items() if mine.is_neighbour_of(each)}
        remote = self._others.keys() - self._neighbours.keys()
        self._remote = remote if group.rank == 0 else remote & {0}
        self._silence = silence
        self._news, self._signalled_at, self._beat_at = -1, 0.0, 0.0
        self._told_of_signal = False
        self._beats: dict[int, tuple[int, float]] = {}
        self._watched: _Watched | None = None
        self._changing = threading.RLock()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="neps-ranks", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; from any thread."""
        self._ending.set()
        if self._thread is not threading.current_thread():
            self._thread.join()

    def begin(self, number: int, fence: Fence, patience: Callable[[int], float]) -> None:
        """Evaluation `number` begins; what is known already interrupts it at once."""
        with self._changing:
            self._watched = _Watched(number, fence, patience)
            self._news = -1

    def over(self) -> None:
        """The evaluation is over everywhere."""
        with self._changing:
            self._watched = None

    @property
    def stopped(self) -> str | None:
        """Why the evaluation that runs was interrupted because of another rank; None if it was not."""
        watched = self._watched
        return None if watched is None else watched.stopped

    def end_everywhere(self, why: str) -> None:
        """Have the evaluation that runs end on all other ranks."""
        with self._changing:
            if self._watched is not None and self._carrier.put_first(f"stop/{self._watched.number}", why):
                self._carrier.count("news", 1)

    def silent_for(self, rank: int) -> float:
        """For how many seconds the thread of another rank has said nothing; 0 for one on the same host that lives."""
        if rank in self._neighbours:
            return 0.0
        return time.monotonic() - self._beats[rank][1] if rank in self._beats else 0.0

    # In the thread.

    def _watch(self) -> None:
        while not self._ending.wait(_TICK):
            try:
                self._look()
            except RankError as error:
                if self.lost is None and not self._ending.is_set():
                    self.lost = error
                    self._interrupt("the store is gone")
            except Exception:
                _logger.exception("Rank %d can't look after the others. Trying again.", self._group.rank)

    def _look(self) -> None:
        self._tell_signal()
        self._see_deaths()
        self._beat()
        if (news := self._carrier.count("news")) != self._news:
            self._learn()
            self._news = news
        self._hurry()
        self.on_tick()

    def _tell_signal(self) -> None:
        signum = self._signals.first
        if signum is not None and not self._told_of_signal:
            self._told_of_signal, self._signalled_at = True, time.monotonic()
            if self._carrier.put_first("signal", int(signum)):
                self._carrier.count("news", 1)

    def _see_deaths(self) -> None:
        for rank, identity in self._neighbours.items():
            if rank not in self.dead and identity.proven_dead():
                self._say_dead(rank, f"process {identity.pid} on {identity.host} has ended")

    def _say_dead(self, rank: int, why: str) -> None:
        self._know_dead(rank, why)
        self._interrupt(f"rank {rank} died")
        if self._carrier.put_first(f"dead/{rank}", why):
            self._carrier.count("news", 1)

    def _know_dead(self, rank: int, why: str) -> None:
        self.dead[rank] = why
        if rank == 0:
            self.lost = self.lost or RankError(f"rank 0 died ({why}). Its trial is resumed by whoever comes next.")

    def _beat(self) -> None:
        now = time.monotonic()
        if now < self._beat_at:
            return
        self._beat_at = now + _BEAT
        self._carrier.count(f"beats/{self._group.rank}", 1)
        for rank in self._remote:
            beats = self._carrier.count(f"beats/{rank}")
            if self._beats.get(rank, (-1, 0.0))[0] != beats:
                self._beats[rank] = beats, now
            elif rank not in self.dead and now - self._beats[rank][1] > self._silence:
                self._say_dead(rank, f"silent for {self._silence:.0f} s")

    def _learn(self) -> None:
        """Look at all that may be new."""
        for rank in self._others:
            if rank not in self.dead and (why := self._carrier.find(f"dead/{rank}")) is not None:
                self._know_dead(rank, why)
        if self.dead:
            self._interrupt(f"rank {min(self.dead)} died")
        signum = self._carrier.find("signal")
        if signum is not None and not self._signals.noticed and self._signals.active:
            self._told_of_signal, self._signalled_at = True, time.monotonic()
            os.kill(os.getpid(), signum)  # the same as if it had come here
        watched = self._watched
        if watched is not None and (why := self._carrier.find(f"stop/{watched.number}")) is not None:
            self._interrupt(why)

    def _interrupt(self, why: str) -> None:
        with self._changing:
            if self._watched is not None:
                self._watched.stopped = self._watched.stopped or why
                self._watched.fence.interrupt()

    def _hurry(self) -> None:
        """Interrupt an evaluation that a signal should have ended."""
        watched, signum = self._watched, self._signals.received
        if not self._told_of_signal or watched is None:
            return
        longest = _SECONDS_TO_HANDLE if signum is None else _SECONDS_TO_LEAVE + watched.patience(signum)
        if time.monotonic() - self._signalled_at > longest:
            self._interrupt("a signal came")
