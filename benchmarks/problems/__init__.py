"""Problems to minimise, by name: those that results are reported on, and others that optimizers are developed on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeVar

from benchmarks.problems import (
    branches,
    curve_tables,
    curve_trainings,
    curves,
    fidelities,
    grids,
    learning,
    model_tables,
    synthetic,
)
from benchmarks.problems.fidelities import Evaluator, FidelityProblem, Quality
from benchmarks.problems.problem import Config, Param, Problem

__all__ = [
    "CONDITIONAL_REPORTED",
    "CURVES_REPORTED",
    "CURVES_TUNED",
    "FIDELITY_CONDITIONAL",
    "FIDELITY_CURVES_REPORTED",
    "FIDELITY_CURVES_TUNED",
    "FIDELITY_PROBLEMS",
    "FIDELITY_REPORTED",
    "FIDELITY_TUNED",
    "PROBLEMS",
    "REPORTED",
    "TABLES",
    "TUNED",
    "Config",
    "Evaluator",
    "FidelityProblem",
    "Param",
    "Problem",
    "Quality",
    "fidelity_problem",
    "problem",
]

_Kind = TypeVar("_Kind")

_REPORTED = (*(surface.problem() for surface in synthetic.REPORTED), *learning.REPORTED)
_TUNED = (*(surface.problem() for surface in synthetic.TUNED), *learning.TUNED)

PROBLEMS = {each.name: each for each in (*_REPORTED, *_TUNED)}
"""All of them. Nothing is loaded for it: data and libraries are at the first value of a problem that needs them."""
REPORTED = tuple(each.name for each in _REPORTED)
"""Results are reported on these; nobody tunes an optimizer on them."""
TUNED = tuple(each.name for each in _TUNED)
"""Optimizers are developed on these, which are of other families."""

FIDELITY_REPORTED = tuple(each.name for each in (*fidelities.REPORTED, *curves.REPORTED))
"""Of the problems with a fidelity: results are reported on these."""
FIDELITY_TUNED = tuple(each.name for each in (*fidelities.TUNED, *curves.TUNED))
"""Searches over fidelities are developed on these."""
FIDELITY_PROBLEMS = {
    each.name: each for each in (*fidelities.REPORTED, *curves.REPORTED, *fidelities.TUNED, *curves.TUNED)
}
"""All problems with a fidelity, which are no others'."""

_CONDITIONAL = {each.name: each for each in branches.REPORTED}
_CONDITIONAL_FIDELITIES = {each.name: each for each in branches.FIDELITY_REPORTED}
CONDITIONAL_REPORTED = tuple(_CONDITIONAL)
"""Problems whose parameters have conditions: results are reported on these. `conditional` has others, to develop on."""
FIDELITY_CONDITIONAL = tuple(_CONDITIONAL_FIDELITIES)
"""The same with a fidelity."""
CURVES_REPORTED, CURVES_TUNED = curve_tables.REPORTED, curve_tables.TUNED
"""Problems that are answered from tables of trainings: results are reported on the ones, optimizers developed on the
others. A table is loaded once its problem is asked for."""
FIDELITY_CURVES_REPORTED, FIDELITY_CURVES_TUNED = curve_tables.FIDELITY_REPORTED, curve_tables.FIDELITY_TUNED
"""The same with a fidelity."""


def _tables() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Own tables are in both groups of those that have noise and numbers as people write them, or steps of a grid."""
    for half, (ready, own) in {
        "tuned": (grids.TUNED, model_tables.TUNED),
        "reported": (grids.REPORTED, model_tables.REPORTED),
    }.items():
        yield f"tables-{half}", (*(f"table-{name}" for name in ready), *(f"table-{task.name}" for task in own))
        for form in ("exact", "values"):
            yield f"tables-{half}-{form}", tuple(f"table-{name}-{form}" for name in ready)


TABLES: Mapping[str, tuple[str, ...]] = dict(_tables())
"""Problems that are tables of trainings without a fidelity, by the name of their group: optimizers are developed on the
tuned ones. A table is loaded once its problem is asked for."""


def problem(name: str) -> Problem:
    """The problem of that name; a ValueError lists them where there is none."""
    if name in {*CURVES_REPORTED, *CURVES_TUNED}:
        return curve_tables.curve_problem(name)
    if name in {name for names in TABLES.values() for name in names}:
        return _table_problem(name.removeprefix("table-"))
    return _named(name, PROBLEMS | _CONDITIONAL)


def fidelity_problem(name: str) -> FidelityProblem:
    """The problem with a fidelity of that name; a ValueError lists them where there is none."""
    if name in {*FIDELITY_CURVES_REPORTED, *FIDELITY_CURVES_TUNED}:
        return curve_tables.curve_fidelity_problem(name)
    if name in curve_trainings.FIDELITY_TRAINED:
        return curve_trainings.trained_problem(name)
    return _named(name, FIDELITY_PROBLEMS | _CONDITIONAL_FIDELITIES)


def _table_problem(name: str) -> Problem:
    if name in {task.name for task in model_tables.TASKS}:
        return model_tables.model_problem(name)
    table, _, form = name.partition("-")  # a data set's name has no hyphen
    return grids.grid_problem(table, "exact" if form == "exact" else "values" if form == "values" else "")


def _named(name: str, problems: Mapping[str, _Kind]) -> _Kind:
    if name not in problems:
        msg = f"the problem is {name!r}, but there is none of that name: choose one of {', '.join(problems)}."
        raise ValueError(msg)
    return problems[name]
