"""A disk that is full for a while, and deaths with progress: real workers on a real small filesystem, real SIGKILL."""

from __future__ import annotations

import json
import re
import signal
import sys
from collections import Counter
from pathlib import Path

import pytest

from rigs.processes import Fleet, Launch
from rigs.requirements import require
from rigs.smallfs import smallfs, smallfs_available
from rigs.waiting import wait_until
from stress.evidence import document, numbers, result, results

END = 90.0
TRIALS = 16
WAITS = re.compile(r"No trial (is started: |can be started in)|The (end|result) of .* can't be written to")
WORKER = """
import json, logging, os, signal, sys
import neps, torch

root, how, arguments = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])

def run_pipeline(pipeline_directory, x):
    state = neps.checkpoint.load(pipeline_directory) or {"epoch": 0, "weights": torch.zeros(20_000)}
    for count in range(1, 100):
        state["epoch"] += 1
        if how == "own":
            torch.save(state, pipeline_directory / "model.pt")
        elif how == "reported":
            torch.save(state, pipeline_directory / "checkpoint.pt")
            neps.report(state["epoch"], x)
            neps.report(state["epoch"] - 0.5, x)
        else:
            neps.checkpoint.save(pipeline_directory, state)
        if state["epoch"] >= (12 if "lethal" in arguments else 2):
            return x
        if count == arguments.get("lethal"):
            os.kill(os.getpid(), signal.SIGKILL)

logging.basicConfig(level=logging.INFO)
more = {name: value for name, value in arguments.items() if name != "lethal"}
neps.run(run_pipeline, root, {"x": neps.Float(0, 1)}, seed=1, ignore_errors=True, post_run_summary=False, **more)
"""


def worker(root: Path, how: str, **arguments: object) -> Launch:
    usual = {"searcher": "random_search", "max_evaluations_total": TRIALS, "lease_seconds": 0.6}
    return Launch([sys.executable, "-c", WORKER, str(root), how, json.dumps(usual | arguments)], {}, None)


@pytest.mark.parametrize(("how", "searcher"), [("neps.checkpoint", "random_search"), ("own", "regularized_evolution")])
def test_a_disk_that_is_full_for_a_while_burns_no_trial(fleet: Fleet, how: str, searcher: str) -> None:
    """Documents fit, checkpoints don't; for longer than anybody is patient with one of those."""
    require(smallfs_available())
    with smallfs("tmpfs", kibibytes=8 * 1024) as small:
        root, ballast = small / "root", small / "ballast"
        ballast.write_bytes(bytes(7 << 20))
        lease = 3.0 if how == "own" else 1.0  # half files fill the disk: results wait, for ten leases at most
        workers = [fleet.launch(worker(root, how, searcher=searcher, lease_seconds=lease)) for _ in range(2)]
        wait_until(lambda: all(WAITS.search(each.stderr) for each in workers), END, "both to wait for room")
        assert set(results(root)) == {"success"}
        assert len(numbers(root)) < TRIALS
        ballast.unlink()
        assert fleet.wait_all(END) == [0, 0]
        assert results(root) == {"success": TRIALS}
        ends = Counter(document(path)["end"] for path in root.glob("config_*/attempt_*.end.yaml"))
        assert set(ends) <= {"left", "result"}
        assert (
            ends["left"] >= 1 or how == "own"
        )  # then the disk may be so full that documents waited, and it was enough
        assert list(root.rglob(".*neps-*")) == []  # half checkpoints, and what was tried


@pytest.mark.parametrize("how", ["neps.checkpoint", "reported"])
def test_who_gets_further_in_each_attempt_is_never_given_up(fleet: Fleet, tmp_path: Path, how: str) -> None:
    """12 epochs, killed after three in each attempt."""
    launch = worker(tmp_path / "root", how, max_evaluations_total=1, lethal=3, lease_seconds=60)
    codes = [fleet.launch(launch).wait(END) for _ in range(4)]
    assert codes == [-signal.SIGKILL] * 3 + [0]
    assert (result(tmp_path / "root", 1)["status"], result(tmp_path / "root", 1)["attempt"]) == ("success", 4)


def test_who_saves_and_begins_anew_is_given_up(fleet: Fleet, tmp_path: Path) -> None:
    """Its own files are not seen, and it comes no further: it dies in the same place for ever."""
    launch = worker(tmp_path / "root", "own", max_evaluations_total=1, lethal=3, lease_seconds=60)
    codes = [fleet.launch(launch).wait(END) for _ in range(4)]
    assert codes == [-signal.SIGKILL] * 3 + [0]
    assert "3 deaths of its worker without progress" in result(tmp_path / "root", 1)["error"]
