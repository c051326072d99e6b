"""The multi-fidelity benchmark: two accounts of one run, incumbents, and ranks, on numbers made by hand."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from benchmarks.multifidelity.__main__ import main
from benchmarks.multifidelity.accounts import ACCOUNTS, BUDGET, Evaluation, Journal, Record
from benchmarks.multifidelity.methods import Method, find, parameters
from benchmarks.multifidelity.study import GRID, Study, step_of
from benchmarks.multifidelity.tables import ranking_tables, regret_tables, studies
from benchmarks.multifidelity.trying import attempt, parsed
from benchmarks.problems import Config, FidelityProblem, Quality, fidelity_problem
from benchmarks.problems.problem import real, whole
from benchmarks.regret.results import Key


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
    assert [each.config for each in record.evaluations] == [1, 2, 1, 1, 2, 1]
    assert record.previous() == [0, 0, 1, 4, 1, 1]
    assert record.spent(_bowl(), "scratch") == pytest.approx([0.1, 0.2, 0.6, 1.6, 1.8, 2.2])
    assert record.spent(_bowl(), "continuation") == pytest.approx([0.1, 0.2, 0.5, 1.1, 1.2, 1.5])


def test_a_training_that_is_watched_is_charged_once_in_both_accounts() -> None:
    record = _record([(0.3, 1), (0.3, 4), (0.2, 1)], watched=True)
    for account in ACCOUNTS:
        assert record.spent(_bowl(), account) == pytest.approx([0.1, 0.4, 0.5])


def test_digits_that_a_library_loses_make_no_other_configuration() -> None:
    record = _record([(1 / 3, 1), (1 / 3 + 1e-13, 4), (0.3334, 4)])
    assert [each.config for each in record.evaluations] == [1, 1, 2]


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
    assert [math.isnan(each.value) for each in record.evaluations] == [False, True, False, False, True, False]


def test_a_loss_that_is_not_a_number_is_never_an_incumbents_where_there_is_another() -> None:
    key = Key("bowl", "m", "1", 0)
    record = Record(key, [Evaluation(1, 10, math.nan, 5, 0), Evaluation(2, 10, 9.0, 4, 0)])
    assert record.found(_bowl(), "scratch", np.array([1.0, 2.0])).tolist() == [5, 4]


def test_a_record_comes_back_from_its_line() -> None:
    record = _record([(1 / 3, 1), (0.5, 1), (1 / 3, 10)], watched=True)
    again = Record.parse(record.line())
    assert (again.key, again.watched, again.previous()) == (record.key, True, [0, 0, 1])
    assert again.found(_bowl(), "scratch", GRID) == pytest.approx(record.found(_bowl(), "scratch", GRID))
    assert again.line() == record.line()
    assert "NaN" not in record.line()


def _study(records: Sequence[Record], methods: Sequence[str]) -> Mapping[str, Study]:
    return studies(records, [_bowl()], [Method(name, "", "own") for name in methods])


def test_ranks_are_of_both_accounts_at_each_budget() -> None:
    """One reaches its best after 6 evaluations from scratch, but 4.2 with its checkpoints; the other in 5."""
    slow = [(0.9, 10), (0.8, 10), (0.7, 9), (0.7, 10), (0.6, 9), (0.6, 10)]
    fast = [(0.95, 10)] * 4 + [(0.65, 10)]
    fill = [(0.99, 10)] * 30
    records = [_record(slow + fill, method="slow"), _record(fast + fill, method="fast")]
    (_, text) = ranking_tables(dict(_study(records, ["slow", "fast", "absent"])))
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
    text = "\n".join(regret_tables(dict(_study(records, ["a", "b"]))))
    assert "| problem | a (2) | b (2) |" in text
    assert "| bowl | **-1.50** | -0.30 |" in text
    assert "| mean | -1.50 | -0.30 |" in text


def test_without_a_shared_seed_there_is_no_rank() -> None:
    records = [_record([(0.1, 10)] * 20, method="a", seed=0), _record([(0.1, 10)] * 20, method="b", seed=1)]
    assert list(ranking_tables(dict(_study(records, ["a", "b"])))) == [
        "On no problem do all methods have a seed in common yet."
    ]


def test_a_budget_is_a_step_of_the_curves() -> None:
    assert [GRID[step_of(budget)] for budget in (0.25, 5, 10, 20)] == [0.25, 5, 10, 20]
    assert len(GRID) == step_of(BUDGET) + 1


@pytest.mark.parametrize("searcher", ["asha", "hyperband", "hyperband_prior@good", "random_search", "asha:eta=5"])
def test_our_searchers_run_until_the_budget_is_spent(searcher: str) -> None:
    mf = fidelity_problem("mf-hartmann3-good")
    record = attempt(parsed(searcher), mf.name, 100)
    spent = record.spent(mf, "continuation")
    assert spent[-2] < BUDGET - 1e-9 <= spent[-1]
    assert not np.isnan(record.found(mf, "scratch", GRID[step_of(1) :])).any()


def test_settings_and_priors_change_the_run() -> None:
    runs = [attempt(parsed(text), "mf-hartmann3-good", 100) for text in ("asha", "asha:eta=5", "asha_prior@good")]
    first = [[(each.config, each.fidelity, each.loss) for each in run.evaluations] for run in runs]
    assert first[0] != first[1]
    assert first[0] != first[2]


def test_a_prior_is_sent_with_the_space() -> None:
    mf = fidelity_problem("mf-hartmann3-good")
    assert "default" not in parameters(mf, None, 0)[0]
    space = parameters(mf, "good", 0)
    assert [param["default"] for param in space[:-1]] == list(mf.default("good", 0).values())
    assert space[-1] == {"name": "z", "type": "integer", "lower": 3, "upper": 100, "log": False, "is_fidelity": True}


def test_methods_are_found_by_name() -> None:
    assert find("neps-asha").driver == find("neps-mine").driver == "here_driver.py"
    assert (find("neps-priorband@bad").prior, find("neps-priorband@bad").argument) == ("bad", "neps-priorband")
    assert find("neps-mine@good").name == "neps-mine@good"
    for name in ("debh", "neps-mine@best"):
        with pytest.raises(SystemExit, match=rf"no method '{name}': choose from neps-successive-halving, "):
            find(name)
    with pytest.raises(SystemExit, match="the prior of 'asha@best' is 'best', but it must be good or bad"):
        parsed("asha@best")


def test_trying_prints_tables(capsys: pytest.CaptureFixture[str]) -> None:
    options = ["try", "--methods", "random_search,asha", "--problems", "mf-pits4-good", "--seeds", "100"]
    assert main(options) == 0
    text = capsys.readouterr().out
    assert "| problem | random_search (1) | asha (1) |" in text
    assert "2 runs in" in text
