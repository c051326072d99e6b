"""How much is evaluated before a model over configurations and fidelities is asked.

Called by `freeze_thaw` and `mobster`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from neps.samplers.initial_design import InitialDesign, usual_size
from neps.samplers.multi_fidelity import fidelity_of

if TYPE_CHECKING:
    from neps.space import SearchSpace

__all__ = ["fidelity_design"]

_LARGEST = 16


def fidelity_design(
    space: SearchSpace, size: int | None, *, default_first: bool = False, largest: int = _LARGEST
) -> InitialDesign:
    """The initial design of a search over fidelities.

    Args:
        space: of the run.
        size: `initial_design_size`. None: at the lowest fidelity results are cheap, but say little. So as many as cost
            no more than one full evaluation, but `largest` at most; or as many as without a fidelity, where that is
            more.
        default_first: whether the first trial is the default configuration.
        largest: see `size`. Default 16.
    """
    fidelity = fidelity_of(space)
    cheap = int(min(fidelity.upper / fidelity.lower, largest))
    return InitialDesign(size or max(cheap, usual_size(space)), default_first)
