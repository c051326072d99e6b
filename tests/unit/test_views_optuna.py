"""`neps.to_optuna`: what a run looks like to Optuna, its plots and its importances, and that nothing can be written."""

from __future__ import annotations

import inspect
import json
import logging
import math
import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import matplotlib as mpl
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState
from optuna.visualization import matplotlib as plots

import neps
from neps._trial import Status
from neps._views.optuna_storage import RunStorage, study_names
from neps._views.optuna_trials import Place, curve_of, distributions, frozen, state_of
from neps.errors import DirectoryError, NepsError
from neps.space import SearchSpace
from unit.trial_stories import at, trial

mpl.use("Agg")

SPACE: dict[str, neps.Parameter] = {
    "rate": neps.Float(1e-5, 1e-1, log=True, default=1e-3, default_confidence="high"),
    "width": neps.Integer(1, 64, log=True),
    "act": neps.Categorical([None, True, 3, 2.5, "relu"]),
    "kind": neps.Constant("adam"),
}
EPOCHS = {"epochs": neps.Integer(1, 9, is_fidelity=True)}


def loss_of(rate: float, width: int) -> float:
    return (math.log10(rate) + 2) ** 2 + width / 64


def evaluate(rate: float, width: int, act: object, kind: str) -> dict[str, Any]:
    if width > 45:
        raise ValueError("too wide")
    loss = math.nan if act == "relu" else -math.inf if act is True else loss_of(rate, width)
    return {"loss": loss, "cost": 2.0, "info_dict": {"accuracy": 0.5, "shape": [3, {"mean": math.nan}], "note": "x"}}


def train(rate: float, width: int, act: object, kind: str, epochs: int) -> float:
    for epoch in range(1, epochs + 1):
        neps.report(epoch, loss_of(rate, width) + 1 / epoch)
    return loss_of(rate, width) + 1 / epochs


@pytest.fixture(scope="module")
def flat(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with failures, and losses that are not finite. Only read."""
    root = tmp_path_factory.mktemp("optuna") / "flat"
    neps.run(evaluate, root, SPACE, searcher="random_search", max_evaluations_total=40, seed=1, ignore_errors=True)
    return root


@pytest.fixture(scope="module")
def deep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run over epochs. Only read."""
    root = tmp_path_factory.mktemp("optuna") / "deep"
    neps.run(train, root, SPACE | EPOCHS, searcher="hyperband", max_evaluations_total=60, seed=1)
    return root


def test_its_name_direction_and_attributes_are_the_runs(deep: Path) -> None:
    study = neps.to_optuna(deep)
    assert study.study_name == "deep"
    assert study.direction == optuna.study.StudyDirection.MINIMIZE
    attributes = study.user_attrs
    assert attributes["root"] == str(deep)
    assert attributes["searcher"] == "hyperband"
    assert attributes["settings"]["eta"] == 3
    assert attributes["fidelity"] == "epochs"
    assert attributes["prior"] == {"rate": "0.001, high"}
    assert attributes["seed"] == "1"
    assert json.loads(json.dumps(attributes)) == attributes


def test_opening_one_says_nothing(flat: Path, caplog: pytest.LogCaptureFixture) -> None:
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.enable_propagation()
    try:
        with caplog.at_level(logging.INFO):
            neps.to_optuna(flat)
    finally:
        optuna.logging.disable_propagation()
    assert not caplog.records
    assert optuna.logging.get_verbosity() == verbosity


def test_parameters_have_their_distributions_and_what_is_not_searched_is_an_attribute(deep: Path) -> None:
    for ours, theirs in zip(neps.load(deep).trials, neps.to_optuna(deep).trials, strict=True):
        assert theirs.number == ours.number - 1
        assert theirs.user_attrs["config"] == f"config_{ours.number}"
        assert theirs.params == {name: ours.config[name] for name in ("rate", "width", "act")}
        assert theirs.distributions == {
            "rate": FloatDistribution(1e-5, 1e-1, log=True),
            "width": IntDistribution(1, 64, log=True),
            "act": CategoricalDistribution((None, True, 3, 2.5, "relu")),
        }
        assert (theirs.user_attrs["config.kind"], theirs.user_attrs["config.epochs"]) == ("adam", ours.fidelity)


def test_every_trial_is_one_that_optuna_takes(flat: Path, deep: Path) -> None:
    for root in (flat, deep):
        study = neps.to_optuna(root)
        copy = optuna.create_study()
        copy.add_trials(study.trials)  # checks each
        assert [trial.user_attrs for trial in copy.trials] == [trial.user_attrs for trial in study.trials]
        assert json.loads(json.dumps([trial.user_attrs for trial in study.trials], allow_nan=False))


def test_the_best_is_that_of_neps_and_lower_fidelities_are_pruned(deep: Path) -> None:
    history, study = neps.load(deep), neps.to_optuna(deep)
    assert history.best is not None
    assert study.best_trial.number + 1 == history.best.number
    assert study.best_value == history.best.loss
    for ours, theirs in zip(history.trials, study.trials, strict=True):
        assert theirs.state == (TrialState.COMPLETE if ours.fidelity == 9 else TrialState.PRUNED)
        assert theirs.value == ours.loss


def test_curves_are_intermediate_values_from_the_first_step_on(deep: Path) -> None:
    history = neps.load(deep)
    promoted = [ours.number for ours in history.trials if ours.previous is not None]
    assert promoted
    for ours, theirs in zip(history.trials, neps.to_optuna(deep).trials, strict=True):
        own = dict(ours.learning_curve)
        assert list(theirs.intermediate_values) == list(range(1, int(ours.fidelity or 0) + 1))
        assert theirs.intermediate_values.items() >= own.items()


@pytest.fixture
def tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Where the time is not UTC."""
    with monkeypatch.context() as there:
        there.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("tokyo")
def test_times_are_local_and_those_of_the_evaluation(flat: Path) -> None:
    for ours, theirs in zip(neps.load(flat).trials, neps.to_optuna(flat).trials, strict=True):
        assert ours.started is not None
        assert theirs.datetime_start is not None
        assert theirs.datetime_start.astimezone() == ours.started
        assert theirs.duration is not None
        assert theirs.duration.total_seconds() == pytest.approx(ours.duration, abs=0.05)


def test_failures_and_losses_that_are_not_finite_fail(flat: Path) -> None:
    history, study = neps.load(flat), neps.to_optuna(flat)
    seen = set()
    for ours, theirs in zip(history.trials, study.trials, strict=True):
        attributes = theirs.user_attrs
        if ours.status is Status.FAILED:
            assert (theirs.state, theirs.value) == (TrialState.FAIL, None)
            assert attributes["error"].startswith("ValueError: too wide\n\nTraceback")
        elif ours.loss is not None and not math.isfinite(ours.loss):
            assert (theirs.state, theirs.value, attributes["loss"]) == (TrialState.FAIL, None, str(ours.loss))
        else:
            assert (theirs.state, theirs.value) == (TrialState.COMPLETE, ours.loss)
            assert "loss" not in attributes
        seen.add((ours.status, str(ours.loss) in {"nan", "-inf"} and str(ours.loss)))
    assert seen == {(Status.FAILED, False), (Status.SUCCESS, False), (Status.SUCCESS, "nan"), (Status.SUCCESS, "-inf")}
    assert history.best is not None
    assert study.best_trial.number + 1 == history.best.number


def test_costs_and_info_are_attributes(flat: Path) -> None:
    attributes = neps.to_optuna(flat).best_trial.user_attrs
    assert attributes["cost"] == 2.0
    assert attributes["duration"] >= 0
    assert "spent" not in attributes, "it is the cost"
    assert (attributes["info.accuracy"], attributes["info.note"]) == (0.5, "x")
    assert attributes["info.shape"] == [3, {"mean": "nan"}]


def plot_contour(study: optuna.Study) -> object:
    return plots.plot_contour(study, params=["rate", "act"])


def plot_rank(study: optuna.Study) -> object:
    return plots.plot_rank(study, params=["width", "act"])


def plot_param_importances(study: optuna.Study) -> object:
    return plots.plot_param_importances(study, evaluator=optuna.importance.PedAnovaImportanceEvaluator())


PLOTS: list[Callable[[optuna.Study], object]] = [
    plot_contour,
    plot_param_importances,
    plot_rank,
    plots.plot_edf,
    plots.plot_intermediate_values,
    plots.plot_optimization_history,
    plots.plot_parallel_coordinate,
    plots.plot_slice,
    plots.plot_timeline,
]


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning", "ignore::UserWarning")
@pytest.mark.parametrize("plot", PLOTS, ids=lambda plot: plot.__name__)
def test_plots(plot: Callable[[optuna.Study], object], deep: Path) -> None:
    import matplotlib.pyplot as plt

    plot(neps.to_optuna(deep))
    figure = plt.gcf()
    try:
        figure.canvas.draw()
        assert any(axes.has_data() for axes in figure.axes)
    finally:
        plt.close("all")


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.parametrize("name", ["PedAnovaImportanceEvaluator", "FanovaImportanceEvaluator"])
def test_importances(name: str, deep: Path) -> None:
    found = optuna.importance.get_param_importances(
        neps.to_optuna(deep), evaluator=getattr(optuna.importance, name)(**({"seed": 1} if name[0] == "F" else {}))
    )
    assert set(found) == {"rate", "width", "act"}
    assert found["act"] == min(found.values()), "no loss depends on it"


REFUSED: dict[str, Callable[[optuna.Study], object]] = {
    "create_new_trial": lambda study: study.ask(),
    "create_new_trial ": lambda study: study.optimize(lambda _: 1.0, n_trials=1),
    "create_new_trial  ": lambda study: study.enqueue_trial({"rate": 1e-3}),
    "set_study_user_attr": lambda study: study.set_user_attr("note", "mine"),
    "set_study_system_attr": lambda study: study.set_metric_names(["accuracy"]),
}


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.parametrize("what", REFUSED)
def test_nothing_can_be_written(what: str, flat: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in (flat, *flat.rglob("*"))}
    study = neps.to_optuna(flat)
    with pytest.raises(NepsError, match=rf"^{what.strip()} was refused, and nothing has changed.*{flat}.*neps\.run"):
        REFUSED[what](study)
    assert len(study.trials) == 40
    assert {path: path.stat().st_mtime_ns for path in (flat, *flat.rglob("*"))} == before


def test_what_it_stands_on_in_optuna_has_not_changed() -> None:
    """If this fails, a version of Optuna has come that asks more of a storage, or makes trials otherwise."""
    assert BaseStorage.__abstractmethods__ == {
        *("create_new_study", "delete_study", "get_all_studies", "get_study_directions", "get_study_id_from_name"),
        *("get_study_name_from_id", "get_study_system_attrs", "get_study_user_attrs", "set_study_system_attr"),
        *("set_study_user_attr", "create_new_trial", "get_all_trials", "get_trial", "set_trial_intermediate_value"),
        *("set_trial_param", "set_trial_state_values", "set_trial_system_attr", "set_trial_user_attr"),
    }
    names = "number state value datetime_start datetime_complete params distributions user_attrs system_attrs"
    assert list(inspect.signature(FrozenTrial).parameters) == [
        *names.split(),
        *("intermediate_values", "trial_id", "values"),
    ]
    assert [state.name for state in TrialState] == ["RUNNING", "COMPLETE", "PRUNED", "FAIL", "WAITING"]


def test_no_private_name_of_optuna_is_used() -> None:
    views = Path(inspect.getfile(RunStorage)).parent
    for path in views.glob("*.py"):
        for line in path.read_text(encoding="utf-8").splitlines():
            words = line.replace("(", " ").replace(",", " ").split()
            if (
                "optuna" in line
                and words[1:2] != []
                and not words[1].startswith("neps")
                and words[0] in {"from", "import"}
            ):
                assert not [part for word in words for part in word.split(".") if part.startswith("_")], line


class TestStorage:
    def test_several_runs_are_studies_with_trials_of_their_own(self, flat: Path, deep: Path) -> None:
        storage = RunStorage([str(flat), str(deep), f"{flat}/../flat"])
        assert [study.study_name for study in storage.get_all_studies()] == ["flat", "deep"]
        identities = set()
        for name, root in (("flat", flat), ("deep", deep)):
            study_id = storage.get_study_id_from_name(name)
            for ours, theirs in zip(neps.load(root).trials, storage.get_all_trials(study_id), strict=True):
                identity = storage.get_trial_id_from_study_id_trial_number(study_id, theirs.number)
                identities.add(identity)
                assert storage.get_trial(identity).user_attrs == theirs.user_attrs
                assert theirs.user_attrs["config"] == f"config_{ours.number}"
        assert len(identities) == 100

    def test_unknown_ids_are_key_errors_as_optuna_expects(self, flat: Path) -> None:
        storage = RunStorage([str(flat)])
        for call in (
            lambda: storage.get_trial(40),
            lambda: storage.get_trial(-1),
            lambda: storage.get_all_trials(1),
            lambda: storage.get_study_name_from_id(1),
            lambda: storage.get_study_id_from_name("other"),
            lambda: storage.get_trial_id_from_study_id_trial_number(0, 40),
            lambda: storage.get_trial_id_from_study_id_trial_number(1, 0),
        ):
            with pytest.raises(KeyError):
                call()

    def test_copies_can_be_changed(self, flat: Path) -> None:
        storage = RunStorage([str(flat)])
        for copied in storage.get_all_trials(0, deepcopy=True):
            copied.user_attrs.clear()
            copied.intermediate_values[1] = 0.0
        assert all(kept.user_attrs and not kept.intermediate_values for kept in storage.get_all_trials(0))

    def test_states_are_chosen(self, flat: Path) -> None:
        found = RunStorage([str(flat)]).get_all_trials(0, states=(TrialState.FAIL,))
        assert 0 < len(found) < 40
        assert {each.state for each in found} == {TrialState.FAIL}

    @pytest.mark.parametrize(
        ("roots", "names"),
        [
            (["/a"], ["a"]),
            (["/x/a", "/y/a", "/y/b"], ["x/a", "y/a", "b"]),
            (["/x/z/a", "/y/z/a", "/a"], ["x/z/a", "y/z/a", "a"]),
            ([], []),
            (["/"], ["/"]),
        ],
    )
    def test_names_tell_them_apart(self, roots: list[str], names: list[str]) -> None:
        assert study_names(roots) == names
        assert len(set(names)) == len(names)


class TestTrials:
    def test_what_stands_in_between_waits_or_runs(self) -> None:
        assert state_of(trial(1, status=Status.RUNNING), None) == TrialState.RUNNING
        assert state_of(trial(1, status=Status.WAITING), None) == TrialState.WAITING

    def test_a_curve_goes_on_from_that_of_the_trial_before(self) -> None:
        ours = trial(2, 0.5, fidelity=9, learning_curve=[0.9, 0.5], learning_curve_steps=[3, 9])
        assert curve_of(ours, {1: 3.0, 3: 1.0}, {}) == {1: 3.0, 3: 0.9, 9: 0.5}
        assert curve_of(trial(2, 0.5, fidelity=9), {3: 1.0}, {}) == {3: 1.0, 9: 0.5}
        assert curve_of(trial(2, status=Status.RUNNING), {3: 1.0}, {4: 0.8}) == {3: 1.0, 4: 0.8}
        assert curve_of(trial(2, 0.5), {}, {}) == {}

    def test_long_curves_are_thinned_and_fractions_of_a_step_stay(self) -> None:
        place = Place(0, 0, TrialState.COMPLETE)
        values = frozen(trial(1, 0.5), place, {}, {step / 2: 1.0 for step in range(5000)}).intermediate_values
        assert len(values) == 1000
        assert (min(values), max(values)) == (0, 2499.5)
        assert {type(step) for step in values} == {int, float}

    def test_attributes_are_bounded(self) -> None:
        info = {"text": "x" * 10_000, "list": list(range(100_000)), **{f"k{n}": n for n in range(200)}}
        made = frozen(trial(1, 0.5, info_dict=info, finished=at(2)), Place(0, 0, TrialState.COMPLETE), {}, {})
        assert len(made.user_attrs["info.text"]) < 2_100
        assert made.user_attrs["info.list"] == "<left out: 688890 characters of JSON>"
        assert made.user_attrs["info"] == "<left out: 102 more values>"
        assert len(json.dumps(made.user_attrs)) < 10_000

    def test_a_range_of_one_value_is_a_parameter(self) -> None:
        space = SearchSpace({"x": neps.Float(2, 2), "n": neps.Integer(3, 3, log=True), "c": neps.Categorical([False])})
        assert all(distribution.single() for distribution in distributions(space).values())


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning", "ignore::UserWarning")
def test_the_example_in_docs_runs(deep: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = (Path(__file__).parents[2] / "docs" / "optuna.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    exec(example.replace("results/example", str(deep)), {})  # noqa: S102 - our own page
    assert "'rate': " in capsys.readouterr().out


def test_a_folder_without_a_run_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DirectoryError, match=r"holds no run: there is no neps\.yaml in it"):
        neps.to_optuna(tmp_path)


def test_without_optuna_it_says_what_to_install(flat: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "neps._views.optuna_storage")
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(NepsError, match=r"pip install 'neps\[optuna\]'"):
        neps.to_optuna(flat)
