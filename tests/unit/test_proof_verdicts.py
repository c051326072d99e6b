"""What the proofs would find wrong: a verdict that finds nothing in a broken root would prove nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from system_calls.checking import Allowed, Expected, seen, wrong
from system_calls.place import Place
from system_calls.training import CHECKPOINT
from torn_power.verdict import lost

END = "...\n"


def write(path: Path, **fields: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(fields) + END)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A run of one trial that was evaluated once, without any trouble."""
    place = Place(tmp_path)
    folder = place.root / "config_1"
    write(place.root / "neps.yaml", run="r")
    write(folder / "trial.yaml", number=1)
    for name in ("attempt_1.end.yaml", "result.yaml"):
        write(folder / name, attempt=1, end="result", status="success", loss=0.5, info_dict={"evaluation": "e"})
    (folder / CHECKPOINT).write_text("2 epochs\n")
    place.tell("begin", 1, "e", epoch=0, previous=None)
    place.tell("saved", 1, "e", epoch=2)
    place.tell("returned", 1, "e", loss=0.5)
    place.tell("ended", 1, "e", status="success", loss=0.5)
    return place


@pytest.fixture
def expected(place: Place) -> Expected:
    return seen(place, 1)


def rewrite(path: Path, **fields: object) -> None:
    write(path, **{**yaml.safe_load(path.read_text()), **fields})


BREAK: dict[str, Callable[[Place], object]] = {
    "a document can't be read": lambda place: (place.root / "config_1" / "trial.yaml").write_text("number: 1\n"),
    "numbers [1, 2] instead of 1 to 1": lambda place: (place.root / "config_2").mkdir(),
    "trial 1 has no success": lambda place: (place.root / "config_1" / "result.yaml").unlink(),
    "trial 1 was announced with loss": lambda place: rewrite(place.root / "config_1" / "result.yaml", loss=0.25),
    "is not what an evaluation has returned": lambda place: rewrite(
        place.root / "config_1" / "result.yaml", info_dict={"evaluation": "another"}
    ),
    "evaluations of each trial, instead of {1: 1}": lambda place: place.tell("begin", 1, "f", epoch=2, previous=None),
    "1 deaths instead of 0": lambda place: write(place.root / "config_1" / "attempt_2.end.yaml", attempt=2, end="died"),
    "began at epoch 0; 2 were saved": lambda place: place.tell("begin", 1, "f", epoch=0, previous=None),
    "a torn checkpoint": lambda place: (place.root / "config_1" / CHECKPOINT).write_text("2 ep"),
    "left behind: .neps.yaml.me": lambda place: (place.root / ".neps.yaml.me").touch(),
    "1 earlier runs, instead of 0": lambda place: write(place.root / "overwritten" / "r" / "neps.yaml", run="r"),
}


def test_nothing_is_wrong_with_a_calm_run(place: Place, expected: Expected) -> None:
    assert list(wrong(place, expected, Allowed())) == []


@pytest.mark.parametrize("says", BREAK)
def test_what_is_wrong_is_found(place: Place, expected: Expected, says: str) -> None:
    BREAK[says](place)
    assert any(says in why for why in wrong(place, expected, Allowed()))


def test_a_fault_may_cost_what_is_allowed(place: Place, expected: Expected) -> None:
    place.tell("begin", 1, "f", epoch=2, previous=None)
    write(place.root / "config_1" / "attempt_2.end.yaml", attempt=2, end="died")
    (place.root / ".neps.yaml.me").touch()
    assert list(wrong(place, expected, Allowed(evaluations=1, deaths=1, staged=1))) == []


def test_what_a_power_cut_has_lost_is_found(place: Place) -> None:
    told = place.told()
    assert list(lost(place.root, told, keeps=True)) == []
    (place.root / "config_1" / CHECKPOINT).unlink()
    assert list(lost(place.root, told, keeps=False)) == []
    assert list(lost(place.root, told, keeps=True)) == ["the checkpoint of trial 1 is of epoch None, not 2"]
    (place.root / "config_1" / "result.yaml").unlink()
    assert list(lost(place.root, told, keeps=False)) == ["trial 1 was announced with loss 0.5, and has None"]
