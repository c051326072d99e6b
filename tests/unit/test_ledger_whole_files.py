"""A whole file: the old one or the new one, synced if it must last, and nothing left under the author's own name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from neps._ledger.whole_files import Staged, replace


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("durable", [False, True])
def test_it_replaces_and_syncs_if_it_is_to_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, durable: bool
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    for content in (b"old", b"new"):
        replace(f"{tmp_path}/file", content, durable=durable)
    assert (tmp_path / "file").read_bytes() == b"new"
    assert names(tmp_path) == ["file"]
    assert len(synced) == (2 if durable else 0)


@pytest.mark.parametrize("call", ["write", "fsync", "replace"])
def test_where_it_fails_the_old_one_stays_and_the_bytes_are_freed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def fail(*_: object) -> None:
        raise OSError("it failed")

    (tmp_path / "file").write_bytes(b"old")
    monkeypatch.setattr(os, call, fail)
    with pytest.raises(OSError, match="it failed"):
        replace(f"{tmp_path}/file", b"new", durable=True)
    assert (tmp_path / "file").read_bytes() == b"old"
    assert names(tmp_path) == ["file"]


def test_a_rename_that_was_refused_with_nothing_there_is_an_error(tmp_path: Path) -> None:
    """A folder that somebody removes takes the staged file along: that is no rename whose reply was lost."""
    with Staged(f"{tmp_path}/.file.me") as staged:
        staged.write(b"new", durable=False)
        Path(staged.path).unlink()
        with pytest.raises(FileNotFoundError):
            staged.replace(f"{tmp_path}/file")


def test_what_was_linked_is_never_truncated(tmp_path: Path) -> None:
    """A staged file that outlived its unlink, by a lost reply, is the published one, too."""
    (tmp_path / ".file.me").write_bytes(b"published")
    os.link(tmp_path / ".file.me", tmp_path / "file")
    with Staged(f"{tmp_path}/.file.me") as staged:
        staged.write(b"another", durable=False)
        assert Path(staged.path).read_bytes() == b"another"
    assert (tmp_path / "file").read_bytes() == b"published"
    assert names(tmp_path) == ["file"]


def test_who_writes_it_himself_may_go_by_its_name(tmp_path: Path) -> None:
    with Staged(f"{tmp_path}/.own") as staged:
        with staged.open() as file:
            assert file.name == staged.path
        Path(file.name).write_bytes(b"by its name")
        staged.sync()
        staged.replace(f"{tmp_path}/file")
    assert (tmp_path / "file").read_bytes() == b"by its name"
