"""Recorded runs of some methods on some problems, as curves of what had been found at each step of what was spent.

Called by `ranking`, and by tables and plots, which know no files.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Generic, NamedTuple, Protocol, Self, TypeVar

import numpy as np
import numpy.typing as npt

from benchmarks.comparing.methods import Method
from benchmarks.driving.results import Recorded

__all__ = ["FLOOR", "Array", "Judged", "Run", "Study"]

Array = npt.NDArray[np.float64]

FLOOR = 1e-9
"""Regrets below are taken as equal: it is the rounding of a problem, and no achievement."""


class Judged(Protocol):
    """A problem, as far as its runs are compared."""

    @property
    def name(self) -> str:
        """Unique among all problems."""

    @property
    def optimum(self) -> float | None:
        """The lowest loss there is, or None where nobody knows it."""


_Problem = TypeVar("_Problem", bound=Judged)
_Record = TypeVar("_Record", bound=Recorded)


class Run(NamedTuple, Generic[_Record]):
    """A record, and the noise-free loss of the incumbent at each step: (steps,), NaN before there is one."""

    record: _Record
    curve: Array


@dataclasses.dataclass(frozen=True, slots=True)
class Study(Generic[_Problem, _Record]):
    """`runs` by problem and method, and then by seed. Runs may differ in how many steps they have."""

    problems: Sequence[_Problem]
    methods: Sequence[Method]
    runs: Mapping[tuple[str, str], Mapping[int, Run[_Record]]]

    @classmethod
    def of(
        cls,
        records: Iterable[_Record],
        problems: Sequence[_Problem],
        methods: Sequence[Method],
        curve: Callable[[_Record, _Problem], Array],
    ) -> Self:
        """Of the records those of these problems and methods; the last of each problem, method and seed."""
        known = {problem.name: problem for problem in problems}
        runs = {(problem.name, method.name): dict[int, Run[_Record]]() for problem in problems for method in methods}
        for record in records:
            place = (record.key.problem, record.key.method)
            if place in runs:
                runs[place][record.key.seed] = Run(record, curve(record, known[record.key.problem]))
        return cls(problems, methods, runs)

    def of_method(self, method: Method) -> list[_Record]:
        """All records of a method."""
        return [run.record for problem in self.problems for run in self.runs[problem.name, method.name].values()]

    def version(self, method: Method) -> str:
        """What the method's runs were made with; "" without runs."""
        return next((record.key.version for record in self.of_method(method)), "")

    def present(self) -> list[Method]:
        """The methods that have a run."""
        return [method for method in self.methods if self.of_method(method)]

    def missing(self, method: Method) -> int:
        """How many runs it is meant to have and hasn't."""
        long_enough = {
            (record.key.problem, record.key.seed)
            for record in self.of_method(method)
            if record.evaluations >= method.evaluations
        }
        wanted = {(problem.name, seed) for problem in self.problems for seed in range(method.seeds)}
        return len(wanted - long_enough)

    def seeds(self, problem: _Problem, method: Method, steps: int) -> list[int]:
        """Those of the runs that have so many steps."""
        return sorted(seed for seed, run in self.runs[problem.name, method.name].items() if len(run.curve) >= steps)

    def shared_seeds(self, problem: _Problem, methods: Sequence[Method], steps: int) -> list[int]:
        """The seeds that each of the methods has."""
        return sorted(set.intersection(*(set(self.seeds(problem, method, steps)) for method in methods)))

    def regrets(self, problem: _Problem, method: Method, seeds: Sequence[int], steps: int) -> Array:
        """Of the incumbents, [seeds, steps], at least `FLOOR`; their losses where the optimum is not known.

        Infinite before the first evaluation that succeeds.
        """
        runs = self.runs[problem.name, method.name]
        losses = np.array([runs[seed].curve[:steps] for seed in seeds]).reshape(len(seeds), steps)
        losses = np.where(np.isnan(losses), np.inf, losses)
        return losses if problem.optimum is None else np.maximum(losses - problem.optimum, FLOOR)

    def median(self, problem: _Problem, method: Method, steps: int, quantile: float = 0.5) -> Array:
        """Of log10 regret, or else of the loss: the median or another quantile over all seeds, [steps]."""
        regrets = self.regrets(problem, method, self.seeds(problem, method, steps), steps)
        figures = regrets if problem.optimum is None else np.log10(regrets)
        if not len(figures):
            return np.full(steps, np.nan)
        with np.errstate(invalid="ignore"):  # between infinities
            return np.asarray(np.quantile(figures, quantile, axis=0))

    def differences(self, first: Method, second: Method, steps: int) -> dict[str, Array]:
        """By problem, for each seed that both have: log10 of the first one's regret (or loss) less the second one's.

        It is that after so many steps. Where one of them has no incumbent yet, the seed isn't counted.
        """
        found = dict[str, Array]()
        for problem in self.problems:
            seeds = self.shared_seeds(problem, (first, second), steps)
            pair = [self.regrets(problem, method, seeds, steps)[:, -1] for method in (first, second)]
            with np.errstate(invalid="ignore"):  # between infinities
                each = np.subtract(*np.log10(pair))
            if np.isfinite(each).any():
                found[problem.name] = each[np.isfinite(each)]
        return found
