"""An observer who stalls, however often and long, never takes that for somebody else's silence."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from neps._ledger.silence import Silence

POLL, LEASE = 1.0, 30.0
GAPS = st.lists(st.floats(0.001, 2 * POLL) | st.floats(2.001 * POLL, 1e6), min_size=1, max_size=60)


@given(GAPS)
def test_no_stall_by_itself_outlasts_a_lease(gaps: list[float]) -> None:
    """At least so many looks as fit into a lease by two polls each, and the last ones without a stall."""
    silence, now = Silence(POLL), 0.0
    silence.observe(now, None)
    for number, gap in enumerate(gaps, start=1):
        now += gap
        silence.observe(now, None)
        if silence.longer_than(LEASE):
            assert number > LEASE / (2 * POLL)
            assert all(recent <= 2 * POLL for recent in gaps[max(0, number - 3) : number])


@given(GAPS)
def test_never_more_than_has_passed(gaps: list[float]) -> None:
    silence, now = Silence(POLL), 0.0
    silence.observe(now, None)
    for gap in gaps:
        now += gap
        silence.observe(now, None)
        assert silence.seconds <= now + 1e-6


@given(
    st.lists(st.tuples(st.floats(0.001, 100.0), st.booleans()), min_size=1, max_size=60),
    st.floats(LEASE / 10, LEASE / 3),
)
def test_worker_who_beats_is_never_silent(looks: list[tuple[float, bool]], period: float) -> None:
    """It beats each third of a lease or sooner, and the observer looks whenever he can."""
    silence, now = Silence(POLL), 0.0
    for gap, _ in looks:
        now += gap
        silence.observe(now, int(now / period))
        assert not silence.longer_than(LEASE)
