"""Thousands of races between a fence and the end of its call: the exception never comes out anywhere else."""

from __future__ import annotations

import random
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from queue import SimpleQueue

import pytest

from neps._evaluation import Evaluated, Fence, Interrupted, Signals, check, evaluate

RACES = 4_000


def ask(times: int) -> float:
    for _ in range(times):
        check()
    return float(times)


def race(signals: Signals) -> Counter[str]:
    """Evaluations of random length, each fenced by another thread after a random time."""
    ends: Counter[str] = Counter()
    generator = random.Random(7)
    running: SimpleQueue[Fence | None] = SimpleQueue()

    def interrupt() -> None:
        delays = random.Random(8)
        while (fence := running.get()) is not None:
            for _ in range(delays.randrange(30)):
                pass
            fence.interrupt()

    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        for _ in range(RACES):
            fence = Fence()
            length = generator.randrange(1_000)

            def run_pipeline(length: int = length, fence: Fence = fence) -> float:
                running.put(fence)
                return ask(length)

            ended = evaluate(run_pipeline, {}, signals, fence)
            for _ in range(20):  # coordination: an exception that leaked would strike here
                fence.interrupt()
                check()
            if isinstance(ended, Evaluated):
                assert ended.outcome.success, ended.outcome.error
                assert ended.outcome.loss == length
                ends["late" if fence.broken else "outcome"] += 1
            else:
                assert isinstance(ended, Interrupted)
                assert ended.reason == "fenced"
                ends["fenced"] += 1
    finally:
        running.put(None)
        thread.join()
    return ends


@pytest.fixture(autouse=True)
def frequent_switches() -> Iterator[None]:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.parametrize("main_thread", [True, False])
def test_a_fence_never_strikes_outside_of_its_call(*, main_thread: bool) -> None:
    results: list[Counter[str]] = []
    if main_thread:
        with Signals() as signals:
            results.append(race(signals))
    else:
        thread = threading.Thread(target=lambda: results.append(race(Signals())))
        thread.start()
        thread.join()
    assert results, "the exception came out of the thread"
    assert results[0]["fenced"] > 0, results
    assert results[0].total() == RACES
