"""The recorded runs of some methods, in one version each, on some problems: as curves of what had been found by then.

Called by `ranking`, `tables` and `plots`, which know no files.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import Self

import numpy as np
import numpy.typing as npt

from benchmarks.driving.results import Results
from benchmarks.problems import Problem
from benchmarks.regret.methods import Method
from benchmarks.regret.record import Record

__all__ = ["FLOOR", "Array", "Study"]

Array = npt.NDArray[np.float64]

FLOOR = 1e-9
"""Regrets below are taken as equal: it is the rounding of a problem, and no achievement."""


@dataclasses.dataclass(frozen=True, slots=True)
class Study:
    """`runs` by problem and method, and then by seed."""

    problems: Sequence[Problem]
    methods: Sequence[Method]
    runs: Mapping[tuple[str, str], Mapping[int, Record]]

    @classmethod
    def read(
        cls,
        results: Results[Record],
        problems: Sequence[Problem],
        methods: Sequence[Method],
        versions: Mapping[str, str],
    ) -> Self:
        """Of each method the version that `versions` names, else the one that was recorded last."""
        runs = {(problem.name, method.name): dict[int, Record]() for problem in problems for method in methods}
        for method in methods:
            records = results.read(method.name)
            version = versions.get(method.name, records[-1].key.version if records else "")
            for record in records:
                place = (record.key.problem, method.name)
                if record.key.version == version and place in runs:
                    runs[place][record.key.seed] = record
        return cls(problems, methods, runs)

    def of(self, problem: Problem, method: Method) -> Mapping[int, Record]:
        """The runs of one method on one problem, by seed."""
        return self.runs[problem.name, method.name]

    def version(self, method: Method) -> str:
        """What the method's runs were made with; "" without runs."""
        records = itertools.chain.from_iterable(self.of(problem, method).values() for problem in self.problems)
        return next((record.key.version for record in records), "")

    def seeds(self, problem: Problem, method: Method, evaluations: int) -> list[int]:
        """Those of the runs that have so many evaluations."""
        return sorted(seed for seed, run in self.of(problem, method).items() if run.evaluations >= evaluations)

    def shared_seeds(self, problem: Problem, methods: Sequence[Method], evaluations: int) -> list[int]:
        """The seeds that each of the methods has."""
        return sorted(set.intersection(*(set(self.seeds(problem, method, evaluations)) for method in methods)))

    def regrets(self, problem: Problem, method: Method, seeds: Sequence[int], evaluations: int) -> Array:
        """Of the incumbents, [seeds, evaluations], at least `FLOOR`; their losses where the optimum is not known.

        Infinite before the first evaluation that succeeds.
        """
        runs = self.of(problem, method)
        losses = np.array([runs[seed].incumbents()[:evaluations] for seed in seeds]).reshape(len(seeds), evaluations)
        losses = np.where(np.isnan(losses), np.inf, losses)
        return losses if problem.optimum is None else np.maximum(losses - problem.optimum, FLOOR)

    def median(self, problem: Problem, method: Method, evaluations: int, quantile: float = 0.5) -> Array:
        """Of log10 regret, or else of the loss: the median or another quantile over all seeds, [evaluations]."""
        regrets = self.regrets(problem, method, self.seeds(problem, method, evaluations), evaluations)
        figures = regrets if problem.optimum is None else np.log10(regrets)
        if not len(figures):
            return np.full(evaluations, np.nan)
        with np.errstate(invalid="ignore"):  # between infinities
            return np.asarray(np.quantile(figures, quantile, axis=0))
