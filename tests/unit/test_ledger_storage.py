"""What an error says of the storage, what to do about it, and who may write in a folder."""

from __future__ import annotations

import errno
import logging
import math
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import neps
import neps._cli
from neps._ledger.outage import Outage
from neps._ledger.storage import advice, denial, storage_error, try_to_write
from neps.errors import DirectoryError
from rigs import mounts
from rigs.requirements import require
from unit.ledger_scene import Scene, dead

FULL = OSError(errno.ENOSPC, "No space left on device")
RESET = OSError(errno.ECONNRESET, "of a socket")
READ_ONLY, REMOUNT = 1, 32


def caused(outer: Exception, inner: Exception) -> Exception:
    outer.__cause__ = inner
    return outer


def followed(outer: Exception, inner: Exception) -> Exception:
    outer.__context__ = inner
    return outer


@pytest.mark.parametrize(
    ("error", "own", "says"),
    [
        (FULL, False, True),
        (OSError(errno.EDQUOT, "quota"), False, True),
        (OSError(errno.EIO, "bad"), False, True),
        (OSError(errno.EROFS, "read-only"), False, True),
        (caused(ValueError(), FULL), False, True),
        (followed(RuntimeError("unexpected pos"), followed(KeyError(), FULL)), False, True),
        (ExceptionGroup("one", [caused(ValueError(), FULL)]), False, True),
        (ExceptionGroup("two", [ValueError(), FULL]), False, False),
        (RESET, False, False),
        (RESET, True, True),
        (OSError(errno.ETIMEDOUT, "away", "/run/config_1/x"), False, True),
        (OSError(errno.ETIMEDOUT, "away", "/other/x"), False, False),
        (OSError(errno.EACCES, "denied", "/run/config_1/x"), False, False),
        (OSError(errno.EACCES, "denied", "/run/config_1/x"), True, True),
        (OSError(errno.EACCES, "denied", "/other/x"), True, False),
        (OSError(errno.EACCES, "of a write"), True, True),
        (OSError(errno.ENOENT, "gone", "/run/config_1/x"), True, False),
        (OSError("no number"), True, False),
        (ValueError("a bug"), True, False),
    ],
    ids=str,
)
def test_what_says_that_the_storage_fails(error: Exception, own: bool, says: bool) -> None:  # noqa: FBT001
    assert (storage_error(error, "/run", own=own) is not None) == says


def test_a_circle_of_causes_ends() -> None:
    first, second = ValueError(), KeyError()
    first.__cause__, second.__cause__ = second, first
    assert storage_error(first, "/run") is None


def test_what_to_do_depends_on_the_error() -> None:
    numbers = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EIO)
    texts = [advice(OSError(number, "as a test has it")) for number in numbers]
    for text, word in zip(texts, ["df -h", "quota -s", "mounted read-only", "klist", "server"], strict=True):
        assert word in text


def test_a_try_to_write_leaves_nothing(tmp_path: Path) -> None:
    assert try_to_write(str(tmp_path), 3 << 20) is None
    assert list(tmp_path.iterdir()) == []
    refused = try_to_write(str(tmp_path / "absent"), 1)
    assert refused is not None
    assert refused.errno == errno.ENOENT


def test_a_try_to_write_has_no_name_meanwhile(tmp_path: Path) -> None:
    """A GiB of who is killed then would stay on a disk that is full."""
    seen = list[list[Path]]()
    assert try_to_write(str(tmp_path), 3 << 20, lambda: seen.append(list(tmp_path.iterdir()))) is None
    assert seen == [[]] * 3


def test_a_try_to_write_where_there_is_no_room(small: Path) -> None:
    left = os.statvfs(small)
    room = left.f_bavail * left.f_frsize
    refused = try_to_write(str(small), room + (1 << 20))
    assert refused is not None
    assert refused.errno == errno.ENOSPC
    assert list(small.iterdir()) == []
    assert try_to_write(str(small), room // 2) is None


class TestOutage:
    def test_says_so_at_growing_intervals(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        now = 1000.0
        monkeypatch.setattr("neps._ledger.outage.time.monotonic", lambda: now)
        outage, said = Outage(logging.getLogger("test"), 3600.0), list[float]()
        while (pause := outage.failed("notes.txt can't be written", FULL)) is not None:
            if len(caplog.records) > len(said):
                said.append(now - 1000.0)
            assert 0 < pause <= 10
            now += pause
        assert now >= 1000.0 + 3600.0
        assert [round(moment) for moment in said] == [0, 13, 33, 73, 153, 313, 633, 1243, 1843, 2443, 3043]
        assert "notes.txt can't be written: [Errno 28] No space left on device (since 20" in caplog.text
        assert "Trying again until 20" in caplog.text
        assert "`df -h`" in caplog.text

    def test_begins_anew_once_it_works(self, caplog: pytest.LogCaptureFixture) -> None:
        outage = Outage(logging.getLogger("test"), math.inf)
        assert (outage.failed("it", FULL), outage.failed("it", FULL)) == (0.1, 0.2)
        outage.worked()
        assert outage.seconds == 0
        assert outage.failed("it", FULL) == 0.1
        assert len(caplog.records) == 2
        assert "until" not in caplog.text

    def test_without_patience(self) -> None:
        assert Outage(logging.getLogger("test"), 0.0).failed("it", FULL) is None


class TestDenial:
    def test_who_may_write_may_be_refused_otherwise(self, tmp_path: Path) -> None:
        root = str(tmp_path)
        assert denial(root, OSError(errno.EIO, "bad", f"{root}/x")) is None
        assert denial(root, OSError(errno.EPERM, "no hard links", f"{root}/x")) is None

    def test_names_the_read_only_mount(self, read_only: Path) -> None:
        denied = denial(str(read_only), OSError(errno.EROFS, "read-only", f"{read_only}/config_1"))
        assert denied is not None
        for word in (str(read_only), "mounted read-only", "another root_directory", f"uid {os.geteuid()}"):
            assert word in str(denied)

    def test_of_a_root_that_is_not_there_yet(self, read_only: Path) -> None:
        root = f"{read_only}/new/root"
        denied = denial(root, OSError(errno.EROFS, "read-only", f"{read_only}/new"))
        assert denied is not None
        assert f"{read_only} (root_directory {root})" in str(denied)

    def test_names_the_owner_and_the_mode(self, in_the_open: Path) -> None:
        root = in_the_open / "root"
        root.mkdir(mode=0o750)
        denied = as_nobody(f"raise denial({str(root)!r}, OSError(13, 'denied'))")
        for word in ("nobody, uid 65534", f"belongs to {pwd.getpwuid(os.geteuid()).pw_name}", "drwxr-x---", "g+rwX"):
            assert word in denied

    def test_a_mode_that_allows_it(self, tmp_path: Path) -> None:
        require(mounts.not_root_on_linux())
        subprocess.run(["chattr", "+i", tmp_path], check=True, capture_output=True)
        try:
            denied = denial(str(tmp_path), OSError(errno.EPERM, "immutable"))
        finally:
            subprocess.run(["chattr", "-i", tmp_path], check=True)
        assert "which allows it, so something else forbids it: an attribute (`lsattr -d`)" in str(denied)


class TestRun:
    """What `neps.run` says of a root that this user may not write, at once: the outage of a lease of 60 s takes 600."""

    @pytest.mark.parametrize("searcher", ["random_search", "bayesian_optimization"])
    def test_a_run_on_a_read_only_mount(self, read_only: Path, tmp_path: Path, searcher: str) -> None:
        root = tmp_path / "root"
        if searcher != "random_search":
            shutil.rmtree(root)
            root.mkdir()
            work(root, 1, searcher)
            mounts.detach(str(read_only))
            mount_read_only(root, read_only)
        with pytest.raises(DirectoryError, match=r"can't be written by this user .* mounted read-only") as caught:
            work(read_only, 2, searcher)
        assert str(read_only) in str(caught.value)
        assert len(work(read_only, 1, searcher).trials) == len(neps.load(read_only).trials) == 1
        neps.status(read_only)

    def test_a_new_run_there(self, read_only: Path) -> None:
        with pytest.raises(DirectoryError, match=r"can't be written by this user .* mounted read-only"):
            work(read_only / "new", 1)

    def test_moving_aside_there(self, read_only: Path) -> None:
        with pytest.raises(DirectoryError, match=r"can't be written by this user .* mounted read-only"):
            work(read_only, 2, overwrite_working_directory=True)

    def test_a_trial_to_resume_there(self, tmp_path: Path) -> None:
        """Nothing else is left to do, and it would leave as if all were well."""
        require(mounts.not_root_on_linux())
        root, place = tmp_path / "root", tmp_path / "mounted"
        work(root, 1, max_seconds_per_run=1e-9)
        Scene(root, yaml.safe_load((root / "neps.yaml").read_text())["run"]).claim(1, dead())
        place.mkdir()
        mount_read_only(root, place)
        try:
            with pytest.raises(DirectoryError, match="mounted read-only"):
                work(place, 1)
        finally:
            mounts.detach(str(place))

    def test_a_folder_of_earlier_runs_of_somebody_else(self, in_the_open: Path) -> None:
        root = in_the_open / "root"
        work(root, 1)
        root.chmod(0o777)
        (root / "config_1").chmod(0o777)
        (root / "overwritten").mkdir(mode=0o755)
        more = "max_evaluations_total=2, overwrite_working_directory=True"
        denied = as_nobody(
            f"neps.run(lambda x: x, {str(root)!r}, {{'x': neps.Float(0, 1)}}, searcher='random_search', {more})"
        )
        assert f"DirectoryError: {root}/overwritten (root_directory {root}) can't be written by this user" in denied
        (root / "config_1").chmod(0o755)
        (root / "overwritten").rmdir()
        denied = as_nobody(
            f"neps.run(lambda x: x, {str(root)!r}, {{'x': neps.Float(0, 1)}}, searcher='random_search', {more})"
        )
        assert f"DirectoryError: {root}/config_1 (root_directory {root}) can't be written by this user" in denied
        assert len(neps.load(root).trials) == 1, "nothing was decided that only others could do"

    def test_a_retry_there(self, read_only: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.MonkeyPatch.context() as monkeypatch:
            monkeypatch.setattr("neps._api.retrying.Retrying.refusal", lambda *_: None)
            monkeypatch.setattr("neps._api.retrying.reopen", lambda *_: (tmp_path / "mounted/config_1/x").touch())
            assert neps._cli.main(["retry", str(read_only), "--trial", "1"]) == 1
        assert "can't be written by this user" in capsys.readouterr().err

    def test_a_root_of_somebody_else(self, in_the_open: Path) -> None:
        root = in_the_open / "root"
        work(root, 1)
        space = "{'x': neps.Float(0, 1)}"
        call = f"neps.run(lambda x: x, {str(root)!r}, {space}, searcher='random_search', max_evaluations_total=2)"
        denied = as_nobody(call)
        assert f"DirectoryError: {root} can't be written by this user (nobody, uid 65534)" in denied
        assert "Start as a user who may write there" in denied


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """A run with one trial, on a mount that is read-only."""
    require(mounts.not_root_on_linux())
    root, place = tmp_path / "root", tmp_path / "mounted"
    work(root, 1)
    place.mkdir()
    mount_read_only(root, place)
    yield place
    mounts.detach(str(place))


def mount_read_only(root: Path, place: Path) -> None:
    mounts.mount(str(root), str(place), flags=mounts.BIND)
    mounts.mount("", str(place), flags=mounts.BIND | REMOUNT | READ_ONLY)


def work(root: Path, total: int, searcher: str = "random_search", **more: Any) -> neps.History:
    space = {"x": neps.Float(0, 1)}
    return neps.run(
        lambda x: x, root, space, searcher=searcher, max_evaluations_total=total, seed=1, lease_seconds=60.0, **more
    )


@pytest.fixture
def in_the_open() -> Iterator[Path]:
    """A folder that everybody may enter, unlike those of pytest."""
    require(mounts.not_root_on_linux())
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def as_nobody(statement: str) -> str:
    """What a process of another user writes to stderr. All that it needs is imported before it gives up being root."""
    program = (
        "import os, neps, neps._api.run, neps._cli, pathlib, pwd, traceback, linecache\n"
        "from neps._ledger.storage import denial\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        f"{statement}\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    return ended.stderr
