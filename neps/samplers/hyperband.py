"""Successive halving and Hyperband, synchronous: a rung promotes its best configurations once it is full.

Used through `searcher="successive_halving"`, `"hyperband"`, and these with `_prior`. NumPy only.
"""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from neps.errors import ArgumentError
from neps.fidelity import Bracket, Place, hyperband_brackets, successive_halving_bracket, synchronous_place
from neps.samplers.multi_fidelity import MultiFidelity, trials_by_bracket
from neps.samplers.protocol import Suggestion
from neps.samplers.settings import whole

if TYPE_CHECKING:
    import numpy as np

    from neps.budget import Budget
    from neps.history import History
    from neps.space import SearchSpace

__all__ = ["Hyperband", "HyperbandPrior", "SuccessiveHalving", "SuccessiveHalvingPrior", "begins_below"]


@dataclasses.dataclass(frozen=True, slots=True)
class _Synchronous(MultiFidelity):
    """Brackets one after the other, each rung of which promotes when all its evaluations have ended.

    Work is given out in this order: promotions, those of the oldest bracket first; free places of a bracket that has
    begun; a new bracket. So no worker waits for others. New configurations depend on seed, bracket and slot, so
    finished brackets are the same for any number of workers.
    """

    @abc.abstractmethod
    def brackets(self, rung_count: int) -> Sequence[Bracket]:
        """The brackets, which come in this order again and again."""

    def decide(
        self,
        history: History,
        number: int,  # noqa: ARG002
        budget: Budget,  # noqa: ARG002
        generator: np.random.Generator,  # noqa: ARG002
    ) -> Suggestion:
        """A promotion, or a new configuration."""
        kinds = self.brackets(len(self.rungs(history.space)))
        known = trials_by_bracket(history)
        begun = max(known, default=-1) + 1
        places: list[tuple[int, Place]] = []
        for bracket in range(begun):
            place = synchronous_place(kinds[bracket % len(kinds)], known.get(bracket, []))
            if place is not None:
                places.append((bracket, place))
        promotions = [(bracket, place) for bracket, place in places if place.previous is not None]
        new = (begun, Place(kinds[begun % len(kinds)].lowest, 0))
        return self.fill(history, *[*promotions, *places, new][0])


@dataclasses.dataclass(frozen=True, slots=True)
class SuccessiveHalving(_Synchronous):
    """Successive halving (Jamieson and Talwalkar 2016), bracket after bracket of the same kind.

    A bracket begins with many configurations at a low fidelity. Once all have ended, the best 1/`eta` go on to a
    fidelity that is `eta` times higher, each from its own checkpoint, and so on to the highest. Failed evaluations, and
    losses that aren't finite, never go on, even if a place stays empty. Priors are ignored: a default is only looked at
    with `sample_default_first`.

    Args:
        eta: of so many configurations one goes on, to a fidelity that is so many times higher; above 1. Default 3.
        early_stopping_rate: how many rungs above the lowest configurations begin, from 0 (the default).
        sample_default_first: whether the first configuration is the default one. Default False.

    Raises:
        ArgumentError: if an argument isn't of its kind; from `check`, if the space hasn't exactly one fidelity, its
            lower bound isn't above 0, there aren't so many rungs, or there is no default and one is asked for.

    Example:
        >>> SuccessiveHalving(eta=4).settings()
        {'eta': 4.0, 'sample_default_first': False, 'early_stopping_rate': 0}
    """

    early_stopping_rate: int = 0

    def __post_init__(self) -> None:
        """Check the settings."""
        _Synchronous.__post_init__(self)
        object.__setattr__(self, "early_stopping_rate", whole("early_stopping_rate", self.early_stopping_rate, least=0))

    def check(self, space: SearchSpace) -> None:
        """Refuse a space without one fidelity, or with fewer rungs than `early_stopping_rate` leaves out."""
        _Synchronous.check(self, space)
        begins_below(len(self.rungs(space)), self.early_stopping_rate)

    def brackets(self, rung_count: int) -> Sequence[Bracket]:
        """The one kind of bracket."""
        return [successive_halving_bracket(rung_count, self.eta, self.early_stopping_rate)]


@dataclasses.dataclass(frozen=True, slots=True)
class SuccessiveHalvingPrior(SuccessiveHalving):
    """Successive halving whose new configurations come from the prior, the default first.

    Args:
        eta: see `SuccessiveHalving`.
        early_stopping_rate: see `SuccessiveHalving`.
        sample_default_first: whether the first configuration is the default one. Default True.

    Raises:
        ArgumentError: as `SuccessiveHalving`, and from `check`, if no parameter has a default.
    """

    from_prior: ClassVar[bool] = True
    sample_default_first: bool = True


@dataclasses.dataclass(frozen=True, slots=True)
class Hyperband(_Synchronous):
    """Hyperband (Li et al. 2018, algorithm 1): brackets of successive halving that begin at each rung, in turn.

    The first bracket begins with many configurations at the lowest fidelity, the last runs a few at the highest alone.
    In all else it is like `SuccessiveHalving`.

    Args:
        eta: of so many configurations one goes on, to a fidelity that is so many times higher; above 1. Default 3.
        sample_default_first: whether the first configuration is the default one. Default False.

    Raises:
        ArgumentError: if an argument isn't of its kind; from `check`, if the space hasn't exactly one fidelity, its
            lower bound isn't above 0, or there is no default and one is asked for.

    Example:
        >>> Hyperband().settings()
        {'eta': 3.0, 'sample_default_first': False}
    """

    def brackets(self, rung_count: int) -> Sequence[Bracket]:
        """From the one that begins lowest to the one that only runs the highest rung."""
        return hyperband_brackets(rung_count, self.eta)


@dataclasses.dataclass(frozen=True, slots=True)
class HyperbandPrior(Hyperband):
    """Hyperband whose new configurations come from the prior, the default first.

    Args:
        eta: see `Hyperband`.
        sample_default_first: whether the first configuration is the default one. Default True.

    Raises:
        ArgumentError: as `Hyperband`, and from `check`, if no parameter has a default.
    """

    from_prior: ClassVar[bool] = True
    sample_default_first: bool = True


def begins_below(rung_count: int, rate: int) -> None:
    """Refuse an early stopping rate that leaves none of so many rungs."""
    if rate >= rung_count:
        raise ArgumentError(
            f"early_stopping_rate is {rate}, but it must be below {rung_count}, the number of rungs between the "
            "fidelity's bounds: lower it, or lower eta or the lower bound."
        )
