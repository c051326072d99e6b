"""The regret benchmark: what is run and recorded, how drivers that misbehave end, and ranks on numbers made by hand."""

from __future__ import annotations

import dataclasses
import fcntl
import json
import lzma
import math
import os
import signal
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

import numpy as np
import pytest

from benchmarks.comparing import methods as methods_module
from benchmarks.comparing.methods import Method, refuse_changed
from benchmarks.comparing.ranking import Ranking
from benchmarks.comparing.study import FLOOR
from benchmarks.comparing.tables import missing
from benchmarks.driving.campaign import Campaign, Request, requests
from benchmarks.driving.command_line import publish, put, seeds
from benchmarks.driving.driver import Driver
from benchmarks.driving.environments import variables
from benchmarks.driving.results import Key, Results
from benchmarks.fingerprints.recorded import read
from benchmarks.multifidelity.accounts import FOLDER as FIDELITY_FOLDER
from benchmarks.multifidelity.methods import METHODS as FIDELITY_METHODS
from benchmarks.problems import CONDITIONAL_REPORTED, FIDELITY_CONDITIONAL
from benchmarks.problems.problem import Problem, real
from benchmarks.regret.methods import METHODS, find
from benchmarks.regret.record import FOLDER, Record, results_in
from benchmarks.regret.running import perform
from benchmarks.regret.study import RegretStudy, study_of
from benchmarks.regret.tables import ranks, tables
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
    return Method(name=name, driver=str(driver), environment="own", seeds=seeds, evaluations=evaluations)


def _named(name: str, *, seeds: int, evaluations: int) -> Method:
    return Method(name=name, driver="", environment="own", seeds=seeds, evaluations=evaluations)


def _campaign(
    results: Results[Record], wanted: Sequence[Request[Problem, Method]], run_seconds: float = 60
) -> Campaign[Problem, Method, Record]:
    campaign = Campaign(results, perform, jobs=1, run_seconds=run_seconds, seconds=math.inf)
    campaign.run(wanted)
    return campaign


def _record(method: str, seed: int, losses: Sequence[float], *, problem: str = "bowl", version: str = "1.0") -> Record:
    return Record(Key(problem, method, version, seed), losses, [0.5] * len(losses))


def _study(tmp_path: Path, records: Sequence[Record], methods: Sequence[Method], **versions: str) -> RegretStudy:
    results = results_in(tmp_path)
    for record in records:
        results.add(record)
    return study_of(results.latest([method.name for method in methods], versions), [_BOWL], methods)


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
    methods = [Method(name="gone", driver=str(tmp_path / "gone.py"), environment="own"), _method(tmp_path)]
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
    many, few = _named("many", seeds=2, evaluations=100), _named("few", seeds=1, evaluations=50)
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


def test_on_problems_with_conditions_a_searcher_has_another_version(monkeypatch: pytest.MonkeyPatch) -> None:
    method = find("random", conditional=True)
    assert (method.searcher, method.argument) == ("random_search", "random_search conditional")
    assert find("optuna-tpe", conditional=True).argument == "optuna-tpe"
    with Driver(method, threading.Event(), 120) as driver:
        assert driver.version == read("random_search", conditional=True)[0].version
    asked = list[tuple[str, bool]]()
    monkeypatch.setattr(
        methods_module, "check", lambda searcher, conditional, **_: asked.append((searcher, conditional))
    )
    refuse_changed([method, find("random")])
    assert asked == [("random_search", True), ("random_search", False)]


def test_the_last_version_is_that_of_the_problems_that_are_shown(tmp_path: Path) -> None:
    results = results_in(tmp_path)
    results.add(*(Record(Key(name, "a", name[0], 0), [1.0], [0.1]) for name in ("bowl", "tree")))
    assert [run.key.version for run in results.latest(["a"], {}, {"bowl", "cup"})] == ["b"]
    assert [run.key.version for run in results.latest(["a"], {}, {"tree"})] == ["t"]


# ------------------------------------------------------------------------------------------------------- results


def test_records_that_are_added_at_once_are_all_there(tmp_path: Path) -> None:
    records = [_record("a", seed, [0.1 * seed] * 100) for seed in range(12)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(results_in(tmp_path).add, records))
    assert {record.key.seed for record in results_in(tmp_path).read("a")} == set(range(12))


def test_a_failed_evaluation_is_recorded_and_never_the_incumbent(tmp_path: Path) -> None:
    results_in(tmp_path).add(_record("a", 0, [math.nan, 2.0, math.nan, 1.0]))
    (record,) = results_in(tmp_path).read("a")
    assert record.incumbents() == pytest.approx([math.nan, 2, 2, 1], nan_ok=True)


def test_the_incumbent_is_chosen_by_what_was_observed_and_judged_by_its_value() -> None:
    record = Record(Key("noisy", "a", "1", 0), [3.0, 1.0, 2.0], [0.1] * 3, values=[0.5, 2.0, 0.1])
    assert record.incumbents() == [0.5, 2.0, 2.0]


def test_a_run_that_is_killed_while_it_is_recorded_loses_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = results_in(tmp_path)
    results.add(_record("a", 0, [1.0]))
    monkeypatch.setattr(os, "fsync", _killed)
    with pytest.raises(KeyboardInterrupt):
        results.add(_record("a", 1, [2.0]))
    assert [record.key.seed for record in results.read("a")] == [0]
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "a.json.xz"]


def test_the_same_records_give_the_same_file_which_holds_columns(tmp_path: Path) -> None:
    records = [_record("a", seed, [1.0, math.nan]) for seed in range(2)]
    for name in ("one", "two"):
        results_in(tmp_path / name).add(*records)
    first, second = ((tmp_path / name / "a.json.xz").read_bytes() for name in ("one", "two"))
    assert first == second
    assert json.loads(lzma.decompress(first)) == {
        "problem": ["bowl", "bowl"],
        "version": ["1.0", "1.0"],
        "seed": [0, 1],
        "losses": [[1.0, None], [1.0, None]],
        "values": [None, None],
        "cpu": [[0.5, 0.5], [0.5, 0.5]],
    }


@pytest.mark.parametrize("content", [b"", b"{}", lzma.compress(b"{"), lzma.compress(b'{"problem": ["bowl"]}')])
def test_a_file_that_is_broken_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.json.xz").write_bytes(content)
    with pytest.raises(SystemExit, match=r"a\.json\.xz holds no records of runs"):
        results_in(tmp_path).read("a")


_WITH_CONDITIONS = {*CONDITIONAL_REPORTED, *FIDELITY_CONDITIONAL}


@pytest.mark.parametrize(("folder", "methods"), [(FOLDER, METHODS), (FIDELITY_FOLDER, FIDELITY_METHODS)])
def test_recorded_runs_of_ours_are_those_of_what_a_searcher_decides(
    folder: Path, methods: Mapping[str, Method]
) -> None:
    """What it decides now is what tests/unit/test_fingerprints.py compares. A method may have no runs yet."""
    results = Results(folder, lambda key, _: Record(key, [], []))
    found = [(method, results.read(method.name)) for method in methods.values()]
    assert sum(bool(runs) for _, runs in found) >= 10
    for method, runs in found:
        for conditional in (False, True):
            versions = [run.key.version for run in runs if (run.key.problem in _WITH_CONDITIONS) == conditional]
            if method.searcher and versions:
                assert versions[-1] == read(method.searcher, conditional=conditional)[0].version, method.name


def test_no_run_is_made_of_a_searcher_that_decides_otherwise_than_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_changed([find("random"), _A])
    monkeypatch.setattr(methods_module, "check", lambda searcher, **_: f"{searcher} decides differently now")
    with pytest.raises(SystemExit, match="error: random_search decides differently now"):
        refuse_changed([_A, find("random")])


# ------------------------------------------------------------------------------------------------------- ranking

_A, _B, _C = (_named(name, seeds=2, evaluations=2) for name in "abc")


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
    assert _study(tmp_path, records, [_A]).of_method(_A) == records[1:]
    assert _study(tmp_path, [], [_A], a="1.0").of_method(_A) == records[:1]


def test_tables_mark_the_best_and_the_last_that_models(tmp_path: Path) -> None:
    methods = [_A, _B, dataclasses.replace(_named("random", seeds=1, evaluations=100), models=False)]
    records = [_record("a", 0, [0.1] * 100), _record("b", 0, [0.01] * 100), _record("random", 0, [0.1] * 100)]
    text = tables(_study(tmp_path, records, methods))
    assert "| bowl | -1.00 ▼ | **-2.00** | -1.00 |" in text
    assert "| b | 1.00 [1.00, 1.00] | 1.00 [1.00, 1.00] |" in text
    assert "| a | 0.5 | 0.5 | 0.5 |" in text


def test_runs_that_are_missing_are_counted_and_how_to_make_them(tmp_path: Path) -> None:
    records = [_record("a", 0, [1.0, 1.0]), _record("b", 0, [1.0, 1.0]), _record("b", 1, [1.0, 1.0])]
    assert list(missing(_study(tmp_path, records, [_A, _B, _C]), "regret", " --problems bowl")) == [
        "Missing: 1 of 2 runs of a",
        "Missing: 2 of 2 runs of c",
        "Make them with: scripts/bench regret run --methods a,c --problems bowl",
    ]
    assert not list(missing(_study(tmp_path, [], [_B]), "regret"))


def test_tables_are_put_between_the_marks_of_a_page(tmp_path: Path) -> None:
    page, begin, end = tmp_path / "page.md", "<!-- regret tables: begin -->", "<!-- regret tables: end -->"
    assert put("new", "regret tables", page).startswith("Not written")
    page.write_text(f"before\n{begin}\nold\n{end}\nafter\n", encoding="utf-8")
    row = f"| {'wide ' * 40}|"
    assert put(f"new\n{row}\n\n{'word ' * 30}\n", "regret tables", page).startswith("Written")
    words = f"{' '.join(['word'] * 24)}\n{' '.join(['word'] * 6)}"
    assert page.read_text(encoding="utf-8") == f"before\n{begin}\n\nnew\n{row}\n\n{words}\n\n{end}\nafter\n"


def test_users_get_the_ranks_and_the_log_of_development_all(tmp_path: Path) -> None:
    for page, mark in (("benchmarks.md", "ranks"), ("benchmarks-development.md", "tables")):
        (tmp_path / page).write_text(f"<!-- bowls {mark}: begin -->\n<!-- bowls {mark}: end -->\n", encoding="utf-8")
    study = _study(tmp_path / "results", [_record("a", 0, [1.0] * 50)], [_A])
    publish("bowls", tables(study), ranks(study), tmp_path)
    for_users, everything = ((tmp_path / f"benchmarks{name}.md").read_text() for name in ("", "-development"))
    assert "### Mean rank of 1 methods, run to 50 evaluations" in for_users
    assert "log10 regret" not in for_users
    assert "log10 regret" in everything


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


def _killed(_: int) -> None:
    raise KeyboardInterrupt
