"""Reading what anybody may have put there: nothing hangs, is followed, or takes more than it may."""

from __future__ import annotations

import errno
import os
import resource
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from neps._ledger import foreign
from neps._ledger.foreign import END_MARKER, LARGEST, NotAFileError, change_mark, misplaced, piece, read, tail
from rigs.faultfs import Mount, Rule
from unit.ledger_scene import failing

MINE = b"by: me" + END_MARKER


def pipe(path: Path) -> None:
    os.mkfifo(path)


def link_to_zeros(path: Path) -> None:
    path.symlink_to("/dev/zero")


def link_to_a_document(path: Path) -> None:
    (path.parent / "document").write_bytes(MINE)
    path.symlink_to(path.parent / "document")


def dangling_link(path: Path) -> None:
    path.symlink_to("nowhere")


def folder(path: Path) -> None:
    path.mkdir()


def plug(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(path))


HOSTILE = pytest.mark.parametrize(
    ("make", "what"),
    [
        (pipe, "a named pipe"),
        (link_to_zeros, "a symbolic link"),
        (link_to_a_document, "a symbolic link"),
        (dangling_link, "a symbolic link"),
        (folder, "a folder"),
        (plug, "a socket"),
    ],
)
Make = Callable[[Path], None]


class TestRead:
    def test_absent(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        assert read(f"{tmp_path}/absent") is None
        assert read(f"{tmp_path}/file/trial.yaml") is None

    def test_stale_handle_is_opened_again(self, faulty: Mount) -> None:
        (faulty.backing / "a").write_bytes(MINE)
        faulty.rules([Rule("open", "a", "ESTALE", times=3)])
        assert read(f"{faulty.path}/a") == MINE
        assert faulty.faults()

    def test_stale_for_good_is_not_there(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "open", failing(os.open, errno.ESTALE, done=False, times=-1))
        assert read(f"{tmp_path}/a") is None

    def test_other_errors_are_raised(self, tmp_path: Path) -> None:
        with pytest.raises(NotAFileError, match="a folder stands in its place"):
            read(str(tmp_path))

    def test_longer_than_its_size_says(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A client may know an old size."""
        (tmp_path / "a").write_bytes(MINE * 40_000)
        sizes = os.stat_result((stat.S_IFREG | 0o644, 0, 0, 1, 0, 0, 3, 0, 0, 0))
        monkeypatch.setattr(os, "fstat", lambda _: sizes)
        assert read(f"{tmp_path}/a") == MINE * 40_000

    @HOSTILE
    def test_no_file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Make, what: str) -> None:
        monkeypatch.chdir(tmp_path)  # a socket's path must be short
        make(tmp_path / "a")
        for reading in (read, lambda path: tail(path, 10), lambda path: piece(path, 0, 10)):
            with pytest.raises(NotAFileError, match=f"{what} stands in its place"):
                reading(f"{tmp_path}/a")

    def test_a_very_large_file_is_refused_within_its_bound(self, tmp_path: Path) -> None:
        """In a process of its own, which has 100 MB to spare."""
        with (tmp_path / "a").open("wb") as file:
            file.write(b"a: 1\n")
            file.truncate(1 << 40)  # sparse: it takes no disk
        program = f"""
import resource
from neps._ledger.foreign import NotAFileError, read
used = int(open("/proc/self/statm").read().split()[0]) * {resource.getpagesize()}
resource.setrlimit(resource.RLIMIT_AS, (used + 100_000_000, resource.RLIM_INFINITY))
try:
    read({str(tmp_path / "a")!r})
except NotAFileError as error:
    print(error.why)
"""
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
        assert done.stdout == f"it has more than {LARGEST} bytes, which is not allowed in a document\n", done.stderr

    def test_reading_is_linear(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Each byte is read once, and joined once."""
        (tmp_path / "a").write_bytes(b"x" * (1 << 22) + END_MARKER)
        sizes: list[int] = []
        real = os.read

        def counting(descriptor: int, size: int) -> bytes:
            sizes.append(size)
            return real(descriptor, size)

        monkeypatch.setattr(os, "read", counting)
        content = read(f"{tmp_path}/a")
        assert content is not None
        assert len(content) == (1 << 22) + len(END_MARKER)
        assert len(sizes) == (1 << 22) // foreign._CHUNK + 1

    @pytest.mark.parametrize("size", [foreign._CHUNK + shift for shift in range(-6, 7)])
    def test_the_end_marker_may_lie_anywhere(self, tmp_path: Path, size: int) -> None:
        content = b"x" * (size - len(END_MARKER)) + END_MARKER
        (tmp_path / "a").write_bytes(content + b"more" * foreign._CHUNK * 4)
        read(f"{tmp_path}/a")
        (tmp_path / "a").write_bytes(content)
        assert read(f"{tmp_path}/a") == content


class TestTail:
    def test_only_the_end(self, tmp_path: Path) -> None:
        (tmp_path / "a").write_bytes(b"0123456789")
        assert tail(f"{tmp_path}/a", 3) == b"789"
        assert tail(f"{tmp_path}/a", 30) == b"0123456789"
        assert tail(f"{tmp_path}/absent", 3) is None


def test_the_mark_of_a_link_is_its_own(tmp_path: Path) -> None:
    """Who links a heartbeat to a file that changes can't keep a dead attempt alive."""
    (tmp_path / "target").touch()
    (tmp_path / "attempt_1.lock").symlink_to("target")
    before = change_mark(f"{tmp_path}/attempt_1.lock")
    os.utime(tmp_path / "target", (1, 1))
    assert change_mark(f"{tmp_path}/attempt_1.lock") == before
    assert change_mark(f"{tmp_path}/absent") is None


@pytest.mark.parametrize("make", [pipe, dangling_link, link_to_a_document])
def test_only_a_folder_is_one(tmp_path: Path, make: Make) -> None:
    make(tmp_path / "a")
    assert misplaced(f"{tmp_path}/a")
    assert misplaced(str(tmp_path)) is None
    assert misplaced(f"{tmp_path}/absent") is None
