"""From what users write as `searcher=` and its keywords to a sampler, and from a sampler to what neps.yaml says of it.

Each sampler is imported when it is asked for. `neps.run` and the ledger's reader of definitions call it.
"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from neps.errors import ArgumentError, nearest, shown
from neps.samplers.protocol import Sampler

if TYPE_CHECKING:
    from neps.space import SearchSpace

__all__ = ["default_name", "describe", "resolve", "searchers_with", "setting_names"]

_MODEL = "The searcher with a model is 'bayesian_optimization'"
_ELSEWHERE = {
    "auto": "Write 'default', or leave it out.",
    "random": "Write 'random_search'.",
    "randomsearch": "Write 'random_search'.",
    "rs": "Write 'random_search'.",
    "grid": "Write 'grid_search'.",
    "qmc": "Write 'sobol'.",
    "bo": f"{_MODEL}.",
    "gp": f"{_MODEL}.",
    "bayes": f"{_MODEL}.",
    "bayesian": f"{_MODEL}.",
    "bayesopt": f"{_MODEL}.",
    "smac": f"{_MODEL}.",
    "tpe": f"There is no TPE. {_MODEL}.",
    "hyperopt": f"There is no TPE. {_MODEL}.",
    "optuna": f"There is no TPE. {_MODEL}.",
    "cmaes": f"There is no CMA-ES. {_MODEL}, and 'regularized_evolution' is for many short evaluations.",
    "evolution": "Write 'regularized_evolution'.",
    "nsga2": "There is one loss, so no NSGA-II: 'regularized_evolution' evolves configurations.",
    "ifbo": "Write 'freeze_thaw': it also models losses at all fidelities, and continues checkpoints.",
    "bohb": "There is no BOHB. 'mobster' and 'priorband_bo' have brackets and a model.",
    "dehb": "There is no DEHB. 'hyperband' has brackets, 'mobster' a model, too.",
    "async_hb": "Write 'async_hyperband'.",
    "hyperband_async": "Write 'async_hyperband'.",
    "sh": "Write 'successive_halving'.",
    "pbt": "There is no population-based training. 'asha' stops bad configurations early.",
    "median": "There is no median rule. 'asha' stops bad configurations early.",
    "fifo": "Write 'random_search' or 'bayesian_optimization': they evaluate each configuration in full.",
}
"""What other tools have, by name in lower case, and what to do instead."""

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
    "freeze_thaw_prior": ("neps.samplers.freeze_thaw", "FreezeThawPrior"),
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
                f"The searcher is already a {type(searcher).__name__}, but settings are given, too: "
                f"{', '.join(sorted(settings))}. Pass them to its constructor."
            )
        sampler = searcher
    else:
        sampler = _from_name(searcher, space, settings)
    try:
        sampler.check(space)
    except ArgumentError as error:
        raise ArgumentError(f"searcher {describe(sampler)['name']!r}: {error}") from error
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
            return "freeze_thaw_prior", "the space has a fidelity and a prior"
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


def setting_names(searcher: object, space: SearchSpace) -> tuple[str, list[str]] | None:
    """The name of what the user passed as searcher, and of the settings that it takes; None if it is no searcher.

    A Sampler takes none: it has its settings already.

    Example:
        >>> from neps.space import Float, SearchSpace
        >>> setting_names("grid_search", SearchSpace({"x": Float(0, 1)}))
        ('grid_search', ['steps_per_parameter'])
    """
    if isinstance(searcher, Sampler):
        return type(searcher).__name__, []
    name = default_name(space)[0] if searcher == "default" else searcher
    return (name, _keywords(name)) if isinstance(name, str) and name in _CLASSES else None


def searchers_with(setting: str) -> list[str]:
    """The names of the searchers that have a setting.

    Example:
        >>> searchers_with("steps_per_parameter")
        ['grid_search']
    """
    return [name for name in _CLASSES if setting in _keywords(name)]


def _from_name(searcher: object, space: SearchSpace, settings: Mapping[str, Any]) -> Sampler:
    if not isinstance(searcher, str):
        hint = f" Write {searcher.__name__}()." if isinstance(searcher, type) and issubclass(searcher, Sampler) else ""
        message = (
            f"searcher is {shown(searcher)}; it must be a searcher's name, or an instance of neps.Sampler. Settings go "
            f"beside a name, as in searcher='asha', eta=3.{hint}"
        )
        raise ArgumentError(message)
    name = default_name(space)[0] if searcher == "default" else searcher
    if name not in _CLASSES:
        known = ["default", *_CLASSES]
        words = name.lower().replace("-", "_").replace(" ", "_")
        meant = _ELSEWHERE.get(words.replace("_", ""), _ELSEWHERE.get(words, ""))
        hint = f" {meant}" if meant else nearest(words, known)
        raise ArgumentError(f"searcher is {shown(name)}, but it must be one of {', '.join(map(repr, known))}.{hint}")
    if unknown := [setting for setting in settings if setting not in _keywords(name)]:
        takes = f"it takes {', '.join(_keywords(name))}" if _keywords(name) else "it takes none"
        hint = nearest(unknown[0], _keywords(name))
        raise ArgumentError(f"The searcher {name!r} has no setting {shown(unknown[0])}; {takes}.{hint}")
    try:
        sampler: Sampler = _class(name)(**settings)
    except ArgumentError as error:
        raise ArgumentError(f"searcher {name!r}: {error}") from error
    return sampler


def _keywords(name: str) -> list[str]:
    return [field.name for field in dataclasses.fields(_class(name))]


def _class(name: str) -> Any:
    module, kind = _CLASSES[name]
    return getattr(importlib.import_module(module), kind)
