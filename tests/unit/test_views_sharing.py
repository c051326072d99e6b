"""The last row of a terminal, shared by two open files of it: locks tell them apart as they do processes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from neps._views.sharing import Row
from rigs.screens import Terminal


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    with Terminal() as terminal:
        yield terminal


def test_each_knows_of_the_other(terminal: Terminal) -> None:
    one = Row(terminal.slave)
    assert not one.shared
    other = Row(terminal.slave)
    assert one.shared
    assert other.shared
    assert other.hold()
    assert not one.hold()
    assert other.hold()
    other.release()
    assert one.hold()
    one.release()
    other.close()
    assert not one.shared
    one.close()


def test_where_there_are_no_such_locks_each_is_alone() -> None:
    reading, writing = os.pipe()
    row = Row(writing)
    assert not row.shared
    assert row.hold()
    row.release()
    row.close()
    os.close(reading)
    os.close(writing)


def test_a_descriptor_that_user_code_has_closed_is_not_taken_for_the_terminals(
    terminal: Terminal, tmp_path: Path
) -> None:
    next_one = os.dup(terminal.slave)
    os.close(next_one)
    row = Row(terminal.slave)
    os.close(next_one)  # as `os.closerange` does in what becomes a daemon
    with (tmp_path / "theirs").open("w+") as theirs:
        assert theirs.fileno() == next_one
        assert row.hold()
        other = Row(theirs.fileno())
        assert not row.shared
        row.release()
        row.put(b"not into the file")
        other.close()
        row.close()
        theirs.write("theirs")
        theirs.flush()
        theirs.seek(0)
        assert theirs.read() == "theirs"
