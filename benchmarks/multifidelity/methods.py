"""Which searches are compared: the driver and the environment of each, and what prior it gets."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator

from benchmarks.comparing.methods import Method, found, ours
from benchmarks.problems import Param, Quality
from benchmarks.problems.fidelities import FidelityProblem

__all__ = ["BEST", "CONDITIONAL_METHODS", "CURVE_METHODS", "METHODS", "PAIRS", "find", "parameters"]

BEST = "neps-freeze-thaw"
"""Our best searcher: named before any run of ours was recorded, and changed since, on tuned problems."""

_PRIORS: tuple[Quality, ...] = ("good", "bad")
_CONFIDENCE = "medium"


def _ours(searcher: str, *, without: bool = True, priors: bool = False) -> Iterator[Method]:
    """A searcher of this repository: without a prior, and with a good and a bad one."""
    return _each(ours(searcher), without=without, priors=priors)


def _each(method: Method, *, without: bool = True, priors: bool = True) -> Iterator[Method]:
    if without:
        yield method
    yield from (method.with_prior(prior) for prior in _PRIORS if priors)


def _neps(name: str, environment: str, *searchers: str) -> Iterator[Method]:
    """Searchers of a published version; priorband with priors as well."""
    for searcher in searchers:
        method = Method(name=f"{name}-{searcher}", driver=f"{environment}_driver.py", environment=environment)
        yield from _each(method, priors=searcher == "priorband")


_OURS = (
    *_ours("successive_halving"),
    *_ours("hyperband"),
    *_ours("asha"),
    *_ours("async_hyperband"),
    *_ours("successive_halving_prior", without=False, priors=True),
    *_ours("hyperband_prior", without=False, priors=True),
    *_ours("asha_prior", without=False, priors=True),
    *_ours("async_hyperband_prior", without=False, priors=True),
    *_ours("mobster"),
    *_ours("freeze_thaw"),
    *_ours("freeze_thaw_prior", without=False, priors=True),
    *_ours("priorband", priors=True),
    *_ours("priorband_bo", without=False, priors=True),
    *_ours("bayesian_optimization"),
    *_ours("random_search"),
)

_PEERS = (
    Method(name="one-step", driver="one_step_driver.py", environment="own"),
    Method(name="dehb", driver="dehb_driver.py", environment="dehb"),
    Method(name="smac-mf", driver="smac_driver.py", environment="smac"),
    *(
        Method(
            name=f"optuna-{sampler}-{pruner}",
            driver="optuna_pruning_driver.py",
            environment="optuna",
            watched=True,
        )
        for sampler in ("tpe", "gp")
        for pruner in ("hyperband", "asha")
    ),
    *_neps("neps-0.17", "neps017", "hyperband", "asha", "priorband"),
    *_neps("neps-0.12.2", "neps012", "hyperband", "asha"),
    # Without a default there, it fails.
    *(method for method in _neps("neps-0.12.2", "neps012", "priorband") if method.prior is not None),
)

_TWENTY = (
    *("neps-freeze-thaw", "neps-bayesian-optimization", "neps-priorband", "neps-hyperband", "neps-random-search"),
    *("dehb", "optuna-gp-asha", "optuna-gp-hyperband", "optuna-tpe-asha", "optuna-tpe-hyperband"),
    *("neps-0.17-priorband", "neps-0.12.2-hyperband"),
)
"""Those that are ahead somewhere, or that users know best: they have twice as many seeds as all others."""
METHODS = {method.name: method for method in (*_OURS, *_PEERS)}
METHODS |= {name: dataclasses.replace(METHODS[name], seeds=20) for name in _TWENTY}
_GROUPED = Method(
    name="optuna-tpe-group-hyperband", driver="optuna_pruning_driver.py", environment="optuna", watched=True
)
_CONDITIONAL = (
    *(METHODS[f"neps-{name}"] for name in ("freeze-thaw", "priorband", "hyperband")),
    *(METHODS[f"neps-{name}"] for name in ("bayesian-optimization", "random-search")),
    *(METHODS[name] for name in ("smac-mf", "optuna-tpe-hyperband", "neps-0.17-priorband")),
    _GROUPED,
)
CONDITIONAL_METHODS = {method.name: dataclasses.replace(method, seeds=10) for method in _CONDITIONAL}
"""Those on problems with conditions, without priors."""
_CURVES = (
    *("neps-freeze-thaw", "neps-bayesian-optimization", "neps-priorband", "neps-hyperband", "neps-random-search"),
    *("dehb", "smac-mf", "optuna-tpe-hyperband", "optuna-tpe-asha"),
    *(f"neps-0.17-{searcher}" for searcher in ("hyperband", "asha", "priorband")),
)
CURVE_METHODS = {name: dataclasses.replace(METHODS[name], seeds=20) for name in _CURVES} | {
    name: dataclasses.replace(METHODS[name], seeds=5) for name in ("optuna-gp-hyperband", "optuna-gp-asha")
}
"""Those on learning curves, whose noise is large, and a run short: so there are more seeds."""
PAIRS: tuple[tuple[str, str], ...] = (
    *((BEST, peer.name) for peer in _PEERS if peer.prior is None),
    *((BEST, f"neps-{name}") for name in ("bayesian-optimization", "hyperband", "random-search")),
    *((f"neps-{name}", f"neps-{version}-{name}") for name in ("hyperband", "asha") for version in ("0.17", "0.12.2")),
    *(
        (f"neps-priorband{form}@{prior}", f"neps-{version}-priorband@{prior}")
        for prior in _PRIORS
        for form in ("", "-bo")
        for version in ("0.17", "0.12.2")
    ),
    *(
        (f"neps-freeze-thaw-prior@{prior}", other)
        for prior in _PRIORS
        for other in (BEST, f"neps-priorband@{prior}", f"neps-asha-prior@{prior}", f"neps-0.17-priorband@{prior}")
    ),
    ("neps-priorband", "neps-0.17-priorband"),
    ("neps-priorband", "neps-hyperband"),
    ("neps-priorband@bad", "neps-hyperband"),
    ("neps-priorband-bo@bad", "neps-hyperband"),
)
"""Which two are compared run by run."""


def find(name: str, *, conditional: bool = False) -> Method:
    """The method of that name; `neps-SEARCHER` is any other searcher of this repository."""
    if conditional:
        return dataclasses.replace(CONDITIONAL_METHODS.get(name) or find(name), conditional=True)
    if (parts := re.fullmatch(r"(.*)@(\d+)-workers", name)) is not None:
        return find(parts[1]).with_workers(int(parts[2]))
    argument, at, prior = name.partition("@")
    if (known := (CONDITIONAL_METHODS | METHODS).get(name)) is not None:
        return known
    if (method := found(argument, {})) is not None and at + prior in {"", *(f"@{prior}" for prior in _PRIORS)}:
        return next(each for each in _each(method) if each.name == name)
    raise SystemExit(
        f"error: no method {name!r}: choose from {', '.join(METHODS)}, or neps-SEARCHER, or neps-SEARCHER@good."
    )


def parameters(problem: FidelityProblem, prior: Quality | None, seed: int) -> list[Param]:
    """The space of a problem with its fidelity, as it is sent to a driver; with the prior's centre."""
    space = [dict(param) for param in problem.space]
    if prior is not None:
        default = problem.default(prior, problem.run_seed(seed))
        space = [{**param, "default": default[param["name"]], "default_confidence": _CONFIDENCE} for param in space]
    return [*space, {**problem.fidelity, "is_fidelity": True}]
