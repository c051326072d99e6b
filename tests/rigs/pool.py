"""A simulated pool of workers that search over a fidelity: fast, without files, and the same for the same seed."""

from __future__ import annotations

import functools
import heapq
import itertools
import math
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import attrs
import numpy as np

from neps._budget import Budget
from neps._fidelity import Brackets
from neps._history import History
from neps._trial import Trial
from neps.samplers._protocol import Sampler, Suggestion
from neps.space import Float, Integer, SearchSpace
from neps.testing.simulation import decided, ended, generator_for

__all__ = ["SPACE", "Pool"]

SPACE = SearchSpace({"x": Float(0.0, 1.0, default=0.5), "epochs": Integer(1, 27, is_fidelity=True)})
# Mean times, where evaluations take 1 to 27, and probabilities.
_THINKING = 0.1  # from reserving a number to committing it
_PATIENCE = 0.2  # how long others wait for that
_LATE = 1.0  # until another worker sees a result
_AWAY = 5.0  # until a worker that died comes back, or its trial is resumed
_VANISHING = 0.05  # that a worker dies between reserving and committing
_DYING = 0.1  # that it dies while it evaluates


def _loss(config: Any, failing: float) -> float | None:
    """Depends on the configuration alone, so that all pools see the same; some fail, some are NaN."""
    x, epochs = config["x"], config["epochs"]
    luck = math.modf(1e4 * x + 0.37 * epochs)[0]
    if luck < failing:
        return None if luck < failing / 2 else math.nan
    return float((x - 0.3) ** 2 + math.sin(50.0 * x) / epochs)


class _View:
    """What one worker knows: decisions, in order, and some of the results."""

    def __init__(self) -> None:
        self._trials: dict[int, Trial] = {}
        self._kept_up = Brackets()

    def learn(self, decisions: dict[int, Trial], up_to: int) -> None:
        """All decisions up to a number."""
        for number in range(len(self._trials) + 1, up_to + 1):
            self.see(decisions[number])

    def see(self, trial: Trial) -> None:
        """A decision, or later what came of it."""
        self._trials[trial.number] = trial
        self._kept_up.seen(trial)

    def decide(self, sampler: Sampler, number: int) -> tuple[Suggestion, History]:
        """What this worker decides, and what it knows."""
        history = History(SPACE, MappingProxyType(dict(self._trials)), 3)
        answer = sampler.decide(history, number, Budget(), generator_for(3, number))
        assert isinstance(answer, Suggestion), "no worker idles"
        indexed = attrs.evolve(history, index=self._kept_up)
        quick = sampler.decide(indexed, number, Budget(), generator_for(3, number))
        assert quick == answer, "what is kept up says the same as what is made anew"
        return answer, history


class Pool:
    """Workers whose decisions and evaluations take random times.

    As in a real run, the next trial is the lowest number that isn't committed. Who begins to decide it reserves it. Who
    finds it reserved waits for the decision, but not for long: then the number is decided once more, and the first to
    commit wins. Results are seen by each other worker at another time.

    Args:
        sampler: decides.
        workers: how many there are.
        seed: of all times, and of who dies: what is decided depends on it through the order of events alone.
        failing: the share of evaluations that fail.
    """

    def __init__(self, sampler: Sampler, workers: int, seed: int, failing: float = 0.2) -> None:
        self._sampler, self._failing, self._random = sampler, failing, np.random.default_rng(seed)
        self._views = [_View() for _ in range(workers)]
        self._count = 0
        self._events: list[tuple[float, int, Callable[[float], None]]] = []
        self._order = itertools.count()
        self._decisions: dict[int, Trial] = {}
        self._results: dict[int, Trial] = {}
        self._seen: dict[int, History] = {}
        self._reserved: dict[int, float] = {}
        self._waiting: set[int] = set()
        self.vanished = 0
        """How many numbers were left reserved, but not committed."""
        self.beaten = 0
        """How many decisions came too late."""

    def run(self, count: int) -> tuple[History, dict[int, History]]:
        """The history after `count` decisions and all their results, and what each decision had seen."""
        self._count = count
        for worker in range(len(self._views)):
            self._at(0.0, self._free, worker)
        while self._events:
            now, _, event = heapq.heappop(self._events)
            event(now)
        ordered = {number: self._results[number] for number in self._decisions}
        return History(SPACE, MappingProxyType(ordered), 3), self._seen

    def _at(self, time: float, event: Callable[..., None], *arguments: Any) -> None:
        then: Callable[[float], None] = functools.partial(event, *arguments)
        heapq.heappush(self._events, (time, next(self._order), then))

    def _about(self, mean: float) -> float:
        return mean * float(self._random.exponential())

    def _free(self, worker: int, now: float) -> None:
        """It decides the next number, or waits for who has reserved that."""
        number = len(self._decisions) + 1
        if number > self._count:
            return
        begun = self._reserved.get(number)
        if begun is not None and now < begun + _PATIENCE:
            self._waiting.add(worker)
            self._at(begun + _PATIENCE, self._lose_patience, worker)
            return
        self._reserved[number] = now
        view = self._views[worker]
        view.learn(self._decisions, number - 1)
        answer, history = view.decide(self._sampler, number)
        if self._random.random() < _VANISHING:
            self.vanished += 1
            self._at(now + self._about(_AWAY), self._free, worker)
        else:
            self._at(now + self._about(_THINKING), self._commit, worker, number, answer, history)

    def _lose_patience(self, worker: int, now: float) -> None:
        if worker in self._waiting:
            self._waiting.remove(worker)
            self._free(worker, now)

    def _commit(self, worker: int, number: int, answer: Suggestion, history: History, now: float) -> None:
        """Its decision counts if it is the first for the number; it evaluates then, and decides anew otherwise."""
        if number in self._decisions:
            self.beaten += 1
            self._at(now, self._free, worker)
            return
        self._decisions[number], self._seen[number] = decided(SPACE, number, answer), history
        for other in sorted(self._waiting):
            self._at(now, self._free, other)
        self._waiting.clear()
        duration = self._about(float(self._decisions[number].fidelity or 0.0))
        while self._random.random() < _DYING:
            duration += self._about(_AWAY)
        self._at(now + duration, self._end, worker, number)

    def _end(self, worker: int, number: int, now: float) -> None:
        trial = self._decisions[number]
        self._results[number] = ended(trial, _loss(trial.config, self._failing))
        for other in range(len(self._views)):
            self._at(now if other == worker else now + self._about(_LATE), self._see, other, number)
        self._at(now, self._free, worker)

    def _see(self, worker: int, number: int, _: float) -> None:
        view = self._views[worker]
        view.learn(self._decisions, number)
        view.see(self._results[number])
