"""Calls that can't be made: what is said of arguments that nobody has, and where the traceback ends."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import neps
from neps._api.elsewhere import ELSEWHERE
from neps._calling import own_arguments, unknown_argument
from neps.errors import ArgumentError, DirectoryError, EvaluationError, nearest
from neps.samplers import RandomSearch
from neps.samplers._registry import _ELSEWHERE, SEARCHERS, searchers_with
from neps.space._elsewhere import ELSEWHERE as OF_PARAMETERS

SPACE = {"x": neps.Float(0, 1)}
RUN: Callable[..., Any] = neps.run  # untyped, so that it can be called wrongly
FLOAT: Callable[..., Any] = neps.Float
INTEGER: Callable[..., Any] = neps.Integer
CATEGORICAL: Callable[..., Any] = neps.Categorical
CONSTANT: Callable[..., Any] = neps.Constant
OWN = own_arguments(neps.run)
PLACED = ("is_fidelity", "default", "default_confidence", "active_if", "forbid")  # with parameters and spaces


def refused(root: Path, *args: Any, **kwargs: Any) -> str:
    with pytest.raises(ArgumentError) as raised:
        RUN(*(args or (lambda x: x, root / "a", SPACE)), **kwargs)
    assert not (root / "a").exists()
    return str(raised.value)


# Whose argument it is


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("n_trials", "max_evaluations_total"),
        ("num_samples", "max_evaluations_total"),
        ("evaluations_to_spend", "max_evaluations_total"),
        ("timeout", "max_seconds_per_run"),
        ("walltime_limit", "max_seconds_per_run"),
        ("n_jobs", "Start the same script several times"),
        ("n_workers", "Start the same script several times"),
        ("direction", "neps.run minimises"),
        ("maximize", "neps.run minimises"),
        ("mode", "neps.run minimises"),
        ("metric", "what run_pipeline returns"),
        ("sampler", "searcher="),
        ("optimizer", "searcher="),
        ("scheduler", "is_fidelity=True"),
        ("cost_to_spend", "max_cost_total"),
        ("max_cost", "max_cost_total"),
        ("fidelities_to_spend", "max_fidelity_total"),
        ("objective_value_on_error", "loss_value_on_error"),
        ("overwrite_root_directory", "overwrite_working_directory"),
        ("prior", "default="),
        ("run_args", "yaml.safe_load"),
        ("forbid", "pipeline_space=neps.SearchSpace("),
        ("active_if", "with its parameter"),
        ("sample_prior_first", "sample_default_first=True"),
        ("max_evaluation_total", "Did you mean 'max_evaluations_total'?"),
        ("prior_weight", "It is a setting of 'pibo'"),
    ],
)
def test_an_argument_of_another_tool_says_what_to_write_here(tmp_path: Path, name: str, ours: str) -> None:
    message = refused(tmp_path, **{name: 3})
    assert message.startswith(f"neps.run has no argument {name!r}")
    assert ours in message
    assert message.count("\n") == 0, "what else there is need not be read"


def test_where_nobody_knows_what_is_meant_all_arguments_are_named(tmp_path: Path) -> None:
    first, own, settings = refused(tmp_path, odd=1).splitlines()
    assert first == "neps.run has no argument 'odd'."
    assert own == f"neps.run takes {', '.join(OWN)}."
    assert settings.startswith("The searcher 'bayesian_optimization' takes initial_design_size, ")


def test_all_of_them_are_named_at_once(tmp_path: Path) -> None:
    message = refused(tmp_path, n_trials=3, direction="maximize", max_evaluation_total=3, prior_weight=2, odd=1)
    lines = message.splitlines()
    assert [line.split("'")[1] for line in lines[:5]] == [
        "n_trials", "direction", "max_evaluation_total", "prior_weight", "odd",
    ]  # fmt: skip
    assert lines[2].endswith("Did you mean 'max_evaluations_total'?")
    assert lines[3].endswith("It is a setting of 'pibo', 'priorband_bo', 'freeze_thaw_prior'.")
    assert lines[4] == "neps.run has no argument 'odd'."


def test_where_the_function_is_missing_its_other_name_is_explained(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError) as raised:
        RUN(evaluate_pipeline=len, pipeline_space=SPACE, root_directory=tmp_path / "a", x_odd=1)
    message = str(raised.value)
    assert message.startswith("neps.run has no argument 'evaluate_pipeline'. Write run_pipeline=…")
    assert "neps.run needs run_pipeline." in message
    assert "neps.run takes" not in message


def test_the_order_of_newer_versions_of_nepss_is_explained(tmp_path: Path) -> None:
    assert "It comes second, and pipeline_space third." in refused(tmp_path, len, SPACE, tmp_path / "a")


def test_only_three_arguments_come_by_position(tmp_path: Path) -> None:
    message = refused(tmp_path, len, tmp_path / "a", SPACE, "random_search", 3)
    assert "by position, but got 5. Pass the others by name, as in searcher=…." in message


def test_an_argument_that_comes_twice_is_named(tmp_path: Path) -> None:
    assert "neps.run got root_directory twice." in refused(tmp_path, len, tmp_path, root_directory=tmp_path / "a")


def test_a_sampler_has_its_settings_already(tmp_path: Path) -> None:
    message = refused(tmp_path, searcher=RandomSearch(), use_priors=True)
    assert message.startswith("neps.run has no argument 'use_priors' with the searcher 'RandomSearch'.")
    assert message.endswith("The searcher is already a RandomSearch: pass its settings to its constructor.")


@pytest.mark.parametrize("name", ["sampler", "bo", "log_scale", "objective", "max_evals", "priors", "scale"])
def test_a_name_that_is_only_half_alike_is_no_hint(name: str) -> None:
    known = [*OWN, "sample_default_first", "pibo", "prior_weight", "log", "objective_to_minimize"]
    assert nearest(name, known) == ""


def test_the_tables_name_what_there_is_and_nothing_that_is_ours() -> None:
    settings = {"sample_default_first", "initial_design_size", "eta"}
    assert all(searchers_with(setting) for setting in settings)
    for name, advice in ELSEWHERE.items():
        assert name not in OWN
        assert not searchers_with(name)
        for ours in re.findall(r"\b([a-z_]+)=[^=]", advice):
            assert ours in {*OWN, *settings, *PLACED, "cost"}, advice
    own = {
        name for kind in (neps.Float, neps.Categorical, neps.Constant) for name in inspect.signature(kind).parameters
    }
    for name, advice in OF_PARAMETERS.items():
        assert name not in own
        assert set(re.findall(r"\b([a-z_]+)=[^=]", advice)) <= own, advice


@pytest.mark.parametrize(
    ("given", "hint"),
    [
        ("bo", "'bayesian_optimization'"),
        ("TPE", "There is no TPE"),
        ("async-hb", "'async_hyperband'"),
        ("auto", "'default'"),
    ],
)
def test_a_searcher_of_another_tool_says_which_one_is_meant(tmp_path: Path, given: str, hint: str) -> None:
    message = refused(tmp_path, searcher=given)
    assert message.startswith(f"searcher is {given!r}, but it must be one of 'default', 'random_search', ")
    assert hint in message.partition("'freeze_thaw_prior'.")[2]
    assert "pibo" not in message.partition("'freeze_thaw_prior'.")[2]


def test_each_advised_searcher_exists() -> None:
    named = {name for advice in _ELSEWHERE.values() for name in re.findall(r"'([a-z_]+)'", advice)}
    assert named <= {"default", *SEARCHERS}
    assert not set(_ELSEWHERE) & set(SEARCHERS)


# Parameters


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: INTEGER(1, 8, q=2), "neps.Integer has no argument 'q'. Write step=…"),
        (lambda: FLOAT(1, 8, log_scale=True), "no argument 'log_scale'. Write log=True"),
        (lambda: FLOAT(1, 8, log=True, log_base=2), "no argument 'log_base'. Write log=True"),
        (lambda: FLOAT(1, 8, prior=2), "no argument 'prior'. Write default=…"),
        (lambda: FLOAT(1, 8, prior_confidence="low"), "Write default_confidence="),
        (lambda: CATEGORICAL(["a"], weights=[1]), "no argument 'weights'. Write default=… and default_"),
        (lambda: CATEGORICAL(sequence=["a"]), "no argument 'sequence'. Write ordered=True, with choices=[…]"),
        (lambda: CATEGORICAL(items=["a"]), "Write choices=[…].\nneps.Categorical needs choices."),
        (lambda: FLOAT(low=0, high=1), "no argument 'low'. Write lower=….\nneps.Float has no argument 'high'."),
        (lambda: FLOAT(0), "neps.Float needs upper.\nneps.Float takes lower, upper, log, "),
        (lambda: FLOAT(0, 1, lgo=True), "no argument 'lgo'. Did you mean 'log'?"),
        (lambda: CATEGORICAL(["a"], log=True), "no argument 'log'.\nneps.Categorical takes choices"),
        (CONSTANT, "neps.Constant needs value."),
    ],
)  # fmt: skip
def test_an_unknown_argument_of_a_parameter_is_explained(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ArgumentError) as raised:
        make()
    assert message in str(raised.value)


def test_constructors_show_their_arguments_as_before() -> None:
    assert list(inspect.signature(neps.Float).parameters)[:3] == ["lower", "upper", "log"]
    assert list(inspect.signature(neps.run).parameters)[:4] == [*OWN[:4]]
    assert unknown_argument("f", "x" * 1000, [], {}) < "f has no argument 'y"


# Frames


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        ("neps.run(lambda x: x, ROOT, {'x': neps.Float(0, 1)}, n_trials=3)", "ArgumentError"),
        ("neps.run(lambda x: x, ROOT, {'x': neps.Float(0, 1)}, seed='a')", "ArgumentError"),
        ("neps.run(lambda x: x, ROOT, {'x': 3})", "SpaceError"),
        ("neps.run(lambda x: x, ROOT, {'x': neps.Float(0, 1)}, searcher='pibo')", "ArgumentError"),
        ("neps.Float(1, 0)", "SpaceError"),
        ("neps.Float(0, 1, default=7)", "SpaceError"),
        ("neps.load(ROOT)", "DirectoryError"),
        ("neps.status(ROOT)", "DirectoryError"),
        ("neps.plot(ROOT)", "DirectoryError"),
        ("neps.load(3)", "ArgumentError"),
    ],
)
def test_the_traceback_ends_at_the_users_line(tmp_path: Path, call: str, kind: str) -> None:
    with pytest.raises((ArgumentError, DirectoryError)) as raised:
        exec(call, {"neps": neps, "ROOT": tmp_path / "a"})  # noqa: S102 - the user's line
    frames = traceback.extract_tb(raised.value.__traceback__)
    assert [frame.filename for frame in frames[1:]] == ["<string>", inspect.getsourcefile(unknown_argument)]
    assert "direct cause" not in "".join(traceback.format_exception(raised.value))
    assert type(raised.value).__name__ == kind


def test_a_failed_evaluation_shows_the_users_code_and_the_users_call(tmp_path: Path) -> None:
    def run_pipeline(x: float) -> float:
        raise ZeroDivisionError(x)

    with pytest.raises(EvaluationError) as raised:
        neps.run(run_pipeline, tmp_path, SPACE, searcher="random_search", max_evaluations_total=1)
    frames = traceback.extract_tb(raised.value.__traceback__)
    assert [frame.name for frame in frames[1:]] == ["call"]
    assert isinstance(raised.value.__cause__, ZeroDivisionError)
    assert [frame.name for frame in traceback.extract_tb(raised.value.__cause__.__traceback__)] == ["run_pipeline"]


def test_an_interrupt_shows_the_users_code_alone(tmp_path: Path) -> None:
    def run_pipeline(x: float) -> float:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as raised:
        neps.run(run_pipeline, tmp_path, SPACE, searcher="random_search", max_evaluations_total=1)
    frames = traceback.extract_tb(raised.value.__traceback__)
    assert [frame.name for frame in frames[1:]] == ["call", "run_pipeline"]


def test_a_users_own_code_stays_in_the_traceback(tmp_path: Path) -> None:
    def hook(sampler: neps.Sampler) -> neps.Sampler:
        raise ArgumentError("of the user")

    with pytest.raises(ArgumentError, match="of the user") as raised:
        neps.run(lambda x: x, tmp_path, SPACE, pre_load_hooks=[hook])
    assert raised.traceback[-1].name == "hook"


def test_a_cause_that_is_not_ours_is_shown(tmp_path: Path) -> None:
    program = f"import neps; neps.run(lambda x: x, {str(tmp_path / 'a' / 'b')!r}, {{'x': neps.Float(0, 1)}})"
    (tmp_path / "a").symlink_to("a")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "OSError" in done.stderr
