"""`neps preempt-test` on scripts that do it right, and on those that lose something, each in its own way."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from neps._cli import main

_SCRIPT = """
import json, signal, sys, time
import neps

STEPS = int(sys.argv[1]) if len(sys.argv) > 1 else 30

def save(folder, state):  # with json, which is imported sooner than torch
    neps.checkpoint.save(folder, state, "state", write=lambda state, file: file.write(json.dumps(state).encode()))

def load(folder):
    return neps.checkpoint.load(folder, name="state", read=json.load, default={{"epoch": 0}})

def run_pipeline(pipeline_directory, x, epochs=0):
{body}

if __name__ == "__main__":
    neps.run(
        run_pipeline,
        "results",
        {{"x": neps.Float(0, 1){parameter}}},
        searcher="random_search",
        max_evaluations_total=9{more}
    )
"""
_GOOD = """
state = load(pipeline_directory)
for epoch in range(state["epoch"] + 1, STEPS + 1):
    time.sleep(0.05)
    neps.report(epoch, x / epoch)
    save(pipeline_directory, {"epoch": epoch})
return x
"""
_SHORT_AND_LONG = """
state = load(pipeline_directory)
for epoch in range(state["epoch"] + 1, (STEPS if neps.current_trial().number > 3 else 1) + 1):
    time.sleep(0.3)
    neps.report(epoch, x / epoch)
    save(pipeline_directory, {"epoch": epoch})
return x
"""
_OWN_FILE = """
path = pipeline_directory / "epoch.pkl"
first = int(path.read_text()) if path.exists() else 0
for epoch in range(first + 1, STEPS + 1):
    time.sleep(0.05)
    part = path.with_suffix(".part")
    part.write_text(str(epoch))
    part.replace(path)
return x
"""
_TRAINED = """
state = load(pipeline_directory)
for epoch in range(state["epoch"] + 1, epochs + 1):
    neps.report(epoch, x / epoch)
    save(pipeline_directory, {"epoch": epoch})
try:
    time.sleep(2)
except BaseException:  # the results of the whole training are in
    pass
return x
"""
_NOTHING = """
for epoch in range(1, 10 * STEPS + 1):
    time.sleep(0.05)
    neps.report(epoch, x / epoch)
return x
"""
_NEVER_LOADS = """
for epoch in range(1, STEPS + 1):
    time.sleep(0.05)
    save(pipeline_directory, {"epoch": epoch})
return x
"""
_FORGETS_THE_EPOCH = """
load(pipeline_directory)
for epoch in range(1, STEPS + 1):
    time.sleep(0.05)
    neps.report(epoch, x / epoch)
    save(pipeline_directory, {"weights": epoch})
return x
"""
_RETURNS = """
state = load(pipeline_directory)
try:
    for epoch in range(state["epoch"] + 1, 20 * STEPS + 1):
        time.sleep(0.05)
        save(pipeline_directory, {"epoch": epoch})
except BaseException:
    pass
return x
"""
_SWALLOWS = """
state = load(pipeline_directory)
for epoch in range(state["epoch"] + 1, 20 * STEPS + 1):
    try:
        time.sleep(0.05)
        save(pipeline_directory, {"epoch": epoch})
    except BaseException:
        pass
return x
"""
_DEFAULT_ACTION = "signal.signal(signal.SIGTERM, signal.SIG_DFL)" + _GOOD
_FAILS_WHEN_RESUMED = """
if load(pipeline_directory)["epoch"]:
    raise ValueError("size mismatch for head.weight")
for epoch in range(1, STEPS + 1):
    time.sleep(0.05)
    save(pipeline_directory, {"epoch": epoch})
return x
"""


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A working directory, and a folder for what is temporary, which is looked at."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    yield
    shutil.rmtree(tmp_path / "temporary")


def tried(
    body: str, capfd: pytest.CaptureFixture[str], *options: str, more: str = "", parameter: str = ""
) -> tuple[int, str]:
    """The exit code of the command on a script with this run_pipeline, and what it printed."""
    arguments = [option for option in options if option.isdecimal()]
    named = [option for option in options if not option.isdecimal()]
    Path("script.py").write_text(
        _SCRIPT.format(body=textwrap.indent(body.strip(), "    "), more=more, parameter=parameter)
    )
    code = main(["preempt-test", *named, "script.py", *arguments])
    printed = capfd.readouterr()
    assert not Path("results").exists(), "the user's root is not touched"
    return code, printed.out + printed.err


@pytest.mark.parametrize("more", ["", ", overwrite_working_directory=True"])
def test_a_script_that_goes_on_from_its_checkpoint_is_fit(capfd: pytest.CaptureFixture[str], more: str) -> None:
    code, said = tried(_GOOD, capfd, "--signal=USR1", "40", more=more)
    assert code == 0, said
    assert "SIGUSR1 in trial 1, after" in said
    assert "handed the trial back" in said
    assert "SIGKILL in trial 1, attempt 2, after" in said
    assert said.count("the trial read state and began at step") == 2
    assert "It ended with the loss" in said
    assert "Fit for preemption" in said
    assert not list(Path("temporary").iterdir()), "nothing stays of a script that is fit"


def test_evaluations_that_save_at_their_end_alone_are_left_to_end(capfd: pytest.CaptureFixture[str]) -> None:
    """Of a searcher that promotes, the first evaluations last an epoch: nothing is saved in their midst."""
    code, said = tried(_SHORT_AND_LONG, capfd, "20")
    assert code == 0, said
    assert "SIGTERM in trial 4, after" in said


def test_files_of_its_own_count_too(capfd: pytest.CaptureFixture[str]) -> None:
    code, said = tried(_OWN_FILE, capfd)
    assert code == 0, said
    assert said.count("the trial read epoch.pkl and began again.") == 2


@pytest.mark.parametrize(
    ("body", "options", "expected"),
    [
        (_NOTHING, ["--wait=1", "--limit=3"], "Nothing was saved in the trial's folder"),
        (_NEVER_LOADS, [], "state lay in the trial's folder, and the next attempt did not read it"),
        (_FORGETS_THE_EPOCH, [], "but the reports began again at step 1."),
        (_RETURNS, ["--limit=3"], "run_pipeline returned after SIGTERM"),
        (_SWALLOWS, ["--grace=1", "--limit=3"], "The worker still ran 1 s after SIGTERM"),
        (_DEFAULT_ACTION, [], "The worker ended by SIGTERM and did not hand the trial back."),
        (_FAILS_WHEN_RESUMED, [], "The trial failed once it was resumed: ValueError: size mismatch for head.weight"),
    ],
    ids=["saves nothing", "never loads", "forgets the epoch", "returns", "swallows", "default action", "fails"],
)
def test_what_would_be_lost_is_told(
    capfd: pytest.CaptureFixture[str], body: str, options: list[str], expected: str
) -> None:
    code, said = tried(body, capfd, *options)
    assert code == 1, said
    assert "NOT fit for preemption:" in said
    assert expected in said
    assert said.count("\n  - ") == 1, "one fault is told as one"
    (folder,) = Path("temporary").absolute().iterdir()
    assert f"What it printed is in {folder}/output.txt" in said


def test_a_script_that_can_not_be_tried_says_why(capfd: pytest.CaptureFixture[str]) -> None:
    code, said = tried("raise ValueError('no data')", capfd)
    assert code == 1
    assert "An evaluation failed before it was interrupted: ValueError: no data" in said
    Path("script.py").write_text("raise SystemExit('no module named data')")
    assert main(["preempt-test", "script.py"]) == 1
    said = capfd.readouterr().err
    assert "The script ended, with status 1, and no evaluation was going on." in said
    assert "    no module named data" in said, "the last that it printed"
    code, said = tried("return x", capfd)
    assert code == 1
    assert "ended" in said


def test_a_whole_training_is_not_blamed_for_its_result(capfd: pytest.CaptureFixture[str]) -> None:
    code, said = tried(_TRAINED, capfd, parameter=', "epochs": neps.Integer(1, 3, is_fidelity=True)')
    assert code == 1
    assert "had reported their last step when they were interrupted" in said
    assert "NOT fit" not in said


def test_several_ranks_are_preempted_and_killed_together(capfd: pytest.CaptureFixture[str]) -> None:
    code, said = tried(_GOOD, capfd, "--ranks=2", "40")
    assert code == 0, said
    assert "SIGTERM in trial 1, after" in said
    assert "handed the trial back" in said
    assert said.count("the trial read state and began at step") == 2
    assert main(["preempt-test", "--ranks=2", "--signal=USR1", "script.py"]) == 2
    assert "--signal is USR1, which torchrun does not hand on" in capfd.readouterr().err
