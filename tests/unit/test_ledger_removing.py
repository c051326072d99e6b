"""Whatever is removed of overwritten/, and at whatever moment: nothing of the run in the root is lost or moved.

Between any two operations of a worker that joins, moves or has slept, somebody removes a part of overwritten/, and
perhaps another worker begins the next run.
"""

from __future__ import annotations

import functools
import itertools
import shutil
from pathlib import Path

import pytest

from neps._ledger import documents
from neps._ledger.definition import find_definition
from neps._ledger.overwriting import finish_moves, is_moved, move_aside
from unit.ledger_scene import Scene, here
from unit.removing_scene import NEW, OLD, OTHERS, before_operation, files, new_run, old_run, opened, quick

__all__ = ["quick"]

pytestmark = pytest.mark.usefixtures("quick")
PARTS = ("config_1", "config_2", "config_3", "neps.yaml")
SUBSETS = [subset for size in range(5) for subset in itertools.combinations(PARTS, size)]
REMOVALS = [*SUBSETS, ("run",), ("overwritten",)]


@pytest.fixture
def old(tmp_path: Path) -> Scene:
    return old_run(tmp_path / "old")


@pytest.fixture
def new(tmp_path: Path) -> Scene:
    return new_run(tmp_path / "new")


def remove(root: Path, parts: tuple[str, ...]) -> None:
    """Remove these of the earlier run; with "run" all of it, with "overwritten" that."""
    earlier = root / "overwritten" / OLD
    for part in parts:
        path = {"run": earlier, "overwritten": root / "overwritten"}.get(part, earlier / part)
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def begin_next(root: Path, new: Scene) -> None:
    """Another worker finishes the move, and a whole run is made meanwhile."""
    finish_moves(str(root), here("other"))
    if (found := find_definition(str(root))) is not None and found.run == OLD:
        assert move_aside(str(root), found, here("other"))
    shutil.copytree(new.root, root, dirs_exist_ok=True)


@pytest.fixture
def current(old: Scene, new: Scene) -> Path:
    """A root with an old run in overwritten/, and the next in its place."""
    begin_next(old.root, new)
    return old.root


@pytest.mark.parametrize("parts", REMOVALS, ids=str)
def test_tasks_join_after_any_part_was_removed(current: Path, new: Scene, parts: tuple[str, ...]) -> None:
    remove(current, parts)
    for overwrite in (False, True):
        assert opened(current, overwrite=overwrite) == NEW
        assert files(current) == files(new.root)


@pytest.mark.parametrize("overwrite", [False, True])
def test_any_part_is_removed_while_a_task_joins(
    current: Path,
    new: Scene,
    tmp_path: Path,
    overwrite: bool,  # noqa: FBT001
) -> None:
    for nth, parts in zip(itertools.count(1), itertools.cycle(REMOVALS)):
        root = shutil.copytree(current, tmp_path / f"root_{nth}")
        with before_operation(nth, functools.partial(remove, root, parts)) as calls:
            assert opened(root, overwrite=overwrite) == NEW
        assert files(root) == files(new.root)
        if len(calls) < nth:
            break
    assert nth > 10


@pytest.mark.parametrize("shift", [0, 1])
def test_a_mover_sleeps_while_the_next_run_begins_and_the_old_is_removed(
    old: Scene, new: Scene, tmp_path: Path, shift: int
) -> None:
    """It wakes before its n-th operation, for each n: what it had seen before is long over."""
    removals = [(), ("config_1", "config_3"), ("config_2", "neps.yaml"), ("run",), ("overwritten",)]
    for nth in itertools.count(1):
        root, parts = shutil.copytree(old.root, tmp_path / f"root_{nth}"), removals[(nth + 2 * shift) % len(removals)]
        definition = find_definition(str(root))
        assert definition is not None

        def meanwhile(root: Path = root, parts: tuple[str, ...] = parts) -> None:
            begin_next(root, new)
            remove(root, parts)

        with before_operation(nth, meanwhile) as calls:
            move_aside(str(root), definition, here("sleeper"), "NEPS_RUN_TOKEN=launch-2")
        if len(calls) < nth:
            break
        assert files(root) == files(new.root), f"{calls[nth - 1]} is operation {nth}"
        assert opened(root, overwrite=True) == NEW
    assert nth > 60


def test_old_runs_are_removed_while_a_launch_moves_another_aside(old: Scene, tmp_path: Path) -> None:
    (old.root / "overwritten" / "older" / "config_1").mkdir(parents=True)
    for nth in itertools.count(1):
        root = shutil.copytree(old.root, tmp_path / f"root_{nth}")
        with before_operation(nth, functools.partial(remove, root, ("overwritten",))) as calls:
            run = opened(root, overwrite=True)
        assert run != OLD
        assert sorted(path.name for path in root.iterdir() if path.name not in OTHERS) == ["neps.yaml"]
        assert is_moved(str(root), OLD)
        assert list((root / "launches").rglob("trial.yaml")) == [], "all of it has got to overwritten/"
        if len(calls) < nth:
            break
        assert opened(root, overwrite=True) == run
    assert nth > 60


def test_a_verdict_in_overwritten_decides_nothing(current: Path, new: Scene) -> None:
    """What is left where the removal was interrupted, as it used to lie there."""
    remove(current, ("config_1", "config_2", "config_3"))
    verdict = documents.encode({"verdict": "move", "numbers": [1, 2, 3, 4, 5]})
    (current / "overwritten" / OLD / "verdict_1.yaml").write_bytes(verdict)
    assert opened(current, overwrite=True) == NEW
    assert files(current) == files(new.root)
