"""Successive halving and Hyperband, synchronous: a rung promotes its best configurations once it is full.

Used through `searcher="successive_halving"`, `"hyperband"`, and these with `_prior`. NumPy only.
"""

from __future__ import annotations

from neps.samplers._multi_fidelity.bracket_search import BracketSearch
from neps.samplers._multi_fidelity.fidelity import DefaultFirst
from neps.samplers._multi_fidelity.promotion import OfEachKind, OneKind, Synchronous
from neps.samplers._multi_fidelity.sources import Prior, Uniform

__all__ = ["Hyperband", "HyperbandPrior", "SuccessiveHalving", "SuccessiveHalvingPrior"]


def SuccessiveHalving(
    eta: float = 3.0,
    *,
    sample_default_first: bool = False,
    sample_default_at_target: bool = False,
    early_stopping_rate: int = 0,
) -> BracketSearch:
    """Successive halving (Jamieson and Talwalkar 2016), bracket after bracket of the same kind.

    A bracket begins with many configurations at a low fidelity. Once all have ended, the best 1/`eta` are promoted to a
    fidelity that is `eta` times higher, each from its own checkpoint, and so on to the highest. Failed evaluations, and
    losses that aren't finite, are never promoted, even if a place stays empty. Priors are ignored: a default is only
    looked at with `sample_default_first`.

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
        >>> SuccessiveHalving(eta=4).settings()
        {'eta': 4.0, 'sample_default_first': False, 'sample_default_at_target': False, 'early_stopping_rate': 0}
    """
    default = DefaultFirst(sample_default_first, sample_default_at_target)
    return BracketSearch("SuccessiveHalving", eta, default, OneKind(early_stopping_rate), Synchronous(), Uniform())


def SuccessiveHalvingPrior(
    eta: float = 3.0,
    *,
    sample_default_first: bool = True,
    sample_default_at_target: bool = False,
    early_stopping_rate: int = 0,
) -> BracketSearch:
    """Successive halving whose new configurations come from the prior, the default first.

    Args:
        eta: see `SuccessiveHalving`.
        early_stopping_rate: see `SuccessiveHalving`.
        sample_default_first: whether the first configuration is the default one. Default True.
        sample_default_at_target: whether that runs at the highest fidelity before all else, outside the brackets.
            Default False.

    Raises:
        ArgumentError: as `SuccessiveHalving`, and from `check`, if no parameter has a default.
    """
    default = DefaultFirst(sample_default_first, sample_default_at_target)
    return BracketSearch("SuccessiveHalvingPrior", eta, default, OneKind(early_stopping_rate), Synchronous(), Prior())


def Hyperband(
    eta: float = 3.0, *, sample_default_first: bool = False, sample_default_at_target: bool = False
) -> BracketSearch:
    """Hyperband (Li et al. 2018, algorithm 1): brackets of successive halving that begin at each rung, in turn.

    The first bracket begins with many configurations at the lowest fidelity, the last runs a few at the highest alone.
    In all else it is like `SuccessiveHalving`.

    Args:
        eta: the reduction factor: the best 1/eta of a rung are promoted, to eta times the fidelity; above 1. Default 3.
        sample_default_first: whether the first configuration is the default one. Default False.
        sample_default_at_target: whether that runs at the highest fidelity before all else, outside the brackets.
            Default False.

    Raises:
        ArgumentError: if an argument isn't of its kind; from `check`, if the space hasn't exactly one fidelity, its
            lower bound isn't above 0, or there is no default and one is asked for.

    Example:
        >>> Hyperband().settings()
        {'eta': 3.0, 'sample_default_first': False, 'sample_default_at_target': False}
    """
    default = DefaultFirst(sample_default_first, sample_default_at_target)
    return BracketSearch("Hyperband", eta, default, OfEachKind(), Synchronous(), Uniform())


def HyperbandPrior(
    eta: float = 3.0, *, sample_default_first: bool = True, sample_default_at_target: bool = False
) -> BracketSearch:
    """Hyperband whose new configurations come from the prior, the default first.

    Args:
        eta: see `Hyperband`.
        sample_default_first: whether the first configuration is the default one. Default True.
        sample_default_at_target: whether that runs at the highest fidelity before all else, outside the brackets.
            Default False.

    Raises:
        ArgumentError: as `Hyperband`, and from `check`, if no parameter has a default.
    """
    default = DefaultFirst(sample_default_first, sample_default_at_target)
    return BracketSearch("HyperbandPrior", eta, default, OfEachKind(), Synchronous(), Prior())
