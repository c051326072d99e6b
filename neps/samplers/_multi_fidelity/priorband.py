"""PriorBand: Hyperband whose new configurations come from the user's prior, from near the incumbent, or at random.

Used through `searcher="priorband"`, and with a model through `"priorband_bo"`. The three ways are in `ensemble`, the
model as a source in `modelled`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from neps.samplers._model_based.priors import PriorTerm
from neps.samplers._multi_fidelity.bracket_search import BracketSearch
from neps.samplers._multi_fidelity.ensemble import Ensemble
from neps.samplers._multi_fidelity.fidelity import DefaultFirst
from neps.samplers._multi_fidelity.modelled import Model
from neps.samplers._multi_fidelity.promotion import OfEachKind, Synchronous

if TYPE_CHECKING:
    from neps.space import Confidence

__all__ = ["PriorBand", "PriorBandBO"]


def PriorBand(
    eta: float = 3.0,
    *,
    sample_default_first: bool = True,
    sample_default_at_target: bool = False,
    prior_confidence: Confidence | None = None,
    inc_mutation_rate: float = 0.5,
    inc_mutation_std: float = 0.25,
) -> BracketSearch:
    """Hyperband with an ensemble of three ways to draw new configurations (Mallik et al. 2023, "PriorBand").

    At rung r one of 1 + `eta`^r is drawn uniformly: cheap evaluations explore. The others come from the prior, until
    results speak for something else: once as much fidelity was run as the first bracket takes, and a trial has finished
    at the highest, they are shared between the prior and the incumbent. The shares are in proportion of how dense the
    best configurations of a rung lie under the prior, and under a prior that is moved to the incumbent. What comes from
    the incumbent is a mutation of it: each parameter changes with probability `inc_mutation_rate`, and at least one
    does; a number by a normal step on its own (log) scale, cut off at the bounds, a categorical to any other choice.

    Where no parameter has a default, there is no prior to draw from: configurations are uniform until the incumbent has
    its share, which is then all that isn't drawn uniformly. `sample_default_first` and `prior_confidence` then have no
    effect.

    Brackets, promotions and failures are as of `Hyperband`. Which way a place draws, and what, depends on seed, bracket
    and slot; as long as the incumbent has no share, on nothing else, so that bracket is the same for any number of
    workers. Later it depends on the results that were seen when it was decided.

    It differs from the authors' implementation in that the incumbent is the best of the highest fidelity, instead of
    the best at any, that all fidelity that was run counts as spent, that a mutation always changes something, that
    sizes of brackets are those of `Hyperband`, and that nothing is shared with a uniform prior where there is none.

    Args:
        eta: the reduction factor: the best 1/eta of a rung are promoted, to eta times the fidelity; above 1. Default 3.
        sample_default_first: whether the first configuration is the default one. Default True.
        sample_default_at_target: whether that runs at the highest fidelity before all else, outside the brackets.
            Default False.
        prior_confidence: "low", "medium" or "high", for all parameters that have a default, instead of each one's own
            `default_confidence`. None (the default) leaves them their own.
        inc_mutation_rate: the probability, from 0 to 1, that a parameter of the incumbent is changed. Default 0.5.
        inc_mutation_std: the standard deviation of a number's step, as a share of its range, above 0. Default 0.25.

    Raises:
        ArgumentError: if an argument isn't of its kind; from `check`, if the space hasn't exactly one fidelity, its
            lower bound isn't above 0, or no parameter has a default and one is to run at the highest fidelity.

    Example:
        >>> PriorBand(prior_confidence="high").settings()["inc_mutation_rate"]
        0.5
    """
    default = DefaultFirst(sample_default_first, sample_default_at_target)
    ensemble = Ensemble(prior_confidence, inc_mutation_rate, inc_mutation_std)
    return BracketSearch("PriorBand", eta, default, OfEachKind(), Synchronous(), ensemble)


def PriorBandBO(  # noqa: PLR0913 - one for each setting
    eta: float = 3.0,
    *,
    sample_default_first: bool = True,
    sample_default_at_target: bool = False,
    prior_confidence: Confidence | None = None,
    inc_mutation_rate: float = 0.5,
    inc_mutation_std: float = 0.25,
    initial_design_size: int | None = None,
    prior_weight: float = 3.0,
) -> BracketSearch:
    """PriorBand whose new configurations come from a model, once there are results enough.

    Brackets are those of `PriorBand`, and so are new configurations until `initial_design_size` results are in. Then
    they are those with the highest expected improvement at the highest fidelity, by the process of `FreezeThaw`, times
    the prior to a power that falls with what has been run: `prior_weight` over full evaluations, and less where
    the model has learned that the prior is wrong, as in `PiBO` (Hvarfner et al. 2022).

    Args:
        eta: see `PriorBand`.
        sample_default_first: see `PriorBand`. Default True.
        sample_default_at_target: see `PriorBand`. Default False.
        prior_confidence: see `PriorBand`. Default None.
        inc_mutation_rate: see `PriorBand`. Default 0.5.
        inc_mutation_std: see `PriorBand`. Default 0.25.
        initial_design_size: how many results there must be before a model is trusted, at least 1. None (the default):
            as for `MOBSTER`.
        prior_weight: see above, above 0. Default 3.

    Raises:
        ArgumentError: as `PriorBand`, and from `check`, if no parameter has a default.

    Example:
        >>> PriorBandBO(prior_weight=5).settings()["prior_weight"]
        5.0
    """
    default = DefaultFirst(sample_default_first, sample_default_at_target)
    ensemble = Ensemble(prior_confidence, inc_mutation_rate, inc_mutation_std)
    source = Model(ensemble, initial_design_size, prior=PriorTerm(prior_weight, ensemble.prior_confidence))
    return BracketSearch("PriorBandBO", eta, default, OfEachKind(), Synchronous(), source)
