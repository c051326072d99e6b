"""Exclusive creation under the errors of real filesystems: lost replies, full disks, stale handles, late views."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from neps._ledger import exclusive
from neps._ledger.exclusive import make_folder, move_away, publish, put, sync_folder
from neps._ledger.foreign import END_MARKER, is_complete, read
from rigs.faultfs import Mount, Rule
from unit.ledger_scene import failing

MINE = b"by: me" + END_MARKER
THEIRS = b"by: them" + END_MARKER


class TestIsComplete:
    @pytest.mark.parametrize(
        "content", [b"", b"a: 1", b"a: 1\n", b"a: 1\n..", b"a: ...\n", b"\0\0\0\0", b"a: \0\n...\n"]
    )
    def test_not_yet(self, content: bytes) -> None:
        assert not is_complete(content)

    def test_whole(self) -> None:
        assert is_complete(MINE)


class TestMakeFolder:
    def test_one_winner(self, tmp_path: Path) -> None:
        assert [make_folder(f"{tmp_path}/a") for _ in range(3)] == [True, False, False]

    @pytest.mark.parametrize("number", [errno.EIO, errno.EEXIST, errno.ETIMEDOUT])
    def test_lost_reply_is_a_half_claim(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
        monkeypatch.setattr(os, "mkdir", failing(os.mkdir, number, done=True))
        assert not make_folder(f"{tmp_path}/a")
        assert (tmp_path / "a").is_dir()

    @pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
    def test_error_where_nothing_was_made(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
        monkeypatch.setattr(os, "mkdir", failing(os.mkdir, number, done=False))
        with pytest.raises(OSError, match=os.strerror(number)):
            make_folder(f"{tmp_path}/a")

    def test_a_file_stands_there(self, tmp_path: Path) -> None:
        (tmp_path / "a").touch()
        assert not make_folder(f"{tmp_path}/a")


class TestPublish:
    def names(self, folder: Path) -> set[str]:
        return {path.name for path in folder.iterdir()}

    def test_first_wins_and_nothing_is_left(self, tmp_path: Path) -> None:
        assert publish(str(tmp_path), "a", MINE, "me")
        assert not publish(str(tmp_path), "a", THEIRS, "them")
        assert read(f"{tmp_path}/a") == MINE
        assert self.names(tmp_path) == {"a"}

    def test_staged_in_the_form_that_is_safe_on_distributed_filesystems(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen: list[tuple[str, str]] = []
        monkeypatch.setattr(os, "link", lambda source, target: seen.append((source, target)))
        publish(str(tmp_path), "a.yaml", MINE, "me")
        assert seen == [(f"{tmp_path}/.a.yaml.me", f"{tmp_path}/a.yaml")]

    @pytest.mark.parametrize("number", [errno.EIO, errno.EEXIST, errno.ENOENT, errno.ESTALE, errno.ETIMEDOUT])
    def test_lost_reply_is_still_mine(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
        monkeypatch.setattr(os, "link", failing(os.link, number, done=True))
        assert publish(str(tmp_path), "a", MINE, "me")
        assert self.names(tmp_path) == {"a"}

    def test_lost_reply_seen_late(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """As on a client that remembers for a while that there was no such name."""
        monkeypatch.setattr(os, "link", failing(os.link, errno.EIO, done=True))
        answers = [None, b"", b"\0" * len(MINE), MINE[:3]]
        monkeypatch.setattr(exclusive, "read", lambda path: answers.pop(0) if answers else read(path))
        assert publish(str(tmp_path), "a", MINE, "me")
        assert answers == []

    def test_error_that_passes(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "link", failing(os.link, errno.EIO, done=False, times=3))
        assert publish(str(tmp_path), "a", MINE, "me")

    def test_error_that_stays(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "link", failing(os.link, errno.EPERM, done=False, times=-1))
        with pytest.raises(PermissionError):
            publish(str(tmp_path), "a", MINE, "me", patience=0.05)
        assert self.names(tmp_path) == set()

    def test_exists_but_never_seen_is_somebody_elses(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "a").write_bytes(THEIRS)
        monkeypatch.setattr(exclusive, "read", lambda _: None)
        assert not publish(str(tmp_path), "a", MINE, "me", patience=0.05)

    def test_torn_for_good_is_somebody_elses(self, tmp_path: Path) -> None:
        (tmp_path / "a").write_bytes(b"torn")
        assert not publish(str(tmp_path), "a", MINE, "me", patience=0.05)
        assert (tmp_path / "a").read_bytes() == b"torn"

    def test_a_folder_in_its_place_is_somebody_elses(self, tmp_path: Path) -> None:
        (tmp_path / "a").mkdir()
        assert not publish(str(tmp_path), "a", MINE, "me", patience=0.05)

    def test_reading_fails_for_a_while_after_a_lost_reply(self, faulty: Mount) -> None:
        faulty.rules([Rule("link", "a", "after:EIO", times=1), Rule("open", "*", "EIO", times=2)])
        assert publish(str(faulty.path), "a", MINE, "me")
        assert len(faulty.faults()) == 3

    @pytest.mark.parametrize("operation", ["create", "write", "fsync"])
    def test_full_disk_leaves_nothing_behind(self, faulty: Mount, operation: str) -> None:
        faulty.rules([Rule(operation, ".a.me", "ENOSPC")])
        with pytest.raises(OSError, match="No space left"):
            publish(str(faulty.path), "a", MINE, "me")
        assert faulty.faults()
        assert self.names(faulty.backing) == set()

    def test_short_writes(self, faulty: Mount) -> None:
        faulty.rules([Rule("write", ".a.me", "short", times=4)])
        assert publish(str(faulty.path), "a", MINE, "me")
        assert len(faulty.faults()) == 4
        assert (faulty.backing / "a").read_bytes() == MINE

    def test_staged_name_that_could_not_be_removed_is_not_written_through(self, faulty: Mount) -> None:
        """It is another name of what was published, which is never opened for writing again."""
        faulty.rules([Rule("unlink", ".a.me", "EIO", times=1)])
        assert publish(str(faulty.path), "a", MINE, "me")
        assert self.names(faulty.backing) == {"a", ".a.me"}
        faulty.rules([Rule("write", "*", "ENOSPC")])
        with pytest.raises(OSError, match="No space left"):
            publish(str(faulty.path), "a", THEIRS, "me")
        assert (faulty.backing / "a").read_bytes() == MINE

    def test_durable_means_synced_before_the_link(self, faulty: Mount) -> None:
        faulty.rules([Rule("fsync", ".a.me", "EIO")])
        with pytest.raises(OSError, match="Input/output"):
            publish(str(faulty.path), "a", MINE, "me")
        assert publish(str(faulty.path), "a", MINE, "me", durable=False)


class TestMoveAway:
    def test_one_winner(self, tmp_path: Path) -> None:
        (tmp_path / "a").mkdir()
        assert [move_away(f"{tmp_path}/a", f"{tmp_path}/mine{n}") for n in range(2)] == [True, False]

    def test_a_full_folder_is_not_replaced(self, tmp_path: Path) -> None:
        for name in ("a", "b"):
            (tmp_path / name).mkdir()
            (tmp_path / name / "file").write_text(name)
        assert not move_away(f"{tmp_path}/a", f"{tmp_path}/b")
        assert (tmp_path / "b/file").read_text() == "b"

    def test_refused_by_an_errno_of_its_own(self, faulty: Mount) -> None:
        """sshfs says EPERM of a rename onto a full folder."""
        for name in ("a", "b"):
            (faulty.backing / name).mkdir()
            (faulty.backing / name / "file").write_text(name)
        faulty.rules([Rule("rename", "a", "EPERM")])
        assert not move_away(f"{faulty.path}/a", f"{faulty.path}/b")
        assert faulty.faults()

    def test_lost_reply_is_still_mine(self, faulty: Mount) -> None:
        (faulty.backing / "a").touch()
        faulty.rules([Rule("rename", "a", "after:EIO")])
        assert move_away(f"{faulty.path}/a", f"{faulty.path}/mine")
        assert faulty.faults()

    def test_lost_reply_and_the_request_sent_again_is_still_mine(self, faulty: Mount) -> None:
        (faulty.backing / "a").touch()
        faulty.rules([Rule("rename", "a", "after:ENOENT")])
        assert move_away(f"{faulty.path}/a", f"{faulty.path}/mine")
        assert faulty.faults()

    def test_other_errors_are_raised(self, faulty: Mount) -> None:
        (faulty.backing / "a").touch()
        faulty.rules([Rule("rename", "a", "EIO")])
        with pytest.raises(OSError, match="Input/output"):
            move_away(f"{faulty.path}/a", f"{faulty.path}/b")


class TestPut:
    def test_an_error_that_passes_leaves_nothing_behind(self, faulty: Mount) -> None:
        (faulty.backing / ".a.mine").write_text("taken")
        faulty.rules([Rule("link", "a", "EIO", times=2)])
        put(f"{faulty.path}/.a.mine", f"{faulty.path}/a")
        assert len(faulty.faults()) == 2
        assert [path.name for path in faulty.backing.iterdir()] == ["a"]


class TestSyncFolder:
    def test_synced(self, faulty: Mount) -> None:
        faulty.rules([Rule("fsyncdir", "", "EIO")])
        with pytest.raises(OSError, match="Input/output"):
            sync_folder(str(faulty.path))

    def test_where_the_filesystem_does_not_know_how(self, faulty: Mount) -> None:
        faulty.rules([Rule("fsyncdir", "", "EINVAL")])
        sync_folder(str(faulty.path))
        assert faulty.faults()
