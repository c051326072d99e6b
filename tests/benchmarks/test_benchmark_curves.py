"""Tables of learning curves: which configurations are trained, how they are kept, and what is answered from them."""

from __future__ import annotations

import dataclasses
import json
import math
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

import neps
from benchmarks.curves import making
from benchmarks.curves.data import data
from benchmarks.curves.design import ROUND, configuration, training_seed
from benchmarks.curves.figures import bounds, row
from benchmarks.curves.packing import pack, table_of
from benchmarks.curves.store import Record, Store
from benchmarks.curves.training import train
from benchmarks.problems import CURVES_REPORTED, CURVES_TUNED, PROBLEMS, Config, curve_tables, fidelity_problem, problem
from benchmarks.problems.curve_tables import Surrogate, Table
from benchmarks.problems.curve_tasks import REPORTED, TASKS, TUNED, CurveTask, task

_NAMES = [each.name for each in TASKS]
_CLASSES, _REGRESSION = task("cnn-digits"), task("mlp-houses")


def _short(of: CurveTask, epochs: int = 2) -> CurveTask:
    return dataclasses.replace(of, epochs=epochs)


def _made_up(of: CurveTask, number: int) -> Record:
    """Curves that fall, most at a learning rate of 0.01, and twice as noisy at lower ones; one in 10 diverges."""
    config = configuration(of, number, [])
    generator = np.random.default_rng(number)
    start = math.log10(config["learning_rate"] / 0.01)
    noise = (0.1 if start < 0 else 0.05) * generator.standard_normal((2, 1))
    falling = np.exp(-np.arange(1, of.epochs + 1) / of.epochs) * (0.3 + start**2 / 4) * np.exp(noise)
    losses = np.full(falling.shape, np.nan) if number % 10 == 9 else falling
    return Record(config, losses.tolist(), (losses / 4).tolist(), [[1.0, 2.0 + number], [3.0]])


def _table(of: CurveTask, number: int = 100) -> Table:
    return table_of(of, [_made_up(of, each) for each in range(number)])


@pytest.fixture
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Tables of two tasks, which problems are answered from."""
    for of in (_CLASSES, _REGRESSION):
        (tmp_path / f"{of.name}.xz").write_bytes(_table(of).packed())
    monkeypatch.setattr(curve_tables, "FOLDER", tmp_path)
    _forget()
    yield
    _forget()


def _forget() -> None:
    for cached in (
        curve_tables.table,
        curve_tables.surrogate,
        curve_tables.curve_problem,
        curve_tables.curve_fidelity_problem,
    ):
        cached.cache_clear()


# ---------------------------------------------------------------------------------------------------- the design


def test_both_halves_have_each_kind_of_network_and_other_data() -> None:
    kinds, others = ([each.name.partition("-")[0] for each in half] for half in (TUNED, REPORTED))
    assert sorted(kinds) == sorted(others)
    assert not {each.name.partition("-")[2] for each in TUNED} & {each.name.partition("-")[2] for each in REPORTED}
    assert all(6 <= len(each.space) <= 9 and 27 <= each.epochs <= 100 for each in TASKS)
    assert not {*CURVES_REPORTED, *CURVES_TUNED} & set(PROBLEMS)


def test_numbers_stand_for_the_same_configurations_for_ever() -> None:
    """Else a table that grows would mix designs."""
    found = [configuration(task("recurrent-series"), number, []) for number in (0, 1, 150)]
    assert found == [
        {
            "cell": "rnn",
            "learning_rate": 0.00204775,
            "weight_decay": 0.000265351,
            "batch_size": 85,
            "schedule": "cosine",
            "clip": 5.88737,
            "width": 13,
        },
        {
            "cell": "gru",
            "learning_rate": 0.0151301,
            "weight_decay": 0.00099952,
            "batch_size": 78,
            "schedule": "cosine",
            "clip": 0.221443,
            "width": 37,
        },
        {
            "cell": "gru",
            "learning_rate": 0.0176726,
            "weight_decay": 0.0370655,
            "batch_size": 165,
            "schedule": "constant",
            "clip": 1.58307,
            "width": 11,
        },
    ]
    assert training_seed(_CLASSES, 1, 0) == 2914167331
    assert len({training_seed(of, number, seed) for of in TASKS for number in range(50) for seed in (0, 1)}) == 1000


@pytest.mark.parametrize("name", _NAMES)
def test_configurations_are_of_the_space_and_spread_over_it(name: str) -> None:
    kinds: dict[str, type] = {"float": neps.Float, "integer": neps.Integer, "categorical": neps.Categorical}
    configs = [configuration(task(name), number, []) for number in range(64)]
    for param in task(name).space:
        fields = {key: value for key, value in param.items() if key not in {"name", "type"}}
        parameter, values = kinds[param["type"]](**fields), [config[param["name"]] for config in configs]
        assert all(parameter.parse(value) == value for value in values)
        if param["type"] == "categorical":
            assert set(values) == set(param["choices"])
        elif param["type"] == "integer":
            assert np.ptp(values) > 0.8 * (param["upper"] - param["lower"])
        else:
            assert np.ptp([parameter.to_unit(value) for value in values]) > 0.8
    assert all(list(config) == [param["name"] for param in task(name).space] for config in configs)


def test_later_ones_are_near_the_best_of_earlier_rounds() -> None:
    of = _CLASSES
    earlier = [_made_up(of, number) for number in range(2 * ROUND)]
    near = [configuration(of, number, [*earlier, earlier[0]]) for number in range(200, 300) if number % 4 > 1]
    spread = [configuration(of, number, earlier) for number in range(200, 300) if number % 4 < 2]
    off = [np.median([abs(math.log10(each["learning_rate"] / 0.01)) for each in some]) for some in (near, spread)]
    assert off[0] < off[1] / 2
    assert near[0] == configuration(of, 202, earlier)
    assert spread == [configuration(of, number, []) for number in range(200, 300) if number % 4 < 2]


# ------------------------------------------------------------------------------------------------------ training


@pytest.mark.parametrize("name", _NAMES)
def test_each_task_trains_and_is_a_constant_of_its_seed(name: str) -> None:
    of, randomness = _short(task(name), 1), torch.random.get_rng_state()
    config = {**configuration(of, 0, []), "batch_size": 64}
    first, again, other = train(of, config, 1), train(of, config, 1), train(of, config, 2)
    assert (first.losses, first.errors) == (again.losses, again.errors)
    assert other.losses != first.losses
    assert 0 < first.losses[0] < 5
    assert not of.answers or (first.errors[0] * len(data(name).answers.flatten())) % 1 == pytest.approx(0, abs=1e-6)
    assert of.answers in {0, data(name).answers.numel()}
    assert torch.equal(torch.random.get_rng_state(), randomness)


def test_an_image_that_is_left_over_is_no_batch() -> None:
    """Batch normalisation refuses one."""
    config = {**configuration(task("mlp-digits"), 0, []), "normalisation": "batch", "batch_size": 299}
    assert len(train(_short(task("mlp-digits")), config, 0).losses) == 2


def test_what_diverges_is_recorded_so_and_not_trained_further() -> None:
    config = {**configuration(_REGRESSION, 0, []), "learning_rate": 1e30, "optimizer": "sgd", "batch_size": 256}
    found = train(_short(_REGRESSION, 5), config, 0)
    assert len(found.losses) == len(found.errors) == 5
    assert not math.isfinite(found.losses[-1])
    assert len(found.seconds) < 5


# --------------------------------------------------------------------------------------------------- the store


def test_a_store_goes_on_where_it_stopped_and_takes_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = list[tuple[str, int]]()

    def trained(of: CurveTask, number: int, _: Config) -> Record:
        asked.append((of.name, number))
        return _made_up(of, number)

    monkeypatch.setattr(making, "trained", trained)
    monkeypatch.setattr(making, "ROUND", 2)
    store = Store(tmp_path)
    store.add(_CLASSES, 1, _made_up(_CLASSES, 1))
    (tmp_path / _CLASSES.name / "00002.json").write_text('{"task": 1', encoding="utf-8")
    making.make(store, [_CLASSES, _REGRESSION], 3)
    assert asked == [("cnn-digits", 0), ("mlp-houses", 0), ("mlp-houses", 1), ("cnn-digits", 2), ("mlp-houses", 2)]
    making.make(store, [_CLASSES, _REGRESSION], 3)
    assert len(asked) == 5
    assert len(store.first(_CLASSES)) == 3


def test_a_store_keeps_six_digits_and_what_diverged(tmp_path: Path) -> None:
    store, kept = Store(tmp_path), _made_up(_CLASSES, 9)
    store.add(_CLASSES, 0, dataclasses.replace(kept, errors=[[0.123456789, math.inf]]))
    found = store.read(_CLASSES, 0)
    assert found is not None
    assert found.config == kept.config
    assert found.errors == [[0.123457, math.inf]]
    assert np.isnan(found.losses).all()
    assert found.last == math.inf
    with pytest.raises(ValueError, match=r"00000.json is of cnn-digits as it was before a change: take another store"):
        store.read(_short(_CLASSES), 0)


_HOLDER = """
import sys
from pathlib import Path
from benchmarks.curves.store import Store
from benchmarks.problems.curve_tasks import task

with Store(Path(sys.argv[1])).claim(task("cnn-digits"), 7, wait=True) as mine:
    print(mine, flush=True)
    sys.stdin.read()
"""


def test_two_processes_never_train_the_same_and_a_killed_one_holds_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _HOLDER, str(tmp_path)]
    repository = Path(__file__).parents[2]
    store = Store(tmp_path)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=repository) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "True\n"
        for number, free in ((7, False), (8, True)):
            with store.claim(_CLASSES, number, wait=False) as mine:
                assert mine is free
        holder.send_signal(signal.SIGKILL)
    with store.claim(_CLASSES, 7, wait=True) as mine:
        assert mine


# ---------------------------------------------------------------------------------------------------- the tables


def test_a_table_is_packed_with_three_digits(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    for number in (*range(12), 13):
        store.add(_CLASSES, number, _made_up(_CLASSES, number))
    assert "12 configurations" in pack(_CLASSES, store, 20, tmp_path / "tables")
    found, known = Table.unpacked((tmp_path / "tables" / "cnn-digits.xz").read_bytes()), _table(_CLASSES, 12)
    assert found.configs == known.configs
    assert found.losses == pytest.approx(known.losses, rel=1e-3, nan_ok=True)
    assert found.errors == pytest.approx(known.errors, rel=1e-3, nan_ok=True)
    assert found.seconds.tolist() == [[2.0 + number, 3.0] for number in range(12)]
    assert found.about["versions"]["torch"] == torch.__version__


@pytest.mark.parametrize("task", TASKS, ids=lambda task: str(task.name))
def test_each_table_is_there(task: CurveTask) -> None:
    known = curve_tables.table(task.name)
    assert known.losses.shape == known.errors.shape == (300, 2, task.epochs)
    assert known.configs[:200] == tuple(configuration(task, number, []) for number in range(200))
    assert sum(path.stat().st_size for path in curve_tables.FOLDER.iterdir()) < 3e6


def test_figures_say_what_a_table_can_tell() -> None:
    columns = row(_CLASSES, _table(_CLASSES)).split("|")
    assert [each.strip() for each in columns[1:4]] == ["cnn-digits", "100", "0.10"]
    assert columns[5].strip() == "1.00, 1.00"
    assert float(columns[8]) == pytest.approx(0.08, abs=0.04)
    best, where = bounds(_CLASSES, _table(_CLASSES))
    assert "cnn-digits: best {'learning_rate': 0.0" in best
    assert "optimizer sgd " in where


# ------------------------------------------------------------------------------------------------- what is answered


def test_a_trained_configuration_has_its_own_curves() -> None:
    known = _table(_REGRESSION)
    answers = Surrogate(known, _REGRESSION, "loss")
    for place in (0, 17):
        config, both = known.configs[place], known.losses[place]
        assert answers.value(config) == pytest.approx(np.sqrt(both[0, -1] * both[1, -1]))
        for epochs in (1, 50):
            found = {answers.loss(config, epochs, seed) for seed in range(20)}
            assert sorted(found) == pytest.approx(sorted(both[:, epochs - 1]))
        assert answers.seconds(config) == pytest.approx((5.0 + place) / 2)
    assert answers.value(known.configs[9]) == pytest.approx(2.0)


def test_between_them_nothing_is_lower_and_little_is_flat() -> None:
    answers = Surrogate(_table(_REGRESSION), _REGRESSION, "loss")
    config = _table(_REGRESSION).configs[3]
    rates = np.geomspace(1e-4, 1, 200).tolist()
    values = [answers.value({**config, "learning_rate": rate}) for rate in rates]
    assert min(values) >= answers.lowest
    assert len(set(values)) > 150
    assert abs(math.log10(rates[int(np.argmin(values))] / 0.01)) < 0.5


def test_noise_depends_on_the_configuration_and_is_a_constant_of_the_seed() -> None:
    answers, spreads = Surrogate(_table(_REGRESSION), _REGRESSION, "loss"), dict[bool, list[float]]({})
    for number in range(100, 180):
        config = configuration(_REGRESSION, number, [])
        found = [answers.loss(config, 100, seed) for seed in range(10)]
        assert found == [answers.loss(config, 100, seed) for seed in range(10)]
        if abs(math.log10(config["learning_rate"] / 0.01)) > 0.5:
            spreads.setdefault(config["learning_rate"] < 0.01, []).append(float(np.log(found).std()))
    assert np.mean(spreads[True]) > 1.4 * np.mean(spreads[False]) > 0


@pytest.mark.usefixtures("tables")
def test_an_error_is_a_whole_number_of_wrong_answers() -> None:
    errors = problem("curve-cnn-digits-error")
    configs = [configuration(_CLASSES, number, []) for number in range(100, 150)]
    observed = [1000 * errors.loss(config, np.random.default_rng(0)) for config in configs]
    assert [round(each) for each in observed] == pytest.approx(observed)
    assert "curve-mlp-houses-error" not in CURVES_REPORTED
    assert errors.noisy


@pytest.mark.usefixtures("tables")
def test_problems_with_a_fidelity_and_without_are_of_the_same_table() -> None:
    single, mf = problem("curve-cnn-digits"), fidelity_problem("mf-curve-cnn-digits")
    config = configuration(_CLASSES, 100, [])
    assert single.value(config) == mf.evaluator(3).value(config)
    lowest = min(single.value(each) for each in curve_tables.table("cnn-digits").configs)
    assert single.optimum == mf.optimum == pytest.approx(lowest)
    assert len({mf.evaluator(seed).loss(config, 36) for seed in range(40)}) > 1
    assert [mf.cost(epochs) for epochs in (9, 36)] == [0.25, 1.0]
    good, bad = (np.mean([single.value(mf.default(kind, seed)) for seed in range(9)]) for kind in ("good", "bad"))
    assert good < np.median([single.value(each) for each in _table(_CLASSES).configs]) < bad


def test_a_task_can_be_trained_in_a_search_too() -> None:
    mf, config = fidelity_problem("mf-trained-mlp-cancer"), configuration(task("mlp-cancer"), 0, [])
    config = {**config, "batch_size": 128}
    run, same, other = (mf.evaluator(seed) for seed in (0, 0, 1))
    assert run.loss(config, 3) == same.loss(config, 3) != other.loss(config, 3)
    assert run.value(config) == other.value(config)
    assert len({run.loss(config, epochs) for epochs in range(1, 55)}) > 50
    diverged = mf.evaluator(0).loss({**config, "learning_rate": 1e30, "optimizer": "sgd"}, 54)
    assert diverged == pytest.approx(2 * math.log(2))


def test_a_table_that_is_not_there_says_how_to_make_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(curve_tables, "FOLDER", tmp_path)
    curve_tables.table.cache_clear()  # another test may have loaded it
    with pytest.raises(FileNotFoundError, match=r"cnn-digits.xz: make it with `scripts/bench curves pack`"):
        curve_tables.table("cnn-digits")
    with pytest.raises(ValueError, match=r"'cnn', but there is none of that name: choose one of cnn-gratings, "):
        task("cnn")
    assert json.dumps(TASKS[0].space)
