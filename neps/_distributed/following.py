"""Every rank but the first: evaluates what rank 0 has claimed, and tells it how that ended. It writes nothing itself.

`follow` is its `neps.run`. What run_pipeline returns here is dropped: rank 0's value is the result.
"""

from __future__ import annotations

import logging
import math
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NoReturn

from neps import errors
from neps._distributed import rendezvous
from neps._distributed.carrier import Carrier
from neps._distributed.endings import Ending, asked
from neps._distributed.histories import read_message
from neps._distributed.joining import join, see_run
from neps._distributed.launched import Group
from neps._distributed.watching import GRACE, Watch
from neps._evaluation import (
    Allowance,
    CurrentTrial,
    Evaluated,
    Fence,
    Reports,
    Signals,
    Stopping,
    active,
    evaluate,
    keywords,
    named_directories,
)
from neps._evaluation.actions import end_by
from neps._history import History
from neps._ledger.claims import Hold
from neps._ledger.definition import Definition
from neps._ledger.layout import Layout
from neps._ledger.trial_folder import TrialFolder
from neps._worker import anew
from neps._worker.peers import Ended
from neps._worker.settings import Settings
from neps.checkpoint._attempts import open_attempt
from neps.errors import NepsError, RankError
from neps.space import SearchSpace

__all__ = ["follow"]

_logger = logging.getLogger("neps.distributed")
_SECONDS_AFTER_SIGNAL = 25.0
_SECONDS_TO_SEE = 60.0


def follow(
    group: Group,
    arguments: Mapping[str, str],
    run_pipeline: Callable[..., Any],
    root: str,
    space: SearchSpace,
    settings: Settings,
) -> History:
    """Evaluate with rank 0 until its call ends; the same history, or the same error.

    Args:
        group: the ranks.
        arguments: of `neps.run`, as text, to be compared.
        run_pipeline: what to call.
        root: where the run is, as this rank sees it.
        space: its search space.
        settings: as rank 0 has them.
    """
    signals = Signals()
    carrier, identities = join(group, arguments, time.sleep)
    watch = Watch(carrier, group, identities, signals, silence=120.0)
    follower = _Follower(carrier, group, watch, signals, run_pipeline)
    watch.start()
    try:
        with rendezvous.restored(), anew.working(settings, overwrite=False):
            try:
                with signals:
                    return follower.work(root, space)
            finally:
                watch.stop()
                signals.leave()
    finally:
        watch.stop()


class _Follower:
    """One rank in one call of `neps.run`."""

    def __init__(
        self, carrier: Carrier, group: Group, watch: Watch, signals: Signals, run_pipeline: Callable[..., Any]
    ) -> None:
        self._carrier, self._group, self._watch, self._signals = carrier, group, watch, signals
        self._run_pipeline = run_pipeline
        self._directories = named_directories(run_pipeline)
        self._heard = 0
        self._patience = 0.0
        self._deadline: float | None = None
        self._failure: BaseException | None = None

    def work(self, root: str, space: SearchSpace) -> History:
        """Do what rank 0 says, until it leaves."""
        definition: Definition | None = None
        layout = Layout(root)
        while True:
            step = self._next()
            match step["kind"]:
                case "run":
                    definition = see_run(self._carrier, self._group, root, step["run"], self._wait)
                    layout, self._patience = Layout(root, definition.run), 10 * step["lease"]
                case "trial":
                    self._evaluate(step, layout, space)
                case "anew":
                    self._start_anew(step)
                case "bye":
                    return self._leave(step, definition)

    def _next(self) -> dict[str, Any]:
        """What rank 0 says next."""
        step: dict[str, Any] = self._carrier.await_(f"step/{self._heard}", self._wait)
        self._heard += 1
        return step

    def _wait(self, pause: float) -> None:
        """Between two looks: not for ever once a signal has come, or rank 0 is gone."""
        if self._watch.lost is not None:
            raise self._watch.lost
        if self._signals.received is not None:
            self._deadline = self._deadline or time.monotonic() + _SECONDS_AFTER_SIGNAL
            if time.monotonic() > self._deadline:
                raise RankError("rank 0 doesn't end, though a signal has come.")
        time.sleep(pause)

    def _leave(self, step: Mapping[str, Any], definition: Definition | None) -> History:
        if step["error"] is not None:
            self._carrier.count("left", 1)
            self._raise(step)
        message = self._carrier.await_large("history", self._wait)
        self._carrier.count("left", 1)
        assert definition is not None  # noqa: S101 - rank 0 has opened the run
        return read_message(message, SearchSpace.from_definition(definition.space, definition.forbid))

    def _raise(self, step: Mapping[str, Any]) -> NoReturn:
        """What rank 0 raises."""
        match step["error"]:
            case "SystemExit":
                raise SystemExit(step["code"])
            case "KeyboardInterrupt":
                raise KeyboardInterrupt
        if step["error"] in errors.__all__:
            raise getattr(errors, step["error"])(step["text"]) from self._failure
        raise RankError(f"rank 0 has ended: {step['error']}: {step['text']}") from self._failure

    # One trial

    def _evaluate(self, step: Mapping[str, Any], layout: Layout, space: SearchSpace) -> None:
        folder = TrialFolder(layout, step["number"])
        hold = Hold(folder, step["attempt"], step["worker"])
        self._see(folder)
        rendezvous.at(step["port"])
        previous = None if step["previous"] is None else Path(layout.trial(step["previous"]))
        given = space.handed(space.parsed(step["config"]))
        arguments = keywords(self._directories, given, folder.directory, previous)
        number = step["evaluation"]
        fence = Fence(lambda: self._abandon(number), grace=GRACE)
        ends = math.inf if step["ends"] is None else time.monotonic() + step["ends"]
        stopping = Stopping(lambda: False, lambda: fence.broken, allowance=Allowance(ends=ends))
        stopping.agree = _RankZerosAnswers(self._carrier, number, fence, stopping)
        current = CurrentTrial(
            number=folder.number,
            attempt=hold.attempt,
            seed=step["seed"],
            config=MappingProxyType(dict(step["config"])),
            pipeline_directory=folder.directory,
            previous_pipeline_directory=previous,
            when=stopping,
        )
        taken_over = _TakenOver(fence, self._watch)
        reports = Reports(lambda points: self._report(number, list(points)))
        self._watch.on_tick = reports.flush
        self._watch.begin(number, fence, stopping.patience)
        opened = open_attempt(hold, taken_over, reports.flush, self._patience)
        try:
            with reports, active(current), opened as mine:
                mine.is_rank_zero = False
                ended = evaluate(self._called, arguments, self._signals, fence, stopping=stopping)
            reports.flush()
            stopped = self._watch.stopped is not None and not taken_over.seen
            self._tell(number, Ending.of(ended, stopped=stopped))
            self._keep(ended)
        finally:
            self._watch.on_tick = lambda: None
        self._await_conclusion()

    def _called(self, **arguments: Any) -> float:
        """Only rank 0's value is read."""
        self._run_pipeline(**arguments)
        return 0.0

    def _see(self, folder: TrialFolder) -> None:
        """Wait for a folder that this host's client may not see yet."""
        deadline = time.monotonic() + _SECONDS_TO_SEE
        while not folder.is_reserved() and time.monotonic() < deadline:
            self._wait(0.01)

    def _report(self, number: int, points: list[tuple[float, float]]) -> None:
        if points:
            place = self._carrier.count(f"places/{number}", 1)
            self._carrier.put(f"reported/{number}/{place}", points)
            self._carrier.count(f"reports/{number}", 1)

    def _tell(self, number: int, ending: Ending) -> None:
        """How it ended here; that it did, if not by returning, ends it everywhere."""
        if ending.how != "returned":
            order = self._carrier.count(f"order/{number}", 1)
            obstacle = anew.obstacle(main_thread=self._signals.active)
            fields = {"order": order, "grouped": rendezvous.is_grouped(), "obstacle": obstacle}
            ending = Ending(**{**ending.message(), **fields})
        else:
            ending = Ending(how="returned", grouped=rendezvous.is_grouped())
        self._carrier.put(f"ended/{number}/{self._group.rank}", ending.message())
        if ending.how != "returned":
            self._watch.end_everywhere(f"{ending.how} on rank {self._group.rank}")

    def _keep(self, ended: Ended) -> None:
        """What to chain to the error that rank 0 raises; its frames hold what run_pipeline had."""
        self._failure = ended.exception if isinstance(ended, Evaluated) else None

    def _await_conclusion(self) -> None:
        """Until rank 0 has published what came of it."""
        step = self._next()
        self._watch.over()
        match step["kind"]:
            case "on":
                self._failure = None
                anew.evaluated()
            case "anew":
                self._start_anew(step)
            case _:
                self._heard -= 1  # it leaves: said once more to `work`

    def _start_anew(self, step: Mapping[str, Any]) -> NoReturn:
        self._carrier.count(f"anew/{step['evaluation']}", 1)
        self._watch.stop()
        anew.start(self._signals.give_back, step["environment"])

    def _abandon(self, number: int) -> None:
        """In a thread of its own: run_pipeline doesn't return, though it was interrupted."""
        try:
            self._tell(number, Ending(how="stuck"))
            step = self._next()
            if step["kind"] == "anew":
                self._start_anew(step)
            if step["kind"] == "bye":
                self._carrier.count("left", 1)
        except NepsError as error:
            _logger.critical("Rank %d ends: %s", self._group.rank, error)
        finally:
            if (signum := self._signals.first) is not None:
                end_by(signum)
            os._exit(1)


class _RankZerosAnswers:
    """What rank 0 answered at the same call of `should_stop`: this rank waits for it."""

    def __init__(self, carrier: Carrier, number: int, fence: Fence, stopping: Stopping) -> None:
        self._carrier, self._name = carrier, asked(number)
        self._fence, self._stopping = fence, stopping
        self._calls = 0

    def __call__(self, _told: bool) -> bool:  # noqa: FBT001 - an answer
        self._calls += 1
        self._stopping.leaving = False  # what becomes of the trial, rank 0 says
        pause = 0.0005
        while not self._fence.broken:
            calls, first = self._carrier.find(self._name) or (0, None)
            if first is not None and first <= self._calls:
                return True
            if calls >= self._calls:
                return False
            time.sleep(pause)
            pause = min(2 * pause, 0.02)
        return True


class _TakenOver:
    """Called where a checkpoint is to be saved and the trial is another worker's by now."""

    def __init__(self, fence: Fence, watch: Watch) -> None:
        self._fence, self._watch, self.seen = fence, watch, False

    def __call__(self) -> None:
        self.seen = True
        self._watch.end_everywhere("the trial was taken over")
        self._fence.interrupt()
