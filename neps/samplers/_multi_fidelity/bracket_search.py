"""Searches over fidelities in brackets, composed: which are promoted × where new configurations come from.

The searchers are in `hyperband`, `asha`, `priorband` and `mobster`, each one composition. NumPy only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

import attrs

from neps._fidelity import Bracket, Vacancy
from neps._trial import Place
from neps.samplers import _settings as settings
from neps.samplers._multi_fidelity.fidelity import DefaultFirst, check_fidelity, check_prior, rungs_of
from neps.samplers._multi_fidelity.promotion import OfEachKind, OneKind, Promotion
from neps.samplers._multi_fidelity.sources import Beginning, Source
from neps.samplers._protocol import Sampler, Suggestion, continuable_once

if TYPE_CHECKING:
    import numpy as np

    from neps._budget import Budget
    from neps._history import History
    from neps.space import SearchSpace

__all__ = ["BracketSearch"]


@final
@attrs.frozen(repr=False)
class BracketSearch(Sampler):
    """A search over fidelities in brackets.

    Args:
        name: of the constructor in `neps.samplers` that composes it.
        eta: the reduction factor: the best 1/eta of a rung are promoted, to eta times the fidelity; above 1.
        default: whether the default configuration comes first, and where.
        kinds: which brackets there are.
        promotion: when configurations are promoted.
        source: where new configurations come from.
    """

    name: str
    eta: float = attrs.field(converter=settings.eta)
    default: DefaultFirst
    kinds: OneKind | OfEachKind
    promotion: Promotion
    source: Source

    def __repr__(self) -> str:
        """As its constructor is called."""
        return f"{self.name}({', '.join(f'{name}={value!r}' for name, value in self.settings().items())})"

    def check(self, space: SearchSpace) -> None:
        """Refuse a space without one fidelity above 0, without enough rungs, or without the prior that it needs."""
        check_fidelity(space)
        source = self.source
        check_prior(space, self.default, needs_prior=source.needs_prior, default_if_any=source.default_if_any)
        source.check(space)
        self.kinds.check(len(self.rungs(space)))

    def settings(self) -> dict[str, Any]:
        """See `Sampler.settings`: those of all its parts."""
        return {"eta": self.eta, **attrs.asdict(self.default), **attrs.asdict(self.kinds), **self.source.settings()}

    def rungs(self, space: SearchSpace) -> tuple[float, ...]:
        """The fidelities at which configurations are compared, from the lowest."""
        return rungs_of(space, self.eta)

    def decide(
        self,
        history: History,
        number: int,
        budget: Budget,  # noqa: ARG002
        generator: np.random.Generator,
    ) -> Suggestion:
        """A promotion, or a new configuration."""
        if (default := self.default.at_target(history.space, number)) is not None:
            return default
        known, kinds = history.brackets, self._kinds_in(history.space)
        bracket, vacancy = self.promotion.next(kinds, self.eta, known, generator, default=self.default.at_lowest)
        return self._filled(history, bracket, vacancy)

    def beginning(self, history: History, generator: np.random.Generator) -> tuple[float | None, Place | None]:
        """See `Sampler.beginning`: in the next place of a new configuration, from which it may be promoted."""
        known, kinds = history.brackets, self._kinds_in(history.space)
        bracket, vacancy = self.promotion.next_new(kinds, known, generator, default=self.default.at_lowest)
        return self.rungs(history.space)[vacancy.rung], Place(vacancy.rung, bracket, vacancy.slot)

    def continuable(self, history: History) -> frozenset[int]:
        """See `Sampler.continuable`; nor those that their brackets have given up."""
        found = continuable_once(history)
        if not self.promotion.gives_up:
            return found
        return found - self.promotion.given_up(self._kinds_in(history.space), history.brackets)

    def _kinds_in(self, space: SearchSpace) -> tuple[Bracket, ...]:
        return self.kinds.of(len(self.rungs(space)), self.eta)

    def _filled(self, history: History, bracket: int, vacancy: Vacancy) -> Suggestion:
        """The trial for a place: a promotion, the default configuration first of all, or a new one."""
        space, previous = history.space, vacancy.previous
        first = self.default.at_lowest and bracket == 0 and _is_first(history, vacancy)
        metadata: dict[str, Any]
        if previous is not None:
            config, metadata = dict(previous.config), {"by": "promotion"}
        elif first and (default := space.default_config()):
            config, metadata = default, {"by": "default"}
        else:
            begins = Beginning(history, self.eta, bracket, vacancy.rung, vacancy.slot)
            config, metadata = self.source.configuration(begins)
        return Suggestion(
            config=space.at_fidelity(config, self.rungs(space)[vacancy.rung]),
            previous=previous.number if previous else None,
            place=Place(vacancy.rung, bracket, vacancy.slot),
            metadata=metadata,
        )


def _is_first(history: History, vacancy: Vacancy) -> bool:
    """Whether nobody but users has begun a configuration in the first bracket."""
    members = history.brackets.get(0)
    return vacancy.slot == 0 or members is None or all(trial.enqueued for trial in members.rung(vacancy.rung))
