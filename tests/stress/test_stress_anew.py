"""An evaluation that was taken over and never asks: its process starts anew, or, where that's no script, lets it end.

The takeover is forced: its end is linked as a contender would.
"""

from __future__ import annotations

from pathlib import Path

import pytest

import neps
from neps.ledger.definition import find_definition
from neps.ledger.layout import Layout
from neps.ledger.records import End
from neps.ledger.trial_folder import TrialFolder
from rigs.processes import Fleet
from rigs.waiting import wait_until
from stress.evidence import leftovers
from stress.team import END
from unit.ledger_scene import somewhere

SCRIPT = """
import logging, os, subprocess, sys, time
import neps

def run_pipeline(x, pipeline_directory):
    print("begin", pipeline_directory.name, os.getpid(), flush=True)
    if pipeline_directory.name == "config_2" and not (pipeline_directory / "child").exists():
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        (pipeline_directory / "child").write_text(str(child.pid))
        try:
            import slow
        except BaseException as error:
            print("struck", repr(error), flush=True)
            raise
    import math
    return x

logging.basicConfig(level=logging.WARNING)
neps.run(run_pipeline, sys.argv[1], dict(x=neps.Float(0, 1)), "random_search", max_evaluations_total=3,
         lease_seconds=0.6, post_run_summary=False, {more})
print("returned", flush=True)
"""
SLOW = """
import pathlib, sys, time
while not pathlib.Path({let_go!r}).exists():
    time.sleep(0.01)
"""


def run_of(root: Path) -> str:
    """The run's identifier."""
    definition = find_definition(str(root))
    assert definition is not None
    return definition.run


@pytest.mark.parametrize("anew", [True, False], ids=["a script", "one that may not"])
def test_an_evaluation_in_a_long_import_is_taken_over(fleet: Fleet, tmp_path: Path, *, anew: bool) -> None:
    root, let_go = tmp_path / "root", tmp_path / "let_go"
    (tmp_path / "slow.py").write_text(SLOW.format(let_go=str(let_go)))
    script = tmp_path / "search.py"
    script.write_text(SCRIPT.format(more="" if anew else "max_evaluations_per_run=9"))
    worker = fleet.start(script, str(root))
    child = root / "config_2" / "child"
    wait_until(lambda: child.exists() and child.read_text() != "", END, "the second evaluation")
    folder = TrialFolder(Layout(root, run_of(root)), 2)
    assert folder.end_attempt(1, End.DIED, somewhere())
    words = "This process restarts" if anew else "It is left to end by itself"
    wait_until(lambda: words in worker.stderr, END, words)
    if not anew:
        assert "max_evaluations_per_run and max_seconds_per_run would count from zero" in worker.stderr
        let_go.touch()
    assert worker.wait(END) == 0, worker.stderr
    assert "struck" not in worker.stdout
    begun = [line.split() for line in worker.stdout.splitlines() if line.startswith("begin")]
    assert [name for _, name, _ in begun] == ["config_1", "config_2", "config_2", "config_3"]
    assert len({pid for _, _, pid in begun}) == 1
    assert worker.stdout.count("returned") == 1
    assert Path(f"/proc/{child.read_text()}").exists() is not anew
    assert [(trial.status, trial.attempts) for trial in neps.load(root).trials] == [
        ("success", 1),
        ("success", 2),
        ("success", 1),
    ]
    assert leftovers(root) == []
