"""A signal, or a fence, at each single bytecode of an evaluation and of the code around it; no luck needed.

A trace function delivers it just before the bytecode at which a real one could come.
"""

from __future__ import annotations

import signal
import sys
from collections import Counter
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from neps._evaluation import Evaluated, Fence, Interrupted, PendingType, Signals, check, evaluate


class Strike:
    """A trace function that acts once, at bytecode number `at` of everything called while it traces."""

    def __init__(self, at: int, action: Callable[[], object]) -> None:
        self.at, self.action, self.count = at, action, 0
        self.within: list[str] = []

    def __call__(self, frame: FrameType, event: str, _: Any) -> Any:
        frame.f_trace_opcodes = True
        if event == "opcode":
            self.count += 1
            if self.count == self.at:
                self.within = _names(frame)
                self.action()
        return self

    @property
    def struck(self) -> bool:
        return bool(self.within)


def _names(frame: FrameType | None) -> list[str]:
    names = []
    while frame is not None:
        names.append(frame.f_code.co_name)
        frame = frame.f_back
    return names


def run_pipeline(*, swallow: bool) -> float:
    try:
        check()
        return sum([0.25, 0.25])
    except BaseException:
        if swallow:
            return 1.0
        raise


def around(signals: Signals, fence: Fence, *, swallow: bool) -> tuple[Evaluated | Interrupted, int]:
    steps = 0
    steps += 1
    ended = evaluate(run_pipeline, {"swallow": swallow}, signals, fence)
    steps += 1
    assert not isinstance(ended, PendingType)
    return ended, steps


def strike_at(at: int, act: Callable[[Fence], object], *, swallow: bool) -> tuple[Evaluated | Interrupted, Strike]:
    """`around`, with `act` at its bytecode number `at`; whatever happens, it comes to its end."""
    before = sys.gettrace()
    fence = Fence()
    strike = Strike(at, lambda: act(fence))
    with Signals() as signals:
        sys.settrace(strike)
        try:
            ended, steps = around(signals, fence, swallow=swallow)
        finally:
            sys.settrace(before)
        assert signals._region is None or strike.struck
    assert steps == 2
    assert not fence._goes_on.locked()
    return ended, strike


def strike_everywhere(act: Callable[[Fence], object], reason: str, *, swallow: bool) -> Counter[str]:
    ends: Counter[str] = Counter()
    at = 0
    strike_at(at, act, swallow=swallow)  # Python 3.12 traces no bytecodes in a function's first traced call
    while True:
        at += 1
        ended, strike = strike_at(at, act, swallow=swallow)
        if not strike.struck:
            return ends
        if isinstance(ended, Interrupted):
            assert ended.reason == reason
            ends["inside" if "run_pipeline" in strike.within else "around"] += 1
        else:
            assert ended.outcome.success, ended.outcome.error
            ends["swallowed" if ended.outcome.loss == 1.0 else "value"] += (
                1  # also one that was put off until it was over
            )


def signal_process(_: Fence) -> None:
    signal.raise_signal(signal.SIGTERM)


def break_fence(fence: Fence) -> None:
    fence.interrupt()


@pytest.mark.parametrize(("act", "reason"), [(signal_process, "signal"), (break_fence, "fenced")])
@pytest.mark.parametrize("swallow", [False, True])
def test_a_strike_at_any_bytecode(act: Callable[[Fence], object], reason: str, *, swallow: bool) -> None:
    ends = strike_everywhere(act, reason, swallow=swallow)
    assert swallow or ends["inside"] > 0, ends
    assert ends["around"] > 20, ends
    assert ends["value"] > 20, ends
    assert (ends["swallowed"] > 5) is swallow, ends
