"""A method that is compared: the driver and the environment that it runs in, and how much of it is run by default."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

from benchmarks.fingerprints.recorded import check
from benchmarks.problems import Quality

__all__ = ["OURS", "Method", "found", "ours", "refuse_changed"]

OURS = "neps"
_DRIVER = "here_driver.py"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """One optimizer.

    Args:
        name: in tables and records; with the prior, as in neps-priorband@good.
        driver: a script of benchmarks/peers.
        environment: a name that `benchmarks.driving.environments` knows.
        told: what the driver is told to be, if not its name; for ours, the searcher.
        seeds: how many runs of each problem it has in the tables.
        evaluations: how many a run has, at least.
        models: whether it fits a model of the loss to all that it has seen.
        prior: what kind of a prior it gets.
        watched: whether evaluations of one configuration are glances at one training.
        workers: how many evaluate at once.
        conditional: whether it runs on problems with conditions; what ours decide there has a version of its own.
    """

    name: str
    driver: str
    environment: str
    told: str = ""
    seeds: int = 10
    evaluations: int = 1
    models: bool = True
    prior: Quality | None = None
    watched: bool = False
    workers: int = 1
    conditional: bool = False

    @property
    def argument(self) -> str:
        """What its driver is told to be."""
        return f"{self.searcher} conditional" if self.searcher and self.conditional else self.told or self.name

    @property
    def searcher(self) -> str | None:
        """The searcher of this repository that it is, or None."""
        return self.told or self.name if self.driver == _DRIVER else None

    def with_prior(self, prior: Quality) -> Method:
        """The same with a prior."""
        return dataclasses.replace(self, name=f"{self.name}@{prior}", told=self.told or self.name, prior=prior)

    def with_workers(self, workers: int) -> Method:
        """The same with so many workers."""
        if workers == self.workers:
            return self
        return dataclasses.replace(
            self, name=f"{self.name}@{workers}-workers", told=self.told or self.name, workers=workers
        )


def ours(searcher: str, name: str = "", *, seeds: int = 10, evaluations: int = 1, models: bool = True) -> Method:
    """A searcher of this repository; by default it is called neps-SEARCHER, with hyphens."""
    return Method(
        name=name or f"{OURS}-{searcher.replace('_', '-')}",
        driver=_DRIVER,
        environment="own",
        told=searcher,
        seeds=seeds,
        evaluations=evaluations,
        models=models,
    )


def found(name: str, methods: Mapping[str, Method], *, evaluations: int = 1) -> Method | None:
    """The method of that name; `neps-SEARCHER` is any other searcher of this repository."""
    if name in methods:
        return methods[name]
    prefix, _, searcher = name.partition("-")
    if prefix != OURS or not searcher or searcher[0].isdigit():
        return None
    return ours(searcher.replace("-", "_"), evaluations=evaluations)


def refuse_changed(methods: Iterable[Method]) -> None:
    """Before runs are made: end where a searcher of ours decides otherwise than recorded. Its runs would be mistaken.

    Raises:
        SystemExit: if so.
    """
    for searcher, conditional in dict.fromkeys((method.searcher, method.conditional) for method in methods):
        if searcher and (difference := check(searcher, conditional=conditional, only_defaults=True)):
            raise SystemExit(f"error: {difference}")
