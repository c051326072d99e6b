"""attempt_K.curve.jsonl: what is appended is read, and nothing that is torn is taken for a report."""

from __future__ import annotations

import errno
import math
import os
from pathlib import Path
from typing import Any

import pytest

from neps._ledger.curve_file import CurveFile
from neps._ledger.layout import Layout
from neps._ledger.trial_folder import TrialFolder


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "attempt_1.curve.jsonl"


@pytest.fixture
def file(path: Path) -> CurveFile:
    return CurveFile(str(path))


def test_it_has_one_line_of_json_a_point(file: CurveFile, path: Path) -> None:
    file.append([(1.0, 0.5), (2.5, math.nan)])
    file.append([(3.0, -math.inf)])
    assert path.read_text() == "[1.0, 0.5]\n[2.5, NaN]\n[3.0, -Infinity]\n"
    assert repr(file.points()) == "{1.0: 0.5, 2.5: nan, 3.0: -inf}"
    assert file.last() == (3.0, -math.inf)


def test_a_later_line_counts(file: CurveFile) -> None:
    file.append([(2.0, 0.5), (1.0, 0.25), (2.0, 0.125)])
    assert file.points() == {2.0: 0.125, 1.0: 0.25}


def test_without_a_file_there_are_none(file: CurveFile, path: Path) -> None:
    assert (file.points(), file.last()) == ({}, None)
    path.touch()
    assert (file.points(), file.last()) == ({}, None)


@pytest.mark.parametrize(
    "line",
    [
        b"[2.0, 0.",
        b"[2.0",
        b"\0\0\0\0",
        b"\xff\xfe",
        b"2",
        b"[2]",
        b"[1, 2, 3]",
        b'["a", 1]',
        b"[NaN, 1]",
        b"[Infinity, 1]",
        b"[-1, 1]",
        b"{}",
        b"[" * 9999,
    ],
)
def test_what_is_no_report_is_ignored(file: CurveFile, path: Path, line: bytes) -> None:
    file.append([(1.0, 0.5)])
    with path.open("ab") as raw:
        raw.write(line)
    assert file.points() == {1.0: 0.5}
    assert file.last() == (None if len(line) > 4096 else (1.0, 0.5))
    with path.open("ab") as raw:
        raw.write(b"\n[3.0, 0.25]\n")
    assert file.points() == {1.0: 0.5, 3.0: 0.25}


def test_a_whole_line_without_its_newline_is_not_there_yet(file: CurveFile, path: Path) -> None:
    path.write_bytes(b"[1.0, 0.5]\n[2.0, 0.25]")
    assert file.points() == {1.0: 0.5}
    assert file.last() == (1.0, 0.5)


def test_the_last_of_many_is_found_at_the_end(file: CurveFile) -> None:
    file.append([(float(step), step / 7) for step in range(5000)])
    assert file.last() == (4999.0, 4999 / 7)


def test_after_a_torn_write_the_next_begins_a_line(
    file: CurveFile, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = os.write, []

    def tearing(descriptor: int, content: Any) -> int:
        calls.append(len(content))
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, "full")
        return real(descriptor, content[:14] if len(calls) == 1 else content)

    monkeypatch.setattr(os, "write", tearing)
    points = [(1.0, 0.5), (2.0, 0.25)]
    with pytest.raises(OSError, match="full"):
        file.append(points)
    assert path.read_bytes() == b"[1.0, 0.5]\n[2."
    file.append(points)
    file.append([(3.0, 1.0)])
    assert path.read_bytes() == b"[1.0, 0.5]\n[2.\n[1.0, 0.5]\n[2.0, 0.25]\n[3.0, 1.0]\n"


def test_attempts_of_a_trial_are_read_together(tmp_path: Path) -> None:
    folder = TrialFolder(Layout(tmp_path, "0123456789abcdef"), 1)
    folder.reserve()
    folder.curve(1).append([(1.0, 0.5), (2.0, 0.25)])
    folder.curve(3).append([(2.0, 0.125)])
    Path(folder.path, "attempt_4.curve.jsonl").mkdir()
    assert folder.reported(2) == {1.0: 0.5, 2.0: 0.25}
    assert folder.reported(4) == {1.0: 0.5, 2.0: 0.125}
    assert [folder.last_report(attempt) for attempt in (1, 2, 3, 4)] == [(2.0, 0.25)] * 2 + [(2.0, 0.125)] * 2
    assert TrialFolder(Layout(tmp_path, "0123456789abcdef"), 2).last_report(1) is None
