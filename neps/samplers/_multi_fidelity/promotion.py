"""Which brackets there are, and which of their places is filled next.

The parts of a `BracketSearch` that decide about places. The sizes of brackets, and who is promoted or left behind in
one, are in `neps._fidelity`.
"""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import ClassVar

import attrs
import numpy as np

from neps._fidelity import (
    Bracket,
    BracketMembers,
    Brackets,
    Vacancy,
    asynchronous_promotion,
    hyperband_brackets,
    left_behind,
    successive_halving_bracket,
    synchronous_places,
)
from neps.errors import ArgumentError
from neps.samplers import _settings as settings

__all__ = ["Asynchronous", "OfEachKind", "OneKind", "Promotion", "Synchronous"]


@attrs.frozen
class OneKind:
    """All brackets are alike: successive halving, from one rung.

    Args:
        early_stopping_rate: how many rungs above the lowest configurations begin, from 0.
    """

    early_stopping_rate: int = attrs.field(converter=settings.early_stopping_rate)

    def of(self, rung_count: int, eta: float) -> tuple[Bracket, ...]:
        """The kinds, where there are so many rungs; brackets come as these in turn, again and again."""
        return (successive_halving_bracket(rung_count, eta, self.early_stopping_rate),)

    def check(self, rung_count: int) -> None:
        """Refuse to leave out all rungs."""
        if self.early_stopping_rate >= rung_count:
            raise ArgumentError(
                f"early_stopping_rate is {self.early_stopping_rate}, but it must be below {rung_count}, the number of "
                "rungs between the fidelity's bounds: lower it, or lower eta or the lower bound."
            )


@attrs.frozen
class OfEachKind:
    """Hyperband's brackets, which begin at each rung in turn."""

    def of(self, rung_count: int, eta: float) -> tuple[Bracket, ...]:
        """As of `OneKind`."""
        return hyperband_brackets(rung_count, eta)

    def check(self, rung_count: int) -> None:
        """One rung is enough."""


class Promotion(abc.ABC):
    """When configurations are promoted, and where new ones begin."""

    gives_up: ClassVar[bool]
    """Whether a bracket leaves trials behind for ever."""

    @abc.abstractmethod
    def next(
        self, kinds: Sequence[Bracket], eta: float, known: Brackets, generator: np.random.Generator, *, default: bool
    ) -> tuple[int, Vacancy]:
        """The place to fill, and the number of its bracket.

        Args:
            kinds: of the brackets.
            eta: the reduction factor.
            known: the trials that have a place.
            generator: for what is drawn.
            default: whether the very first configuration is the default one.
        """

    @abc.abstractmethod
    def next_new(
        self, kinds: Sequence[Bracket], known: Brackets, generator: np.random.Generator, *, default: bool
    ) -> tuple[int, Vacancy]:
        """The same, of the places where new configurations begin."""

    def given_up(self, kinds: Sequence[Bracket], known: Brackets) -> set[int]:  # noqa: ARG002
        """The numbers of trials that will never be promoted, whatever results come in; unless overridden none."""
        return set()


@attrs.frozen
class Synchronous(Promotion):
    """A rung promotes its best once it is full and all have ended.

    Work is given out in this order: promotions, those of the oldest bracket first; free places of a bracket that has
    begun; a new bracket. So no worker waits for others. New configurations depend on seed, bracket and slot, so
    finished brackets are the same for any number of workers.
    """

    gives_up: ClassVar[bool] = True

    def next(
        self,
        kinds: Sequence[Bracket],
        eta: float,  # noqa: ARG002 - the sizes of the brackets say it
        known: Brackets,
        generator: np.random.Generator,  # noqa: ARG002
        *,
        default: bool,  # noqa: ARG002 - the first place is the first bracket's anyway
    ) -> tuple[int, Vacancy]:
        """See `Promotion.next`."""
        places = list(synchronous_places(kinds, known))
        promotions = [(bracket, place) for bracket, place in places if place.previous is not None]
        return [*promotions, *places, _in_a_new_one(kinds, known)][0]

    def next_new(
        self,
        kinds: Sequence[Bracket],
        known: Brackets,
        generator: np.random.Generator,  # noqa: ARG002
        *,
        default: bool,  # noqa: ARG002 - as above
    ) -> tuple[int, Vacancy]:
        """See `Promotion.next_new`."""
        free = ((bracket, place) for bracket, place in synchronous_places(kinds, known) if place.previous is None)
        return next(free, None) or _in_a_new_one(kinds, known)

    def given_up(self, kinds: Sequence[Bracket], known: Brackets) -> set[int]:
        """Those that their brackets have left behind."""
        return set().union(*(left_behind(kinds[bracket % len(kinds)], trials) for bracket, trials in known.items()))


@attrs.frozen
class Asynchronous(Promotion):
    """A configuration is promoted as soon as it is among the best 1/`eta` of its rung; else a new one begins.

    There is one bracket of each kind. Promotions come first, those of the bracket that begins lowest before others. The
    bracket of a new configuration is drawn as in Klein et al. (2020, "Model-based asynchronous hyperparameter and
    neural architecture search"): as often as Hyperband begins configurations in it.
    """

    gives_up: ClassVar[bool] = False

    def next(
        self, kinds: Sequence[Bracket], eta: float, known: Brackets, generator: np.random.Generator, *, default: bool
    ) -> tuple[int, Vacancy]:
        """See `Promotion.next`."""
        rung_count = kinds[0].lowest + len(kinds[0].sizes)
        for bracket in range(len(kinds)):
            promotion = asynchronous_promotion(rung_count, eta, known.get(bracket, BracketMembers()))
            if promotion is not None:
                return bracket, promotion
        return self.next_new(kinds, known, generator, default=default)

    def next_new(
        self, kinds: Sequence[Bracket], known: Brackets, generator: np.random.Generator, *, default: bool
    ) -> tuple[int, Vacancy]:
        """See `Promotion.next_new`."""
        bracket = 0 if len(kinds) == 1 or (default and not known) else _drawn(kinds, generator)
        lowest = kinds[bracket].lowest
        return bracket, Vacancy(lowest, known.get(bracket, BracketMembers()).rung(lowest).free_slot)


def _in_a_new_one(kinds: Sequence[Bracket], known: Brackets) -> tuple[int, Vacancy]:
    return known.begun, Vacancy(kinds[known.begun % len(kinds)].lowest, 0)


def _drawn(kinds: Sequence[Bracket], generator: np.random.Generator) -> int:
    begin = np.array([kind.sizes[0] for kind in kinds], dtype=np.float64)
    return int(generator.choice(len(kinds), p=begin / begin.sum()))
