"""Roots that were moved, copied, robbed of `.neps/` or damaged: the run goes on or refuses politely, losing nothing."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from neps.errors import DirectoryError, FormatVersionError
from rigs.processes import Fleet
from stress.crew import Crew
from stress.evidence import assert_complete, evaluations, numbers, result, results, tree
from stress.share import Share
from stress.team import END, nursery

LEASE = 0.6
BEFORE = 5
AFTER = 10
INDEPENDENT = {"max_evaluations_total": AFTER}
IN_TURN = {"max_cost_total": AFTER}

claiming = pytest.mark.parametrize("arguments", [INDEPENDENT, IN_TURN], ids=["independent", "in turn"])


def work(root: Path, arguments: dict[str, Any]) -> None:
    Share(root, {"lease_seconds": LEASE, **arguments}, {"cost": 1}).work()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root with 5 finished trials, whose run can go on to 10."""
    root = tmp_path / "root"
    work(root, {"max_evaluations_total": BEFORE})
    assert_complete(root, BEFORE)
    return root


def assert_unchanged(root: Path, before: dict[str, str | None]) -> None:
    after = tree(root)
    assert {path: after.get(path, "lost") for path in before if ".neps" not in path} == {
        path: content for path, content in before.items() if ".neps" not in path
    }


# Moved, copied, robbed


def move(root: Path, target: Path) -> Path:
    target.parent.mkdir()
    return root.rename(target)


def copy(root: Path, target: Path) -> Path:
    shutil.copytree(root, target)
    shutil.rmtree(root)
    return target


def link(root: Path, target: Path) -> Path:
    target.parent.mkdir()
    target.symlink_to(root)
    return target


@pytest.mark.parametrize("displace", [move, copy, link])
@claiming
def test_a_root_that_was_moved(
    root: Path, tmp_path: Path, displace: Callable[[Path, Path], Path], arguments: dict[str, Any]
) -> None:
    before = tree(root)
    displaced = displace(root, tmp_path / "else" / "where")
    work(displaced, arguments)
    assert_unchanged(displaced, before)
    assert numbers(displaced) == list(range(1, AFTER + 1))
    assert evaluations(displaced) == dict.fromkeys(range(BEFORE + 1, AFTER + 1), 1)
    assert results(displaced) == {"success": AFTER}


@claiming
def test_a_root_without_its_hidden_folder(root: Path, arguments: dict[str, Any]) -> None:
    shutil.rmtree(root / ".neps")
    work(root, arguments)
    assert_complete(root, AFTER)


@claiming
def test_the_hidden_folder_is_deleted_while_workers_run(
    fleet: Fleet, tmp_path: Path, arguments: dict[str, Any]
) -> None:
    root, size = tmp_path / "root", 100
    budget = dict.fromkeys(arguments, size)
    crowd = nursery(fleet, Share(root, {**budget, "expected_cost": 1}, {"cost": 1}), 4)
    deleted = 0
    while crowd.exit_code is None:
        if (root / ".neps").exists():
            shutil.rmtree(root / ".neps", ignore_errors=True)
            deleted += 1
    assert crowd.stdout.split() == ["0"] * 4, crowd.stderr
    assert deleted > 1
    assert_complete(root, size)


# Damaged documents of one trial


def torn(content: bytes) -> bytes:
    return content[: len(content) // 2]


def empty(content: bytes) -> bytes:
    return b""


def zeros(content: bytes) -> bytes:
    return b"\0" * len(content)


def foreign(content: bytes) -> bytes:
    return b"<html><body>404</body></html>\n"


def a_list(content: bytes) -> bytes:
    return b"- format_version: 1\n...\n"


def of_the_future(content: bytes) -> bytes:
    return content.replace(b"format_version: 1\n", b"format_version: 99\n")


def without_fields(content: bytes) -> bytes:
    return b"format_version: 1\n...\n"


damages = pytest.mark.parametrize("damage", [torn, empty, zeros, foreign, a_list, of_the_future, without_fields])
Damage = Callable[[bytes], bytes]


def replace(path: Path, damage: Damage) -> None:
    """By another file (result.yaml and the attempt's end are one under two names); no results cache makes up for it."""
    shutil.rmtree(path.parents[1] / ".neps", ignore_errors=True)
    content = damage(path.read_bytes())
    path.unlink()
    path.write_bytes(content)


def assert_goes_on(root: Path, arguments: dict[str, Any]) -> None:
    """The run ends at its budget, evaluates nothing again, and what was there stays as it was."""
    before = tree(root)
    work(root, arguments)
    assert_unchanged(root, before)
    assert numbers(root) == list(range(1, AFTER + 1))
    assert evaluations(root) == dict.fromkeys(range(1, AFTER + 1), 1)


@damages
@claiming
@pytest.mark.parametrize("name", ["result.yaml", "attempt_1.end.yaml"])
def test_one_of_the_two_names_of_a_result(root: Path, damage: Damage, arguments: dict[str, Any], name: str) -> None:
    """Nothing is lost: the other name tells."""
    replace(root / "config_3" / name, damage)
    assert_goes_on(root, arguments)
    assert len(neps_load(root).succeeded) == AFTER


@damages
@claiming
def test_both_names_of_a_result(
    root: Path, damage: Damage, arguments: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    shutil.rmtree(root / ".neps")
    path = root / "config_3" / "result.yaml"
    path.write_bytes(damage(path.read_bytes()))
    with caplog.at_level(logging.WARNING, "neps"):
        assert_goes_on(root, arguments)
    assert str(root / "config_3") in caplog.text
    assert len(neps_load(root).succeeded) == AFTER - 1


@damages
def test_a_decision(root: Path, damage: Damage, caplog: pytest.LogCaptureFixture) -> None:
    replace(root / "config_3" / "trial.yaml", damage)
    with caplog.at_level(logging.WARNING, "neps"):
        assert_goes_on(root, IN_TURN)
    assert str(root / "config_3") in caplog.text
    assert len(neps_load(root).succeeded) >= AFTER - 1


@damages
def test_a_decision_where_only_numbers_matter(root: Path, damage: Damage) -> None:
    replace(root / "config_3" / "trial.yaml", damage)
    assert_goes_on(root, INDEPENDENT)


@damages
@claiming
def test_a_decision_without_a_result(
    root: Path, damage: Damage, arguments: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Its number is used up; the verdict is published, so that all workers, now and later, agree."""
    folder = root / "config_6"
    folder.mkdir()
    path = folder / "trial.yaml"
    path.write_bytes(damage((root / "config_5" / "trial.yaml").read_bytes()))
    before = tree(root)
    with caplog.at_level(logging.WARNING, "neps"):
        work(root, arguments)
    assert_unchanged(root, before)
    assert str(folder) in caplog.text
    assert numbers(root) == list(range(1, AFTER + 1))
    assert evaluations(root) == {number: 1 for number in numbers(root) if number != BEFORE + 1}
    assert result(root, 6)["status"] == "failed"
    assert result(root, 6)["end"] == "damaged"
    history = neps_load(root)
    assert history.by_number[6].status == "failed"
    assert len(history.succeeded) == AFTER - 1


def neps_load(root: Path) -> Any:
    import neps

    return neps.load(root)


# Damaged definitions


@pytest.fixture
def crew(fleet: Fleet, tmp_path: Path) -> Iterator[Crew]:
    with Crew(fleet, tmp_path / "crew", 6) as crew:
        yield crew


def test_a_definition_of_the_future(root: Path) -> None:
    replace(root / "neps.yaml", of_the_future)
    before = tree(root)
    with pytest.raises(FormatVersionError, match="format version 99"):
        work(root, INDEPENDENT)
    assert tree(root) == before


def test_other_damaged_definitions(crew: Crew, root: Path, tmp_path: Path) -> None:
    """All at once, since it is waited for each to become whole."""
    roots = []
    for damage in (torn, empty, zeros, foreign, without_fields, None):
        damaged = shutil.copytree(root, tmp_path / f"{damage.__name__ if damage else 'missing'}")
        if damage:
            replace(damaged / "neps.yaml", damage)
        else:
            (damaged / "neps.yaml").unlink()
        roots.append(damaged)
    before = list(map(tree, roots))
    for raised in crew.run([Share(damaged, INDEPENDENT) for damaged in roots]):
        assert raised is not None
        assert raised.startswith(DirectoryError.__name__)
        assert "neps.yaml" in raised
    assert list(map(tree, roots)) == before


# Things that don't belong there


@claiming
def test_foreign_names(root: Path, arguments: dict[str, Any]) -> None:
    for folder in ("config_0", "config_007", "config_x", "config_", "config_-1", "config_1 copy", "plots/config_3"):
        (root / folder).mkdir(parents=True)
    for file in ("notes.txt", ".hidden", "config_8.yaml", "config_2/model.pt", "config_2/trial.yaml~", "plots/x.png"):
        (root / file).write_bytes(b"mine")
    before = tree(root)
    work(root, arguments)
    assert_unchanged(root, before)
    assert evaluations(root) == dict.fromkeys(range(1, AFTER + 1), 1)
    assert len(neps_load(root).succeeded) == AFTER


@claiming
@pytest.mark.parametrize("number", [6, 7])
def test_a_file_in_the_place_of_a_trial(
    root: Path, arguments: dict[str, Any], number: int, caplog: pytest.LogCaptureFixture
) -> None:
    place = root / f"config_{number}"
    place.write_text("mine")
    with caplog.at_level(logging.WARNING, "neps"):
        work(root, arguments)
    assert place.read_text() == "mine"
    assert str(place) in caplog.text
    assert numbers(root) == list(range(1, AFTER + 1))
    assert evaluations(root) == {n: 1 for n in numbers(root) if n != number}


@claiming
@pytest.mark.parametrize("number", [7, AFTER + 40])
def test_an_empty_folder_ahead(fleet: Fleet, tmp_path: Path, arguments: dict[str, Any], number: int) -> None:
    """A half claim above others, as a crash of the filesystem may leave it, or beyond a budget that was lowered."""
    root = tmp_path / "root"
    Share(root, {"max_evaluations_total": BEFORE}, {"cost": 1}).work()  # a lease that two busy workers keep
    (root / f"config_{number}").mkdir()
    crowd = nursery(fleet, Share(root, arguments, {"cost": 1}), 2)
    assert crowd.wait(END) == 0
    assert evaluations(root) == dict.fromkeys(range(1, AFTER + 1), 1)
    assert results(root) == {"success": AFTER}


@claiming
def test_a_trial_folder_that_was_deleted(root: Path, arguments: dict[str, Any]) -> None:
    """Numbers have no gaps: it is decided again, or left out, but nobody stumbles."""
    shutil.rmtree(root / "config_3")
    work(root, arguments)
    assert set(numbers(root)) >= set(range(1, AFTER + 1)) - {3}
    assert results(root)["success"] == len(numbers(root))
