"""Which optimizers are compared: the driver and the environment of each, and how much of it is run by default."""

from __future__ import annotations

import dataclasses

__all__ = ["METHODS", "OURS", "Method", "find"]


@dataclasses.dataclass(frozen=True, slots=True)
class Method:
    """One optimizer. `driver` is a script of benchmarks/peers, `environment` a name that `environments` knows.

    `models` says whether it fits a model of the loss to all that it has seen.
    """

    name: str
    driver: str
    environment: str
    seeds: int = 10
    evaluations: int = 100
    models: bool = True

    @property
    def argument(self) -> str:
        """What its driver is told to be."""
        return self.name


OURS = "neps"

_ALL = (
    Method(OURS, "here_driver.py", "own"),
    Method("random", "here_driver.py", "own", models=False),
    Method("optuna-gp", "optuna_driver.py", "optuna"),
    Method("optuna-tpe", "optuna_driver.py", "optuna"),
    Method("optuna-cmaes", "optuna_driver.py", "optuna", models=False),
    Method("smac-bb", "smac_driver.py", "smac", seeds=5, evaluations=50),
    Method("smac-hpo", "smac_driver.py", "smac", seeds=5, evaluations=50),
    Method("hebo", "hebo_driver.py", "hebo", seeds=5, evaluations=50),
    Method("neps-0.17", "neps017_driver.py", "neps017", seeds=5, evaluations=50),
    Method("neps-0.12.2", "neps012_driver.py", "neps012", seeds=5, evaluations=50),
)
METHODS = {method.name: method for method in _ALL}


def find(name: str) -> Method:
    """The method of that name; `neps-SEARCHER` is any other searcher of this repository, `-pibo` that of a peer."""
    if name in METHODS:
        return METHODS[name]
    if (peer := METHODS.get(name.removesuffix("-pibo"))) and peer.name.startswith("neps-0"):
        return dataclasses.replace(peer, name=name)
    if name.startswith(f"{OURS}-") and not name[len(OURS) + 1].isdigit():
        return Method(name, "here_driver.py", "own")
    raise SystemExit(f"error: no method {name!r}: choose from {', '.join(METHODS)}, or neps-SEARCHER (neps-pibo, say).")
