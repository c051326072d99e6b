"""The settings of searchers: one rule for each name, whichever searchers have it.

Each takes any value, and returns it as a plain one, or raises an ArgumentError that says the rule. Attributes of
samplers and their parts are converted by them.
"""

from __future__ import annotations

from typing import get_args

from neps._checking import SETTINGS
from neps.space import Confidence


def eta(value: object) -> float:
    """The reduction factor: a number above 1."""
    return SETTINGS.number("eta", value, above=1.0)


def sample_default_first(value: object) -> bool:
    """Whether the default configuration comes first."""
    return SETTINGS.flag("sample_default_first", value)


def sample_default_at_target(value: object) -> bool:
    """Whether it then runs at the highest fidelity."""
    return SETTINGS.flag("sample_default_at_target", value)


def early_stopping_rate(value: object) -> int:
    """How many rungs above the lowest configurations begin."""
    return SETTINGS.whole("early_stopping_rate", value, least=0)


def step(value: object) -> float | None:
    """The difference between fidelities: a number above 0, or None."""
    return None if value is None else SETTINGS.number("step", value, above=0.0)


def initial_design_size(value: object) -> int | None:
    """How many trials, or results, there are before a model is asked; None leaves it to the searcher."""
    return SETTINGS.whole_or_none("initial_design_size", value)


def random_interleave_prob(value: object) -> float:
    """How likely a model is not asked."""
    return SETTINGS.probability("random_interleave_prob", value)


def prior_weight(value: object) -> float:
    """How much the prior counts beside a model: a number above 0."""
    return SETTINGS.number("prior_weight", value, above=0.0)


def prior_confidence(value: object) -> Confidence | None:
    """The confidence of all defaults; None leaves them their own."""
    chosen: Confidence | None = SETTINGS.choice_or_none("prior_confidence", value, get_args(Confidence))  # type: ignore[assignment]
    return chosen


def inc_mutation_rate(value: object) -> float:
    """How likely a parameter of the incumbent changes."""
    return SETTINGS.probability("inc_mutation_rate", value)


def inc_mutation_std(value: object) -> float:
    """The standard deviation of such a change: a number above 0."""
    return SETTINGS.number("inc_mutation_std", value, above=0)


def population_size(value: object) -> int:
    """How many trials may become parents."""
    return SETTINGS.whole("population_size", value)


def sample_size(value: object) -> int:
    """How many of these compete."""
    return SETTINGS.whole("sample_size", value)


def steps_per_parameter(value: object) -> int:
    """How many values of a number a grid has."""
    return SETTINGS.whole("steps_per_parameter", value)


def use_priors(value: object) -> bool:
    """Whether configurations are drawn from the prior."""
    return SETTINGS.flag("use_priors", value)
