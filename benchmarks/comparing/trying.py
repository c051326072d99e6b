"""Variants of our searchers that are tried in memory while they are developed, many at once. Nothing is recorded.

Called by the `try` of `benchmarks.regret` and `benchmarks.multifidelity`, which say how one run goes.
"""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any, TypeVar

from benchmarks.comparing.methods import Method
from neps.samplers._registry import resolve
from neps.space import SearchSpace

__all__ = ["parsed", "sampler_of", "tried"]

_Record = TypeVar("_Record")


def parsed(variant: str) -> Method:
    """The method that `SEARCHER`, `SEARCHER@good` or `SEARCHER:KEYWORD=VALUE:…` stands for."""
    text, at, prior = variant.partition("@")
    if at and prior not in {"good", "bad"}:
        raise SystemExit(f"error: the prior of {variant!r} is {prior!r}, but it must be good or bad.")
    method = Method(name=text, driver="", environment="own")
    return method.with_prior("good" if prior == "good" else "bad") if at else method


def sampler_of(method: Method, space: SearchSpace) -> Any:
    """The searcher of a method that `parsed` made."""
    searcher, *settings = method.argument.split(":")
    return resolve(searcher.removeprefix("neps-").replace("-", "_"), space, dict(map(_setting, settings)))


def _setting(text: str) -> tuple[str, Any]:
    name, _, value = text.partition("=")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def tried(
    attempt: Callable[..., _Record],
    methods: Sequence[Method],
    problems: Sequence[str],
    seeds: Sequence[int],
    jobs: int,
) -> Iterator[_Record]:
    """What `attempt` makes of each method, problem and seed, so many at once."""
    wanted = [(method, problem, seed) for problem in problems for seed in seeds for method in methods]
    if jobs == 1:
        yield from (attempt(*each) for each in wanted)
        return
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(attempt, *zip(*wanted, strict=True), chunksize=4)
