"""Successive halving and Hyperband, synchronous: a rung promotes its best configurations once it is full.

Used through `searcher="successive_halving"`, `"hyperband"`, and these with `_prior`. NumPy only.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from neps.fidelity import (
    Bracket,
    Vacancy,
    hyperband_brackets,
    left_behind,
    successive_halving_bracket,
    synchronous_places,
)
from neps.samplers.multi_fidelity import BeginningAtARung, MultiFidelity, trials_by_bracket
from neps.samplers.protocol import Sampler, Suggestion

if TYPE_CHECKING:
    import numpy as np

    from neps.budget import Budget
    from neps.history import History

__all__ = ["Hyperband", "HyperbandPrior", "SuccessiveHalving", "SuccessiveHalvingPrior"]


@dataclasses.dataclass(frozen=True, slots=True)
class SuccessiveHalving(BeginningAtARung):
    """Successive halving (Jamieson and Talwalkar 2016), bracket after bracket of the same kind.

    A bracket begins with many configurations at a low fidelity. Once all have ended, the best 1/`eta` are promoted to a
    fidelity that is `eta` times higher, each from its own checkpoint, and so on to the highest. Failed evaluations, and
    losses that aren't finite, are never promoted, even if a place stays empty. Priors are ignored: a default is only
    looked at with `sample_default_first`.

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
        >>> SuccessiveHalving(eta=4).settings()
        {'eta': 4.0, 'sample_default_first': False, 'sample_default_at_target': False, 'early_stopping_rate': 0}
    """

    def decide(
        self,
        history: History,
        number: int,
        budget: Budget,  # noqa: ARG002
        generator: np.random.Generator,  # noqa: ARG002
    ) -> Suggestion:
        """A promotion, or a new configuration."""
        return self.default_at_target(history.space, number) or _suggestion(self, history, self._kinds(history))

    def continuable(self, history: History) -> frozenset[int]:
        """See `Sampler.continuable`; nor those that their brackets have left behind."""
        return _continuable(self, history, self._kinds(history))

    def _kinds(self, history: History) -> list[Bracket]:
        rung_count = len(self.rungs(history.space))
        return [successive_halving_bracket(rung_count, self.eta, self.early_stopping_rate)]


@dataclasses.dataclass(frozen=True, slots=True)
class SuccessiveHalvingPrior(SuccessiveHalving):
    """Successive halving whose new configurations come from the prior, the default first.

    Args:
        eta: see `SuccessiveHalving`.
        early_stopping_rate: see `SuccessiveHalving`.
        sample_default_first: whether the first configuration is the default one. Default True.
        sample_default_at_target: whether that runs at the highest fidelity before all else, outside the brackets.
            Default False.

    Raises:
        ArgumentError: as `SuccessiveHalving`, and from `check`, if no parameter has a default.
    """

    from_prior: ClassVar[bool] = True
    sample_default_first: bool = True


@dataclasses.dataclass(frozen=True, slots=True)
class Hyperband(MultiFidelity):
    """Hyperband (Li et al. 2018, algorithm 1): brackets of successive halving that begin at each rung, in turn.

    The first bracket begins with many configurations at the lowest fidelity, the last runs a few at the highest alone.
    In all else it is like `SuccessiveHalving`.

    Args:
        eta: the reduction factor: the best 1/eta of a rung are promoted, to eta times the fidelity; above 1. Default 3.
        sample_default_first: whether the first configuration is the default one. Default False.
        sample_default_at_target: whether that runs at the highest fidelity before all else, outside the brackets.
            Default False.

    Raises:
        ArgumentError: if an argument isn't of its kind; from `check`, if the space hasn't exactly one fidelity, its
            lower bound isn't above 0, or there is no default and one is asked for.

    Example:
        >>> Hyperband().settings()
        {'eta': 3.0, 'sample_default_first': False, 'sample_default_at_target': False}
    """

    def decide(
        self,
        history: History,
        number: int,
        budget: Budget,  # noqa: ARG002
        generator: np.random.Generator,  # noqa: ARG002
    ) -> Suggestion:
        """A promotion, or a new configuration."""
        return self.default_at_target(history.space, number) or _suggestion(self, history, self._kinds(history))

    def continuable(self, history: History) -> frozenset[int]:
        """See `Sampler.continuable`; nor those that their brackets have left behind."""
        return _continuable(self, history, self._kinds(history))

    def _kinds(self, history: History) -> tuple[Bracket, ...]:
        return hyperband_brackets(len(self.rungs(history.space)), self.eta)


@dataclasses.dataclass(frozen=True, slots=True)
class HyperbandPrior(Hyperband):
    """Hyperband whose new configurations come from the prior, the default first.

    Args:
        eta: see `Hyperband`.
        sample_default_first: whether the first configuration is the default one. Default True.
        sample_default_at_target: whether that runs at the highest fidelity before all else, outside the brackets.
            Default False.

    Raises:
        ArgumentError: as `Hyperband`, and from `check`, if no parameter has a default.
    """

    from_prior: ClassVar[bool] = True
    sample_default_first: bool = True


def _suggestion(sampler: MultiFidelity, history: History, kinds: Sequence[Bracket]) -> Suggestion:
    """What is next in brackets of these kinds, which come in turn, again and again.

    Work is given out in this order: promotions, those of the oldest bracket first; free places of a bracket that has
    begun; a new bracket. So no worker waits for others. New configurations depend on seed, bracket and slot, so
    finished brackets are the same for any number of workers.
    """
    known = trials_by_bracket(history)
    begun = known.begun
    places = list(synchronous_places(kinds, known))
    promotions = [(bracket, place) for bracket, place in places if place.previous is not None]
    new = (begun, Vacancy(kinds[begun % len(kinds)].lowest, 0))
    return sampler.fill(history, *[*promotions, *places, new][0])


def _continuable(sampler: MultiFidelity, history: History, kinds: Sequence[Bracket]) -> frozenset[int]:
    """What may still be continued in brackets of these kinds."""
    known = trials_by_bracket(history)
    behind = (left_behind(kinds[bracket % len(kinds)], trials) for bracket, trials in known.items())
    return Sampler.continuable(sampler, history).difference(*behind)
