"""What a decision costs after so many trials: with what a worker keeps up, and with a look at all of them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Sequence

from benchmarks.coordination.report import Table
from benchmarks.decisions.pool import SPACE, Pool
from neps._budget import Budget
from neps.samplers._registry import resolve
from neps.testing.simulation import generator_for

__all__ = ["measure"]

_RUNNING = 32
_SAMPLES = 50
_OTHER_SAMPLES = 3
_FLAT = 1.5


def measure(searchers: Sequence[str], sizes: Sequence[int]) -> str:
    """Time decisions of each searcher in one run that grows."""
    return "\n\n".join(_parts(searchers, sizes))


def _parts(searchers: Sequence[str], sizes: Sequence[int]) -> Iterator[str]:
    yield "## Microseconds for a decision after n trials, of which 32 run"
    yield (
        f"Medians of {_SAMPLES} decisions in a row. A trial that becomes known is counted in; the last column is what "
        f"the last decision would cost with a look at all trials. Flat: the last is at most {_FLAT:g} times the first."
    )
    rows = []
    for searcher in searchers:
        timed, anew = _timed(searcher, sizes)
        flat = "yes" if timed[-1] <= _FLAT * timed[0] else "**NO**"
        rows.append([searcher, *(f"{1e6 * seconds:.0f}" for seconds in timed), flat, f"{1e6 * anew:.0f}"])
    yield str(Table(("searcher", *(f"n = {size:,}" for size in sizes), "flat", "all looked at"), rows))


def _timed(searcher: str, sizes: Sequence[int]) -> tuple[list[float], float]:
    """The median seconds at each size, and without what is kept up at the last."""
    pool, medians = Pool(resolve(searcher, SPACE, {})), list[float]()
    for size in sizes:
        while len(pool.trials) < size:
            _go_on(pool)
        medians.append(statistics.median(_go_on(pool) for _ in range(_SAMPLES)))
    anew = [_decision_anew(pool) for _ in range(_OTHER_SAMPLES)]
    return medians, statistics.median(anew)


def _go_on(pool: Pool) -> float:
    """One trial more, and the end of the one that has run longest; the seconds that it took to know and decide."""
    began = time.perf_counter()
    if pool.decide() is None:
        raise RuntimeError("a sampler waits, though a worker is free")
    if (oldest := len(pool.trials) - _RUNNING) > 0:
        pool.end(oldest)
    return time.perf_counter() - began


def _decision_anew(pool: Pool) -> float:
    number = len(pool.trials) + 1
    began = time.perf_counter()
    pool.sampler.decide(pool.history(kept_up=False), number, Budget(), generator_for(pool.seed, number))
    return time.perf_counter() - began
