"""How long a worker was silent, whatever the observer himself went through."""

from __future__ import annotations

from collections.abc import Iterable

from neps._ledger.silence import Silence

LEASE = 10.0


def silence_after(looks: Iterable[float], mark: object = None) -> Silence:
    silence = Silence(poll=1.0)
    for now in looks:
        silence.observe(now, mark)
    return silence


def test_first_look_starts_the_clock() -> None:
    silence = silence_after([1e9])
    assert (silence.seconds, silence.looks) == (0.0, 1)
    assert not silence.longer_than(0.0)


def test_silence_without_any_heartbeat_counts() -> None:
    assert not silence_after(range(11)).longer_than(LEASE)
    assert silence_after(range(12)).longer_than(LEASE)


def test_change_of_the_mark_is_a_sign_of_life() -> None:
    silence = silence_after(range(12), mark=1)
    silence.observe(12.0, 2)
    assert silence.seconds == 0.0
    assert not silence.longer_than(LEASE)


def test_any_change_is_one() -> None:
    """Also backwards, and also a lock file that has gone: clocks of hosts and servers differ."""
    for mark in (0, None):
        silence = silence_after(range(12), mark=1)
        silence.observe(12.0, mark)
        assert silence.seconds == 0.0


def test_stall_counts_two_polls() -> None:
    silence = silence_after([0.0, 1.0, 3601.0])
    assert silence.seconds == 3.0


def test_three_looks_after_a_stall() -> None:
    silence = silence_after([*range(12), 100.0])
    assert silence.seconds > LEASE
    answers = []
    for now in (101.0, 102.0, 103.0):
        answers.append(silence.longer_than(LEASE))
        silence.observe(now, None)
    assert answers == [False, False, False]
    assert silence.longer_than(LEASE)


def test_second_stall_starts_anew() -> None:
    silence = silence_after([*range(12), 100.0, 101.0, 200.0, 201.0, 202.0])
    assert not silence.longer_than(LEASE)
    silence.observe(203.0, None)
    assert silence.longer_than(LEASE)


def test_sign_of_life_ends_what_is_owed() -> None:
    silence = silence_after([0.0, 100.0], mark=1)
    silence.observe(101.0, 2)
    for second in range(102, 113):
        silence.observe(float(second), 2)
    assert silence.longer_than(LEASE)
