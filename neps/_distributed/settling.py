"""One evaluation on all ranks, as rank 0 sees it: who has ended how, who has died, and what came of it in the end.

`leading` begins one for each trial, and publishes what `settle` says. What the endings mean together, `endings` says.
"""

from __future__ import annotations

import dataclasses
import logging
import os
import time
from collections.abc import Callable

from neps._distributed import rendezvous
from neps._distributed.carrier import Carrier
from neps._distributed.endings import Ending, died, outcome
from neps._distributed.launched import Group
from neps._distributed.telling import Answers
from neps._distributed.watching import Watch
from neps._evaluation import Fence, Interrupted, Signals, Stopping
from neps._worker import anew
from neps._worker.peers import Ended
from neps.errors import RankError

__all__ = ["Settling"]

_logger = logging.getLogger("neps.distributed")
_SECONDS_TO_END, _SECONDS_TO_LEAVE = 15.0, 22.0
"""How long all ranks may take to end, once one has; after a signal: torchrun kills 30 s after that."""
_SILENT = 5.0
_SAY_AGAIN = 60.0
_PAUSE, _LONGEST_PAUSE = 0.001, 0.05


class Settling:
    """From the beginning of an evaluation until it is over everywhere.

    Args:
        carrier: the call's.
        group: the ranks.
        watch: of rank 0.
        signals: of this process.
        number: of the evaluation, among those of the call.
        stopping: of the evaluation.
    """

    def __init__(
        self, carrier: Carrier, group: Group, watch: Watch, signals: Signals, number: int, stopping: Stopping
    ) -> None:
        self.endings: dict[int, Ending] = {}
        """How it has ended, by rank, as far as is known."""
        self.answers = Answers(carrier, number)
        self._carrier, self._group, self._watch, self._signals = carrier, group, watch, signals
        self._number, self._stopping = number, stopping
        self._dead_before = set(watch.dead)
        self._taken_over = False

    def take_over(self, fence: Fence) -> None:
        """The trial is another worker's by now."""
        self._taken_over = True
        self._watch.end_everywhere("the trial was taken over")
        fence.interrupt()

    def settle(self, own: Ended | None, pull: Callable[[], object]) -> Ended:
        """Wait until it is over on all ranks, and say what came of it.

        Args:
            own: what came of it here; None where it doesn't return.
            pull: takes the last reports of the other ranks.

        Raises:
            RankError: if the ranks can't reach each other any more.
        """
        stopped = self._watch.stopped is not None and not self._taken_over
        mine = Ending.of(own, stopped=stopped)
        self.answers.conclude()
        if mine.how != "returned":
            mine = self._ordered(mine)
            if self._stopping.leaving:
                self._let_others_save()
            if self._missing():
                self._watch.end_everywhere(f"{mine.how} on rank 0")
        self.endings[0] = mine
        missing = self._await_others(mine)
        pull()
        if (dead := self._death(missing)) is not None:
            self._watch.end_everywhere("a rank died")
            return dead
        if self._taken_over:
            return Interrupted(reason="fenced", exception=RankError("the trial was taken over"))
        settled = outcome(own, self.endings, self._group.size, self._signals.first)
        if isinstance(settled, Interrupted) and settled.signum is not None:
            self._be_interrupted(settled.signum)
        return settled

    def _ordered(self, ending: Ending) -> Ending:
        return dataclasses.replace(
            ending,
            order=self._carrier.count(f"order/{self._number}", 1),
            grouped=rendezvous.is_grouped(),
            obstacle=anew.obstacle(main_thread=self._signals.active),
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
            if wrong_since is None and (self._watch.stopped is not None or self._signals.noticed):
                wrong_since = now
            if wrong_since is not None and self._is_late(missing, now - wrong_since):
                break
            if now > say_at:
                say_at = now + _SAY_AGAIN
                _logger.info("Waiting for run_pipeline to end on rank %s; for %.0f s so far", missing, now - began)
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        return missing

    def _is_late(self, missing: list[int], seconds: float) -> bool:
        """Whether it is in vain to wait for these, so many seconds after something has gone wrong."""
        signum = self._signals.first
        if signum is None:
            return seconds > _SECONDS_TO_END
        silent = seconds > _SILENT and all(self._watch.silent_for(rank) > _SILENT for rank in missing)
        return silent or seconds > _SECONDS_TO_LEAVE + self._stopping.patience(signum)

    def _missing(self) -> list[int]:
        """The ranks that have not ended yet, as far as is known."""
        missing = []
        for rank in range(1, self._group.size):
            if rank in self.endings:
                continue
            message = self._carrier.find(f"ended/{self._number}/{rank}")
            if message is None:
                missing.append(rank)
                continue
            ending = self.endings[rank] = Ending(**message)
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
            silence = self._watch.silent_for(rank)
            if not self._signals.noticed or silence > _SILENT:
                why = f"silent for {silence:.0f} s, and did not end with the others"
                self._watch.dead[rank] = why  # nobody waits for it any more
                return died(rank, size, why)
        return None

    def _be_interrupted(self, signum: int) -> None:
        """A signal that has come to another rank has come to this one: it ends, as by its own."""
        if not self._signals.noticed and self._signals.active:
            os.kill(os.getpid(), signum)
