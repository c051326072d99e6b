"""The multi-fidelity benchmark: accounts, incumbents and ranks on numbers made by hand, and how runs go."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from benchmarks.comparing.methods import Method
from benchmarks.comparing.tables import missing
from benchmarks.comparing.trying import parsed
from benchmarks.driving.campaign import Campaign, requests
from benchmarks.driving.results import Key
from benchmarks.multifidelity.__main__ import main
from benchmarks.multifidelity.accounts import ACCOUNTS, BUDGET, Evaluation, Journal, Record, TogetherJournal, results_in
from benchmarks.multifidelity.methods import BEST, METHODS, PAIRS, find, parameters
from benchmarks.multifidelity.running import perform
from benchmarks.multifidelity.study import GRID, FidelityStudy, steps_to, studies
from benchmarks.multifidelity.tables import (
    Studies,
    difference_table,
    ranking_tables,
    regret_tables,
    tables,
)
from benchmarks.multifidelity.trying import attempt
from benchmarks.problems import Config, FidelityProblem, Quality, fidelity_problem
from benchmarks.problems.problem import real, whole


class _Bowl:
    """Ten times the distance from what is asked for; too low by 1 below the highest fidelity."""

    def loss(self, config: Config, fidelity: int) -> float:
        return self.value(config) - (fidelity < 10)

    def value(self, config: Config) -> float:
        return float(abs(config["x"]))


def _default(quality: Quality, _: int) -> Config:
    return {"x": 0.1 if quality == "good" else 0.9}


def _bowl(optimum: float | None = 0.0) -> FidelityProblem:
    space = (real("x", -1, 1),)
    return FidelityProblem("bowl", space, whole("z", 1, 10), lambda z: z / 10, lambda _: _Bowl(), _default, optimum)


def _record(steps: Sequence[tuple[float, int]], *, watched: bool = False, method: str = "m", seed: int = 0) -> Record:
    """The record of a run that evaluates these x and z."""
    journal = Journal(_bowl(), seed, watched=watched)
    for x, z in steps:
        journal.evaluate({"x": x, "z": z}, cpu=0.5)
    return journal.record(method, "1")


def test_a_configuration_goes_on_from_its_highest_fidelity_below() -> None:
    record = _record([(0.3, 1), (0.2, 1), (0.3, 4), (0.3, 10), (0.2, 2), (0.3, 4)])
    assert [each.config for each in record.trace] == [1, 2, 1, 1, 2, 1]
    assert record.previous() == [0, 0, 1, 4, 1, 1]
    assert record.spent(_bowl(), "scratch") == pytest.approx([0.1, 0.2, 0.6, 1.6, 1.8, 2.2])
    assert record.spent(_bowl(), "continuation") == pytest.approx([0.1, 0.2, 0.5, 1.1, 1.2, 1.5])


def test_a_training_that_is_watched_is_charged_once_in_both_accounts() -> None:
    record = _record([(0.3, 1), (0.3, 4), (0.2, 1)], watched=True)
    for account in ACCOUNTS:
        assert record.spent(_bowl(), account) == pytest.approx([0.1, 0.4, 0.5])


def test_digits_that_a_library_loses_make_no_other_configuration() -> None:
    record = _record([(1 / 3, 1), (1 / 3 + 1e-13, 4), (0.3334, 4)])
    assert [each.config for each in record.trace] == [1, 1, 2]


def test_the_cost_of_an_evaluation_is_that_of_going_on() -> None:
    journal = Journal(_bowl(), 0)
    assert np.allclose(journal.evaluate({"x": 0.5, "z": 4}, 0), (-0.5, 0.4))
    assert np.allclose(journal.evaluate({"x": 0.5, "z": 10}, 0), (0.5, 0.6))
    assert journal.spent == pytest.approx(1.0)
    assert not journal.full
    for number in range(19):
        journal.evaluate({"x": number / 100, "z": 10}, 0)
    assert journal.full


def test_the_incumbent_has_the_lowest_loss_at_the_highest_fidelity_and_is_judged_there() -> None:
    record = _record([(0.3, 1), (0.5, 1), (0.1, 4), (0.9, 10), (0.2, 1), (0.8, 10)])
    budgets = np.array([0.05, 0.1, 0.2, 0.6, 1.6, 1.7, 2.7])
    found = record.found(_bowl(), "scratch", budgets)
    assert found[1:] == pytest.approx([0.3, 0.3, 0.1, 0.9, 0.9, 0.8])
    assert math.isnan(found[0])
    assert [math.isnan(each.value) for each in record.trace] == [False, True, False, False, True, False]


def test_a_loss_that_is_not_a_number_is_never_an_incumbents_where_there_is_another() -> None:
    key = Key("bowl", "m", "1", 0)
    record = Record(key, [Evaluation(1, 10, math.nan, 5, 0), Evaluation(2, 10, 9.0, 4, 0)])
    assert record.found(_bowl(), "scratch", np.array([1.0, 2.0])).tolist() == [5, 4]


def test_a_record_comes_back_from_its_fields() -> None:
    record = _record([(1 / 3, 1), (0.5, 1), (1 / 3, 10)], watched=True)
    again = Record.parse(record.key, json.loads(json.dumps(record.fields(), allow_nan=False)))
    assert (again.key, again.watched, again.previous()) == (record.key, True, [0, 0, 1])
    assert again.found(_bowl(), "scratch", GRID) == pytest.approx(record.found(_bowl(), "scratch", GRID))
    assert again.fields() == record.fields()


def _study(records: Sequence[Record], methods: Sequence[str]) -> Studies:
    return studies(records, [_bowl()], [Method(name=name, driver="", environment="own") for name in methods])


def test_ranks_are_of_both_accounts_at_each_budget() -> None:
    """One reaches its best after 6 evaluations from scratch, but 4.2 with its checkpoints; the other in 5."""
    slow = [(0.9, 10), (0.8, 10), (0.7, 9), (0.7, 10), (0.6, 9), (0.6, 10)]
    fast = [(0.95, 10)] * 4 + [(0.65, 10)]
    fill = [(0.99, 10)] * 30
    records = [_record(slow + fill, method="slow"), _record(fast + fill, method="fast")]
    (_, text) = ranking_tables(_study(records, ["slow", "fast", "absent"]))
    rows = {
        row.split(" | ")[0].strip("| "): [cell.split()[0] for cell in row.split(" | ")[1:]] for row in text.split("\n")
    }
    assert rows["slow"] == ["2.00", "1.00", "1.00", "1.00", "1.00", "1.00"]
    assert rows["fast"] == ["1.00", "2.00", "2.00", "2.00", "2.00", "2.00"]
    assert "absent" not in rows


def test_tables_show_the_median_and_mark_the_best() -> None:
    records = [
        _record([(x, 10)] * 20, method=method, seed=seed)
        for method, xs in {"a": (0.1, 0.01), "b": (0.5, 0.5)}.items()
        for seed, x in enumerate(xs)
    ]
    text = "\n".join(regret_tables(_study(records, ["a", "b"])))
    assert "| method | bowl | mean |" in text
    assert "| a (2) | **-1.50** | -1.50 |" in text
    assert "| b (2) | -0.30 | -0.30 |" in text


def test_differences_are_of_runs_with_the_same_seed() -> None:
    """By a factor of 10 and of 1000; the third seed lacks its partner."""
    records = [
        _record([(x, 10)] * 20, method=method, seed=seed)
        for method, xs in {"a": (0.01, 0.001, 0.5), "b": (0.1, 1.0)}.items()
        for seed, x in enumerate(xs)
    ]
    pairs = [("a", "b"), ("b", "a"), ("a", "absent")]
    _, sentence, table = difference_table(_study(records, ["a", "b"]), pairs)
    assert "below 0 if the first is better" in sentence
    assert "| a − b | -2.00 [-3.00, -1.00] |" in table  # noqa: RUF001 - a minus
    assert "| b − a | +2.00 [+1.00, +3.00] |" in table  # noqa: RUF001
    assert "absent" not in table
    assert not list(difference_table(_study(records, ["a", "b"]), pairs[2:]))


def test_what_is_compared_is_known() -> None:
    assert {name for pair in PAIRS for name in pair} <= METHODS.keys()


def test_ranks_are_of_the_seeds_that_all_have() -> None:
    methods = [Method(name=name, driver="", environment="own") for name in ("a", "b", "c")]
    records = [
        _record([(x, 10)] * 20, method=method, seed=seed)
        for method, xs in {"a": (0.1, 0.2), "b": (0.2, 0.1), "c": (0.3,)}.items()
        for seed, x in enumerate(xs)
    ]
    shown = tables(studies(records, [_bowl()], methods))
    every, most = shown.split("Mean rank of ")[1:]
    assert every.startswith("3 methods; 1 is best. Over 1 problems with 1 seeds each")
    assert "| a | 1.00" in every
    assert most.startswith("2 methods; 1 is best. Over 1 problems with 2 seeds each"), "twice as many seeds"
    assert "| a | 1.50" in most
    assert tables(studies(records, [_bowl()], methods[:2])).count("Mean rank of ") == 1


def test_without_a_shared_seed_there_is_no_rank() -> None:
    records = [_record([(0.1, 10)] * 20, method="a", seed=0), _record([(0.1, 10)] * 20, method="b", seed=1)]
    assert list(ranking_tables(_study(records, ["a", "b"]))) == [
        "On no problem do all methods have a seed in common yet."
    ]


def test_a_budget_is_a_steps_to_the_curves() -> None:
    assert [GRID[steps_to(budget) - 1] for budget in (0.25, 5, 10, 20)] == [0.25, 5, 10, 20]
    assert len(GRID) == steps_to(BUDGET)


@pytest.mark.parametrize("searcher", ["asha", "hyperband", "hyperband_prior@good", "random_search", "asha:eta=5"])
def test_our_searchers_run_until_the_budget_is_spent(searcher: str) -> None:
    mf = fidelity_problem("mf-hartmann3-good")
    record = attempt(parsed(searcher), mf.name, 100)
    spent = record.spent(mf, "continuation")
    assert spent[-2] < BUDGET - 1e-9 <= spent[-1]
    assert not np.isnan(record.found(mf, "scratch", GRID[steps_to(1) - 1 :])).any()


def test_settings_and_priors_change_the_run() -> None:
    runs = [attempt(parsed(text), "mf-hartmann3-good", 100) for text in ("asha", "asha:eta=5", "asha_prior@good")]
    first = [[(each.config, each.fidelity, each.loss) for each in run.trace] for run in runs]
    assert first[0] != first[1]
    assert first[0] != first[2]


def test_a_prior_is_sent_with_the_space() -> None:
    mf = fidelity_problem("mf-hartmann3-good")
    assert "default" not in parameters(mf, None, 0)[0]
    space = parameters(mf, "good", 0)
    assert [param["default"] for param in space[:-1]] == list(mf.default("good", mf.run_seed(0)).values())
    assert space[-1] == {"name": "z", "type": "integer", "lower": 3, "upper": 100, "log": False, "is_fidelity": True}


def test_methods_are_found_by_name() -> None:
    assert find("neps-asha").driver == find("neps-mine").driver == "here_driver.py"
    assert (find("neps-priorband@bad").prior, find("neps-priorband@bad").searcher) == ("bad", "priorband")
    assert find("neps-mine@good").name == "neps-mine@good"
    assert find("neps-asha", conditional=True).argument == "asha conditional"
    for name in ("debh", "neps-mine@best"):
        with pytest.raises(SystemExit, match=rf"no method '{name}': choose from neps-successive-halving, "):
            find(name)
    with pytest.raises(SystemExit, match="the prior of 'asha@best' is 'best', but it must be good or bad"):
        parsed("asha@best")


_DRIVER = """
import json, sys
print(json.dumps({"version": "1.0"}), flush=True)
task = json.loads(sys.stdin.readline())
assert (task["evaluations"], task["budget"]) == (200, 20.0)
number = 0
while True:
    x, z = X, Z
    print(json.dumps({"evaluate": {"x": x, "z": z}, "cpu": 0.25}), flush=True)
    reply = json.loads(sys.stdin.readline())
    number += 1
"""


def _campaign(folder: Path, x: str, z: str, *, watched: bool = False) -> Campaign[FidelityProblem, Method, Record]:
    """One run of a driver that suggests these expressions of the evaluation's number, in a folder of results."""
    driver = folder / "fake_driver.py"
    driver.write_text(_DRIVER.replace("X", x).replace("Z", z), encoding="utf-8")
    method = Method(name="fake", driver=str(driver), environment="own", watched=watched)
    campaign = Campaign(results_in(folder), perform, jobs=1, run_seconds=60, seconds=60)
    campaign.run(requests([method], [_bowl()], [3], None))
    return campaign


def test_a_run_ends_when_its_checkpoints_have_cost_the_budget_and_is_recorded_once(tmp_path: Path) -> None:
    """Every configuration is evaluated at 4 and then at 10: from scratch that is 1.4 times as much."""
    campaign = _campaign(tmp_path, "(1 + number // 2) / 100", "10 if number % 2 else 4", watched=False)
    (record,) = results_in(tmp_path).read("fake")
    assert (campaign.made, campaign.failures) == (1, [])
    assert (record.key, record.evaluations, record.watched) == (Key("bowl", "fake", "1.0", 3), 40, False)
    assert record.spent(_bowl(), "continuation")[-1] == pytest.approx(20)
    assert record.spent(_bowl(), "scratch")[-1] == pytest.approx(28)
    assert set(record.cpu) == {0.25}
    assert record.summary == "0.01 after 40 evaluations"
    assert _campaign(tmp_path, "0", "10").made == 0


@pytest.mark.parametrize(("x", "z"), [("0", "11"), ("0", "9.5"), ("2", "10")])
def test_a_suggestion_outside_of_the_space_ends_a_run(tmp_path: Path, x: str, z: str) -> None:
    campaign = _campaign(tmp_path, x, z)
    assert campaign.made == 0
    assert "outside of {'name': " in campaign.failures[0]


def test_our_driver_makes_the_same_run_as_in_memory(tmp_path: Path) -> None:
    name, mf = "neps-hyperband-prior@good", fidelity_problem("mf-hartmann3-good")
    campaign = Campaign(results_in(tmp_path), perform, jobs=1, run_seconds=60, seconds=60)
    campaign.run(requests([find(name)], [mf], [100], None))
    (record,) = results_in(tmp_path).read(name)
    again = attempt(parsed("hyperband_prior@good"), mf.name, 100)
    assert [each.fidelity for each in record.trace] == [each.fidelity for each in again.trace]
    assert [each.loss for each in record.trace] == pytest.approx([each.loss for each in again.trace])


def test_workers_that_evaluate_at_once_spend_the_budget_as_time() -> None:
    """One trains for 4 and then for 6 more epochs; another one for all 10, and ends first of those that end at 1."""
    journal = TogetherJournal(_bowl(), 0, 2)
    journal.begin(0, {"x": 0.5, "z": 4}, 0)
    journal.begin(1, {"x": 0.2, "z": 10}, 0)
    assert journal.wait()[:2] == (0, -0.5)
    journal.begin(0, {"x": 0.5, "z": 10}, 0)
    assert [journal.wait()[:2] for _ in range(2)] == [(1, 0.2), (0, 0.5)]
    assert journal.full  # nobody does anything
    journal.begin(0, {"x": 0.3, "z": 10}, 0)
    journal.begin(1, {"x": 0.31, "z": 10}, 0)
    while not journal.full:
        worker, loss, cost = journal.wait()
        assert cost == pytest.approx(1)
        journal.begin(worker, {"x": loss + 0.02, "z": 10}, 0)
    record = journal.record("m", "1")
    assert record.evaluations == 21
    assert [each.config for each in record.trace[:4]] == [1, 2, 1, 3]
    for account in ACCOUNTS:
        assert record.spent(_bowl(), account)[:5] == pytest.approx([0.8, 2, 2, 4, 4])
    assert Record.parse(record.key, json.loads(json.dumps(record.fields()))).ended == record.ended


@pytest.mark.parametrize("searcher", ["freeze_thaw", "hyperband"])
def test_our_driver_runs_workers_at_once(tmp_path: Path, searcher: str) -> None:
    """Each does as much as time allows; `hyperband` lets nobody begin what has to wait for a rung."""
    method, mf = find(f"neps-{searcher}@8-workers".replace("_", "-")), fidelity_problem("mf-pits4-good")
    campaign = Campaign(results_in(tmp_path), perform, jobs=1, run_seconds=60, seconds=60)
    campaign.run(requests([method], [mf], [100], None))
    (record,) = results_in(tmp_path).read(method.name)
    assert (method.searcher, method.workers) == (searcher, 8)
    ended = np.array(record.ended)
    assert (np.diff(ended) >= 0).all()
    assert BUDGET - 8 <= ended[-1] <= BUDGET
    costs = [
        mf.cost(each.fidelity) - (mf.cost(p) if p else 0)
        for each, p in zip(record.trace, record.previous(), strict=True)
    ]
    assert 0.7 * BUDGET < sum(costs) <= BUDGET
    table = "\n".join(ranking_tables(studies([record], [mf], [method])))
    assert "| method | continuation, 5 | continuation, 10 | continuation, 20 |" in table


def test_the_humble_baseline_trains_the_best_three_of_a_round_to_the_end(tmp_path: Path) -> None:
    campaign = Campaign(results_in(tmp_path), perform, jobs=1, run_seconds=60, seconds=60)
    campaign.run(requests([find("one-step")], [fidelity_problem("mf-hartmann3-good")], [0], None))
    (record,) = results_in(tmp_path).read("one-step")
    one_step = int(2 / (0.05 + 0.95 * 0.03**2))
    first = record.trace[: one_step + 3]
    assert [each.fidelity for each in first] == [3] * one_step + [100] * 3
    best = sorted(first[:one_step], key=lambda each: each.loss)[:3]
    assert [each.config for each in first[one_step:]] == [each.config for each in best]
    assert record.spent(fidelity_problem("mf-hartmann3-good"), "scratch")[one_step + 2] <= 5


def _any(records: Sequence[Record], methods: Sequence[Method]) -> FidelityStudy:
    return studies(records, [_bowl()], methods)["scratch"]


def _two_runs() -> list[Record]:
    return [_record([(x, 10)] * 20, method=method) for method, x in {"a": 0.1, "b": 0.5}.items()]


def test_the_last_version_is_shown_unless_another_is_named(tmp_path: Path) -> None:
    results = results_in(tmp_path)
    for version in ("1", "2"):
        results.add(Record(Key("bowl", "a", version, 0), _two_runs()[0].trace))
    assert [record.key.version for record in results.latest(["a"], {})] == ["2"]
    assert [record.key.version for record in results.latest(["a"], {"a": "1"})] == ["1"]
    assert results.latest(["b"], {}) == []


def test_tables_rank_priors_apart_and_say_what_is_missing() -> None:
    methods = [
        Method(name="a", driver="", environment="own", seeds=1),
        Method(name="b", driver="", environment="own", seeds=1).with_prior("good"),
        Method(name="c", driver="", environment="own", seeds=2),
    ]
    first, second = _two_runs()
    records = [first, Record(Key("bowl", "b@good", "7", 0), second.trace)]
    text = tables(studies(records, [_bowl()], methods))
    assert text.startswith("Methods: a (1), b@good (7)\n")
    _, without, good = text.split("### Mean ranks with")
    assert "| a | 1.00" in without
    assert "b@good" not in without
    assert "| a | 1.00" in good
    assert "| b@good | 2.00" in good
    assert "bad prior" not in text
    assert "| a | 20 | 10 |" in text
    assert list(missing(_any(records, methods), "multifidelity")) == [
        "Missing: 2 of 2 runs of c",
        "Make them with: scripts/bench multifidelity run --methods c",
    ]
    assert not list(missing(_any(records, methods[:2]), "multifidelity"))


def test_both_figures_are_drawn_without_a_date(tmp_path: Path) -> None:
    from benchmarks.multifidelity.plots import plots  # matplotlib takes a while

    records = [_record([(x, 10)] * 20, method=method) for method, x in {BEST: 0.1, "dehb": 0.5}.items()]
    paths = plots(studies(records, [_bowl(), _bowl(None)], [find(BEST), find("dehb")]), tmp_path / "figures")
    assert [path.name for path in paths] == [
        "multifidelity-rank.png",
        "multifidelity-rank.svg",
        "multifidelity-problems.png",
        "multifidelity-problems.svg",
    ]
    drawn = [path.read_text(encoding="utf-8") for path in paths if path.suffix == ".svg"]
    assert all("<dc:date>" not in text and "dehb" in text for text in drawn)


def test_the_command_line_runs_and_shows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = [f"--results={tmp_path}", "--methods=one-step", "--problems=mf-hartmann3-good"]
    assert main(["run", *options, "--seeds=0"]) == 0
    assert "1 runs recorded." in capsys.readouterr().out
    assert main([*options, "--seeds=0"]) == 0
    text = capsys.readouterr().out
    assert "Methods: one-step (1)" in text
    assert "Missing: 9 of 10 runs of one-step" in text
    assert not (tmp_path / "figures").exists()


def test_trying_prints_tables(capsys: pytest.CaptureFixture[str]) -> None:
    options = ["try", "--methods", "random_search,asha", "--problems", "mf-pits4-good", "--seeds", "100"]
    assert main(options) == 0
    text = capsys.readouterr().out
    assert "| method | pits4-good | mean |" in text
    assert "| asha (1) | " in text
    assert "2 runs in" in text


def test_regret_is_in_units_of_random_searchs_where_it_has_found_something() -> None:
    """Twice as far from the optimum as random search after 10; after 5 random search has nothing yet."""
    late = dataclasses.replace(find("neps-random-search"), name="neps-random-search")
    fill = [(0.9, 10)] * 30
    drawn, other = _record([(0.2, 10), *fill], method=late.name), _record([(0.4, 10), *fill], method="other")
    drawn = dataclasses.replace(drawn, ended=[6.0 + step for step in range(31)])
    methods = [late, Method(name="other", driver="", environment="own")]
    text = tables(studies([drawn, other], [_bowl()], methods))
    (row,) = [line for line in text.split("\n") if line.startswith("| other | 2.000 [")]
    assert "| method | scratch, 10 | scratch, 20 | continuation, 10 | continuation, 20 |" in text
    assert row.count("2.000 [2.000, 2.000]") == 4
