"""Random search: each trial is drawn on its own, uniformly or from the user's prior.

Used through `searcher="random_search"`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import attrs

from neps.errors import ArgumentError
from neps.samplers import _settings as settings
from neps.samplers._protocol import Sampler, Suggestion

if TYPE_CHECKING:
    import numpy as np

    from neps._budget import Budget
    from neps._history import History
    from neps.space import SearchSpace

__all__ = ["RandomSearch"]


@attrs.frozen
class RandomSearch(Sampler):
    """Draws every configuration at random (Bergstra and Bengio 2012), uniformly on each parameter's own scale.

    Args:
        use_priors: draw from the prior that the parameters' defaults describe, instead of uniformly. Default False.

    Raises:
        ArgumentError: if `use_priors` isn't a bool; from `check`, if it's True and no parameter has a default.

    Example:
        >>> RandomSearch(use_priors=True).settings()
        {'use_priors': True}
    """

    independent: ClassVar[bool] = True

    use_priors: bool = attrs.field(default=False, converter=settings.use_priors)

    def check(self, space: SearchSpace) -> None:
        """Refuse `use_priors` where there is no prior."""
        if self.use_priors and not space.has_prior:
            msg = (
                "use_priors=True needs a prior, but no parameter of the search space has a default. "
                "Give at least one a default, as in Float(0, 1, default=0.3), or leave use_priors out."
            )
            raise ArgumentError(msg)

    def settings(self) -> dict[str, Any]:
        """See `Sampler.settings`."""
        return attrs.asdict(self)

    def decide(
        self,
        history: History,
        number: int,  # noqa: ARG002 - the generator was seeded with it
        budget: Budget,  # noqa: ARG002
        generator: np.random.Generator,
    ) -> Suggestion:
        """Draw one configuration."""
        space = history.space
        return Suggestion(config=space.sample_prior(generator) if self.use_priors else space.sample(generator))
