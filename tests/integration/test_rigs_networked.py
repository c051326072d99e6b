"""The rig of networked filesystems does what it promises: two clients of one filesystem, of which one can hang."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from rigs.networked import Client, Kind, networked, networked_available
from rigs.requirements import require
from rigs.waiting import wait_until

DEADLINE = 60.0
LOOK = "import os, sys; print(sorted(os.listdir(sys.argv[1])))"


@pytest.mark.parametrize("kind", get_args(Kind))
def test_two_clients_of_one_filesystem(kind: Kind) -> None:
    require(networked_available(kind))
    with networked(kind) as (a, b):
        (a.path / "folder").mkdir()
        (a.path / "folder" / "file").write_text("content")
        os.link(a.path / "folder" / "file", a.path / "folder" / "link")
        wait_until((b.path / "folder" / "link").exists, DEADLINE, "what the other client made")
        assert (b.path / "folder" / "link").read_text() == "content"
        with pytest.raises(FileExistsError):
            (b.path / "folder").mkdir()
        with pytest.raises(OSError, match=r"."):  # sshfs has no more than EPERM to say
            os.link(b.path / "folder" / "file", b.path / "folder" / "link")
        b.pause()
        look = subprocess.Popen([sys.executable, "-c", LOOK, b.path / "folder" / ".."], stdout=subprocess.PIPE)
        assert sorted(os.listdir(a.path / "folder")) == ["file", "link"]  # noqa: PTH208
        assert look.poll() is None
        b.resume()
        assert look.communicate(timeout=DEADLINE)[0].strip() == b"['folder']"
    assert not a.path.exists()


@pytest.mark.parametrize("kind", get_args(Kind))
def test_a_client_that_hangs_and_a_failure_inside_leave_nothing(kind: Kind) -> None:
    require(networked_available(kind))
    clients: list[Client] = []

    def fail() -> None:
        with networked(kind) as (a, b):
            clients.extend((a, b))
            (a.path / "file").write_text("content")
            b.pause()
            raise KeyError(kind)

    with pytest.raises(KeyError):
        fail()
    a, b = clients
    assert not a.path.parent.exists()
    assert str(a.path.parent) not in Path("/proc/mounts").read_text()
    wait_until(lambda: not Path(f"/proc/{b.pid}/fd").exists(), DEADLINE, "the end of the client")
