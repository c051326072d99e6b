"""Rank 0: the worker. What it claims, all ranks evaluate; what came of that on all of them, it publishes once.

`leading` surrounds its `neps.run`; the `Leader` stands behind `neps._worker.peers`. Only rank 0 writes into the root,
logs, shows progress, and calls callbacks. See docs/how-it-works.md for why one death, signal or error on any rank is
one end of the attempt.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import math
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

from neps._distributed import rendezvous
from neps._distributed.carrier import Carrier
from neps._distributed.endings import ALWAYS, Ending, asked, died, outcome
from neps._distributed.histories import trials_as_message
from neps._distributed.joining import await_ready, call_of, join
from neps._distributed.launched import Group
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
_SECONDS_TO_END, _SECONDS_TO_LEAVE = 15.0, 22.0
"""How long all ranks may take to end, once one has; after a signal: torchrun kills 30 s after that."""
_SECONDS_TO_FETCH = 30.0
_SILENT = 5.0
_SAY_AGAIN = 60.0
_PAUSE, _LONGEST_PAUSE = 0.001, 0.05


@contextlib.contextmanager
def leading(group: Group, arguments: Mapping[str, str]) -> Iterator[Leader]:
    """While it lasts, this process leads; the other ranks end with it, by the same error if there is one.

    Raises:
        ArgumentError, LaunchError: as `join`.
    """
    carrier, signals = call_of(group), Signals()
    identities = join(carrier, group, arguments, time.sleep)
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
        self._said = self._number = 0
        self._forgettable: list[list[str]] = [[], []]
        self._dead_before: set[int] = set()
        self._pull: Callable[[], object] = lambda: None
        self._endings: dict[int, Ending] = {}
        self._taken_over = False
        self._fetched = 0
        self._stopping = Stopping()
        self._answers = _Answers(carrier, 0)
        self._before_new_start: Callable[[], object] = lambda: None

    def opened(self, run: str, lease: float, before_new_start: Callable[[], object]) -> None:
        """Rank 0 has opened the run: wait until the others see it."""
        self._before_new_start = before_new_start
        self._say(kind="run", run=run, lease=lease)
        await_ready(self._carrier, self._group, self._wait)

    def share(self, history: History) -> None:
        """What all return."""
        message = {"trials": trials_as_message(history), "seed": history.seed, "ended_by": history.ended_by}
        self._carrier.put_large("history", message)

    def leave(self, error: BaseException | None) -> None:
        """Rank 0's call ends: the others' do so, too, and rank 0 waits until they know."""
        with contextlib.suppress(RankError):
            self._say(kind="bye", **_words(error))
            deadline = time.monotonic() + _SECONDS_TO_FETCH
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
        self._forget()
        self._number += 1
        self._dead_before = set(self._watch.dead)
        self._endings, self._taken_over, self._fetched = {}, False, 0
        port = self._rendezvous.port()
        rendezvous.at(port)
        decision = held.decision
        hold = held.hold
        lock = threading.Lock()

        def pull() -> None:
            with lock:
                self._fetch(held, reports)

        self._watch.on_tick = self._pull = pull
        self._watch.begin(self._number, fence, stopping.patience)
        self._stopping = stopping
        stopping.agree = self._answers = _Answers(self._carrier, self._number)
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

        def taken_over() -> None:
            self._taken_over = True
            self._watch.end_everywhere("the trial was taken over")
            fence.interrupt()

        try:
            yield taken_over
        finally:
            self._watch.over()
            self._watch.on_tick = lambda: None

    def settle(self, own: Ended | None) -> Ended:
        """Wait until it is over on all ranks, and say what came of it."""
        try:
            return self._settle(own)
        except RankError as error:
            return Interrupted(reason="unreachable", exception=error)

    def _settle(self, own: Ended | None) -> Ended:
        stopped = self._watch.stopped is not None and not self._taken_over
        mine = Ending.of(own, stopped=stopped)
        self._answers.conclude()
        if mine.how != "returned":
            mine = self._ordered(mine)
            if self._stopping.leaving:
                self._let_others_save()
            if self._missing():
                self._watch.end_everywhere(f"{mine.how} on rank 0")
        self._endings[0] = mine
        missing = self._await_others(mine)
        self._pull()
        if (dead := self._death(missing)) is not None:
            self._watch.end_everywhere("a rank died")
            return dead
        if self._taken_over:
            return Interrupted(reason="fenced", exception=RankError("the trial was taken over"))
        settled = outcome(own, self._endings, self._group.size, self._signals.first)
        if isinstance(settled, Interrupted) and settled.signum is not None:
            self._be_interrupted(settled.signum)
        return settled

    def conclude(self, leaves: Callable[[], bool]) -> None:
        """Go on together: as these processes, where nothing of the last evaluation is left in them."""
        endings = self._endings.values()
        stuck = any(not ending.is_over for ending in endings)
        mixed = any(ending.grouped for ending in endings) and not all(ending.is_clean for ending in endings)
        if stuck or (mixed and not leaves()):
            self._start_anew()
        self._say(kind="on")

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

    # Parts of these

    def _say(self, **message: Any) -> None:
        self._carrier.put(f"step/{self._said}", message)
        self._forgettable[-1].append(f"step/{self._said}")
        self._said += 1

    def _begin(self, fence: Fence, **message: Any) -> None:
        """Say which trial it is; where that can't be said, or a rank is gone, the evaluation ends before it begins."""
        try:
            self._say(**message)
        except RankError as error:
            self._watch.lost = self._watch.lost or error
        if self._watch.lost is not None or self._watch.dead:
            fence.interrupt()

    def _forget(self) -> None:
        """Delete what was said of the evaluation before the last: all have read it."""
        number, ranks = self._number - 1, range(1, self._group.size)
        if number < 1:
            return
        names = [f"{name}/{number}" for name in ("stop", "order", "places", "reports")]
        names += [asked(number), *(f"ended/{number}/{rank}" for rank in ranks)]
        with contextlib.suppress(RankError):
            self._carrier.forget([*names, *self._forgettable.pop(0)])
            self._forgettable.append([])

    def _wait(self, pause: float) -> None:
        """Between two looks."""
        if self._watch.lost is not None:
            raise self._watch.lost
        if self._watch.dead:
            rank, why = min(self._watch.dead.items())
            raise RankError(f"rank {rank} of {self._group.size} died: {why}.")
        time.sleep(pause)

    def _ordered(self, ending: Ending) -> Ending:
        return dataclasses.replace(
            ending,
            order=self._carrier.count(f"order/{self._number}", 1),
            grouped=rendezvous.is_grouped(),
            obstacle=anew.obstacle(main_thread=self.signals.active),
        )

    def _let_others_save(self) -> None:
        """All were told to stop at the same call: each has the time that this one had."""
        deadline = time.monotonic() + self._stopping.patience(self._signals.first or 0)
        while self._missing() and not self._watch.dead and time.monotonic() < deadline:
            time.sleep(_PAUSE)

    def _await_others(self, mine: Ending) -> list[int]:
        """The ranks of which nothing came in time; all come, unless something has gone wrong."""
        began, pause, say_at = time.monotonic(), _PAUSE, time.monotonic() + _SAY_AGAIN
        wrong_since = began if mine.how != "returned" else None
        while missing := self._missing():
            now = time.monotonic()
            if self._watch.dead:
                break
            if wrong_since is None and (self._watch.stopped is not None or self.signals.noticed):
                wrong_since = now
            signum, longest = self.signals.first, _SECONDS_TO_END
            if signum is not None:
                longest = _SECONDS_TO_LEAVE + self._stopping.patience(signum)
            if wrong_since is not None and now - wrong_since > longest:
                break
            if now > say_at:
                say_at = now + _SAY_AGAIN
                _logger.info("Waiting for run_pipeline to end on rank %s; for %.0f s so far", missing, now - began)
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        return missing

    def _missing(self) -> list[int]:
        """The ranks that have not ended yet, as far as is known."""
        missing = []
        for rank in range(1, self._group.size):
            if rank in self._endings:
                continue
            message = self._carrier.find(f"ended/{self._number}/{rank}")
            if message is None:
                missing.append(rank)
                continue
            ending = self._endings[rank] = Ending(**message)
            if ending.how == "fenced":
                self._taken_over = True
        return missing

    def _death(self, missing: list[int]) -> Interrupted | None:
        """That one of them died: proven, or by its silence."""
        if self._watch.lost is not None:
            raise self._watch.lost
        size = self._group.size
        if self._dead_before:
            rank = min(self._dead_before)
            raise RankError(f"rank {rank} of {size} died before this trial began: {self._watch.dead[rank]}.")
        if self._watch.dead:
            rank, why = min(self._watch.dead.items())
            return died(rank, size, why)
        for rank in missing:
            if not self.signals.noticed or self._watch.silent_for(rank) > _SILENT:
                return died(rank, size, f"it didn't end within {_SECONDS_TO_END:.0f} s of another one")
        return None

    def _be_interrupted(self, signum: int) -> None:
        """A signal that has come to another rank has come to this one: it ends, as by its own."""
        if not self.signals.noticed and self.signals.active:
            os.kill(os.getpid(), signum)

    def _start_anew(self) -> NoReturn:
        """Start all ranks anew, as they are.

        Raises:
            RankError: if one can't.
        """
        obstacles = {rank: ending.obstacle for rank, ending in self._endings.items() if ending.obstacle is not None}
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
        self._say(kind="anew", evaluation=self._number, environment=environment)
        deadline = time.monotonic() + GRACE
        while self._carrier.count(f"anew/{self._number}") < self._group.size - 1 and time.monotonic() < deadline:
            time.sleep(_PAUSE)
        self._watch.stop()
        self._before_new_start()
        anew.start(self.signals.give_back, environment)

    def _fetch(self, held: Claim, reports: Reports) -> None:
        """Take what other ranks have reported, for steps that rank 0 has not reported itself."""
        count = self._carrier.count(f"reports/{self._number}")
        while self._fetched < count:
            points = self._carrier.find(f"reported/{self._number}/{self._fetched + 1}")
            if points is None:
                return
            self._fetched += 1
            self._forgettable[-1].append(f"reported/{self._number}/{self._fetched}")
            theirs = [(step, loss) for step, loss in points if step not in reports.points]
            with contextlib.suppress(OSError):
                held.hold.curve(begun=True).append(theirs)


class _Answers:
    """Rank 0's answers of `should_stop` in one evaluation, for the same calls of the other ranks."""

    def __init__(self, carrier: Carrier, number: int) -> None:
        self._carrier, self._name = carrier, asked(number)
        self._calls = 0
        self._first: int | None = None

    def __call__(self, told: bool) -> bool:  # noqa: FBT001 - an answer
        self._calls += 1
        if told and self._first is None:
            self._first = self._calls
        with contextlib.suppress(RankError):  # the evaluation ends by that
            self._carrier.put(self._name, [self._calls, self._first])
        return told

    def conclude(self) -> None:
        """No further answer comes: who asks more often isn't told to stop, but by an answer that was given before."""
        self._carrier.put(self._name, [ALWAYS, self._first])


def _words(error: BaseException | None) -> dict[str, Any]:
    """How rank 0's call ended, for the others."""
    match error:
        case None:
            return {"error": None}
        case SystemExit():
            return {"error": "SystemExit", "code": error.code if isinstance(error.code, int | str) else None}
        case KeyboardInterrupt():
            return {"error": "KeyboardInterrupt"}
    return {"error": type(error).__name__, "text": str(error)}
