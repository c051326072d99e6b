"""The rig that gives faults to system calls: what it says that it does is what happens."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rigs.requirements import require
from rigs.tracing import tracing_available

_PROGRAM = """
import errno, json, os, subprocess, sys, threading
from pathlib import Path
from rigs.tracing import DONE, Call, Fail, Kill, Lose, traced

place = Path(sys.argv[1])
folder, outside = place / "inside", place / "outside"
for made in (folder, outside):
    made.mkdir()

def change():
    (outside / "file").write_text("not asked about")
    os.mkdir(folder / "made")
    descriptor = os.open("made", os.O_DIRECTORY, dir_fd=os.open(folder, os.O_DIRECTORY))
    (folder / "old").write_text("text")
    thread = threading.Thread(target=lambda: os.utime(folder / "old"))
    thread.start()
    thread.join()
    subprocess.run([sys.executable, "-c", f"import os; os.link({str(folder / 'old')!r}, {str(folder / 'linked')!r})"])
    os.rename(folder / "old", folder / "new")
    os.unlink(folder / "linked")
    os.rmdir("made", dir_fd=os.open(folder, os.O_DIRECTORY))
    (folder / "new").read_text()

def errors(name, action):
    def decide(call):
        return action if call.name == name else DONE
    def make():
        try:
            os.mkdir(folder / name)
        except OSError as error:
            (outside / name).write_text(errno.errorcode[error.errno])
    status = traced(make, folder, decide, deadline=60)
    said = (outside / name).read_text() if (outside / name).exists() else ""
    return [status, said, (folder / name).exists()]

seen = []
status = traced(change, folder, lambda call: seen.append([call.name, *call.paths, call.role]) or DONE, deadline=60)
given = {}
for label, action in (
    ("fail", Fail(errno.EIO)), ("lose", Lose(errno.EIO)), ("before", Kill()), ("after", Kill(after=True))
):
    for made in folder.iterdir():
        made.rmdir() if made.is_dir() else made.unlink()
    (outside / "mkdir").unlink(missing_ok=True)
    given[label] = errors("mkdir", action)
try:
    traced(lambda: threading.Event().wait(), folder, lambda call: DONE, deadline=0.5)
except TimeoutError:
    given["deadline"] = True
print(json.dumps({"status": status, "seen": seen, "given": given}))
"""


@pytest.fixture(scope="module")
def observed(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """In a process of its own, which has no threads and no other children."""
    require(tracing_available())
    command = [sys.executable, "-c", _PROGRAM, str(tmp_path_factory.mktemp("traced").resolve())]
    ran = subprocess.run(
        command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1], timeout=300
    )
    return json.loads(ran.stdout)


def test_each_change_in_the_folder_is_asked_about_and_nothing_else(observed: Any) -> None:
    assert observed["status"] == 0
    assert observed["seen"] == [
        ["mkdir", "made", "main"],
        ["open", "old", "main"],
        ["write", "old", "main"],
        ["utime", "old", "thread"],
        ["link", "old", "linked", "process"],
        ["rename", "old", "new", "main"],
        ["unlink", "linked", "main"],
        ["rmdir", "made", "main"],
    ]


@pytest.mark.parametrize(
    ("action", "outcome"),
    [
        ("fail", [0, "EIO", False]),
        ("lose", [0, "EIO", True]),
        ("before", [-9, "", False]),
        ("after", [-9, "", True]),
    ],
)
def test_an_action_is_what_it_says(observed: Any, action: str, outcome: list[Any]) -> None:
    assert observed["given"][action] == outcome


def test_what_does_not_end_is_ended(observed: Any) -> None:
    assert observed["given"]["deadline"]
