"""Every subset of what lies in overwritten/ is removed, at every moment of a task that starts: nothing is lost.

No result of the run in the root is lost or made again, no trial of an earlier run comes back as one of this, the start
succeeds, and a second task joins. Moments are those before each file operation of the start. Every subset at every
moment takes minutes, so that is done with NEPS_TEST_EXHAUSTIVE=1; else each moment has a few subsets, the whole among
them, and each subset a moment.
"""

from __future__ import annotations

import functools
import itertools
import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import neps
from neps._ledger.overwriting import is_moved
from unit.removing_scene import (
    NEW,
    OLD,
    OTHERS,
    before_operation,
    files,
    killed,
    lay,
    new_run,
    old_run,
    opened,
    quick,
    tmp_path,
)

__all__ = ["quick", "tmp_path"]

pytestmark = pytest.mark.usefixtures("quick")
GROUPS = (
    ("config_1/trial.yaml",),
    ("config_1/attempt_1.end.yaml", "config_1/result.yaml"),
    ("config_2/trial.yaml", "config_2/attempt_1.end.yaml", "config_2/result.yaml"),
    ("config_3",),
    ("neps.yaml",),
    ("summary",),
    ("emptied folders",),
)
SUBSETS = [subset for size in range(len(GROUPS) + 1) for subset in itertools.combinations(GROUPS, size)]
UNPUBLISHED = ".neps.yaml.mover"
"""What a mover leaves that was killed while it published the next run's."""
EXHAUSTIVE = os.environ.get("NEPS_TEST_EXHAUSTIVE") == "1"
Subset = tuple[tuple[str, ...], ...]
Content = dict[str, bytes | None]


def remove(root: Path, subset: Subset) -> None:
    """Remove that of each run in overwritten/; with all groups, nothing is left, not even overwritten/ itself."""
    overwritten = root / "overwritten"
    for name in itertools.chain.from_iterable(subset):
        for run in overwritten.glob("*"):
            path = run / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    if ("emptied folders",) in subset:
        for folder in (*overwritten.glob("*/*/"), *overwritten.glob("*/"), overwritten):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()


def cases(moments: int, rng: random.Random, *, each_moment: int, each_subset: int) -> Iterator[tuple[int, Subset]]:
    """All moments with all subsets; or so many of the others for each, and for each moment all that is there."""
    assert moments > 10
    print(f"{moments} moments, {len(SUBSETS)} subsets")
    all_moments = range(1, moments + 1)
    if EXHAUSTIVE:
        yield from itertools.product(all_moments, SUBSETS)
        return
    for nth in all_moments:
        yield from ((nth, subset) for subset in [SUBSETS[-1], *rng.sample(SUBSETS, each_moment)])
    for subset in SUBSETS:
        yield from ((nth, subset) for nth in rng.sample(all_moments, each_subset))


def operations(start: Callable[[], object]) -> int:
    """How many file operations a start has."""
    with before_operation(0, lambda: None) as calls:
        start()
    return len(calls)


@pytest.fixture(scope="module")
def two_runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Content, Content]:
    """A run, with an earlier one in overwritten/ that looks alike; and the next run."""
    folder = tmp_path_factory.mktemp("runs")
    old, new = files(old_run(folder / "old").root), files(new_run(folder / "new").root)
    (folder / "summary").mkdir()
    old |= {"summary": None, "summary/trials.csv": b""}
    return old | below("overwritten/older", old), new


def below(folder: str, content: Content) -> Content:
    """That content in a folder of another name."""
    return {"overwritten": None, folder: None} | {f"{folder}/{name}": data for name, data in content.items()}


def of_run(content: Content) -> Content:
    """Without overwritten/ and what is no part of the run."""
    return {name: data for name, data in content.items() if name.split("/")[0] not in OTHERS}


@pytest.mark.parametrize("overwrite", [False, True])
def test_while_a_task_joins(
    two_runs: tuple[Content, Content],
    tmp_path: Path,
    rng: random.Random,
    overwrite: bool,  # noqa: FBT001
) -> None:
    old, new = two_runs
    content = new | below(f"overwritten/{OLD}", of_run(old))
    root = lay(tmp_path / "root", content)
    moments = operations(lambda: opened(root, overwrite=overwrite))
    for nth, subset in cases(moments, rng, each_moment=3, each_subset=1):
        with before_operation(nth, functools.partial(remove, root, subset)):
            assert opened(root, overwrite=overwrite) == NEW
        assert files(root) == new, (nth, subset)
        assert opened(root, overwrite=overwrite, name="second") == NEW
        assert files(root) == new, (nth, subset)
        lay(root, content)


def check_next(root: Path, run: str) -> None:
    """The old run was moved aside, nothing of it is in the root, and a second task joins the next."""
    assert run not in {OLD, "older"}
    for name in ("", "second"):
        if name:
            assert opened(root, overwrite=True, name=name) == run
        assert {path.name for path in root.iterdir()} - {*OTHERS, UNPUBLISHED} == {"neps.yaml"}
        assert is_moved(str(root), OLD)
        assert not list((root / "launches").rglob("trial.yaml")), "all of it has got to overwritten/"


def test_while_a_task_moves_the_old_run_aside(
    two_runs: tuple[Content, Content], tmp_path: Path, rng: random.Random
) -> None:
    old, _ = two_runs
    root = lay(tmp_path / "root", old)
    moments = operations(lambda: opened(root, overwrite=True))
    assert {"older", OLD} == {path.name for path in (root / "overwritten").iterdir()}
    for nth, subset in cases(moments, rng, each_moment=1, each_subset=1):
        lay(root, old)
        with before_operation(nth, functools.partial(remove, root, subset)):
            run = opened(root, overwrite=True)
        check_next(root, run)


def killed_movers(old: Content, root: Path) -> Iterator[Content]:
    """What movers leave that are killed before each of their operations."""
    for nth in itertools.count(1):
        lay(root, old)
        if not killed(nth, lambda: opened(root, overwrite=True, name="mover")):
            return
        yield files(root, without=())


@pytest.mark.parametrize("overwrite", [False, True])
def test_after_a_mover_was_killed(
    two_runs: tuple[Content, Content],
    tmp_path: Path,
    rng: random.Random,
    overwrite: bool,  # noqa: FBT001
) -> None:
    """Nothing has happened yet, and the old run is joined; or it was decided, and the next task finishes it."""
    old, _ = two_runs
    root = tmp_path / "root"
    left = list(killed_movers(old, root))
    for nth, subset in cases(len(left), rng, each_moment=1, each_subset=0):
        lay(root, left[nth - 1])
        remove(root, subset)
        check_task_after_mover(root, of_run(old), overwrite=overwrite)


def check_task_after_mover(root: Path, old: Content, *, overwrite: bool) -> None:
    run = opened(root, overwrite=overwrite)
    if run != OLD:
        check_next(root, run)
        return
    assert not overwrite
    assert files(root) == old
    assert opened(root, overwrite=False, name="second") == OLD
    assert files(root) == old


def test_while_a_task_starts_after_a_mover_was_killed(
    two_runs: tuple[Content, Content], tmp_path: Path, rng: random.Random
) -> None:
    """Three moments at once: of the mover's death, of the removal, and what was removed before it."""
    old, _ = two_runs
    root = tmp_path / "root"
    left = list(killed_movers(old, root))
    for _ in range(10_000 if EXHAUSTIVE else 100):
        lay(root, rng.choice(left))
        first, second, nth, overwrite = *rng.sample(SUBSETS, 2), rng.randrange(1, 100), rng.random() < 0.5
        print(first, second, nth, overwrite)
        remove(root, first)
        with before_operation(nth, functools.partial(remove, root, second)):
            run = opened(root, overwrite=overwrite)
        if run != OLD:
            check_next(root, run)
        else:
            assert not overwrite
            assert files(root) == of_run(old)


def evaluated(root: Path, most: int) -> list[float]:
    """What a task evaluates of a run of so many trials."""
    seen: list[float] = []

    def run_pipeline(x: float) -> float:
        seen.append(x)
        return x

    neps.run(
        run_pipeline,
        root,
        {"x": neps.Float(0, 1)},
        searcher="random_search",
        max_evaluations_total=most,
        overwrite_working_directory=True,
        progress=False,
        post_run_summary=False,
    )
    return seen


def test_no_trial_is_evaluated_again_by_a_task_that_meets_it(
    tmp_path: Path, rng: random.Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of a task's work, from neps.run to its end: it evaluates the third trial, and a later task nothing."""
    root = tmp_path / "root"
    for launch, most in (("launch-1", 3), ("launch-2", 2)):
        monkeypatch.setenv("NEPS_RUN_TOKEN", launch)
        assert len(evaluated(root, most)) == most
    content = files(root, without=())
    moments = operations(lambda: evaluated(root, 3))
    for nth, subset in cases(moments, rng, each_moment=1, each_subset=0):
        lay(root, content)
        with before_operation(nth, functools.partial(remove, root, subset)):
            assert len(evaluated(root, 3)) == 1, (nth, subset)
        assert evaluated(root, 3) == []
        kept = files(root)
        assert {name: kept[name] for name in of_run(content)} == of_run(content)
