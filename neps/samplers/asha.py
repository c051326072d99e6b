"""Asynchronous successive halving and Hyperband: a configuration is promoted as soon as it is among the best of a rung.

Used through `searcher="asha"`, `"async_hyperband"`, and these with `_prior`. NumPy only.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from neps.fidelity import BracketMembers, Vacancy, asynchronous_promotion, hyperband_brackets
from neps.samplers.multi_fidelity import BeginningAtARung, MultiFidelity, trials_by_bracket
from neps.samplers.protocol import Suggestion

if TYPE_CHECKING:
    from neps.budget import Budget
    from neps.history import History

__all__ = ["ASHA", "ASHAPrior", "AsyncHyperband", "AsyncHyperbandPrior"]


@dataclasses.dataclass(frozen=True, slots=True)
class ASHA(BeginningAtARung):
    """Asynchronous successive halving (Li et al. 2020, "A system for massively parallel hyperparameter tuning").

    A configuration is promoted from its checkpoint as soon as it is among the best 1/`eta` of those that have ended at
    its rung, the highest rung first, and from each rung at most once; if none is, a new one begins. So no worker waits.
    Failed evaluations, and losses that aren't finite, are never promoted.

    Args:
        eta: the reduction factor: the best 1/eta of a rung are promoted, to eta times the fidelity; above 1. Default 3.
        early_stopping_rate: how many rungs above the lowest configurations begin, from 0 (the default).
        sample_default_first: whether the first configuration is the default one. Default False.
        sample_default_at_target: whether that runs at the highest fidelity before all else, outside the brackets.
            Default False.

    Raises:
        ArgumentError: if an argument isn't of its kind; from `check`, if the space hasn't exactly one fidelity, its
            lower bound isn't above 0, there aren't so many rungs, or there is no default and one is asked for.

    Example:
        >>> ASHA(early_stopping_rate=1).settings()
        {'eta': 3.0, 'sample_default_first': False, 'sample_default_at_target': False, 'early_stopping_rate': 1}
    """

    def decide(
        self,
        history: History,
        number: int,
        budget: Budget,  # noqa: ARG002
        generator: np.random.Generator,  # noqa: ARG002
    ) -> Suggestion:
        """A promotion, or a new configuration."""
        if (default := self.default_at_target(history.space, number)) is not None:
            return default
        trials = trials_by_bracket(history).get(0, BracketMembers())
        promotion = asynchronous_promotion(len(self.rungs(history.space)), self.eta, trials)
        return self.fill(history, 0, promotion or _new(self.early_stopping_rate, trials))


@dataclasses.dataclass(frozen=True, slots=True)
class ASHAPrior(ASHA):
    """ASHA whose new configurations come from the prior, the default first.

    Args:
        eta: see `ASHA`.
        early_stopping_rate: see `ASHA`.
        sample_default_first: whether the first configuration is the default one. Default True.
        sample_default_at_target: whether that runs at the highest fidelity before all else, outside the brackets.
            Default False.

    Raises:
        ArgumentError: as `ASHA`, and from `check`, if no parameter has a default.
    """

    from_prior: ClassVar[bool] = True
    sample_default_first: bool = True


@dataclasses.dataclass(frozen=True, slots=True)
class AsyncHyperband(MultiFidelity):
    """Asynchronous Hyperband: each new configuration joins one of Hyperband's brackets, in each of which ASHA promotes.

    The bracket is drawn as in Klein et al. (2020, "Model-based asynchronous hyperparameter and neural architecture
    search"): as often as Hyperband begins configurations in it. Brackets don't compare their trials with each other's.

    Args:
        eta: the reduction factor: the best 1/eta of a rung are promoted, to eta times the fidelity; above 1. Default 3.
        sample_default_first: whether the first configuration of the first bracket is the default one. Default False.
        sample_default_at_target: whether that runs at the highest fidelity before all else, outside the brackets.
            Default False.

    Raises:
        ArgumentError: if an argument isn't of its kind; from `check`, if the space hasn't exactly one fidelity, its
            lower bound isn't above 0, or there is no default and one is asked for.

    Example:
        >>> AsyncHyperband(eta=2).settings()
        {'eta': 2.0, 'sample_default_first': False, 'sample_default_at_target': False}
    """

    def decide(
        self,
        history: History,
        number: int,
        budget: Budget,  # noqa: ARG002
        generator: np.random.Generator,
    ) -> Suggestion:
        """A promotion, of the bracket that begins lowest first, or a new configuration in a bracket that is drawn."""
        if (default := self.default_at_target(history.space, number)) is not None:
            return default
        kinds = hyperband_brackets(len(self.rungs(history.space)), self.eta)
        known = trials_by_bracket(history)
        for bracket in range(len(kinds)):
            promotion = asynchronous_promotion(len(kinds), self.eta, known.get(bracket, BracketMembers()))
            if promotion is not None:
                return self.fill(history, bracket, promotion)
        begin = np.array([kind.sizes[0] for kind in kinds], dtype=np.float64)
        first = self.sample_default_first and not self.sample_default_at_target and not known
        bracket = 0 if first else int(generator.choice(len(kinds), p=begin / begin.sum()))
        return self.fill(history, bracket, _new(kinds[bracket].lowest, known.get(bracket, BracketMembers())))


@dataclasses.dataclass(frozen=True, slots=True)
class AsyncHyperbandPrior(AsyncHyperband):
    """Asynchronous Hyperband whose new configurations come from the prior, the default first.

    Args:
        eta: see `AsyncHyperband`.
        sample_default_first: whether the first configuration is the default one. Default True.
        sample_default_at_target: whether that runs at the highest fidelity before all else, outside the brackets.
            Default False.

    Raises:
        ArgumentError: as `AsyncHyperband`, and from `check`, if no parameter has a default.
    """

    from_prior: ClassVar[bool] = True
    sample_default_first: bool = True


def _new(lowest: int, members: BracketMembers) -> Vacancy:
    """The place of a new configuration: the first slot that none has."""
    return Vacancy(lowest, members.rung(lowest).free_slot)
