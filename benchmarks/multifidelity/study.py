"""Recorded runs as curves of what had been found by a budget, in each account."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from benchmarks.comparing.methods import Method
from benchmarks.comparing.study import Array, Study
from benchmarks.multifidelity.accounts import ACCOUNTS, BUDGET, Account, Record
from benchmarks.problems import FidelityProblem

__all__ = ["BUDGETS", "GRID", "FidelityStudy", "steps_to", "studies"]

FidelityStudy = Study[FidelityProblem, Record]

_PER_EVALUATION = 4
GRID: Array = np.arange(1, int(BUDGET) * _PER_EVALUATION + 1) / _PER_EVALUATION
"""The budgets of a curve, in full evaluations: its steps."""
BUDGETS = (5, 10, 20)
"""Those that tables show."""


def steps_to(budget: float) -> int:
    """How many steps of a curve a budget is."""
    return round(budget * _PER_EVALUATION)


def studies(
    records: Iterable[Record], problems: Sequence[FidelityProblem], methods: Sequence[Method]
) -> dict[Account, FidelityStudy]:
    """By account: the value of the incumbent at each step of `GRID`. Workers that evaluate at once have one account."""
    records = list(records)
    accounts = ACCOUNTS if all(method.workers == 1 for method in methods) else ACCOUNTS[1:]
    return {account: Study.of(records, problems, methods, _curve_in(account)) for account in accounts}


def _curve_in(account: Account) -> Callable[[Record, FidelityProblem], Array]:
    return lambda record, problem: record.found(problem, account, GRID)
