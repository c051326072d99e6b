"""Recorded runs as curves: the incumbent after each evaluation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from benchmarks.comparing.methods import Method
from benchmarks.comparing.study import Array, Study
from benchmarks.problems import Problem
from benchmarks.regret.record import Record

__all__ = ["RegretStudy", "study_of"]

RegretStudy = Study[Problem, Record]


def study_of(records: Iterable[Record], problems: Sequence[Problem], methods: Sequence[Method]) -> RegretStudy:
    """Those of the records that are of these problems and methods."""
    return Study.of(records, problems, methods, _curve)


def _curve(record: Record, _: Problem) -> Array:
    return np.array(record.incumbents())
