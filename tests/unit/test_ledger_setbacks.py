"""How often a trial has died or stalled since it last got further, by its files alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from neps._ledger.claims import Hold
from neps._ledger.records import End
from neps._ledger.retrying import RETRY
from neps._ledger.setbacks import Setbacks
from neps._ledger.trial_folder import TrialFolder
from unit.ledger_scene import Scene, here

Attempt = str
"""What an attempt does, then how it ends: `+` saves a checkpoint, digits are steps that it reports; then `died`, …"""


def play(scene: Scene, *attempts: Attempt) -> TrialFolder:
    folder, me = scene.claim(1, here()), here()
    for number, attempt in enumerate(attempts, start=1):
        *deeds, end = attempt.split()
        if number > 1:
            assert folder.open_attempt(number, me, RETRY if end == "retry" else "died")
        for deed in deeds:
            if deed == "+":
                Hold(folder, number, me.worker).mark_saved()
            else:
                folder.curve(number).append([(float(deed), 0.5)])
        if end == "stalled":
            folder.end_attempt(number, End.LEFT, me, needs_bytes=100)
        elif end != "runs":
            folder.end_attempt(number, End.LEFT if end in {"left", "retry"} else End.DIED, me)
    return folder


@pytest.mark.parametrize(
    ("attempts", "deaths", "stalls"),
    [
        (["died", "died", "died"], 3, 0),
        (["+ died", "died", "died", "died"], 3, 0),
        (["died", "died", "+ died"], 0, 0),
        (["+ died", "+ died", "+ died", "+ died"], 0, 0),
        (["1 2 3 died", "4 died", "5 died", "6 died"], 0, 0),
        (["1 2 3 died", "1 2 3 died", "1 2 3 died", "2 3 died"], 3, 0),
        (["1 2 3 died", "died", "3.5 left", "died"], 1, 0),
        (["0 died", "0 died", "0 died", "0 died"], 3, 0),
        (["died", "left", "died", "left", "died"], 3, 0),
        (["died", "died", "+ left", "died"], 1, 0),
        (["died", "died", "died", "retry", "died", "died", "died"], 3, 0),
        (["died", "died", "died", "retry"], 0, 0),
        (["stalled", "stalled", "died", "stalled"], 1, 3),
        (["stalled", "stalled", "+ stalled", "stalled"], 0, 1),
        (["stalled", "stalled", "stalled", "7 runs"], 0, 0),
    ],
    ids=str,
)
def test_counted(tmp_path: Path, attempts: list[Attempt], deaths: int, stalls: int) -> None:
    folder = play(Scene(tmp_path / "run"), *attempts)
    counted = Setbacks.of(folder, len(attempts), 0)
    assert (counted.deaths, counted.stalls) == (deaths, stalls)
    for bearable in (1, 2, 3, 4):  # at first sight they may be more, where that is fewer than matter
        seen = Setbacks.of(folder, len(attempts), bearable)
        assert (seen.deaths >= bearable, seen.stalls >= bearable) == (deaths >= bearable, stalls >= bearable)


@pytest.mark.parametrize(
    ("attempts", "deaths", "stalls"),
    [
        (["+ died", "+ died", "died", "+ left"], 3, 0),
        (["+ died", "1 + died", "+ died", "1 + died", "+ stalled"], 2, 1),
        (["1 + died", "2 + died", "3 died"], 0, 0),
        (["+ died", "+ stalled", "retry", "+ died"], 1, 0),
    ],
    ids=str,
)
def test_a_checkpoint_that_no_report_follows_is_no_progress_for_ever(
    tmp_path: Path, attempts: list[Attempt], deaths: int, stalls: int
) -> None:
    """Who saves within an epoch, and dies of its validation, saves other weights each time."""
    counted = Setbacks.of(play(Scene(tmp_path / "run"), *attempts), len(attempts), 0)
    assert (counted.unreported_deaths, counted.unreported_stalls) == (deaths, stalls)


def test_too_often() -> None:
    assert [Setbacks(deaths=2, unreported_deaths=deaths).died_too_often(3) for deaths in (29, 30)] == [False, True]
    assert [Setbacks(deaths=deaths, unreported_deaths=3).died_too_often(3) for deaths in (2, 3)] == [False, True]
    assert [Setbacks(unreported_stalls=stalls).stalled_too_often(3) for stalls in (29, 30)] == [False, True]
    assert Setbacks(stalls=2, unreported_stalls=2).one_more_stall().stalled_too_often(3)


def test_curves_are_read_only_where_they_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = play(Scene(tmp_path / "run"), "1 died", "2 died")
    with monkeypatch.context() as patched:
        patched.setattr(TrialFolder, "curve", pytest.fail)
        assert Setbacks.of(folder, 2, 3).deaths == 2
    assert Setbacks.of(folder, 2, 2) == Setbacks(0, 0)
