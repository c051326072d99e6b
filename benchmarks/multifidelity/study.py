"""Runs of some methods on some problems, as curves of what had been found by a budget, in one account.

Called by `tables` and `plots`; `benchmarks.regret.ranking` ranks it like the study of the other benchmark.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Self

import numpy as np

from benchmarks.driving.results import Results
from benchmarks.multifidelity.accounts import BUDGET, Account, Record
from benchmarks.multifidelity.methods import Method
from benchmarks.problems import FidelityProblem
from benchmarks.regret.study import FLOOR, Array

__all__ = ["BUDGETS", "GRID", "Study", "latest", "step_of"]

_PER_EVALUATION = 4
GRID: Array = np.arange(1, int(BUDGET) * _PER_EVALUATION + 1) / _PER_EVALUATION
"""The budgets of a curve, in full evaluations: its steps."""
BUDGETS = (5, 10, 20)
"""Those that tables show."""


def step_of(budget: float) -> int:
    """Which step of a curve a budget is, from 0."""
    return round(budget * _PER_EVALUATION) - 1


def latest(
    results: Results[Record],
    problems: Sequence[FidelityProblem],
    methods: Sequence[Method],
    versions: Mapping[str, str],
) -> list[Record]:
    """The recorded runs of each method in the version that `versions` names, else the one that was recorded last."""
    known, found = {problem.name for problem in problems}, list[Record]()
    for method in methods:
        records = results.read(method.name)
        version = versions.get(method.name, records[-1].key.version if records else "")
        found += [each for each in records if each.key.version == version and each.key.problem in known]
    return found


@dataclasses.dataclass(frozen=True, slots=True)
class Study:
    """`curves` by problem and method, and then by seed: the value of the incumbent at each step of `GRID`, or NaN."""

    problems: Sequence[FidelityProblem]
    methods: Sequence[Method]
    account: Account
    curves: Mapping[tuple[str, str], Mapping[int, Array]]

    @classmethod
    def of(
        cls,
        records: Iterable[Record],
        problems: Sequence[FidelityProblem],
        methods: Sequence[Method],
        account: Account,
    ) -> Self:
        """The curves of the records that are of these problems and methods; the last of each problem, method, seed."""
        known = {problem.name: problem for problem in problems}
        curves = {(problem.name, method.name): dict[int, Array]() for problem in problems for method in methods}
        for record in records:
            place = (record.key.problem, record.key.method)
            if place in curves:
                curves[place][record.key.seed] = record.found(known[record.key.problem], account, GRID)
        return cls(problems, methods, account, curves)

    def seeds(self, problem: FidelityProblem, method: Method, steps: int = len(GRID)) -> list[int]:
        """Those that are recorded; each run has all steps."""
        return sorted(self.curves[problem.name, method.name]) if steps <= len(GRID) else []

    def shared_seeds(self, problem: FidelityProblem, methods: Sequence[Method], steps: int) -> list[int]:
        """The seeds that each of the methods has."""
        return sorted(set.intersection(*(set(self.seeds(problem, method, steps)) for method in methods)))

    def regrets(self, problem: FidelityProblem, method: Method, seeds: Sequence[int], steps: int) -> Array:
        """Of the incumbents, [seeds, steps], at least `FLOOR`; their losses where the optimum is not known.

        Infinite before the first evaluation has ended.
        """
        curves = self.curves[problem.name, method.name]
        values = np.array([curves[seed][:steps] for seed in seeds]).reshape(len(seeds), steps)
        values = np.where(np.isnan(values), np.inf, values)
        return values if problem.optimum is None else np.maximum(values - problem.optimum, FLOOR)

    def differences(self, first: Method, second: Method, step: int) -> dict[str, Array]:
        """By problem, for each seed that both have: log10 of the first one's regret (or loss) less the second one's.

        Where one of them has no incumbent yet, the seed isn't counted.
        """
        found = dict[str, Array]()
        for problem in self.problems:
            seeds = self.shared_seeds(problem, (first, second), step + 1)
            pair = [self.regrets(problem, method, seeds, step + 1)[:, step] for method in (first, second)]
            with np.errstate(invalid="ignore"):  # between infinities
                each = np.subtract(*np.log10(pair))
            if np.isfinite(each).any():
                found[problem.name] = each[np.isfinite(each)]
        return found

    def median(self, problem: FidelityProblem, method: Method, quantile: float = 0.5) -> Array:
        """Of log10 regret, or else of the loss: the median or another quantile over all seeds, [steps]."""
        regrets = self.regrets(problem, method, self.seeds(problem, method), len(GRID))
        figures = regrets if problem.optimum is None else np.log10(regrets)
        if not len(figures):
            return np.full(len(GRID), np.nan)
        with np.errstate(invalid="ignore"):  # between infinities
            return np.asarray(np.quantile(figures, quantile, axis=0))
