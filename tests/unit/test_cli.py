"""The command line in one process: what it prints, and with which exit code it ends."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import neps
from neps._api import retrying
from neps._cli import main
from neps._trial import Status

Capture = pytest.CaptureFixture[str]


def fail_at_first(x: float, pipeline_directory: Path) -> float:
    if pipeline_directory.name != "config_1":
        raise ValueError("no good")
    return x


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A run with one success and two failures."""
    root = tmp_path / "root"
    evaluate(root, fail_at_first)
    return root


def evaluate(root: Path, objective: Callable[..., float]) -> neps.History:
    space = {"x": neps.Float(0, 1)}
    return neps.run(
        objective,
        root,
        space,
        searcher="random_search",
        max_evaluations_total=3,
        seed=1,
        ignore_errors=True,
        progress=False,
    )


def statuses(root: Path) -> list[str]:
    return [str(trial.status) for trial in neps.load(root).trials]


def test_status_is_that_of_the_api(root: Path, capsys: Capture) -> None:
    assert main(["status", str(root)]) == 0
    printed = timeless(capsys.readouterr().out)
    neps.status(root)
    assert printed == timeless(capsys.readouterr().out)
    assert "1 succeeded, 2 failed" in printed


def timeless(text: str) -> str:
    """Without the seconds that may pass between two commands."""
    return re.sub(r"\d+ s ago", "a moment ago", text)


READERS = ["status", "status --json", "best", "top", "plot", "export --to csv", "summary", "retry --failed", "show 1"]


def typed(command: str, root: object, *more: str) -> list[str]:
    """A command and its options, with the root where it belongs."""
    name, *options = command.split()
    return [name, str(root), *options, *more]


@pytest.mark.parametrize("command", [*READERS, "status --watch", "clean"])
def test_where_there_is_no_run_it_says_so_in_one_line(tmp_path: Path, command: str, capsys: Capture) -> None:
    assert main(typed(command, tmp_path / "absent")) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"neps: {tmp_path}/absent ")
    assert err.count("\n") == 1
    assert not (tmp_path / "absent").exists()


@pytest.mark.parametrize("command", READERS)
def test_a_folder_of_runs_names_them(tmp_path: Path, command: str, capsys: Capture) -> None:
    space = {"x": neps.Float(0, 1)}
    for task, stage in [(2, None), (1, None), (1, "b")]:
        neps.run(
            lambda x: x,
            tmp_path,
            space,
            searcher="random_search",
            task_id=task,
            development_stage_id=stage,
            max_evaluations_total=1,
            progress=False,
        )
    (tmp_path / "task_3").mkdir()
    neps.run(lambda x: x, tmp_path / "other", space, searcher="sobol", max_evaluations_total=1, progress=False)
    assert main(typed(command, tmp_path)) == 1
    assert capsys.readouterr().err == (
        f"neps: {tmp_path} holds no run: there is no neps.yaml in it. "
        "There are runs in other, task_1, task_1/dev_b, task_2: give one of these.\n"
    )


@pytest.mark.parametrize("command", [*READERS, "clean"])
def test_an_empty_root_is_not_the_current_folder(
    root: Path, command: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root)
    assert main(typed(command, "")) == 2
    assert capsys.readouterr().err.startswith("neps: root_directory is ''; it must be a path")
    assert not (root / "summary/plot.png").exists()


@pytest.mark.parametrize("output", [None, "best.svg"])
def test_plot_says_what_it_has_written(root: Path, tmp_path: Path, output: str | None, capsys: Capture) -> None:
    path = root / "summary" / "plot.png" if output is None else tmp_path / output
    assert main(["plot", str(root), *(["--output", str(path)] if output else [])]) == 0
    assert capsys.readouterr().out == f"{path}\n"
    assert path.stat().st_size


def test_plot_has_a_width_a_panel_and_several_runs(root: Path, tmp_path: Path, capsys: Capture) -> None:
    for given in (["--panel", "best_so_far"], [str(root)]):
        path = tmp_path / "plot.png"
        assert main(["plot", str(root), *given, "--width", "3.3", "--output", str(path)]) == 0
        assert int.from_bytes(path.read_bytes()[16:20]) == 3.3 * 150
    assert main(["plot", str(root), "--width", "0.3"]) == 2
    assert main(["plot", str(root), str(root)]) == 2
    assert main(["plot", str(root), "--panel", "best"]) == 2
    assert [line[:20] for line in capsys.readouterr().err.splitlines()] == [
        "neps: width is 0.3; ",
        "neps: A plot of 2 ru",
        "neps: There is no pa",
    ]


def failing(x: float) -> float:
    raise ValueError("no good")


@pytest.mark.parametrize("reason", ["suffix", "folder", "nothing finished", "no matplotlib"])
def test_what_cannot_be_plotted_is_refused_in_one_line(
    root: Path, tmp_path: Path, reason: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    if reason == "nothing finished":
        root = tmp_path / "failed"
        evaluate(root, failing)
    if reason == "no matplotlib":
        monkeypatch.setitem(sys.modules, "neps._views.figure", None)
    output = {"suffix": "a.jpg", "folder": "absent/a.png"}.get(reason, "a.png")
    code = 2 if reason in {"suffix", "folder"} else 1
    assert main(["plot", str(root), "--output", str(tmp_path / output)]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("neps: ")
    assert err.count("\n") == 1
    assert [path for path in tmp_path.rglob("*") if path.suffix in {".png", ".jpg"}] == []


def test_version(capsys: Capture) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"neps {neps.__version__}\n"


def test_the_help_says_all_of_each_command_in_a_line(capsys: Capture) -> None:
    assert main(["--help"]) == 0
    assert "..." not in capsys.readouterr().out.partition("Commands:")[2]


def test_a_trial_is_named_by_its_folder_too(root: Path, capsys: Capture) -> None:
    assert main(["show", str(root), "config_2"]) == 0
    assert capsys.readouterr().out.startswith("trial 2: failed")


@pytest.mark.parametrize("command", [["confirm", "ROOT"], ["preempt-test"]], ids=str)
def test_an_option_behind_the_script_is_not_lost(
    command: list[str], root: Path, tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "search.py").touch()
    name = "--top" if "ROOT" in command else "--wait"
    named = [str(root) if word == "ROOT" else word for word in command]
    for behind in ([name, "3"], [f"{name}=3"], ["--own", name, "3"]):
        assert main([*named, str(tmp_path / "search.py"), *behind]) == 2
        assert f"{name} comes after the script." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["stats", "x"], "There is no command 'stats'. Did you mean 'status'?"),
        (["xyz"], "There is no command 'xyz'. Commands: status, best, top, "),
        (["status"], "Missing argument 'ROOT...'"),
        (["status", "x", "--jsn"], "No such option '--jsn'"),
        (["best", "x", "--format", "toml"], "'toml' is not one of 'yaml', 'json', 'args'"),
        (["top", "x", "-n", "0"], "0 is not in the range x>=1"),
        (["show", "x", "two"], "'two' is not a valid trial's number"),
        (["export", "x"], "Missing option '--to'"),
        (["check"], "Missing argument 'DIR'"),
    ],
)
def test_a_wrong_command_is_refused(arguments: list[str], says: str, capsys: Capture) -> None:
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert says in err
    assert "Try 'neps" in err


@pytest.mark.parametrize(
    "arguments",
    [["2", "3"], ["--trial", "2", "3"], ["--trial", "3", "--trial", "2"], ["--trial=2", "3", "3"], ["--failed"]],
    ids=str,
)
def test_trials_to_retry_are_named_in_any_way(root: Path, arguments: list[str]) -> None:
    assert main(["retry", str(root), *arguments]) == 0
    assert statuses(root) == ["success", "waiting", "waiting"]


@pytest.mark.parametrize("arguments", [["--failed", "2"], ["--failed", "--trial", "2"], ["1_3x"], ["-1"]], ids=str)
def test_a_wrong_retry_is_refused(root: Path, arguments: list[str], capsys: Capture) -> None:
    assert main(["retry", str(root), *arguments]) == 2
    assert capsys.readouterr().err
    assert statuses(root) == ["success", "failed", "failed"]


def test_retry_without_trials_lists_what_has_failed_and_does_nothing(root: Path, capsys: Capture) -> None:
    assert main(["retry", str(root)]) == 2
    assert capsys.readouterr().err == (
        f"neps: Say which trials to retry: give their numbers, or ask for all that failed (--failed, or failed=True). "
        f"Failed in {root}:\n"
        "  trial 2: ValueError: no good\n"
        "  trial 3: ValueError: no good\n"
    )
    assert statuses(root) == ["success", "failed", "failed"]


def test_an_error_is_told_by_its_first_line(tmp_path: Path, capsys: Capture, caplog: pytest.LogCaptureFixture) -> None:
    def run_pipeline(x: float) -> float:
        error = ExceptionGroup("two of the ranks failed", [ValueError(f"{x}"), KeyError("b")])
        error.add_note("see the manual")
        raise error

    with pytest.raises(neps.errors.EvaluationError, match=r"failed: ExceptionGroup: two of the ranks failed \("):
        neps.run(run_pipeline, tmp_path, {"x": neps.Float(0, 1)}, searcher="random_search", max_evaluations_total=1)
    assert "Trial 1 failed: ExceptionGroup: two of the ranks failed (" in caplog.text
    assert main(["retry", str(tmp_path)]) == 2
    assert "trial 1: ExceptionGroup: two of the ranks failed (" in capsys.readouterr().err
    assert main(["status", str(tmp_path)]) == 0
    assert "trial 1: ExceptionGroup: two of the ranks failed (" in capsys.readouterr().out


def test_retry_of_one(root: Path, capsys: Capture) -> None:
    assert main(["retry", str(root), "--trial", "3"]) == 0
    assert f"trial 3: reopened in {root}/config_3\n" in capsys.readouterr().out
    assert statuses(root) == ["success", "failed", "waiting"]


def test_retry_of_all_that_failed(root: Path, capsys: Capture) -> None:
    assert main(["retry", str(root), "--failed"]) == 0
    assert statuses(root) == ["success", "waiting", "waiting"]
    assert main(["retry", str(root), "--failed"]) == 0
    assert capsys.readouterr().out.endswith(f"No trial has failed in {root}.\n")
    assert main(["retry", str(root)]) == 2
    assert capsys.readouterr().err.endswith(f"No trial has failed in {root}.\n")


def test_what_has_not_failed_is_not_retried(root: Path, capsys: Capture) -> None:
    assert main(["retry", str(root), "--trial", "1", "2", "2", "9"]) == 1
    assert capsys.readouterr().out.splitlines()[:3] == [
        f"trial 1: it has not failed: its status is success; nothing to retry ({root}/config_1)",
        f"trial 2: reopened in {root}/config_2",
        f"trial 9: there is no such trial ({root}/config_9)",
    ]
    assert statuses(root) == ["success", "waiting", "failed"]
    assert sorted(path.name for path in root.glob("config_*")) == ["config_1", "config_2", "config_3"]


def test_what_decides_nothing_is_not_retried(root: Path, capsys: Capture) -> None:
    (root / "config_4").write_text("not a folder")
    assert main(["retry", str(root), "--trial", "4"]) == 1
    said = capsys.readouterr().out
    assert said.startswith("trial 4: it is damaged, and what it was to evaluate with it: config_4: not a folder: ")
    assert said.endswith(f"what it has cost is forgotten then ({root}/config_4)\n")


def test_somebody_else_was_quicker(root: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    stale = neps.load(root)
    assert main(["retry", str(root), "--failed"]) == 0
    monkeypatch.setattr(retrying, "load", lambda _: stale)
    assert main(["retry", str(root), "--trial", "2"]) == 1
    assert f"trial 2: was reopened by another process meanwhile ({root}/config_2)" in capsys.readouterr().out
    monkeypatch.undo()
    assert statuses(root) == ["success", "waiting", "waiting"]


def test_an_error_of_the_filesystem_is_one_line(root: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    def read_only(*_: object) -> bool:
        raise OSError(30, "Read-only file system", "config_2")

    monkeypatch.setattr(retrying, "reopen", read_only)
    assert main(["retry", str(root), "--failed"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"neps: {root} can't be used: [Errno 30] Read-only file system: 'config_2'. ")
    assert line.endswith("Nothing is lost: retry trial 2 again.")


def test_what_the_output_cannot_hold_is_escaped(tmp_path: Path, capsys: Capture) -> None:
    name = tmp_path / "\udcff"
    assert main(["status", str(name)]) == 1
    assert "\\udcff does not exist" in capsys.readouterr().err


def test_retried_trials_are_evaluated_again(root: Path) -> None:
    assert main(["retry", str(root), "--failed"]) == 0
    history = evaluate(root, lambda x: x)
    # Attempt 2 is the retry's own, which it leaves for any worker.
    assert [(trial.status, trial.attempts) for trial in history.trials] == [
        (Status.SUCCESS, 1),
        (Status.SUCCESS, 3),
        (Status.SUCCESS, 3),
    ]
