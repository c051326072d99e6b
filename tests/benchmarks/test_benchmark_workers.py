"""The simulation of many workers: what it counts, and what it shows of neps's own claims."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from benchmarks.workers.simulating import Outcome, Scene, simulate
from neps.space import Float, Integer, SearchSpace

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs /dev/shm and /proc")

SPACE = SearchSpace({"x": Float(0, 1)})
WITH_EPOCHS = SearchSpace({"x": Float(0, 1), "epochs": Integer(1, 27, is_fidelity=True)})


def simulated(workers: int, trials: int, searcher: str = "random_search", **changes: Any) -> Outcome:
    space = SPACE if searcher == "random_search" else WITH_EPOCHS
    changes.setdefault("seconds", 0.0)
    return simulate(Scene(workers=workers, trials=trials, searcher=searcher, space=space, **changes))


def test_one_worker_asks_the_server_as_strace_counts_it() -> None:
    outcome = simulated(1, 40, cache=0.0)
    assert outcome.decided == len(outcome.claims) == 40
    assert 18 < outcome.asked / 40 < 24, "of the 37 system calls; closing, writing and its own memory ask nobody"
    assert 0.05 * 40 < outcome.ended < 0.15 * 40, "each takes 5 ms"


def test_a_crowd_that_starts_at_once_spreads_over_the_numbers() -> None:
    outcome = simulated(40, 40)
    assert len(outcome.claims) == 40
    assert outcome.decided < 5 * 40, "if all tried the same number, 40 * 40 / 2 decisions would be made"
    assert outcome.claims[-1] < 0.5, "nor would it take 40 round trips"


def test_decisions_in_turn_survive_what_a_client_does_not_see_for_long() -> None:
    """A worker that doesn't see for 30 s that a number was decided decides it once more, and loses, as it should."""
    outcome = simulated(8, 24, "asha", seconds=5)
    assert len(outcome.claims) == 24


def test_it_is_the_same_each_time() -> None:
    first, second = (simulated(5, 15, "asha", seconds=3) for _ in range(2))
    assert first.claims == second.claims
    assert first.by_call == second.by_call
