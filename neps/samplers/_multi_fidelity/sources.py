"""Where new configurations of a search over fidelities come from: drawn uniformly, or from the prior.

The part of a `BracketSearch` that decides about configurations. PriorBand's is in `ensemble`, a model's in `modelled`.
"""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING, Any, ClassVar

import attrs
import numpy as np

from neps.samplers._multi_fidelity.fidelity import rungs_of

if TYPE_CHECKING:
    from neps._history import History
    from neps._trial import Value
    from neps.space import SearchSpace

__all__ = ["Beginning", "Drawn", "Prior", "Source", "Uniform"]

Drawn = tuple[dict[str, "Value"], dict[str, Any]]
"""A configuration, at any fidelity, and the metadata to remember."""


@attrs.frozen
class Beginning:
    """Where a configuration begins.

    Args:
        history: what is known.
        eta: the reduction factor.
        bracket: counted from 0.
        rung: at which it begins, counted from 0 at the lowest of all.
        slot: counted from 0 among the bracket's places at this rung.
    """

    history: History
    eta: float
    bracket: int
    rung: int
    slot: int

    @property
    def rungs(self) -> tuple[float, ...]:
        """The fidelities at which configurations are compared, from the lowest."""
        return rungs_of(self.history.space, self.eta)

    def generator(self) -> np.random.Generator:
        """The place's own, the same for any number of workers; at each call from its beginning."""
        seeds = np.random.SeedSequence(self.history.seed, spawn_key=(self.bracket, self.slot))
        return np.random.Generator(np.random.PCG64(seeds))


@attrs.frozen
class Source(abc.ABC):
    """Where new configurations come from."""

    needs_prior: ClassVar[bool] = False
    """Whether a parameter must have a default."""

    default_if_any: ClassVar[bool] = False
    """Whether `sample_default_first` asks for the default only where there is one, instead of for a space with one."""

    def check(self, space: SearchSpace) -> None:  # noqa: B027 - most take every space
        """Raise SpaceError if no configuration could be drawn."""

    @abc.abstractmethod
    def configuration(self, begins: Beginning) -> Drawn:
        """The configuration that begins at a place."""

    def prior_share(self, begins: Beginning) -> float:  # noqa: ARG002
        """How much the prior still counts, from 0 to 1; all of it unless overridden."""
        return 1.0

    def settings(self) -> dict[str, Any]:
        """See `Sampler.settings`."""
        return attrs.asdict(self)


@attrs.frozen
class Uniform(Source):
    """Drawn uniformly, by seed, bracket and slot alone."""

    def configuration(self, begins: Beginning) -> Drawn:
        """See `Source.configuration`."""
        return begins.history.space.sample(begins.generator()), {"by": "random"}


@attrs.frozen
class Prior(Source):
    """Drawn from the prior, by seed, bracket and slot alone."""

    needs_prior: ClassVar[bool] = True

    def configuration(self, begins: Beginning) -> Drawn:
        """See `Source.configuration`."""
        return begins.history.space.sample_prior(begins.generator()), {"by": "prior"}
