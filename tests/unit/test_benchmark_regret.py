"""The regret benchmark: what is run and recorded, how drivers that misbehave end, and ranks on numbers made by hand."""

from __future__ import annotations

import dataclasses
import fcntl
import json
import math
import os
import signal
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

import numpy as np
import pytest

from benchmarks.driving.campaign import Campaign, Request, requests
from benchmarks.driving.command_line import put, seeds
from benchmarks.driving.environments import variables
from benchmarks.driving.results import VERSIONS, Key, Results
from benchmarks.problems.problem import Problem, real
from benchmarks.regret.methods import Method, find
from benchmarks.regret.ranking import Ranking
from benchmarks.regret.record import Record, results_in
from benchmarks.regret.running import perform
from benchmarks.regret.study import FLOOR, Study
from benchmarks.regret.tables import missing, tables
from benchmarks.same.__main__ import compared, note
from rigs.waiting import wait_until

_BOWL = Problem("bowl", (real("x", -1, 1),), lambda config: config["x"] ** 2, optimum=0.0)
_NOISY = Problem("noisy", (real("x", -1, 1),), lambda config: config["x"] ** 2, optimum=0.0, noise=1.0)
_DRIVER = """
import json, os, sys, time
print(json.dumps({"version": "1.0"}), flush=True)
task = json.loads(sys.stdin.readline())
for number in range(task["evaluations"]):
    BEFORE
    print(json.dumps({"evaluate": {"x": 1 / (number + 1)}, "cpu": 0.25}), flush=True)
    json.loads(sys.stdin.readline())
"""


def _method(folder: Path, before: str = "pass", *, name: str = "fake", seeds: int = 2, evaluations: int = 3) -> Method:
    """A method whose driver does `before` ahead of each evaluation."""
    driver = folder / f"{name}_driver.py"
    driver.write_text(_DRIVER.replace("BEFORE", before), encoding="utf-8")
    return Method(name, str(driver), "own", seeds, evaluations)


def _campaign(
    results: Results[Record], wanted: Sequence[Request[Problem, Method]], run_seconds: float = 60
) -> Campaign[Problem, Method, Record]:
    campaign = Campaign(results, perform, jobs=1, run_seconds=run_seconds, seconds=math.inf)
    campaign.run(wanted)
    return campaign


def _record(method: str, seed: int, losses: Sequence[float], *, problem: str = "bowl", version: str = "1.0") -> Record:
    return Record(Key(problem, method, version, seed), losses, [0.5] * len(losses))


def _study(tmp_path: Path, records: Sequence[Record], methods: Sequence[Method], **versions: str) -> Study:
    results = results_in(tmp_path)
    for record in records:
        results.append(record)
    return Study.read(results, [_BOWL], methods, versions)


# ------------------------------------------------------------------------------------------------------- running


def test_a_run_is_recorded_as_it_went_and_never_made_again_unless_longer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results, method = results_in(tmp_path / "results"), _method(tmp_path)
    assert _campaign(results, requests([method], [_BOWL], [4], 3)).made == 1
    assert results.read("fake") == [Record(Key("bowl", "fake", "1.0", 4), [1, 0.25, 0.1111111111], [0.25] * 3)]
    assert _campaign(results, requests([method], [_BOWL], [4], 2)).made == 0
    assert "0 runs are missing" in capsys.readouterr().out
    assert _campaign(results, requests([method], [_BOWL], [4], 4)).made == 1
    assert [record.evaluations for record in results.read("fake")] == [4]


def test_the_noise_of_a_problem_is_the_same_for_each_method_and_its_values_have_none(tmp_path: Path) -> None:
    results = results_in(tmp_path / "results")
    methods = [_method(tmp_path), _method(tmp_path, name="other")]
    _campaign(results, requests(methods, [_NOISY], [0, 1], 3))
    (first, second), (same, _) = results.read("fake"), results.read("other")
    assert first.losses == same.losses != second.losses
    assert first.values == second.values == [1, 0.25, 0.1111111111]


@pytest.mark.parametrize(
    ("before", "message"),
    [
        ("sys.exit('no memory' if number else 0)", "exit status 0"),
        ("number and sys.exit('no memory')", "exit status 1. Its last lines:\n    no memory"),
        ("number and os.abort()", "exit status -6"),
        ("print('hello', flush=True)", "b'hello', which is not JSON"),
        ("number = -0.5", "suggested x=2.0, outside of {'name': 'x'"),
    ],
)
def test_a_driver_that_fails_is_reported_and_nothing_recorded(tmp_path: Path, before: str, message: str) -> None:
    results = results_in(tmp_path / "results")
    campaign = _campaign(results, requests([_method(tmp_path, before)], [_BOWL], [0], 3))
    assert campaign.made == 0
    assert len(campaign.failures) == 1
    assert message in campaign.failures[0]
    assert results.read("fake") == []


def test_a_method_that_cannot_start_does_not_keep_others_from_running(tmp_path: Path) -> None:
    methods = [Method("gone", str(tmp_path / "gone.py"), "own"), _method(tmp_path)]
    campaign = _campaign(results_in(tmp_path / "results"), requests(methods, [_BOWL], [0], 3))
    assert campaign.made == 1
    assert campaign.failures[0].startswith("gone cannot be started: the driver ended early, with exit status 2")


def test_a_driver_that_hangs_is_killed_with_all_that_it_started_and_not_tried_again(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    child = f"import fcntl, subprocess; held = open({str(lock)!r}, 'w'); fcntl.flock(held, fcntl.LOCK_EX)"
    hang = f"{child}; subprocess.Popen(['sleep', '60'], pass_fds=[held.fileno()]); time.sleep(60)"
    results, method = results_in(tmp_path / "results"), _method(tmp_path, hang)
    campaign = _campaign(results, requests([method], [_BOWL], [0, 1], 3), run_seconds=0.6)
    assert [failure.split(": ")[1] for failure in campaign.failures] == [
        "killed at the limit of 0.01 minutes",
        "not started, since another seed ran out of time",
    ]
    with lock.open() as file:
        wait_until(lambda: _locks(file), 10, "all that held the lock to be gone")


def test_a_signal_ends_the_run_that_is_under_way_and_starts_no_other(tmp_path: Path) -> None:
    method = _method(tmp_path, "number and (os.kill(os.getppid(), 15), time.sleep(60))")
    before = signal.getsignal(signal.SIGTERM)
    campaign = _campaign(results_in(tmp_path / "results"), requests([method], [_BOWL], [0, 1], 3))
    assert (campaign.stopped, campaign.made, campaign.failures) == (True, 0, [])
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_driver_finds_no_modules_of_the_benchmark(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a driver of a published neps would run this one."""
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert "PYTHONPATH" not in variables()
    assert variables()["OMP_NUM_THREADS"] == "1"
    assert variables()["PATH"] == os.environ["PATH"]


def test_seeds_are_the_outer_loop_and_each_method_has_its_own_number_of_them() -> None:
    many, few = Method("many", "", "own", seeds=2, evaluations=100), Method("few", "", "own", seeds=1, evaluations=50)
    order = [
        (r.seed, r.problem.name, r.method.name, r.evaluations)
        for r in requests([many, few], [_BOWL, _NOISY], None, None)
    ]
    assert order == [
        (0, "bowl", "many", 100),
        (0, "bowl", "few", 50),
        (0, "noisy", "many", 100),
        (0, "noisy", "few", 50),
        (1, "bowl", "many", 100),
        (1, "noisy", "many", 100),
    ]


@pytest.mark.parametrize(("text", "expected"), [("0-3", [0, 1, 2, 3]), ("7", [7]), ("0,4", [0, 4])])
def test_seeds_are_given_as_a_range_or_a_list(text: str, expected: list[int]) -> None:
    assert seeds(text) == expected


def test_any_searcher_of_this_repository_is_a_method() -> None:
    assert find("neps-random-search").environment == "own"
    with pytest.raises(SystemExit, match=r"no method 'neps-0\.18'"):
        find("neps-0.18")


# ------------------------------------------------------------------------------------------------------- results


def test_records_that_are_appended_at_once_are_all_there(tmp_path: Path) -> None:
    records = [_record("a", seed, [0.1 * seed] * 2000) for seed in range(40)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(results_in(tmp_path).append, records))
    assert {record.key.seed for record in results_in(tmp_path).read("a")} == set(range(40))


def test_a_failed_evaluation_is_recorded_and_never_the_incumbent(tmp_path: Path) -> None:
    results_in(tmp_path).append(_record("a", 0, [math.nan, 2.0, math.nan, 1.0]))
    assert '"losses": [null, 2.0, null, 1.0]' in (tmp_path / "a.jsonl").read_text(encoding="utf-8")
    (record,) = results_in(tmp_path).read("a")
    assert record.incumbents() == pytest.approx([math.nan, 2, 2, 1], nan_ok=True)


def test_the_incumbent_is_chosen_by_what_was_observed_and_judged_by_its_value() -> None:
    record = Record(Key("noisy", "a", "1", 0), [3.0, 1.0, 2.0], [0.1] * 3, values=[0.5, 2.0, 0.1])
    assert record.incumbents() == [0.5, 2.0, 2.0]


def test_runs_of_a_version_that_is_the_same_as_a_later_one_are_read_as_its(tmp_path: Path) -> None:
    results, again = results_in(tmp_path / "recorded"), results_in(tmp_path / "again")
    for version, seed in (("0.8", 0), ("0.9", 0), ("0.9", 1)):
        results.append(_record("neps", seed, [3.0, 2.0], version=version))
        results.append(_record("random", seed, [3.0, 2.0], version=version))
    for method, loss in (("neps", 2.0), ("random", 2.5)):
        again.append(dataclasses.replace(_record(method, 1, [3.0, loss], version="1.0"), cpu=[0.1, 0.1]))
    found = compared(results.folder, again.folder)
    assert [str(each) for each in found] == [
        "neps, 0.9 and 1.0: 1 runs are the same",
        "random, 0.9 and 1.0: 0 runs are the same, but 1 differ: bowl, seed 1: 2.0 and 2.5 at evaluation 2",
    ]
    note(results.folder, found)
    assert [record.key.version for record in results.read("neps")] == ["0.8", "1.0", "1.0"]
    assert [record.key.version for record in results.read("random")] == ["0.8", "0.9", "0.9"]
    assert results.has(Key("bowl", "neps", "1.0", 0), 2)


def test_problems_whose_losses_depend_on_the_machine_can_be_left_out(tmp_path: Path) -> None:
    for folder, loss in (("recorded", 1.0), ("again", 2.0)):
        results_in(tmp_path / folder).append(_record("neps", 0, [loss], version=folder))
        results_in(tmp_path / folder).append(_record("neps", 0, [7.0], problem="other", version=folder))
    found = compared(tmp_path / "recorded", tmp_path / "again", ["bowl"])
    note(tmp_path / "recorded", found, ["bowl"])
    assert json.loads((tmp_path / "recorded" / VERSIONS).read_text())["neps"] == {
        "from": "recorded",
        "to": "again",
        "same runs": 1,
        "not compared": ["bowl"],
    }


def test_a_broken_line_is_named(tmp_path: Path) -> None:
    results_in(tmp_path).append(_record("a", 0, [1.0]))
    with (tmp_path / "a.jsonl").open("a") as file:
        file.write('{"problem": "bo')
    with pytest.raises(SystemExit, match=r"a\.jsonl, line 2 is no record"):
        results_in(tmp_path).read("a")


# ------------------------------------------------------------------------------------------------------- ranking

_A, _B, _C = (Method(name, "", "own", seeds=2, evaluations=2) for name in "abc")


def test_ranks_share_ties_and_the_rounding_of_a_problem_is_one(tmp_path: Path) -> None:
    records = [_record("a", 0, [1.0, FLOOR / 8]), _record("b", 0, [1.0, FLOOR / 2]), _record("c", 0, [math.nan, 0.5])]
    ranking = Ranking.of(_study(tmp_path, records, [_A, _B, _C]), [_A, _B, _C], 2)
    assert ranking.mean().tolist() == [[1.5, 1.5, 3], [1.5, 1.5, 3]]


def test_methods_are_ranked_on_the_seeds_that_all_have(tmp_path: Path) -> None:
    records = [_record("a", 0, [1.0, 1.0]), _record("a", 1, [9.0, 9.0]), _record("b", 0, [2.0, 0.5])]
    records += [_record("b", 1, [0.1])]  # too short
    ranking = Ranking.of(_study(tmp_path, records, [_A, _B, _C]), [_A, _B, _C], 2)
    assert [method.name for method in ranking.methods] == ["a", "b"]
    assert ranking.seeds() == [1]
    assert ranking.mean().tolist() == [[1, 2], [2, 1]]


def test_means_are_over_seeds_first() -> None:
    first, second = np.array([[[1.0, 2.0]]]), np.array([[[2.0, 1.0]]] * 3)
    assert Ranking([_A, _B], [_BOWL, _BOWL], [first, second]).mean().tolist() == [[1.5, 1.5]]


def test_intervals_span_what_problems_and_seeds_leave_open() -> None:
    always, never = np.array([[[1.0, 2.0]]] * 4), np.array([[[2.0, 1.0]]] * 4)
    certain = Ranking([_A, _B], [_BOWL] * 2, [always, always])
    assert [end.tolist() for end in certain.interval()] == [[[1, 2]], [[1, 2]]]
    by_problem = Ranking([_A, _B], [_BOWL] * 2, [always, never])
    assert [end.tolist() for end in by_problem.interval()] == [[[1, 1]], [[2, 2]]]
    by_seed = Ranking([_A, _B], [_BOWL], [np.concatenate([always, never])])
    assert [end[0, 0] for end in by_seed.interval()] == [1 + 1 / 8, 1 + 7 / 8]  # binomial: how often 2 is drawn, of 8


# -------------------------------------------------------------------------------------------------------- tables


def test_a_study_has_the_version_recorded_last_unless_told_otherwise(tmp_path: Path) -> None:
    records = [_record("a", 0, [3.0]), _record("a", 0, [2.0], version="2.0"), _record("a", 1, [1.0], version="2.0")]
    assert dict(_study(tmp_path, records, [_A]).of(_BOWL, _A)) == {0: records[1], 1: records[2]}
    assert dict(_study(tmp_path, [], [_A], a="1.0").of(_BOWL, _A)) == {0: records[0]}


def test_tables_mark_the_best_and_the_last_that_models(tmp_path: Path) -> None:
    methods = [_A, _B, Method("random", "", "own", seeds=1, evaluations=100, models=False)]
    records = [_record("a", 0, [0.1] * 100), _record("b", 0, [0.01] * 100), _record("random", 0, [0.1] * 100)]
    text = tables(_study(tmp_path, records, methods))
    assert "| bowl | -1.00 ▼ | **-2.00** | -1.00 |" in text
    assert "| b | 1.00 [1.00, 1.00] | 1.00 [1.00, 1.00] |" in text
    assert "| a | 0.5 | 0.5 | 0.5 |" in text


def test_runs_that_are_missing_are_counted_and_how_to_make_them(tmp_path: Path) -> None:
    records = [_record("a", 0, [1.0, 1.0]), _record("b", 0, [1.0, 1.0]), _record("b", 1, [1.0, 1.0])]
    lines = missing(_study(tmp_path, records, [_A, _B, _C]))
    assert lines[1:3] == ["  a: 1 of 2 runs of 2 evaluations", "  c: 2 of 2 runs of 2 evaluations"]
    assert lines[3].endswith("run --methods a,c")


def test_tables_are_put_between_the_marks_of_a_page(tmp_path: Path) -> None:
    page, begin, end = tmp_path / "page.md", "<!-- regret tables: begin -->", "<!-- regret tables: end -->"
    assert put("new", page, "regret tables").startswith("Not written")
    page.write_text(f"before\n{begin}\nold\n{end}\nafter\n", encoding="utf-8")
    assert put("new\n", page, "regret tables").startswith("Written")
    assert page.read_text(encoding="utf-8") == f"before\n{begin}\n\nnew\n\n{end}\nafter\n"


def test_both_figures_are_drawn_without_a_date(tmp_path: Path) -> None:
    from benchmarks.regret.plots import plots  # matplotlib takes a while

    study = _study(tmp_path, [_record(name, 0, [1.0, 0.5]) for name in "ab"], [_A, _B])
    paths = plots(study, tmp_path / "figures")
    assert [path.name for path in paths] == [
        "regret-rank.png",
        "regret-rank.svg",
        "regret-problems.png",
        "regret-problems.svg",
    ]
    assert all("<dc:date>" not in path.read_text(encoding="utf-8") for path in paths if path.suffix == ".svg")


def _locks(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
