"""The budget of a search: its arguments checked, and whether they fit each other, its space and its sampler.

`neps.run` and `neps.AskAndTell` ask first.
"""

from __future__ import annotations

import dataclasses
import logging
from typing import Any

from neps._budget import Budget
from neps._checking import ARGUMENTS
from neps._worker.settings import OnTimeLimit, Settings
from neps.errors import ArgumentError, shown
from neps.samplers import Sampler
from neps.samplers._registry import searcher_definition
from neps.space import SearchSpace

__all__ = ["budget_of", "check_cost_budget", "check_fidelity_budget", "check_together", "has_no_budget"]

_logger = logging.getLogger("neps")

_MOST_PATIENCE = 2**53
"""It is compared to parts of evaluations."""


def budget_of(cost_if_missing: float | None, **given: Any) -> Budget:
    """The budget that these arguments make, by their names; `cost_if_missing` is known to be one.

    Raises:
        ArgumentError: if one of them is no such limit.
    """
    checked: dict[str, Any] = {"target_loss": ARGUMENTS.number_or_none("target_loss", given["target_loss"])}
    checked["max_evaluations_total"] = ARGUMENTS.whole_or_none("max_evaluations_total", given["max_evaluations_total"])
    checked["patience"] = ARGUMENTS.whole_or_none("patience", given["patience"], most=_MOST_PATIENCE)
    for name in ("max_cost_total", "max_fidelity_total", "patience_cost"):
        checked[name] = ARGUMENTS.number_or_none(name, given[name], above=0)
    budget = Budget(**checked)
    return budget if budget.counting_costs is None else dataclasses.replace(budget, cost_if_missing=cost_if_missing)


def check_fidelity_budget(most: float | None, space: SearchSpace) -> None:
    """Refuse one that counts nothing, and would never be spent.

    Raises:
        ArgumentError: if it is one.
    """
    if most is None or (space.highest_fidelity or 0) > 0:
        return
    several = f"the fidelities {shown(list(space.fidelities))}" if space.fidelities else "none"
    has = f"one with the upper bound {space.highest_fidelity:g}" if space.fidelity else several
    message = (
        f"max_fidelity_total is {most:g}. It counts the fidelity that is run, so pipeline_space needs exactly one "
        f"fidelity, with an upper bound above 0, but has {has}. Mark one parameter, as in neps.Integer(1, 81, "
        "is_fidelity=True), or use max_evaluations_total or max_cost_total."
    )
    raise ArgumentError(message)


def check_cost_budget(sampler: Sampler, budget: Budget) -> None:
    """Refuse a sampler that needs a budget which this call doesn't have; of a restart too, and one of a hook.

    Raises:
        ArgumentError: if it does.
    """
    if sampler.needs_max_cost_total and budget.max_cost_total is None:
        name = searcher_definition(sampler)["name"]
        message = (
            f"searcher {name!r} needs max_cost_total, the budget by which it weighs costs, but none is given. Pass "
            'max_cost_total=… (a number above 0), and have run_pipeline return a cost, or pass cost="duration", too.'
        )
        raise ArgumentError(message)


def has_no_budget(settings: Settings, searcher: str | Sampler) -> bool:
    """Whether nothing that the user has passed brings it to an end."""
    if settings.budget != Budget():
        return False
    from neps.samplers._confirming import Confirming

    return not isinstance(searcher, Confirming)


def check_together(settings: Settings, searcher: str | Sampler) -> None:
    """Refuse what would silently do nothing, or end badly.

    Raises:
        ArgumentError: if something would.
    """
    tolerating = "ignore_errors=True" if settings.ignore_errors else "max_seconds_per_trial"
    goes_on = settings.ignore_errors or settings.max_seconds_per_trial is not None
    counting = settings.budget.counting_costs
    if counting is not None and goes_on and not settings.knows_cost_of_failures:
        message = (
            f"{tolerating} with {counting.partition('=')[0]} needs cost_value_on_error=…, or "
            'cost="duration": a failed trial returns no cost, so the budget might never be reached.'
        )
        raise ArgumentError(message)
    if settings.on_time_limit is not OnTimeLimit.FAIL and settings.max_seconds_per_trial is None:
        message = (
            f"on_time_limit is '{settings.on_time_limit}', but no max_seconds_per_trial is given, so no trial has a "
            "limit of its time. Pass max_seconds_per_trial=…, in seconds, or leave on_time_limit out."
        )
        raise ArgumentError(message)
    if has_no_budget(settings, searcher):
        _logger.info(
            "No budget is given (max_evaluations_total, max_cost_total, max_fidelity_total, target_loss or patience). "
            "The run goes on until it is stopped; in a finite space, some searchers stop once they have tried "
            "everything."
        )
