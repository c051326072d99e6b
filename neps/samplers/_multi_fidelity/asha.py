"""Asynchronous successive halving and Hyperband: a configuration is promoted as soon as it is among the best of a rung.

Used through `searcher="asha"`, `"async_hyperband"`, and these with `_prior`. NumPy only.
"""

from __future__ import annotations

from neps.samplers._multi_fidelity.bracket_search import BracketSearch
from neps.samplers._multi_fidelity.fidelity import DefaultFirst
from neps.samplers._multi_fidelity.promotion import Asynchronous, OfEachKind, OneKind
from neps.samplers._multi_fidelity.sources import Prior, Uniform

__all__ = ["ASHA", "ASHAPrior", "AsyncHyperband", "AsyncHyperbandPrior"]


def ASHA(
    eta: float = 3.0,
    *,
    sample_default_first: bool = False,
    sample_default_at_target: bool = False,
    early_stopping_rate: int = 0,
) -> BracketSearch:
    """Asynchronous successive halving (Li et al. 2020, "A system for massively parallel hyperparameter tuning").

    A configuration is promoted from its checkpoint as soon as it is among the best 1/`eta` of those that have ended at
    its rung, the highest rung first, and from each rung at most once; if none is, a new one begins. So no worker waits.
    Failed evaluations, and losses that aren't finite, are never promoted.

    Args:
        eta: the reduction factor: the best 1/eta of a rung are promoted, to eta times the fidelity; above 1. Default 3.
        early_stopping_rate: how many rungs above the lowest configurations begin, from 0 (the default).
        sample_default_first: whether the first configuration is the default one. Default False.
        sample_default_at_target: whether that runs at the highest fidelity before all else, outside the brackets.
            Default False.

    Raises:
        ArgumentError: if an argument isn't of its kind; from `check`, if the space hasn't exactly one fidelity, its
            lower bound isn't above 0, there aren't so many rungs, or there is no default and one is asked for.

    Example:
        >>> ASHA(early_stopping_rate=1).settings()
        {'eta': 3.0, 'sample_default_first': False, 'sample_default_at_target': False, 'early_stopping_rate': 1}
    """
    default = DefaultFirst(sample_default_first, sample_default_at_target)
    return BracketSearch("ASHA", eta, default, OneKind(early_stopping_rate), Asynchronous(), Uniform())


def ASHAPrior(
    eta: float = 3.0,
    *,
    sample_default_first: bool = True,
    sample_default_at_target: bool = False,
    early_stopping_rate: int = 0,
) -> BracketSearch:
    """ASHA whose new configurations come from the prior, the default first.

    Args:
        eta: see `ASHA`.
        early_stopping_rate: see `ASHA`.
        sample_default_first: whether the first configuration is the default one. Default True.
        sample_default_at_target: whether that runs at the highest fidelity before all else, outside the brackets.
            Default False.

    Raises:
        ArgumentError: as `ASHA`, and from `check`, if no parameter has a default.
    """
    default = DefaultFirst(sample_default_first, sample_default_at_target)
    return BracketSearch("ASHAPrior", eta, default, OneKind(early_stopping_rate), Asynchronous(), Prior())


def AsyncHyperband(
    eta: float = 3.0, *, sample_default_first: bool = False, sample_default_at_target: bool = False
) -> BracketSearch:
    """Asynchronous Hyperband: each new configuration joins one of Hyperband's brackets, in each of which ASHA promotes.

    The bracket is drawn as in Klein et al. (2020, "Model-based asynchronous hyperparameter and neural architecture
    search"): as often as Hyperband begins configurations in it. Brackets don't compare their trials with each other's.

    Args:
        eta: the reduction factor: the best 1/eta of a rung are promoted, to eta times the fidelity; above 1. Default 3.
        sample_default_first: whether the first configuration of the first bracket is the default one. Default False.
        sample_default_at_target: whether that runs at the highest fidelity before all else, outside the brackets.
            Default False.

    Raises:
        ArgumentError: if an argument isn't of its kind; from `check`, if the space hasn't exactly one fidelity, its
            lower bound isn't above 0, or there is no default and one is asked for.

    Example:
        >>> AsyncHyperband(eta=2).settings()
        {'eta': 2.0, 'sample_default_first': False, 'sample_default_at_target': False}
    """
    default = DefaultFirst(sample_default_first, sample_default_at_target)
    return BracketSearch("AsyncHyperband", eta, default, OfEachKind(), Asynchronous(), Uniform())


def AsyncHyperbandPrior(
    eta: float = 3.0, *, sample_default_first: bool = True, sample_default_at_target: bool = False
) -> BracketSearch:
    """Asynchronous Hyperband whose new configurations come from the prior, the default first.

    Args:
        eta: see `AsyncHyperband`.
        sample_default_first: whether the first configuration is the default one. Default True.
        sample_default_at_target: whether that runs at the highest fidelity before all else, outside the brackets.
            Default False.

    Raises:
        ArgumentError: as `AsyncHyperband`, and from `check`, if no parameter has a default.
    """
    default = DefaultFirst(sample_default_first, sample_default_at_target)
    return BracketSearch("AsyncHyperbandPrior", eta, default, OfEachKind(), Asynchronous(), Prior())
