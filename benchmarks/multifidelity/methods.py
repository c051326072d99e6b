"""Which searches are compared: the driver and the environment of each, and what prior it gets."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from benchmarks.problems import Param, Quality
from benchmarks.problems.fidelities import FidelityProblem

__all__ = ["BEST", "METHODS", "PAIRS", "Method", "find", "parameters"]

BEST = "neps-freeze-thaw"
"""Our best searcher: named before any run of ours was recorded, and changed since, on tuned problems."""

_PRIORS: tuple[Quality, ...] = ("good", "bad")
_CONFIDENCE = "medium"


@dataclasses.dataclass(frozen=True, slots=True)
class Method:
    """One search.

    Args:
        argument: what its driver is told to be.
        driver: a script of benchmarks/peers.
        environment: a name that `benchmarks.driving.environments` knows.
        prior: what kind of a prior it gets.
        seeds: how many runs of each problem it has in the tables.
        watched: see `Record`.
        evaluations: how many a run has at least: any, since all are run until the budget is spent.
    """

    argument: str
    driver: str
    environment: str
    prior: Quality | None = None
    seeds: int = 10
    watched: bool = False
    evaluations: int = 1

    @property
    def name(self) -> str:
        """As in the tables: with the prior, as in neps-priorband@good."""
        return self.argument if self.prior is None else f"{self.argument}@{self.prior}"


def _ours(searcher: str, *, without: bool = True, priors: bool = False) -> Iterator[Method]:
    """A searcher of this repository: without a prior, and with a good and a bad one."""
    name = f"neps-{searcher.replace('_', '-')}"
    return _each(Method(name, "here_driver.py", "own"), without=without, priors=priors)


def _each(method: Method, *, without: bool = True, priors: bool = True) -> Iterator[Method]:
    if without:
        yield method
    for prior in _PRIORS if priors else ():
        yield dataclasses.replace(method, prior=prior)


def _neps(name: str, environment: str, *searchers: str) -> Iterator[Method]:
    """Searchers of a published version; priorband with priors as well."""
    for searcher in searchers:
        method = Method(f"{name}-{searcher}", f"{environment}_driver.py", environment)
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
    Method("one-step", "one_step_driver.py", "own"),
    Method("dehb", "dehb_driver.py", "dehb"),
    Method("smac-mf", "smac_driver.py", "smac"),
    *(
        Method(f"optuna-{sampler}-{pruner}", "optuna_pruning_driver.py", "optuna", watched=True)
        for sampler in ("tpe", "gp")
        for pruner in ("hyperband", "asha")
    ),
    *_neps("neps-0.17", "neps017", "hyperband", "asha", "priorband"),
    *_neps("neps-0.12.2", "neps012", "hyperband", "asha"),
    # Without a default there, it fails.
    *_each(Method("neps-0.12.2-priorband", "neps012_driver.py", "neps012"), without=False),
)

METHODS = {method.name: method for method in (*_OURS, *_PEERS)}
PAIRS: tuple[tuple[str, str], ...] = (
    *((BEST, peer.name) for peer in _PEERS if peer.prior is None),
    (BEST, "neps-hyperband"),
    *((f"neps-{name}", f"neps-{version}-{name}") for name in ("hyperband", "asha") for version in ("0.17", "0.12.2")),
    *(
        (f"neps-priorband{form}@{prior}", f"neps-{version}-priorband@{prior}")
        for prior in _PRIORS
        for form in ("", "-bo")
        for version in ("0.17", "0.12.2")
    ),
    ("neps-priorband", "neps-0.17-priorband"),
    ("neps-priorband", "neps-hyperband"),
    ("neps-priorband@bad", "neps-hyperband"),
    ("neps-priorband-bo@bad", "neps-hyperband"),
)
"""Which two are compared run by run."""


def find(name: str) -> Method:
    """The method of that name; `neps-SEARCHER` is any other searcher of this repository."""
    if name in METHODS:
        return METHODS[name]
    argument, _, prior = name.partition("@")
    if argument.startswith("neps-") and not argument[5].isdigit() and prior in {"", *_PRIORS}:
        return next(method for method in _each(Method(argument, "here_driver.py", "own")) if method.name == name)
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
