"""What users enqueue: the queue as a value, what decisions make of it, and what is refused before it is written."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

import neps
from neps._deciding import checked_configs
from neps._deciding.given import completed
from neps._deciding.seeding import entry_generator
from neps._doctor.examination import examine
from neps._queue import Queue
from neps._trial import Decision, Entry, Status, Trial
from neps._views.status_json import read_fields
from neps.errors import ArgumentError, DefinitionMismatchError, DirectoryError
from neps.samplers import ASHA, FreezeThaw, GridSearch, Hyperband, PriorBand, RandomSearch
from neps.space import SearchSpace
from neps.testing import simulate

LINE = {"x": neps.Float(0, 1), "y": neps.Float(0, 1, default=0.25)}
EPOCHS = {"x": neps.Float(0, 1, default=0.5), "epochs": neps.Integer(1, 27, is_fidelity=True)}


def trial(number: int, entry: Entry | None = None, index: int | None = None) -> Trial:
    return Trial(number=number, decision=Decision(number=number, config={}, entry=entry, index=index))


def line(x: float, y: float) -> float:
    return x + y


def run(root: Path, total: int, **arguments: Any) -> neps.History:
    defaults: dict[str, Any] = {"searcher": "random_search", "seed": 1, "progress": False, "post_run_summary": False}
    given = {"pipeline_space": LINE} | defaults | arguments
    return neps.run(line, root, max_evaluations_total=total, **given)


# The queue


def test_each_entry_is_next_until_a_decision_has_taken_it_and_again_once_that_is_gone() -> None:
    queue = Queue()
    queue.add(1, [{"x": 1}, {"x": 2}])
    queue.seen(trial(1, Entry(1, 1)))
    assert (queue.next(2), queue.waiting, queue.total) == (Entry(1, 2), 1, 2)
    queue.gone(1)
    assert (queue.next(1), queue.waiting) == (Entry(1, 1), 2)


def test_a_list_that_is_seen_after_the_decision_that_takes_of_it() -> None:
    """A client may see the decision of a worker before the document that this worker has seen."""
    queue = Queue()
    queue.seen(trial(1, Entry(1, 1)))
    queue.add(1, [{"x": 1}, {"x": 2}])
    assert queue.next(2) == Entry(1, 2)


def test_of_the_samplers_own_decisions_none_is_made_twice_or_left_out() -> None:
    """Number 4 was drawn by somebody who didn't know that number 2 takes an entry; so 3 and 5 fill in."""
    queue = Queue()
    queue.add(1, [{"x": 1}])
    queue.seen(trial(1))
    queue.seen(trial(4))
    queue.seen(trial(2, Entry(1, 1)))
    assert queue.index(3) == 2
    queue.seen(trial(3, index=2))
    assert queue.index(5) == 3
    queue.seen(trial(5, index=3))
    assert queue.index(6) == 5
    queue.gone(3)
    assert queue.index(3) == 2


def test_a_damaged_decision_uses_its_number_up() -> None:
    queue = Queue([{"x": 1}])
    queue.seen(Trial(number=2, decision=None, status=Status.FAILED))
    assert (queue.next(1), queue.next(2), queue.index(3)) == (Entry(0, 1), None, 2)


# Decisions


def test_what_is_missing_is_the_default_or_drawn_by_the_seed() -> None:
    space = SearchSpace(LINE)
    histories = [simulate(RandomSearch(), space, lambda _: 0.0, 2, seed=s, first_configs=[{}, {}]) for s in (3, 3, 4)]
    configs = [[trial.config for trial in history] for history in histories]
    assert configs[0] == configs[1]
    assert {config["y"] for config in configs[0]} == {0.25}
    assert len({config["x"] for found in configs for config in found}) == 4


def test_a_grid_is_complete_whatever_is_enqueued() -> None:
    space, first = SearchSpace({"x": neps.Integer(1, 5)}), [{"x": 2}, {"x": 2}]
    history = simulate(GridSearch(steps_per_parameter=5), space, lambda _: 0.0, 99, first_configs=first)
    assert [trial.config["x"] for trial in history][:2] == [2, 2]
    assert {trial.config["x"] for trial in history.trials[2:]} == {1, 2, 3, 4, 5}
    assert len(history) == 7


@pytest.mark.parametrize("sampler", [Hyperband(), ASHA(), PriorBand()], ids=["hyperband", "asha", "priorband"])
def test_in_brackets_an_entry_has_a_place_from_which_it_is_promoted(sampler: Any) -> None:
    space = SearchSpace(EPOCHS)
    history = simulate(sampler, space, lambda config: abs(config["x"] - 0.9), 60, first_configs=[{"x": 0.9}])
    first = history.trials[0]
    assert first.enqueued
    assert (first.fidelity, first.place and first.place.rung) == (1, 0)
    assert any(trial.previous == 1 for trial in history)
    places = [trial.place for trial in history]
    assert len(set(places)) == len(places)


def test_the_default_configuration_begins_after_what_was_enqueued() -> None:
    first = [{"x": 0.1}, {"x": 0.2}]
    history = simulate(PriorBand(), SearchSpace(EPOCHS), lambda config: config["x"], 4, first_configs=first)
    assert [trial.config["x"] for trial in history][:3] == [0.1, 0.2, 0.5]
    assert [trial.decision.metadata["by"] for trial in history if trial.decision][:3] == ["user", "user", "default"]


def test_a_stated_fidelity_counts_and_freeze_thaw_goes_on_from_the_lowest() -> None:
    first = [{"x": 0.1, "epochs": 9}, {"x": 0.2}]
    for sampler in (Hyperband(), FreezeThaw()):
        history = simulate(sampler, SearchSpace(EPOCHS), lambda config: config["x"], 12, first_configs=first)
        assert [trial.fidelity for trial in history][:2] == [9, 1]
        assert history.trials[0].place is None


def test_nothing_changes_where_nothing_is_enqueued(tmp_path: Path) -> None:
    run(tmp_path, 2)
    fields = yaml.safe_load((tmp_path / "config_2/trial.yaml").read_text())
    assert not fields.keys() & {"batch", "entry", "index"}
    assert "first_configs" not in yaml.safe_load((tmp_path / "neps.yaml").read_text())
    assert not (tmp_path / "known").exists()


# A run


def test_entries_are_kept_through_a_restart_a_retry_and_a_lost_folder(tmp_path: Path) -> None:
    run(tmp_path, 1)
    assert neps.enqueue(tmp_path, [{"x": 0.5}, {"x": 0.75, "y": 1}]) == 2
    neps.enqueue(tmp_path, {"x": 1})
    history = run(tmp_path, 5)
    assert [trial.config["x"] for trial in history.trials[1:4]] == [0.5, 0.75, 1.0]
    assert [trial.enqueued for trial in history] == [False, True, True, True, False]
    assert history.to_dict()["trials"][1]["enqueued"] is True
    assert "enqueued" not in history.to_dict()["trials"][0]
    for path in sorted((tmp_path / "config_3").iterdir()):
        path.unlink()
    (tmp_path / "config_3").rmdir()
    again = run(tmp_path, 6)
    assert again.trials[2].config == {"x": 0.75, "y": 1.0}
    assert [trial.config for trial in again.trials[:5]] == [trial.config for trial in history]


def test_status_doctor_and_show_tell_of_the_queue(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(tmp_path, 1)
    neps.enqueue(tmp_path, [{"x": 0.5}, {"x": 0.75}])
    neps.status(tmp_path)
    out = capsys.readouterr().out
    assert "queue     2 configurations enqueued, 2 not decided yet" in out
    assert out.endswith("\n\nenqueued, not decided yet:\n  x=0.5\n  x=0.75\n")
    run(tmp_path, 2)
    neps.enqueue(tmp_path, [{"y": number / 16} for number in range(7)])
    neps.status(tmp_path)
    assert capsys.readouterr().out.endswith("\n  x=0.75\n  y=0\n  y=0.0625\n  y=0.125\n  y=0.1875\n  and 3 more\n")
    assert read_fields(tmp_path)["queue"] == {"enqueued": 9, "waiting": 8}
    run(tmp_path, 10)
    neps.status(tmp_path)
    assert "not decided yet" not in capsys.readouterr().out
    assert [each for each in examine(tmp_path, probe=False).findings if each.wrong] == []


def test_a_damaged_document_is_passed_over_and_the_doctor_names_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run(tmp_path, 1, lease_seconds=0.2)
    neps.enqueue(tmp_path, [{"x": 0.5}])
    neps.enqueue(tmp_path, [{"x": 0.75}])
    (document,) = tmp_path.glob("known/*/known_1.yaml")
    document.write_text("torn")
    wrong = [each for each in examine(tmp_path, probe=False).findings if each.wrong]
    assert [each.path for each in wrong] == [str(document)]
    with caplog.at_level(logging.WARNING):
        neps.run(lambda x, y: x + y, tmp_path, LINE, max_seconds_per_run=1.5, progress=False, post_run_summary=False)
    assert "is passed over" in caplog.text
    assert [trial.config["x"] for trial in neps.load(tmp_path) if trial.enqueued] == [0.75]


def test_what_somebody_has_edited_to_lie_outside_of_the_space_is_passed_over(tmp_path: Path) -> None:
    run(tmp_path, 1)
    neps.enqueue(tmp_path, [{"x": 0.5}])
    (document,) = tmp_path.glob("known/*/known_1.yaml")
    document.write_text(document.read_text().replace("0.5", "5"))
    assert not any(trial.enqueued for trial in run(tmp_path, 3))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([{"x": 0.5}, {"x": 2}], r"configs\[1\] doesn't belong to the search space: Parameter 'x'"),
        ([{"z": 0.5}], r"configs\[0\] doesn't belong to the search space: The configuration has 'z'"),
        ([0.5], r"configs\[0\] is 0\.5; it must be a mapping"),
        ("x", "configs is 'x'; it must be a list"),
    ],
)
def test_nothing_is_written_if_one_is_wrong(tmp_path: Path, given: Any, message: str) -> None:
    run(tmp_path, 1)
    with pytest.raises(ArgumentError, match=message):
        neps.enqueue(tmp_path, given)
    assert not (tmp_path / "known").exists()


def test_before_a_run_there_is_first_configs(tmp_path: Path) -> None:
    with pytest.raises(DirectoryError, match=r"pass first_configs to neps\.run"):
        neps.enqueue(tmp_path, [{"x": 0.5}])


def test_first_configs_are_part_of_what_defines_a_run(tmp_path: Path) -> None:
    first = [{"x": 0.5}, {"y": 1}]
    run(tmp_path, 1, first_configs=first)
    assert yaml.safe_load((tmp_path / "neps.yaml").read_text())["requires"] == ["first_configs"]
    run(tmp_path, 2, first_configs=first)
    assert [trial.enqueued for trial in run(tmp_path, 3)] == [True, True, False]
    with pytest.raises(
        DefinitionMismatchError, match="first_configs is 2 other configurations in the run: leave it out here"
    ):
        run(tmp_path, 4, first_configs=[{"x": 0.25}])
    with pytest.raises(ArgumentError, match=r"first_configs\[0\] doesn't belong"):
        run(tmp_path / "other", 4, first_configs=[{"x": 7}])
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("in_root", [False, True])
def test_ask_and_tell_takes_them_too(tmp_path: Path, *, in_root: bool) -> None:
    root = tmp_path / "root" if in_root else None
    search = neps.AskAndTell(LINE, root_directory=root, searcher="sobol", first_configs=[{"x": 0.5}])
    asked = search.ask()
    assert asked is not None
    assert (asked.config, asked.enqueued) == ({"x": 0.5, "y": 0.25}, True)
    if root is not None:
        neps.enqueue(root, {"x": 0.75})
        asked = search.ask()
        assert asked is not None
        assert asked.config["x"] == 0.75


def test_the_command_line_takes_yaml_and_json(tmp_path: Path) -> None:
    root = tmp_path / "root"
    run(root, 1)
    (tmp_path / "a.yaml").write_text("- x: 5e-1\n- {x: 0.75, y: 0}\n")
    (tmp_path / "b.json").write_text(json.dumps({"x": 1}))
    for name, said in (("a.yaml", "2 configurations enqueued"), ("b.json", "1 configuration enqueued")):
        command = [sys.executable, "-m", "neps", "enqueue", str(root), str(tmp_path / name)]
        assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == f"{said}\n"
    assert [trial.config["x"] for trial in run(root, 4).trials[1:]] == [0.5, 0.75, 1.0]


# Conditions, and what is forbidden


def test_what_is_forbidden_is_refused_before_it_is_written(tmp_path: Path) -> None:
    """Else no worker would take any of the list, and who has enqueued it would never know."""
    space = SearchSpace(LINE, forbid=[{"x": neps.at_least(0.5), "y": neps.at_least(0.5)}])
    run(tmp_path, 1, pipeline_space=space)
    with pytest.raises(ArgumentError, match=r"configs\[1\] .* is forbidden: x is at least 0.5 and y is at least 0.5"):
        neps.enqueue(tmp_path, [{"x": 0.25}, {"x": 0.75, "y": 0.75}])
    with pytest.raises(ArgumentError, match=r"configs\[0\] .* the value is 7.0, .* Nothing was written"):
        neps.enqueue(tmp_path, [{"x": 7}])
    assert neps.enqueue(tmp_path, [{"x": 0.75}]) == 1
    assert run(tmp_path, 2, pipeline_space=space).trials[1].config == {"x": 0.75, "y": 0.25}


@pytest.mark.parametrize("seed", range(8))
def test_a_part_of_a_branch_that_is_hardly_ever_drawn_is_completed_to_it(seed: int) -> None:
    """One draw of a million has both: who only draws anew would refuse it, or pass the check and then fail for ever."""
    space = SearchSpace(
        {
            "depth": neps.Integer(1, 1000),
            "width": neps.Integer(1, 1000, active_if={"depth": 7}),
            "x": neps.Float(0, 1, active_if={"width": neps.at_least(998)}),
        }
    )
    (given,) = checked_configs(space, [{"x": 0.5}], "configs")
    assert given == {"x": 0.5}
    config = completed(space, given, entry_generator(seed, Entry(1, 1)))
    assert config["depth"] == 7
    assert 998 <= config["width"] <= 1000  # type: ignore[operator]


def test_a_default_of_a_parent_brings_what_it_needs() -> None:
    space = SearchSpace(
        {"kind": neps.Categorical(list(range(1000)), default=3), "x": neps.Float(0, 1, active_if={"kind": 3})}
    )
    assert completed(space, {}, entry_generator(1, Entry(1, 1))).keys() == {"kind", "x"}
    with pytest.raises(ArgumentError, match="active only if kind is 3, and kind is 4"):
        checked_configs(space, [{"kind": 4, "x": 0.5}], "configs")


def test_what_has_passed_the_check_is_taken_however_rarely_a_draw_is_allowed() -> None:
    """The check finds a completion with its own draws, and others may find none."""
    good = completed(SearchSpace(LINE), {"y": 0.5}, entry_generator(0, Entry(0, 1)))["x"]
    space = SearchSpace(LINE, forbid=[lambda config: config["x"] != good])
    (given,) = checked_configs(space, [{"y": 0.5}], "configs")
    assert completed(space, given, entry_generator(5, Entry(2, 1))) == {"x": good, "y": 0.5}
