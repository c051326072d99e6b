"""From what users write as `searcher=` and its keywords to a sampler, and from a sampler to what neps.yaml says of it.

Each sampler is imported when it is asked for. `neps.run` and the ledger's reader of definitions call it.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from neps.errors import ArgumentError, nearest, shown
from neps.samplers._protocol import Sampler

if TYPE_CHECKING:
    from neps.space import SearchSpace

__all__ = [
    "SEARCHERS",
    "constructor",
    "default_name",
    "remade",
    "resolve",
    "searcher_definition",
    "searchers_with",
    "setting_names",
]

_PACKAGE = "neps.samplers"
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

SEARCHERS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        # One configuration, one evaluation
        "random_search": ("_single_fidelity.random_search", "RandomSearch"),
        "sobol": ("_single_fidelity.sobol", "Sobol"),
        "grid_search": ("_single_fidelity.grid_search", "GridSearch"),
        # The same by a model: an initial design × what expected improvement is weighed with
        "bayesian_optimization": ("_single_fidelity.bayesian_optimization", "BayesianOptimization"),
        "pibo": ("_single_fidelity.pibo", "PiBO"),
        "cost_cooling": ("_single_fidelity.cost_cooling", "CostCooling"),
        "regularized_evolution": ("_single_fidelity.regularized_evolution", "RegularizedEvolution"),
        # Brackets × promotion × where new configurations come from
        "successive_halving": ("_multi_fidelity.hyperband", "SuccessiveHalving"),
        "successive_halving_prior": ("_multi_fidelity.hyperband", "SuccessiveHalvingPrior"),
        "hyperband": ("_multi_fidelity.hyperband", "Hyperband"),
        "hyperband_prior": ("_multi_fidelity.hyperband", "HyperbandPrior"),
        "asha": ("_multi_fidelity.asha", "ASHA"),
        "asha_prior": ("_multi_fidelity.asha", "ASHAPrior"),
        "async_hyperband": ("_multi_fidelity.asha", "AsyncHyperband"),
        "async_hyperband_prior": ("_multi_fidelity.asha", "AsyncHyperbandPrior"),
        "mobster": ("_multi_fidelity.mobster", "MOBSTER"),
        "priorband": ("_multi_fidelity.priorband", "PriorBand"),
        "priorband_bo": ("_multi_fidelity.priorband", "PriorBandBO"),
        # No brackets: a model says what goes on
        "freeze_thaw": ("_multi_fidelity.freeze_thaw", "FreezeThaw"),
        "freeze_thaw_prior": ("_multi_fidelity.freeze_thaw", "FreezeThawPrior"),
    }
)
"""The module within `neps.samplers`, and what makes the sampler of its settings."""


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
                f"The searcher is already a {_title(searcher)}, but settings are given, too: "
                f"{', '.join(sorted(settings))}. Pass them to its constructor."
            )
        sampler = searcher
    else:
        sampler = _from_name(searcher, space, settings)
    try:
        sampler.check(space)
    except ArgumentError as error:
        raise ArgumentError(f"searcher {searcher_definition(sampler)['name']!r}: {error}") from error
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


def searcher_definition(sampler: Sampler) -> dict[str, Any]:
    """What neps.yaml says of a sampler: its name (of one's own, the qualified class name) and settings, as plain data.

    Example:
        >>> from neps.samplers import GridSearch
        >>> searcher_definition(GridSearch(steps_per_parameter=3))
        {'name': 'grid_search', 'settings': {'steps_per_parameter': 3}}
    """
    title = _title(sampler)
    if _is_own(sampler):
        names = {made_by: name for name, (_, made_by) in SEARCHERS.items()}
        return {"name": names.get(title, title), "settings": sampler.settings()}
    return {"name": f"{type(sampler).__module__}.{type(sampler).__qualname__}", "settings": sampler.settings()}


def constructor(name: str) -> Callable[..., Sampler]:
    """What makes the sampler of this name, called with its settings.

    Example:
        >>> constructor("hyperband")(eta=4)
        Hyperband(eta=4.0, sample_default_first=False, sample_default_at_target=False)
    """
    module, made_by = SEARCHERS[name]
    found: Callable[..., Sampler] = getattr(importlib.import_module(f"{_PACKAGE}.{module}"), made_by)
    return found


def remade(sampler: Sampler) -> Sampler:
    """A sampler that is made of the settings of another one, and equal to it."""
    name, settings = searcher_definition(sampler).values()
    return constructor(name)(**settings) if name in SEARCHERS else type(sampler)(**settings)


def setting_names(searcher: object, space: SearchSpace) -> tuple[str, list[str]] | None:
    """The name of what the user passed as searcher, and of the settings that it takes; None if it is no searcher.

    A Sampler takes none: it has its settings already.

    Example:
        >>> from neps.space import Float, SearchSpace
        >>> setting_names("grid_search", SearchSpace({"x": Float(0, 1)}))
        ('grid_search', ['steps_per_parameter'])
    """
    if isinstance(searcher, Sampler):
        return _title(searcher), []
    name = default_name(space)[0] if searcher == "default" else searcher
    return (name, _keywords(name)) if isinstance(name, str) and name in SEARCHERS else None


def searchers_with(setting: str) -> list[str]:
    """The names of the searchers that have a setting.

    Example:
        >>> searchers_with("steps_per_parameter")
        ['grid_search']
    """
    return [name for name in SEARCHERS if setting in _keywords(name)]


def _from_name(searcher: object, space: SearchSpace, settings: Mapping[str, Any]) -> Sampler:
    if not isinstance(searcher, str):
        raise ArgumentError(
            f"searcher is {shown(searcher)}; it must be a searcher's name, or an instance of neps.Sampler. Settings go "
            f"beside a name, as in searcher='asha', eta=3.{_called(searcher)}"
        )
    name = default_name(space)[0] if searcher == "default" else searcher
    if name not in SEARCHERS:
        known = ["default", *SEARCHERS]
        raise ArgumentError(
            f"searcher is {shown(name)}, but it must be one of {', '.join(map(repr, known))}.{_meant(name)}"
        )
    keywords = _keywords(name)
    if unknown := [setting for setting in settings if setting not in keywords]:
        takes = f"it takes {', '.join(keywords)}" if keywords else "it takes none"
        hint = nearest(unknown[0], keywords)
        raise ArgumentError(f"The searcher {name!r} has no setting {shown(unknown[0])}; {takes}.{hint}")
    try:
        return constructor(name)(**settings)
    except ArgumentError as error:
        raise ArgumentError(f"searcher {name!r}: {error}") from error


def _called(searcher: object) -> str:
    """The hint for what makes a sampler, and was not called."""
    makes = isinstance(searcher, type) and issubclass(searcher, Sampler)
    makes = makes or getattr(searcher, "__module__", None) in {
        f"{_PACKAGE}.{module}" for module, _ in SEARCHERS.values()
    }
    return f" Write {getattr(searcher, '__name__', '')}()." if makes else ""


def _meant(name: str) -> str:
    """The hint for a name that no searcher has."""
    words = name.lower().replace("-", "_").replace(" ", "_")
    meant = _ELSEWHERE.get(words.replace("_", ""), _ELSEWHERE.get(words, ""))
    return f" {meant}" if meant else nearest(words, ["default", *SEARCHERS])


def _keywords(name: str) -> list[str]:
    return list(inspect.signature(constructor(name)).parameters)


def _is_own(sampler: Sampler) -> bool:
    """Whether it is one of neps."""
    return type(sampler).__module__.startswith(f"{_PACKAGE}.")


def _title(sampler: Sampler) -> str:
    """The name of what made it: its class, or what composed it."""
    kind = type(sampler).__name__
    return str(getattr(sampler, "name", kind)) if _is_own(sampler) else kind
