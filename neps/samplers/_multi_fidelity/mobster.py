"""MOBSTER: asynchronous Hyperband whose new configurations come from a model over configurations and fidelities.

Used through `searcher="mobster"`. The model as a source is in `modelled`.
"""

from __future__ import annotations

from neps.samplers import _settings as settings
from neps.samplers._multi_fidelity.bracket_search import BracketSearch
from neps.samplers._multi_fidelity.fidelity import DefaultFirst
from neps.samplers._multi_fidelity.modelled import Model
from neps.samplers._multi_fidelity.promotion import Asynchronous, OfEachKind
from neps.samplers._multi_fidelity.sources import Uniform

__all__ = ["MOBSTER"]


def MOBSTER(
    eta: float = 3.0,
    *,
    sample_default_first: bool = False,
    sample_default_at_target: bool = False,
    initial_design_size: int | None = None,
    random_interleave_prob: float = 0.0,
) -> BracketSearch:
    """Asynchronous Hyperband whose new configurations are those with the highest expected improvement.

    As Klein et al. (2020, "Model-based asynchronous hyperparameter and neural architecture search"): brackets and
    promotions are those of `AsyncHyperband`, and a Gaussian process over configurations and fidelities, which knows of
    all results and of what is pending, says where to begin. The process is that of `FreezeThaw`, and improvement is
    expected at the highest fidelity from the beginning, where they take the highest rung with results enough.

    Args:
        eta: the reduction factor: the best 1/eta of a rung are promoted, to eta times the fidelity; above 1. Default 3.
        sample_default_first: whether the first configuration of the first bracket is the default one. Default False.
        sample_default_at_target: whether that runs at the highest fidelity before all else, outside the brackets.
            Default False.
        initial_design_size: how many results there must be before a model is trusted, at least 1; until then new
            configurations are random. None (the default): as many as cost one full evaluation at the lowest fidelity,
            but 16 at most, and no fewer than `BayesianOptimization` has.
        random_interleave_prob: the probability, from 0 to 1, that a new configuration is drawn at random instead,
            uniformly. Default 0.

    Raises:
        ArgumentError: if an argument isn't of its kind; from `check`, if the space hasn't exactly one fidelity, its
            lower bound isn't above 0, or there is no default and one is asked for.

    Example:
        >>> MOBSTER(initial_design_size=10).settings()["initial_design_size"]
        10
    """
    default = DefaultFirst(sample_default_first, sample_default_at_target)
    source = Model(Uniform(), initial_design_size, settings.random_interleave_prob(random_interleave_prob))
    return BracketSearch("MOBSTER", eta, default, OfEachKind(), Asynchronous(), source)
