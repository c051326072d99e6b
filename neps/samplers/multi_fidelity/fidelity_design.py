"""How much is evaluated before a model over configurations and fidelities is asked.

Called by `freeze_thaw` and `mobster`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from neps.samplers.drawing.initial_design import InitialDesign, usual_size
from neps.samplers.multi_fidelity.bracket_search import fidelity_of

if TYPE_CHECKING:
    from neps.space import SearchSpace

__all__ = ["fidelity_design"]

_LARGEST = 16


def fidelity_design(space: SearchSpace, size: int | None, *, default_first: bool = False) -> InitialDesign:
    """The initial design of a search over fidelities.

    Args:
        space: of the run.
        size: `initial_design_size`. None: at the lowest fidelity results are cheap, but say little. So as many as cost
            no more than one full evaluation, but 16 at most; or as many as without a fidelity, where that is more.
        default_first: whether the first trial is the default configuration.
    """
    fidelity = fidelity_of(space)
    cheap = int(min(fidelity.upper / fidelity.lower, _LARGEST))
    return InitialDesign(size or max(cheap, usual_size(space)), default_first)
