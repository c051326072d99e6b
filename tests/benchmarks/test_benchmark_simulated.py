"""The benchmark of simulated workers and of priors: what it computes, on numbers made by hand, and one small run."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from benchmarks.comparing.pooling import Pooled, pooled, worst
from benchmarks.comparing.study import FLOOR, Array
from benchmarks.problems import TABLES, Problem
from benchmarks.problems.synthetic import REPORTED
from benchmarks.simulated import priors, workers
from benchmarks.simulated.__main__ import main
from benchmarks.simulated.priors import SpeedUp, Trio, bad_default, cost, good_default, longer, speed_up
from benchmarks.simulated.running import SURFACES, Prior, Run, generator_of, perform, perform_all, regrets, space_of
from neps.space import Categorical

_SOME = ("branin", "mixed", "mixed-tuned")


def _trio(without: Sequence[float], good: Sequence[float], bad: Sequence[float] = (1.0,)) -> Trio:
    return Trio(np.array(without), np.array(good), np.array(bad))


# ------------------------------------------------------------------------------------------------------------- pooling


def test_the_mean_is_that_of_the_problems() -> None:
    assert pooled({"a": [1.0], "b": [2.0, 3.0, 4.0]}).mean == 2.0


def test_seeds_are_redrawn() -> None:
    """How often the 1 is drawn in four times is binomial: never has a chance of 32 %, at most twice 95, thrice 99.6."""
    assert pooled({"a": [0.0, 0.0, 0.0, 1.0]}) == Pooled(0.25, 0.0, 0.75)


def test_problems_are_redrawn() -> None:
    """One of the two comes twice with a chance of a half."""
    assert pooled({"a": [0.0] * 5, "b": [1.0] * 5}) == Pooled(0.5, 0.0, 1.0)


def test_an_interval_lies_on_one_side_of_a_limit_or_around_it() -> None:
    interval = Pooled(0.5, 0.25, 1.0)
    assert interval.side(2) == "all of it is below 2"
    assert interval.side(0) == "all of it is above 0"
    assert interval.side(0.5) == "0.5 lies within it"
    assert interval.through(lambda x: 2 * x).text("+.1f") == "+1.0 [+0.5, +2.0]"


def test_the_worst_are_named() -> None:
    figures = {"a": 1.0, "b": 4.0, "c": 3.0, "d": 2.0}
    assert worst(figures, ".1f") == "b (4.0), c (3.0), d (2.0)"
    assert worst(figures, ".0f", lowest=True) == "a (1), d (2), c (3)"


# ------------------------------------------------------------------------------------------------------------- running


def test_the_incumbent_has_the_lowest_loss_and_counts_by_its_value() -> None:
    assert regrets([3.0, 1.0, 2.0, 1.0, 0.5], [3.0, 2.5, 1.0, 1.0, 1.0], 1.0).tolist() == [2.0, 1.5, 1.5, 1.5, FLOOR]


def test_noise_changes_what_is_chosen_and_not_how_it_is_valued() -> None:
    runs = (Run(name, 0, "", "random_search", 30) for name in ("hartmann6", "noisy-hartmann6"))
    exact, noisy = map(perform, runs)
    assert set(noisy) - set(exact)
    assert noisy[0] == exact[0]
    assert np.all(noisy >= exact)


def test_what_many_workers_do_is_simulated() -> None:
    """Eight at once end their initial design, and go on, with fewer results."""
    one, many = (perform(Run("branin", 0, "", "bayesian_optimization", 12, workers=count)) for count in (1, 8))
    assert one[-1] != many[-1]


def test_several_processes_make_the_same_as_one() -> None:
    runs = [Run(name, seed, "", "random_search", 5) for seed in (0, 1) for name in ("levy20", "branin")]
    np.testing.assert_array_equal(perform_all(runs, jobs=2, seeds=2), perform_all(runs, jobs=1, seeds=2))


def test_what_is_whole_is_reported_where_the_rest_is_cut(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Run] = []

    def perform(run: Run) -> Array:
        if len(made) == 13:  # of the third seed, the first of six
            raise KeyboardInterrupt
        made.append(run)
        return np.ones(run.evaluations)

    monkeypatch.setattr("benchmarks.simulated.running.perform", perform)
    main(["priors", "--problems", "branin,levy4", "--seeds", "0-4", "--evaluations", "5"])
    said = capsys.readouterr()
    assert "Not reached in 0 of 4 runs" in said.out
    assert "2 of 5 seeds are whole" in said.err
    with pytest.raises(KeyboardInterrupt):
        main(["priors", "--problems", "branin,levy4", "--seeds", "0-4", "--evaluations", "5"])


# -------------------------------------------------------------------------------------------------------------- priors


@pytest.mark.parametrize("name", _SOME)
def test_a_good_default_is_close_to_the_minimiser(name: str) -> None:
    surface = SURFACES[name]
    space = space_of(surface.space)
    best = space.encode(surface.minimiser)
    defaults = [space.encode(good_default(surface, generator_of(name, seed, 1))) for seed in range(200)]
    steps = np.array(defaults) - best
    choices = [isinstance(parameter, Categorical) for parameter in space.parameters.values()]
    assert not steps[:, choices].any()
    inside = np.minimum(best, 1 - best) > 0.3  # where little is clipped, and no integer is coarse
    numbers = inside & ~np.array(choices)
    assert numbers.any()
    assert steps[:, numbers].std(axis=0) == pytest.approx(0.1, rel=0.2)


@pytest.mark.parametrize("name", _SOME)
def test_a_bad_default_is_the_worst_of_twenty(name: str) -> None:
    space, value, generator = space_of(SURFACES[name].space), SURFACES[name].problem().value, np.random.default_rng(3)
    configs = [space.sample(generator) for _ in range(20)]
    default = bad_default(SURFACES[name], np.random.default_rng(3))
    assert default in configs
    assert value(default) == max(map(value, configs))


@pytest.mark.parametrize("name", SURFACES)
def test_defaults_are_those_of_the_space(name: str) -> None:
    surface = SURFACES[name]
    for default in (make(surface, generator_of(name, 0)) for make in (good_default, bad_default)):
        space = space_of(surface.space, Prior(default, "high"))
        assert space.default_config() == default
        assert {getattr(each, "default_confidence", None) for each in space.parameters.values()} == {"high"}
    assert not space_of(surface.space).has_prior


def test_runs_differ_in_their_priors_only() -> None:
    plain, good, bad, *others = priors.runs(["mixed"], [0, 1], 60, "low")
    assert [run.evaluations for run in (plain, good, bad)] == [72, 60, 72]
    assert [run.searcher for run in (plain, good, bad)] == ["bayesian_optimization", "pibo", "pibo"]
    assert plain.prior is None
    assert good.prior is not None
    assert bad.prior is not None
    assert good.prior.default != bad.prior.default
    assert others[1].prior is not None
    assert good.prior.default != others[1].prior.default
    assert [longer(count) for count in (5, 9, 60)] == [6, 10, 72]


def test_a_speed_up_counts_from_the_first_evaluation_with_that_regret() -> None:
    trio = _trio(without=[9, 5, 5, 2, 2, 2, 1], good=[6, 2, 1.5, 1.5])
    assert speed_up(trio, 3) == SpeedUp(2 / 2, reached=True)
    assert speed_up(trio, 6) == SpeedUp(4 / 2, reached=True)


def test_a_regret_that_is_not_reached_counts_as_all_evaluations() -> None:
    assert speed_up(_trio(without=[9, 5, 2, 1, 1], good=[6, 3, 1.5, 1.5]), 5) == SpeedUp(4 / 4, reached=False)


def test_noise_may_lose_a_regret_again() -> None:
    assert speed_up(_trio(without=[9, 1, 4, 4], good=[3, 5, 5]), 4) == SpeedUp(2 / 1, reached=True)


def test_a_cost_compares_with_fewer_evaluations_without_a_prior() -> None:
    trio = _trio(without=[10, 1, 0.1], good=[1], bad=[100, 10, 1])
    assert cost(trio, 2, 2) == pytest.approx(1.0)
    assert cost(trio, 2, 3) == pytest.approx(0.0)


def test_the_report_on_priors_gives_means_and_verdicts() -> None:
    fast = _trio(without=[8, 7, 6, 5, 4, 1], good=[4, 4, 4, 4, 4], bad=[8, 8, 8, 8, 40, 0.4])
    slow = _trio(without=[8, 7, 6, 5, 4, 1], good=[9, 9, 9, 9, 9], bad=[8, 8, 8, 8, 40, 0.4])
    text = priors.report({"a": [fast, fast], "b": [slow, fast]}, 5, "medium")
    assert "| a | 2.00 | 0 of 2 | 5.00 | 0 of 2 |" in text
    assert "| b | 1.20 | 1 of 2 | 3.00 | 1 of 2 |" in text
    assert f"E = 5: geometric mean {math.exp(0.75 * math.log(5)):.2f} [1.50, 5.00]" in text
    assert "at least 2: yes (2 lies within it). Not reached in 1 of 4 runs. Worst: b (3.00), a (5.00)." in text
    assert "| a | +1.00 | -1.00 |" in text
    assert "isn't above 0: yes (all of it is below 0)." in text


# ------------------------------------------------------------------------------------------------------------- workers


@pytest.mark.parametrize(("loss", "verdict"), [(0.2, "yes"), (0.4, "**NO**")])
def test_the_report_on_workers_gives_differences(loss: float, verdict: str) -> None:
    text = workers.report({"a": np.array([[-2.0, -2.0], [-1.0, -1.0]]), "b": np.array([[0.0, loss]])}, 100)
    assert "| a | 2 | -1.50 | -1.50 | +0.00 |" in text
    assert f"| b | 1 | 0.00 | {loss:.2f} | +{loss:.2f} |" in text
    assert f": +{loss / 2:.3f} [+0.000, +{loss:.3f}]. Its upper end is below 0.3: {verdict}." in text


def test_a_figure_is_the_logarithm_of_a_functions_regret() -> None:
    assert workers.figure("branin", np.array([1.0, 0.01])) == pytest.approx(-2.0)


def test_a_figure_of_a_table_is_in_units_of_what_random_search_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    table = Problem("made", (), lambda _: 0.0, optimum=1.0, drawn=lambda evaluations: 1.0 + 1.0 / evaluations)
    monkeypatch.setattr(workers, "named", {"made": table}.__getitem__)
    assert workers.figure("made", np.array([9.0, 0.9, 0.2, 0.1])) == pytest.approx(0.4)
    assert workers.figure("made", np.array([9.0, 5.0])) == 3.0


# -------------------------------------------------------------------------------------------------------- command line


def test_workers_are_compared(capsys: pytest.CaptureFixture[str]) -> None:
    main(["workers", "--problems", "branin,mixed", "--seeds", "0", "--evaluations", "6"])
    output, progress = capsys.readouterr()
    assert "| mixed | 1 |" in output
    assert "[4/4, " in progress


def test_workers_are_compared_on_tables_apart(capsys: pytest.CaptureFixture[str]) -> None:
    main(["workers", "--problems", "table-svm-rings,branin", "--seeds", "0-1", "--evaluations", "6"])
    functions, tables = capsys.readouterr().out.split("## regret in units of random search's")
    assert "## log10 regret" in functions
    assert "| branin | 2 |" in functions
    assert "| table-svm-rings | 2 |" in tables
    assert functions.count("Its upper end") == tables.count("Its upper end") == 1


def test_a_group_stands_for_its_problems(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []

    def measure(problems: list[str], *_: object) -> str:
        asked.append(problems)
        return ""

    monkeypatch.setattr(workers, "measure", measure)
    main(["workers", "--problems", "camel,tables-tuned,camel"])
    main(["workers"])
    assert asked == [["camel", *TABLES["tables-tuned"]], [surface.name for surface in REPORTED]]


def test_a_problem_without_a_known_optimum_has_no_regret() -> None:
    with pytest.raises(ValueError, match="nobody knows the optimum of svm"):
        perform(Run("svm", 0, "", "random_search", 1))


def test_priors_are_compared(capsys: pytest.CaptureFixture[str]) -> None:
    main(["priors", "--problems", "branin", "--seeds", "0-1", "--evaluations", "5", "--confidence", "high"])
    output, progress = capsys.readouterr()
    assert "prior of high confidence" in output
    assert "branin, seed 1, bad prior: regret" in progress


@pytest.mark.parametrize(
    "wrong",
    [
        ["--problems", "svm"],
        ["--problems", "tables-tuned"],
        ["--problems", ","],
        ["--seeds", "3-1"],
        ["--evaluations", "4"],
    ],
)
def test_what_makes_no_sense_is_refused(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["priors", *wrong])
    assert wrong[0] in capsys.readouterr().err
