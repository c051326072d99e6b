"""Where a run may lie: what is part of a path stays inside the root, or is refused before anything is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import neps
from neps._api.arguments import root_path
from neps.errors import ArgumentError

LEADING_OUT = ["../../x", "a/../..", "..", ".", "/etc", "a/b", "a\\b"]
UNWRITABLE = ["", "a\0b", "a\nb", "\x1b[2J", "x" * 201, "\u20ac" * 70, "\ud800", 10**100, True, 1.5]


@pytest.mark.parametrize("name", ["task_id", "development_stage_id"])
@pytest.mark.parametrize("value", [*LEADING_OUT, *UNWRITABLE], ids=lambda value: f"{value!r:.20}")
def test_an_odd_id_is_refused(tmp_path: Path, name: str, value: Any) -> None:
    with pytest.raises(ArgumentError, match=f"{name} is ") as raised:
        root_path(tmp_path, **{name: value})
    assert len(str(raised.value)) < 400
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", [1, -1, "a", "..a", "a b", "ü", "x" * 200])
def test_an_id_is_part_of_one_name(tmp_path: Path, value: str | int) -> None:
    assert Path(root_path(tmp_path, value)).parent == tmp_path


def test_a_link_out_of_the_root_is_refused(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (root / "task_1").symlink_to("../outside")
    (root / "task_2").mkdir()
    (root / "task_2" / "dev_1").symlink_to("../../outside")
    (root / "task_3").symlink_to("task_2")
    for ids in ((1,), (2, 1), (3, 1)):
        with pytest.raises(ArgumentError, match=r"leads to .*outside"):
            neps.run(
                lambda x: x,
                root,
                {"x": neps.Float(0, 1)},
                searcher="random_search",
                max_evaluations_total=1,
                max_evaluations_per_run=None,
                **_named(*ids),
            )
    assert list(outside.iterdir()) == []
    assert root_path(root, 3).endswith("task_3")


def _named(task_id: int, development_stage_id: int | None = None) -> dict[str, Any]:
    return {"task_id": task_id, "development_stage_id": development_stage_id}


def test_the_root_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "root").symlink_to("there")
    assert root_path(tmp_path / "root", 1) == f"{tmp_path}/root/task_1"


def test_a_lease_that_no_thread_can_wait_for_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        ArgumentError, match=r"lease_seconds is 100000000000\.0; .* greater than 0 and at most 1,000,000,000"
    ):
        neps.run(
            lambda x: x,
            tmp_path,
            {"x": neps.Float(0, 1)},
            searcher="random_search",
            max_evaluations_total=1,
            lease_seconds=1e11,
        )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("root", ["a\0b", "x" * 256, "a/" + "x" * 256], ids=["zero", "long", "deep"])
def test_a_root_that_no_filesystem_can_hold_is_refused(root: str) -> None:
    with pytest.raises(ArgumentError, match="which no filesystem can hold"):
        root_path(root)


def test_a_seed_that_no_reader_believes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match=r"it must be at most 2\^128"):
        neps.run(
            lambda x: x,
            tmp_path / "a",
            {"x": neps.Float(0, 1)},
            searcher="random_search",
            max_evaluations_total=1,
            seed=2**128 + 1,
        )
    neps.run(
        lambda x: x,
        tmp_path / "b",
        {"x": neps.Float(0, 1)},
        searcher="random_search",
        max_evaluations_total=1,
        seed=2**128,
    )
    assert neps.load(tmp_path / "b").seed == 2**128


def test_a_space_that_no_reader_takes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="Make them smaller"):
        neps.run(
            _pipeline,
            tmp_path / "a",
            {"x": neps.Constant("x" * (1 << 22))},
            searcher="random_search",
            max_evaluations_total=1,
        )
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(
    ("value", "why"), [(10**1200, "which would be read as"), (10**4400, "Exceeds the limit")], ids=["1200", "4400"]
)
def test_what_would_be_read_as_something_else_is_refused_before_room_is_made_for_it(
    tmp_path: Path, value: int, why: str
) -> None:
    def start(constant: int) -> None:
        space = {"c": neps.Constant(constant), "x": neps.Float(0, 1)}
        neps.run(
            lambda c, x: x + bool(c),
            tmp_path / "a",
            space,
            searcher="random_search",
            max_evaluations_total=1,
            overwrite_working_directory=True,
        )

    with pytest.raises(ArgumentError, match=why):
        start(value)
    assert not (tmp_path / "a/neps.yaml").exists()
    start(7)
    before = (tmp_path / "a/neps.yaml").read_bytes()
    with pytest.raises(ArgumentError, match="Make them smaller"):
        start(value)
    assert (tmp_path / "a/neps.yaml").read_bytes() == before


def test_a_launch_whose_name_is_too_long_moves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def start() -> None:
        neps.run(
            _float,
            tmp_path,
            {"x": neps.Float(0, 1)},
            searcher="random_search",
            max_evaluations_total=1,
            overwrite_working_directory=True,
        )

    start()
    before = (tmp_path / "neps.yaml").read_bytes()
    monkeypatch.setenv("NEPS_RUN_TOKEN", "t" * 2000)
    with pytest.raises(ArgumentError, match=r"NEPS_RUN_TOKEN is 'ttt.* of 2000 characters; it must have at most 985"):
        start()
    assert (tmp_path / "neps.yaml").read_bytes() == before


@pytest.mark.parametrize("name", ["lease_seconds", "loss_value_on_error", "max_cost_total", "expected_cost"])
@pytest.mark.parametrize("value", [10**400, -(10**5000)], ids=["large", "long"])
def test_a_number_beyond_all_floats_is_refused(tmp_path: Path, name: str, value: int) -> None:
    with pytest.raises(ArgumentError, match=f"{name} is .*; it must be a finite number"):
        neps.run(
            _float,
            tmp_path / "a",
            {"x": neps.Float(0, 1)},
            searcher="random_search",
            max_evaluations_total=1,
            **{name: value},  # type: ignore[arg-type]
        )
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("searcher", ["default", "hyperband", "asha", "priorband"])
def test_a_fidelity_of_more_rungs_than_floats_is_refused(tmp_path: Path, searcher: str) -> None:
    space = {"x": neps.Float(0, 1, default=0.5), "e": neps.Float(1e-300, 1e300, is_fidelity=True)}
    if searcher == "default":
        space["x"] = neps.Float(0, 1)
    with pytest.raises(ArgumentError, match="the ratio of its bounds must fit in a float"):
        neps.run(lambda x, e: x + e, tmp_path / "a", space, searcher=searcher, max_evaluations_total=1)
    assert not (tmp_path / "a").exists()


def test_many_choices_take_linear_time() -> None:
    """The square of 100,000 would be a minute."""
    assert len(neps.Categorical(list(range(100_000))).choices) == 100_000


def _pipeline(x: str) -> float:
    return float(len(x))


def _float(x: float) -> float:
    return x
