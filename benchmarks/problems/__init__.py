"""Problems to minimise, by name: those that results are reported on, and others that optimizers are developed on."""

from __future__ import annotations

from benchmarks.problems import learning, synthetic
from benchmarks.problems.problem import Config, Param, Problem

__all__ = ["PROBLEMS", "REPORTED", "TUNED", "Config", "Param", "Problem", "problem"]

_REPORTED = (*(surface.problem() for surface in synthetic.REPORTED), *learning.REPORTED)
_TUNED = (*(surface.problem() for surface in synthetic.TUNED), *learning.TUNED)

PROBLEMS = {each.name: each for each in (*_REPORTED, *_TUNED)}
"""All of them. Nothing is loaded for it: data and libraries are at the first value of a problem that needs them."""
REPORTED = tuple(each.name for each in _REPORTED)
"""Results are reported on these; nobody tunes an optimizer on them."""
TUNED = tuple(each.name for each in _TUNED)
"""Optimizers are developed on these, which are of other families."""


def problem(name: str) -> Problem:
    """The problem of that name; a ValueError lists them where there is none."""
    if name not in PROBLEMS:
        msg = f"the problem is {name!r}, but there is none of that name: choose one of {', '.join(PROBLEMS)}."
        raise ValueError(msg)
    return PROBLEMS[name]
