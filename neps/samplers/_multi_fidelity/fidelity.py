"""What searches over fidelities ask of a space: its fidelity, the rungs between its bounds, and a default.

`bracket_search` and `freeze_thaw` call it. Rungs themselves are in `neps._fidelity`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import attrs

from neps._fidelity import rungs
from neps.errors import ArgumentError
from neps.samplers import _settings as settings
from neps.samplers._protocol import Suggestion

if TYPE_CHECKING:
    from neps.space import Number, SearchSpace

__all__ = ["DefaultFirst", "check_fidelity", "check_prior", "fidelity_of", "rungs_of"]


def fidelity_of(space: SearchSpace) -> Number:
    """The fidelity's parameter, of a space that has one."""
    if (fidelity := space.fidelity_range) is None:
        raise KeyError("the space has no single fidelity")
    return fidelity


def rungs_of(space: SearchSpace, eta: float) -> tuple[float, ...]:
    """The fidelities at which configurations are compared, from the lowest."""
    fidelity = fidelity_of(space)
    return rungs(fidelity.lower, fidelity.upper, eta, whole=fidelity.whole)


def check_fidelity(space: SearchSpace) -> None:
    """Refuse a space without exactly one fidelity, or whose fidelity may be 0."""
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


def check_prior(space: SearchSpace, default: DefaultFirst, *, needs_prior: bool, default_if_any: bool = False) -> None:
    """Refuse a space without a default where that is asked for.

    Args:
        space: of the run.
        default: whether it comes first, and where.
        needs_prior: whether configurations come from the prior.
        default_if_any: whether it comes first only where there is one, but for the target.
    """
    asks = "sample_default_at_target" if default_if_any else "sample_default_first"
    if (needs_prior or getattr(default, asks)) and not space.has_prior:
        what = "a prior" if needs_prior else f"a default for {asks}=True"
        raise ArgumentError(
            f"this searcher needs {what}, but no parameter of the search space has a default. "
            "Give at least one a default, as in Float(0, 1, default=0.3), or use a searcher that needs none, such "
            "as hyperband."
        )


@attrs.frozen
class DefaultFirst:
    """Whether a search begins with the default configuration, and where.

    Args:
        sample_default_first: whether the first configuration is the default one.
        sample_default_at_target: whether that runs at the highest fidelity before all else, outside the brackets,
            instead of at the first one's lowest rung.
    """

    sample_default_first: bool = attrs.field(converter=settings.sample_default_first)
    sample_default_at_target: bool = attrs.field(converter=settings.sample_default_at_target)

    def __attrs_post_init__(self) -> None:
        """Refuse a place for what doesn't come first."""
        if self.sample_default_at_target and not self.sample_default_first:
            raise ArgumentError(
                "sample_default_at_target=True says where the first default configuration runs, but "
                "sample_default_first is False: set it to True, too, or leave sample_default_at_target out."
            )

    @property
    def at_lowest(self) -> bool:
        """Whether it begins as others do."""
        return self.sample_default_first and not self.sample_default_at_target

    def at_target(self, space: SearchSpace, number: int) -> Suggestion | None:
        """The default configuration at the highest fidelity, as trial 1, where that is wanted; it has no bracket."""
        if not self.sample_default_at_target or number != 1 or (default := space.default_config()) is None:
            return None
        return Suggestion(config=space.at_fidelity(default, fidelity_of(space).upper), metadata={"by": "default"})
