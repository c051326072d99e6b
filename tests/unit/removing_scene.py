"""Old runs, somebody who removes them, and tasks that start meanwhile: what tests of both share.

A task is stopped before any of its file operations, in this process or, by SIGKILL, in a forked one.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from neps._ledger import liveness
from neps._ledger.definition import Definition
from neps._ledger.opening import open_run
from unit.ledger_scene import SPACE, Scene, dead, here

__all__ = ["NEW", "OLD", "OTHERS"]
__all__ += ["before_operation", "files", "killed", "lay", "new_run", "old_run", "opened", "quick", "tmp_path"]

OLD, NEW = "old0", "new0"
OPERATIONS = ("link", "listdir", "lstat", "makedirs", "mkdir", "open", "rename", "rmdir", "scandir", "stat", "unlink")
_MEMORY = Path("/dev/shm")  # noqa: S108 - removed with each test
OTHERS = ("overwritten", "launches", ".neps")
"""What is no part of the run in the root."""


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder in memory where there is one: thousands of roots are laid and removed, and nothing of them must last."""
    with tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None) as folder:
        yield Path(folder)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is waited for, and this process is a task of launch 2."""
    monkeypatch.setattr(liveness, "_POLL", 0.02)
    monkeypatch.setattr(os, "fsync", lambda _: None)
    for variable in ("SLURM_ARRAY_JOB_ID", "SLURM_JOB_ID"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("NEPS_RUN_TOKEN", "launch-2")


def old_run(root: Path) -> Scene:
    """A run of two trials and a half claim, all of whose workers have ended."""
    scene = Scene(root, OLD)
    scene.define(lease_seconds=0.2, launch="NEPS_RUN_TOKEN=launch-1")
    for number in (1, 2):
        scene.claim(number, dead())
        scene.end(number)
    scene.folder(3).reserve()
    return scene


def new_run(root: Path) -> Scene:
    """What the next run leaves, which has more trials and other half claims."""
    scene = Scene(root, NEW)
    scene.define(lease_seconds=0.2, launch="NEPS_RUN_TOKEN=launch-2")
    for number in (1, 2, 4):
        scene.claim(number, dead())
        scene.end(number)
    scene.folder(3).reserve()
    scene.folder(5).reserve()
    (scene.root / "summary").mkdir()
    (scene.root / "summary" / "trials.csv").touch()
    return scene


def files(root: Path, without: tuple[str, ...] = OTHERS) -> dict[str, bytes | None]:
    """What the run in the root consists of, folders included."""
    paths = [path for path in sorted(root.rglob("*")) if path.relative_to(root).parts[0] not in without]
    return {str(path.relative_to(root)): path.read_bytes() if path.is_file() else None for path in paths}


def lay(root: Path, content: dict[str, bytes | None]) -> Path:
    """Make a folder consist of that (see `files`), and of nothing else."""
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    for name, data in content.items():
        if data is None:
            (root / name).mkdir()
        else:
            (root / name).write_bytes(data)
    return root


@contextlib.contextmanager
def before_operation(nth: int, act: Callable[[], object]) -> Iterator[list[str]]:
    """Call `act` before the n-th file operation; the operations so far."""
    calls: list[str] = []

    def preceded(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            calls.append(name)
            if len(calls) == nth:
                with pytest.MonkeyPatch.context() as patch:
                    for operation, original in originals.items():
                        patch.setattr(os, operation, original)
                    act()
            return function(*args, **kwargs)

        return call

    originals = {name: getattr(os, name) for name in OPERATIONS}
    with pytest.MonkeyPatch.context() as patch:
        for name, original in originals.items():
            patch.setattr(os, name, preceded(name, original))
        yield calls


def opened(root: Path, *, overwrite: bool, name: str = "joiner") -> str:
    """The run that a worker joins or begins."""

    def define(found: Definition | None) -> Definition:
        launch = "NEPS_RUN_TOKEN=launch-2"
        searcher = {"name": "random_search"}
        return found or Definition(space=SPACE, searcher=searcher, seed=2, lease_seconds=0.2, launch=launch)

    run = open_run(str(root), here(name), define, overwrite=overwrite)
    run.heartbeat.stop()
    return run.definition.run


def killed(nth: int, start: Callable[[], object]) -> bool:
    """Start a task in a process of its own that is killed before its n-th file operation; False if it had fewer."""
    child = os.fork()
    if not child:
        code = 1
        with contextlib.suppress(BaseException), before_operation(nth, lambda: os.kill(os.getpid(), signal.SIGKILL)):
            start()
            code = 0
        os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in {0, -signal.SIGKILL}, f"the task failed before its operation {nth}"
    return code < 0
