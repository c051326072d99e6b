"""From what users write as `searcher=` and its keywords to a sampler, and from a sampler to what neps.yaml says of it.

Each sampler is imported when it is asked for. `neps.run` and the ledger's reader of definitions call it.
"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from neps.errors import ArgumentError, nearest
from neps.samplers.protocol import Sampler

if TYPE_CHECKING:
    from neps.space import SearchSpace

__all__ = ["default_name", "describe", "resolve"]

_CLASSES = {
    "random_search": ("neps.samplers.random_search", "RandomSearch"),
    "sobol": ("neps.samplers.sobol", "Sobol"),
    "grid_search": ("neps.samplers.grid_search", "GridSearch"),
    "bayesian_optimization": ("neps.samplers.bayesian_optimization", "BayesianOptimization"),
    "pibo": ("neps.samplers.pibo", "PiBO"),
    "cost_cooling": ("neps.samplers.cost_cooling", "CostCooling"),
    "regularized_evolution": ("neps.samplers.regularized_evolution", "RegularizedEvolution"),
    "successive_halving": ("neps.samplers.hyperband", "SuccessiveHalving"),
    "successive_halving_prior": ("neps.samplers.hyperband", "SuccessiveHalvingPrior"),
    "hyperband": ("neps.samplers.hyperband", "Hyperband"),
    "hyperband_prior": ("neps.samplers.hyperband", "HyperbandPrior"),
    "asha": ("neps.samplers.asha", "ASHA"),
    "asha_prior": ("neps.samplers.asha", "ASHAPrior"),
    "async_hyperband": ("neps.samplers.asha", "AsyncHyperband"),
    "async_hyperband_prior": ("neps.samplers.asha", "AsyncHyperbandPrior"),
    "mobster": ("neps.samplers.mobster", "MOBSTER"),
    "priorband": ("neps.samplers.priorband", "PriorBand"),
    "priorband_bo": ("neps.samplers.mobster", "PriorBandBO"),
    "freeze_thaw": ("neps.samplers.freeze_thaw", "FreezeThaw"),
}


def resolve(searcher: str | Sampler, space: SearchSpace, settings: Mapping[str, Any]) -> Sampler:
    """The sampler that `searcher` and its keywords stand for, checked against the space.

    Args:
        searcher: a name, "default", or a Sampler.
        space: what it will search.
        settings: the searcher's own keywords; empty with a Sampler, which has its settings already.

    Raises:
        ArgumentError: if the name, a keyword or a value is wrong, or the sampler can't search the space.

    Example:
        >>> from neps.space import Float, SearchSpace
        >>> resolve("grid_search", SearchSpace({"x": Float(0, 1)}), {"steps_per_parameter": 3})
        GridSearch(steps_per_parameter=3)
    """
    if isinstance(searcher, Sampler):
        if settings:
            raise ArgumentError(
                f"unknown arguments {sorted(settings)}: searcher is already a {type(searcher).__name__}. "
                "Give them to its constructor, or check the names of the other arguments."
            )
        sampler = searcher
    else:
        sampler = _from_name(searcher, space, settings)
    sampler.check(space)
    return sampler


def default_name(space: SearchSpace) -> tuple[str, str]:
    """What `searcher="default"` means for a space, and why, to be logged.

    Example:
        >>> from neps.space import Float, SearchSpace
        >>> default_name(SearchSpace({"x": Float(0, 1)}))
        ('bayesian_optimization', 'the space has neither a fidelity nor a prior')
    """
    several = f"; its {len(space.fidelities)} fidelities stay at the upper bound" if len(space.fidelities) > 1 else ""
    if space.fidelity is not None:
        if space.has_prior:
            return "priorband", "the space has a fidelity and a prior"
        return "freeze_thaw", "the space has a fidelity"
    if space.has_prior:
        return "pibo", f"the space has a prior{several}"
    neither = "no prior" if several else "neither a fidelity nor a prior"
    return "bayesian_optimization", f"the space has {neither}{several}"


def describe(sampler: Sampler) -> dict[str, Any]:
    """What neps.yaml says of a sampler: its name (of one's own, the qualified class name) and settings, as plain data.

    Example:
        >>> from neps.samplers import GridSearch
        >>> describe(GridSearch(steps_per_parameter=3))
        {'name': 'grid_search', 'settings': {'steps_per_parameter': 3}}
    """
    kind = type(sampler)
    place = (kind.__module__, kind.__qualname__)
    names = {known: name for name, known in _CLASSES.items()}
    return {"name": names.get(place, ".".join(place)), "settings": sampler.settings()}


def _from_name(searcher: object, space: SearchSpace, settings: Mapping[str, Any]) -> Sampler:
    if not isinstance(searcher, str):
        hint = f" Write {searcher.__name__}()." if isinstance(searcher, type) and issubclass(searcher, Sampler) else ""
        raise ArgumentError(f"searcher must be a name or an instance of a Sampler, not {searcher!r}.{hint}")
    name = default_name(space)[0] if searcher == "default" else searcher
    if name not in _CLASSES:
        known = ["default", *_CLASSES]
        raise ArgumentError(f"unknown searcher {name!r}: it must be one of {known}.{nearest(name.lower(), known)}")
    _check_keywords(name, _keywords(name), settings)
    sampler: Sampler = _class(name)(**settings)
    return sampler


def _check_keywords(name: str, known: list[str], settings: Mapping[str, Any]) -> None:
    for keyword in settings:
        if keyword not in known:
            takes = f"takes {', '.join(known)}" if known else "takes no arguments of its own"
            others = [other for other in _CLASSES if keyword in _keywords(other)]
            hint = f" It is a setting of {', '.join(others)}." if others else nearest(keyword, known)
            raise ArgumentError(
                f"unknown argument {keyword!r}: searcher {name!r} {takes}, and neps.run has no such argument.{hint}"
            )


def _keywords(name: str) -> list[str]:
    return [field.name for field in dataclasses.fields(_class(name))]


def _class(name: str) -> Any:
    module, kind = _CLASSES[name]
    return getattr(importlib.import_module(module), kind)
