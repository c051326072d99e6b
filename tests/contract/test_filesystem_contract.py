"""The contract suite of `neps.testing.filesystem`: on a local folder, twice, and on two clients of one folder.

The second client of the last remembers names, attributes and absences for a while, as one of a network filesystem.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from neps.errors import ArgumentError
from neps.testing import filesystem
from neps.testing.filesystem import CHECKS, FilesystemContract, Finding, Probe
from rigs.faultfs import Mount, Rule, Validity, faultfs, faultfs_available
from rigs.requirements import require


class TestLocalFilesystem(FilesystemContract):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    def directories(self) -> tuple[Path, Path]:
        return self.folder, self.folder


class TestTwoClients(FilesystemContract):
    rounds = 10
    cache: Validity | None = None

    @pytest.fixture(autouse=True)
    def _mounts(self, tmp_path: Path) -> Iterator[None]:
        require(faultfs_available())
        with faultfs(tmp_path) as first, faultfs(tmp_path, self.cache) as second:
            self.mounts = first.path, second.path
            yield

    def directories(self) -> tuple[Path, Path]:
        return self.mounts


class TestTwoClientsOfWhomOneIsStale(TestTwoClients):
    rounds = 3
    cache = Validity(attributes=2.0, entries=2.0, absences=2.0)


class TestVerdict:
    """A suite that can't fail proves nothing."""

    def find(self, mount: Path, primitive: str) -> Finding:
        with Probe(mount, mount, rounds=2, processes=2) as probe:
            return CHECKS[primitive](probe)

    def test_no_hard_links(self, faulty: Mount) -> None:
        faulty.rules([Rule("link", "*", "EPERM")])
        problem = self.find(faulty.path, "hard links").problem
        assert problem is not None
        assert "hard links are not supported" in problem
        assert "exFAT" in problem

    def test_nobody_wins(self, faulty: Mount) -> None:
        faulty.rules([Rule("mkdir", "*/mkdir-2", "after:EEXIST", times=1)])
        finding = self.find(faulty.path, "mkdir")
        assert finding.winners == {1: 1, 0: 1}
        assert finding.problem == "mkdir-2: 0 processes succeeded, but exactly 1 must"

    def test_two_win(self, tmp_path: Path) -> None:
        race = filesystem._Race("write", _write_over)
        with Probe(tmp_path, tmp_path, rounds=1, processes=2) as probe:
            finding = race(probe)
        assert finding.winners == {2: 1}
        assert finding.problem is not None

    def test_errors(self, faulty: Mount) -> None:
        faulty.rules([Rule("rename", "*", "EIO")])
        problem = self.find(faulty.path, "rename a file away").problem
        assert problem is not None
        assert "Input/output error" in problem

    def test_hangs(self, faulty: Mount, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nobody waits for a second race with processes that are stuck in the kernel."""
        monkeypatch.setattr(filesystem, "_PATIENCE", 0.5)
        faulty.rules([Rule("mkdir", "*/mkdir-1", "hang")])
        with Probe(faulty.path, faulty.path, rounds=5, processes=2) as probe:
            finding = CHECKS["mkdir"](probe)
            faulty.rules([])
        assert finding.winners == {0: 1}
        assert finding.problem is not None
        assert "the filesystem hangs" in finding.problem

    def test_not_one_folder(self, tmp_path: Path) -> None:
        (tmp_path / "a").mkdir()
        (tmp_path / "b").mkdir()
        with pytest.raises(ArgumentError, match="are different folders"), Probe(tmp_path / "a", tmp_path / "b"):
            pass
        assert not list(tmp_path.glob("*/.*"))

    def test_directories_from_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("NEPS_TEST_DIRECTORIES", "/a:/b")
        assert FilesystemContract().directories() == (Path("/a"), Path("/b"))
        monkeypatch.delenv("NEPS_TEST_DIRECTORIES")
        with pytest.raises(ArgumentError, match='NEPS_TEST_DIRECTORIES="A:B"'):
            FilesystemContract().directories()


def _write_over(place: str, name: str, index: int) -> bool:
    Path(place, name).write_text(str(index))
    return True


class TestCommand:
    def command(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-W", "error", "-m", "neps", "check", *map(str, arguments)]
        return subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)

    def test_fit(self, tmp_path: Path) -> None:
        done = self.command(tmp_path, tmp_path, "--rounds", "2", "--processes", "2")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.endswith("This filesystem is fit for neps.\n")
        assert len(done.stdout.splitlines()) == len(CHECKS) + 2
        assert list(tmp_path.iterdir()) == []

    def test_unfit(self, faulty: Mount) -> None:
        faulty.rules([Rule("link", "*", "EPERM")])
        done = self.command(faulty.path, faulty.path, "--rounds", "1", "--processes", "2")
        assert done.returncode == 1
        assert "NOT fit for neps" in done.stdout

    def test_no_such_folder(self, tmp_path: Path) -> None:
        done = self.command(tmp_path / "absent")
        assert done.returncode == 2
        assert "absent' does not exist" in done.stderr
