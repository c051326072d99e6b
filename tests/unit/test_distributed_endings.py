"""What comes of an evaluation that has ended in various ways on its ranks: one thing, and the cause, not an effect."""

from __future__ import annotations

import signal

import pytest

from neps._distributed.endings import Ending, died, outcome
from neps._evaluation import PENDING, Evaluated, Interrupted, failure
from neps._outcome import Outcome

RETURNED = Evaluated(Outcome(success=True, loss=0.5))
CLEAN = Ending(how="returned")


def test_what_has_returned_everywhere_is_rank_zeros_value() -> None:
    assert outcome(RETURNED, {0: CLEAN, 1: CLEAN}, 2, signal.SIGTERM) is RETURNED  # a value counts, whatever comes
    assert outcome(PENDING, {0: CLEAN, 1: CLEAN}, 2) is PENDING


def test_the_first_exception_is_the_failure_and_names_its_rank() -> None:
    later = failure(RuntimeError("connection closed by peer"))
    endings = {
        0: Ending(how="failed", order=2, error=later.outcome.error),
        1: Ending(how="failed", order=1, error="ValueError: bad"),
        2: Ending(how="stuck", order=3),
    }
    ended = outcome(later, endings, 3)
    assert isinstance(ended, Evaluated)
    assert ended.outcome == Outcome(success=False, error="rank 1 of 3: ValueError: bad")
    own = outcome(later, {0: Ending(how="failed", order=1, error=later.outcome.error), 1: endings[2]}, 2)
    assert isinstance(own, Evaluated)
    assert (own.outcome.error or "").startswith("rank 0 of 2: RuntimeError: connection")
    assert own.exception is later.exception


@pytest.mark.parametrize(
    ("hows", "reason"),
    [
        (["failed", "signal", "fenced"], "fenced"),
        (["failed", "signal", "exit"], "signal"),
        (["failed", "exit", "stuck"], "exit"),
        (["failed", "keyboard", "stopped"], "keyboard"),
    ],
)
def test_an_effect_never_hides_its_cause(hows: list[str], reason: str) -> None:
    endings = {
        rank: Ending.of(None, stopped=False) if how == "stuck" else Ending(how=how, order=rank, error="E", code=3)  # type: ignore[arg-type]
        for rank, how in enumerate(hows)
    }
    ended = outcome(None, endings, 3)
    assert isinstance(ended, Interrupted)
    assert ended.reason == reason
    assert ended.counts_as_death == (reason == "exit")


def test_a_signal_that_no_rank_has_noticed_hands_the_trial_back() -> None:
    stuck = Ending(how="stuck", order=1)
    ended = outcome(None, {0: stuck, 1: stuck}, 2, signal.SIGINT)
    assert isinstance(ended, Interrupted)
    assert ended.reason == "signal"
    assert isinstance(ended.exception, KeyboardInterrupt)


def test_a_death_counts_as_one() -> None:
    ended = died(1, 2, "process 5 on node1 has ended")
    assert ended.counts_as_death
    assert "rank 1 of 2 died (process 5 on node1 has ended)" in str(ended.exception)


def test_endings_tell_what_was_interrupted_by_whom() -> None:
    fenced = Interrupted(reason="fenced", exception=RuntimeError())
    assert Ending.of(fenced, stopped=False).how == "fenced"
    assert Ending.of(fenced, stopped=True).how == "stopped"
    assert Ending.of(Interrupted(reason="exit", exception=SystemExit(3)), stopped=False) == Ending(how="exit", code=3)
    assert Ending.of(RETURNED, stopped=True) == CLEAN
    assert Ending(**Ending(how="failed", order=3, error="E", grouped=True).message()).grouped
