"""What a run cost and found: its evaluations, two accounts of their cost, and the incumbent within a budget.

Costs are in full evaluations: 1 at the highest fidelity. Called by `running`, which makes runs, and by `study`.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np

from benchmarks.comparing.study import Array
from benchmarks.driving.results import Fields, Key, Results, floats, rounded
from benchmarks.problems import Config, Evaluator, FidelityProblem

__all__ = [
    "ACCOUNTS",
    "BUDGET",
    "FOLDER",
    "Account",
    "Evaluation",
    "Journal",
    "Record",
    "TogetherJournal",
    "results_in",
]

FOLDER = Path(__file__).parent / "results"

Account = Literal["scratch", "continuation"]
ACCOUNTS: tuple[Account, ...] = ("scratch", "continuation")
"""Each evaluation is trained from scratch; or from the checkpoint of the same configuration's last fidelity."""

BUDGET = 20.0
"""How long a run is, in full evaluations, where checkpoints are continued."""
_ROUNDING = 1e-9
_DIGITS = 9  # of a number of a configuration: some libraries change the last ones from one fidelity to the next


@dataclasses.dataclass(frozen=True, slots=True)
class Evaluation:
    """One evaluation: the configuration's number in the run, its fidelity, the loss that was seen.

    `value` is the loss of the configuration at the highest fidelity, without noise: of incumbents, else NaN.
    `cpu` is the seconds that its suggestion took.
    """

    config: int
    fidelity: int
    loss: float
    value: float
    cpu: float


@dataclasses.dataclass(frozen=True, slots=True)
class Record:
    """One complete run.

    `watched` says that evaluations of one configuration are glances at one training, which goes on or is stopped for
    good: both accounts charge it once. With several workers, `ended` is when each evaluation was over, times workers:
    what they could have spent by then. Checkpoints are continued there.
    """

    key: Key
    trace: Sequence[Evaluation]
    watched: bool = False
    ended: Sequence[float] | None = None

    @property
    def evaluations(self) -> int:
        """How many there were."""
        return len(self.trace)

    @property
    def cpu(self) -> list[float]:
        """What each suggestion cost, in seconds."""
        return [each.cpu for each in self.trace]

    @property
    def summary(self) -> str:
        """What it found, in some words."""
        *_, last = incumbents(self.trace)
        return f"{last.value:.6g} after {self.evaluations} evaluations"

    def previous(self) -> list[int]:
        """For each evaluation: the highest fidelity below at which its configuration was evaluated before, or 0."""
        known = dict[int, set[int]]()
        found = []
        for each in self.trace:
            fidelities = known.setdefault(each.config, set())
            found.append(max((fidelity for fidelity in fidelities if fidelity < each.fidelity), default=0))
            fidelities.add(each.fidelity)
        return found

    def spent(self, problem: FidelityProblem, account: Account) -> Array:
        """What had been spent after each evaluation: (evaluations,)."""
        if self.ended is not None:
            return np.array(self.ended)
        saved = account == "continuation" or self.watched
        costs = [
            problem.cost(each.fidelity) - (problem.cost(previous) if saved and previous else 0.0)
            for each, previous in zip(self.trace, self.previous(), strict=True)
        ]
        return np.cumsum(costs)

    def found(self, problem: FidelityProblem, account: Account, budgets: Array) -> Array:
        """The value of the incumbent once each of the budgets (n,) is spent, or NaN: (n,)."""
        values = np.array([math.nan, *(each.value for each in incumbents(self.trace))])
        done = np.searchsorted(self.spent(problem, account), budgets + _ROUNDING, side="right")
        return np.asarray(values[done])

    def fields(self) -> Fields:
        """All but the key, with no more digits than matter; of values only those that are known, by their place."""
        values = rounded([each.value for each in self.trace], 10)
        return {
            "watched": self.watched,
            "configs": [each.config for each in self.trace],
            "fidelities": [each.fidelity for each in self.trace],
            "losses": rounded([each.loss for each in self.trace], 7),
            "values": {str(index): value for index, value in enumerate(values) if value is not None},
            "cpu": [round(each.cpu, 3) for each in self.trace],
        } | ({} if self.ended is None else {"ended": rounded(self.ended, 7)})

    @classmethod
    def parse(cls, key: Key, fields: Fields) -> Self:
        """The record that has these fields."""
        values = floats([fields["values"].get(str(place)) for place in range(len(fields["losses"]))])
        columns = (fields["configs"], fields["fidelities"], floats(fields["losses"]), values, fields["cpu"])
        trace = [Evaluation(*each) for each in zip(*columns, strict=True)]
        return cls(key, trace, fields["watched"], fields.get("ended"))


def results_in(folder: Path = FOLDER) -> Results[Record]:
    """The records of a folder."""
    return Results(folder, Record.parse)


class Journal:
    """Evaluates what a method asks for, and keeps the accounts.

    Args:
        problem: what is minimised.
        seed: of the run.
        watched: see `Record`.
    """

    def __init__(self, problem: FidelityProblem, seed: int, *, watched: bool = False) -> None:
        self._problem, self._seed, self._watched = problem, seed, watched
        self._evaluator: Evaluator = problem.evaluator(problem.run_seed(seed))
        self._numbers = dict[tuple[Any, ...], int]()
        self._reached = dict[int, set[int]]()
        self._configs = list[Config]()
        self._evaluations = list[Evaluation]()
        self.spent = 0.0
        """Where checkpoints are continued."""

    @property
    def full(self) -> bool:
        """Whether the run has spent its budget."""
        return self.spent >= BUDGET - _ROUNDING

    def evaluate(self, config: Config, cpu: float) -> tuple[float, float]:
        """The loss of a configuration that holds its fidelity, and the cost of training on to there."""
        config = dict(config)
        fidelity = config.pop(self._problem.fidelity["name"])
        number = self._numbers.setdefault(_identity(config), len(self._numbers) + 1)
        if number > len(self._configs):
            self._configs.append(config)
        loss = self._evaluator.loss(config, fidelity)
        reached = self._reached.setdefault(number, set())
        previous = max((each for each in reached if each < fidelity), default=0)
        cost = self._problem.cost(fidelity) - (self._problem.cost(previous) if previous else 0.0)
        reached.add(fidelity)
        self.spent += cost
        self._evaluations.append(Evaluation(number, fidelity, loss, math.nan, cpu))
        return loss, cost

    def record(self, method: str, version: str) -> Record:
        """The run so far. Each incumbent that there was is judged now, at the highest fidelity, at nobody's cost."""
        judged = {id(each) for each in incumbents(self._evaluations)}
        evaluations = [
            dataclasses.replace(each, value=self._evaluator.value(self._configs[each.config - 1]))
            if id(each) in judged
            else each
            for each in self._evaluations
        ]
        return Record(Key(self._problem.name, method, version, self._seed), evaluations, self._watched)


class TogetherJournal(Journal):
    """The same for workers that evaluate at once: an evaluation takes as long as it costs.

    Args:
        problem: as of `Journal`.
        seed: as of `Journal`.
        workers: how many there are; each has its part of the budget, as time.
        watched: as of `Journal`.
    """

    def __init__(self, problem: FidelityProblem, seed: int, workers: int, *, watched: bool = False) -> None:
        super().__init__(problem, seed, watched=watched)
        self._workers, self._now = workers, 0.0
        self._running = dict[int, tuple[float, int, float]]()  # of each worker: when it ends, which, its cost
        self._ended = list[tuple[float, int]]()

    @property
    def full(self) -> bool:
        """Whether the time is over, or nobody has anything to do."""
        return not self._running or min(self._running.values())[0] * self._workers > BUDGET + _ROUNDING

    def begin(self, worker: int, config: Config, cpu: float) -> None:
        """A worker that has nothing to do begins an evaluation now."""
        _, cost = self.evaluate(config, cpu)
        self._running[worker] = (self._now + cost, len(self._evaluations) - 1, cost)

    def wait(self) -> tuple[int, float, float]:
        """Which worker ends next, the loss it found, and its cost; it is then."""
        worker = min(self._running, key=self._running.__getitem__)
        self._now, index, cost = self._running.pop(worker)
        self._ended.append((self._now * self._workers, index))
        return worker, self._evaluations[index].loss, cost

    def record(self, method: str, version: str) -> Record:
        """The run so far, in the order in which evaluations ended."""
        self._evaluations = [self._evaluations[index] for _, index in self._ended]
        return dataclasses.replace(super().record(method, version), ended=[moment for moment, _ in self._ended])


def incumbents(evaluations: Sequence[Evaluation]) -> Iterator[Evaluation]:
    """After each evaluation: the lowest loss among the highest fidelity so far, as `neps.History.best`."""
    return itertools.accumulate(evaluations, lambda best, each: min(best, each, key=_rank))


def _rank(evaluation: Evaluation) -> tuple[int, float]:
    return -evaluation.fidelity, evaluation.loss if math.isfinite(evaluation.loss) else math.inf


def _identity(config: Config) -> tuple[Any, ...]:
    values = ((name, config[name]) for name in sorted(config))
    return tuple((name, f"{value:.{_DIGITS}g}" if isinstance(value, float) else value) for name, value in values)
