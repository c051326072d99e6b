"""Rank 0: the worker. What it claims, all ranks evaluate; what came of that on all of them, it publishes once.

`leading` surrounds its `neps.run`; the `Leader` stands behind `neps._worker.peers`. Only rank 0 writes into the root,
logs, shows progress, and calls callbacks. What it says to the others is in `telling`; what came of an evaluation on all
of them, in `settling`. See docs/how-it-works.md for why one death, signal or error on any rank is one end of the
attempt.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

from neps._distributed import rendezvous
from neps._distributed.carrier import Carrier
from neps._distributed.histories import history_as_message
from neps._distributed.joining import await_ready, join
from neps._distributed.launched import Group
from neps._distributed.pulling import Pull
from neps._distributed.settling import Settling
from neps._distributed.telling import Steps, words
from neps._distributed.watching import GRACE, Watch
from neps._evaluation import Fence, Interrupted, Reports, Signals, Stopping
from neps._evaluation.actions import end_by
from neps._history import History
from neps._ledger.claims import Claim
from neps._worker import anew
from neps._worker.peers import Ended
from neps.errors import NepsError, RankError

__all__ = ["Leader", "leading"]

_logger = logging.getLogger("neps.distributed")
_SECONDS_TO_FETCH, _SECONDS_TO_HEAR = 30.0, 3.0
"""How long the others may take to read the history; to hear that rank 0 ends by a signal."""
_PAUSE, _LONGEST_PAUSE = 0.001, 0.05


@contextlib.contextmanager
def leading(group: Group, arguments: Mapping[str, str]) -> Iterator[Leader]:
    """While it lasts, this process leads; the other ranks end with it, by the same error if there is one.

    Raises:
        ArgumentError, LaunchError: as `join`.
    """
    signals = Signals()
    carrier, identities = join(group, arguments, time.sleep)
    watch = Watch(carrier, group, identities, signals, silence=120.0)
    leader = Leader(carrier, group, watch, signals)
    watch.start()
    try:
        with rendezvous.restored():
            yield leader
        leader.leave(None)
    except BaseException as error:
        leader.leave(error)
        raise
    finally:
        watch.stop()


class Leader:
    """Tells the others what to evaluate, and waits for how it ended."""

    def __init__(self, carrier: Carrier, group: Group, watch: Watch, signals: Signals) -> None:
        self._signals = signals
        self._carrier, self._group, self._watch = carrier, group, watch
        self._rendezvous = rendezvous.Rendezvous()
        self._steps = Steps(carrier)
        self._number = 0
        self._evaluation: Settling | None = None
        self._pull: Callable[[], object] = lambda: None
        self._before_new_start: Callable[[], object] = lambda: None
        self._has_left = False

    def opened(self, run: str, lease: float, before_new_start: Callable[[], object]) -> None:
        """Rank 0 has opened the run: wait until the others see it."""
        self._before_new_start = before_new_start
        self._steps.say(kind="run", run=run, lease=lease)
        await_ready(self._carrier, self._group, self._wait)

    def share(self, history: History) -> None:
        """What all return."""
        self._carrier.put_large("history", history_as_message(history))

    def leave(self, error: BaseException | None, seconds: float = _SECONDS_TO_FETCH) -> None:
        """Rank 0's call ends: the others' do so, too, and rank 0 waits until they know, but not longer than that."""
        if self._has_left:
            return
        self._has_left = True
        with contextlib.suppress(RankError):
            self._steps.say(kind="bye", **words(error))
            deadline = time.monotonic() + seconds
            while self._carrier.count("left") < self._group.size - 1 - len(self._watch.dead):
                if time.monotonic() > deadline:
                    break
                time.sleep(_LONGEST_PAUSE)

    # As `neps._worker.peers.Peers`.

    @property
    def signals(self) -> Signals:
        """Of this process."""
        return self._signals

    @property
    def are_there(self) -> bool:
        """Two ranks at least."""
        return True

    def grace(self, lease: float) -> float:  # noqa: ARG002 - that of one worker
        """Seconds: what a rank does alone is in vain, and the others wait for it."""
        return GRACE

    @contextlib.contextmanager
    def evaluating(
        self, held: Claim, previous: Path | None, fence: Fence, stopping: Stopping, reports: Reports
    ) -> Iterator[Callable[[], None]]:
        """Have all others evaluate it, too."""
        self._steps.forget(self._number - 1, range(1, self._group.size))
        self._number += 1
        evaluation = Settling(self._carrier, self._group, self._watch, self._signals, self._number, stopping)
        self._evaluation = evaluation
        port = self._rendezvous.port()
        rendezvous.at(port)
        decision, hold = held.decision, held.hold
        pull = Pull(self._carrier, self._number, held, reports, self._steps.read_later)
        self._watch.on_tick = self._pull = pull
        self._watch.begin(self._number, fence, stopping.patience)
        stopping.agree = evaluation.answers
        ends = None if math.isinf(stopping.ends) else stopping.ends - time.monotonic()
        self._begin(
            fence,
            kind="trial",
            evaluation=self._number,
            number=held.number,
            attempt=hold.attempt,
            worker=hold.worker,
            config=dict(decision.config),
            seed=decision.seed,
            previous=None if previous is None else decision.previous,
            port=port,
            ends=ends,
        )
        try:
            yield lambda: evaluation.take_over(fence)
        finally:
            self._watch.over()
            self._watch.on_tick = lambda: None

    def settle(self, own: Ended | None) -> Ended:
        """Wait until it is over on all ranks, and say what came of it."""
        assert self._evaluation is not None  # noqa: S101 - it is asked after `evaluating`
        try:
            return self._evaluation.settle(own, self._pull)
        except RankError as error:
            return Interrupted(reason="unreachable", exception=error)

    def conclude(self, leaves: Callable[[], bool]) -> None:
        """Go on together: as these processes, where nothing of the last evaluation is left in them."""
        endings = {} if self._evaluation is None else self._evaluation.endings
        stuck = any(not ending.is_over for ending in endings.values())
        mixed = any(ending.grouped for ending in endings.values()) and not all(
            ending.is_clean for ending in endings.values()
        )
        if stuck or (mixed and not leaves()):
            self._start_anew()
        self._steps.say(kind="on")

    def end(self, raised: BaseException | None) -> NoReturn:
        """This process ends, or starts anew; from another thread than run_pipeline's."""
        try:
            if raised is None:
                self._start_anew()
            if isinstance(raised, NepsError):
                _logger.critical("%s", raised)
            self.leave(raised)
        except RankError as error:
            _logger.critical("%s", error)
            self.leave(error)
        finally:
            if (signum := self.signals.first) is not None:
                end_by(signum)
            os._exit(1)

    def ends_by_signal(self, signum: int) -> None:
        """The process is about to end as this signal does: the others hear of it before."""
        self.leave(self.signals.interruption(signum), _SECONDS_TO_HEAR)

    # Parts of these

    def _begin(self, fence: Fence, **message: Any) -> None:
        """Say which trial it is; where that can't be said, or a rank is gone, the evaluation ends before it begins."""
        try:
            self._steps.say(**message)
        except RankError as error:
            self._watch.lost = self._watch.lost or error
        if self._watch.lost is not None or self._watch.dead:
            fence.interrupt()

    def _wait(self, pause: float) -> None:
        """Between two looks."""
        if self._watch.lost is not None:
            raise self._watch.lost
        if self._watch.dead:
            rank, why = min(self._watch.dead.items())
            raise RankError(f"rank {rank} of {self._group.size} died: {why}.")
        time.sleep(pause)

    def _start_anew(self) -> NoReturn:
        """Start all ranks anew, as they are.

        Raises:
            RankError: if one can't.
        """
        endings = {} if self._evaluation is None else self._evaluation.endings
        obstacles = {rank: ending.obstacle for rank, ending in endings.items() if ending.obstacle is not None}
        mine = anew.obstacle(main_thread=self.signals.active)
        if mine is not None or obstacles:
            rank, why = (0, mine) if mine is not None else min(obstacles.items())
            raise RankError(
                f"the ranks can't go on after an evaluation that has not ended on all of them by itself, since their "
                f"process group may still wait for each other in it, and rank {rank} can't be restarted: {why}. "
                "Nothing is lost: torchrun restarts all ranks with --max-restarts=…, or start again."
            )
        environment = rendezvous.anew()
        _logger.info("All %d ranks restart, since their process group may still be in the last trial", self._group.size)
        self._steps.say(kind="anew", evaluation=self._number, environment=environment)
        deadline = time.monotonic() + GRACE
        while self._carrier.count(f"anew/{self._number}") < self._group.size - 1 and time.monotonic() < deadline:
            time.sleep(_PAUSE)
        self._watch.stop()
        self._before_new_start()
        anew.start(self.signals.give_back, environment)
