"""What searches over fidelities share: settings and checks, the rungs of a space, and how a place becomes a trial.

NumPy only. `hyperband` and `asha` build on it; rungs, brackets and promotions are in `neps.fidelity`.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from neps.errors import ArgumentError
from neps.fidelity import Brackets, Vacancy, rungs
from neps.samplers.protocol import Sampler, Suggestion
from neps.samplers.settings import number as checked_number
from neps.samplers.settings import whole
from neps.space import Float, Integer
from neps.trial import Place

if TYPE_CHECKING:
    from neps.history import History
    from neps.space import SearchSpace
    from neps.trial import Value

__all__ = ["BeginningAtARung", "MultiFidelity", "fidelity_of", "slot_generator", "trials_by_bracket"]


@dataclasses.dataclass(frozen=True, slots=True)
class MultiFidelity(Sampler):
    """The settings of a search over fidelities, and what it suggests for a place.

    Args:
        eta: the reduction factor: the best 1/eta of a rung are promoted, to eta times the fidelity; above 1. Default 3.
        sample_default_first: whether the first configuration is the default one. Default False, or True where
            configurations come from the prior.
        sample_default_at_target: whether that runs at the highest fidelity before all else, outside the brackets,
            instead of at the first one's lowest rung. Default False.
    """

    from_prior: ClassVar[bool] = False
    """Whether new configurations are drawn from the prior, instead of uniformly."""

    eta: float = 3.0
    sample_default_first: bool = False
    sample_default_at_target: bool = False

    def __post_init__(self) -> None:
        """Check the settings."""
        object.__setattr__(self, "eta", checked_number("eta", self.eta, above=1.0))
        for name in ("sample_default_first", "sample_default_at_target"):
            if not isinstance(getattr(self, name), bool):
                raise ArgumentError(f"{name} must be True or False, not {getattr(self, name)!r}.")
        if self.sample_default_at_target and not self.sample_default_first:
            raise ArgumentError(
                "sample_default_at_target=True says where the first default configuration runs, but "
                "sample_default_first is False: set it to True, too, or leave sample_default_at_target out."
            )

    def check(self, space: SearchSpace) -> None:
        """Refuse a space without exactly one fidelity, or whose fidelity may be 0, or without the prior it needs."""
        if space.fidelity is None:
            raise ArgumentError(
                f"a multi-fidelity searcher needs one fidelity, but the space has {list(space.fidelities) or 'none'}. "
                "Mark one parameter, as in Integer(1, 81, is_fidelity=True), or use bayesian_optimization."
            )
        lower, upper = fidelity_of(space).lower, fidelity_of(space).upper
        if not lower > 0:
            raise ArgumentError(
                f"the fidelity {space.fidelity!r} has the lower bound {lower:g}, but it must be above 0, since rungs "
                "are a constant factor apart: set it to the lowest fidelity that is useful."
            )
        if math.isinf(float(upper) / float(lower)):
            raise ArgumentError(
                f"the fidelity {space.fidelity!r} goes from {lower:g} to {upper:g}, but the ratio of its bounds must "
                "fit in a float (up to 1.8e308): set the lower bound to the lowest fidelity that is useful."
            )
        if (self.from_prior or self.sample_default_first) and not space.has_prior:
            what = "a prior" if self.from_prior else "a default for sample_default_first=True"
            raise ArgumentError(
                f"this searcher needs {what}, but no parameter of the search space has a default. "
                "Give at least one a default, as in Float(0, 1, default=0.3), or use a searcher that needs none, such "
                "as hyperband."
            )

    def settings(self) -> dict[str, Any]:
        """See `Sampler.settings`."""
        return dataclasses.asdict(self)

    def rungs(self, space: SearchSpace) -> tuple[float, ...]:
        """The fidelities at which configurations are compared, from the lowest."""
        fidelity = fidelity_of(space)
        return rungs(fidelity.lower, fidelity.upper, self.eta, whole=isinstance(fidelity, Integer))

    def default_at_target(self, space: SearchSpace, number: int) -> Suggestion | None:
        """The default configuration at the highest fidelity, as trial 1, where that is wanted; it has no bracket."""
        if not self.sample_default_at_target or number != 1 or (default := space.default_config()) is None:
            return None
        return Suggestion(config=space.at_fidelity(default, self.rungs(space)[-1]), reasons={"by": "default"})

    def fill(self, history: History, bracket: int, place: Vacancy) -> Suggestion:
        """The trial for a place: a promotion, the default configuration first of all, or a new one."""
        space, previous = history.space, place.previous
        first = self.sample_default_first and not self.sample_default_at_target and bracket == place.slot == 0
        reasons: dict[str, Any]
        if previous is not None:
            config, reasons = dict(previous.config), {"by": "promotion"}
        elif first and (default := space.default_config()):
            config, reasons = default, {"by": "default"}
        else:
            config, reasons = self.new_configuration(history, bracket, place)
        return Suggestion(
            config=space.at_fidelity(config, self.rungs(space)[place.rung]),
            previous=previous.number if previous else None,
            place=Place(place.rung, bracket, place.slot),
            reasons=reasons,
        )

    def new_configuration(
        self, history: History, bracket: int, place: Vacancy
    ) -> tuple[dict[str, Value], dict[str, Any]]:
        """A configuration for a place at which one begins, at any fidelity, and the reasons to remember.

        It depends on seed, bracket and slot alone. A searcher that draws otherwise overrides this, and nothing else.
        """
        generator = slot_generator(history.seed, bracket, place.slot)
        if self.from_prior:
            return history.space.sample_prior(generator), {"by": "prior"}
        return history.space.sample(generator), {"by": "random"}


@dataclasses.dataclass(frozen=True, slots=True)
class BeginningAtARung(MultiFidelity):
    """A search over fidelities whose configurations all begin at the same rung.

    Args:
        eta: see `MultiFidelity`.
        sample_default_first: see `MultiFidelity`.
        early_stopping_rate: how many rungs above the lowest configurations begin, from 0 (the default).
    """

    early_stopping_rate: int = 0

    def __post_init__(self) -> None:
        """Check the settings."""
        MultiFidelity.__post_init__(self)
        object.__setattr__(self, "early_stopping_rate", whole("early_stopping_rate", self.early_stopping_rate, least=0))

    def check(self, space: SearchSpace) -> None:
        """Refuse a space without one fidelity, or with no more rungs than `early_stopping_rate` leaves out."""
        MultiFidelity.check(self, space)
        rung_count = len(self.rungs(space))
        if self.early_stopping_rate >= rung_count:
            raise ArgumentError(
                f"early_stopping_rate is {self.early_stopping_rate}, but it must be below {rung_count}, the number of "
                "rungs between the fidelity's bounds: lower it, or lower eta or the lower bound."
            )


def slot_generator(seed: int, bracket: int, slot: int) -> np.random.Generator:
    """The generator of a place at which a configuration begins, the same for any number of workers."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(bracket, slot))))


def trials_by_bracket(history: History) -> Brackets:
    """The trials that have a place, by bracket; nobody knows that of damaged ones.

    A worker keeps them up, so this costs nothing, however many there are; `for trial in` one of them looks at all.
    """
    return history.brackets


def fidelity_of(space: SearchSpace) -> Float | Integer:
    """The fidelity's parameter, of a space that has one."""
    parameter = space.parameters[space.fidelity or ""]
    if not isinstance(parameter, Float | Integer):
        raise TypeError(f"a fidelity is a number, not {parameter!r}")
    return parameter
