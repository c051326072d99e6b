"""`neps doctor ROOT --together` on two hosts: they find each other, and measure what lies between them."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from neps._doctor.finding import Kind
from neps._doctor.meeting import Between, between_findings
from rigs.faultfs import Validity, faultfs, faultfs_available
from rigs.hosts import hosts_available
from rigs.processes import Fleet, Host
from rigs.requirements import require
from unit.ledger_scene import Scene

CACHED_SECONDS = 1.5
PATIENCE = 240.0
MEET = """
import dataclasses, json, sys
from neps._doctor.meeting import Meeting
from neps._ledger.layout import Layout
with Meeting(Layout(sys.argv[1], "run0")) as meeting:
    print(json.dumps(dataclasses.asdict(meeting.measure())))
"""


def met(fleet: Fleet, roots: list[Path]) -> list[dict[str, object]]:
    """What two hosts say, each of its own view of the root."""
    workers = [fleet.start(MEET, root, host=Host(name)) for root, name in zip(roots, ["alpha", "beta"], strict=True)]
    said = []
    for worker in workers:
        worker.wait(PATIENCE)
        assert worker.stdout, worker.stderr
        said.append(json.loads(worker.stdout))
    return said


def test_two_hosts_find_each_other_and_one_wins_each_race(fleet: Fleet, tmp_path: Path) -> None:
    require(hosts_available())
    scene = Scene(tmp_path / "root")
    scene.define()
    alpha, beta = met(fleet, [scene.root, scene.root])
    assert (alpha["other"], beta["other"]) == ("beta", "alpha")
    assert alpha["problems"] == beta["problems"] == []
    assert alpha["late"] == beta["late"]
    assert not (scene.root / ".neps" / "doctor").exists()


def test_what_a_client_remembers_for_long_asks_for_a_long_lease(fleet: Fleet, tmp_path: Path) -> None:
    require(hosts_available() or faultfs_available())
    backing = tmp_path / "backing"
    backing.mkdir()
    Scene(backing / "root").define(lease_seconds=0.5)
    cache = Validity(attributes=CACHED_SECONDS, entries=CACHED_SECONDS, absences=CACHED_SECONDS)
    with faultfs(backing, cache) as one, faultfs(backing, cache) as other:
        alpha, _ = met(fleet, [one.path / "root", other.path / "root"])
    late = alpha["late"]
    assert isinstance(late, dict)
    assert late["time of change"] >= CACHED_SECONDS / 2
    assert alpha["problems"] == []
    between = Between("beta", late, 0.0, 0.0, 20, [])
    assert [finding.kind for finding in between_findings(between, 0.5, "root")] == [Kind.FILESYSTEM]
    assert not list(between_findings(between, 1e6, "root"))


def test_names_that_both_hosts_win_are_told() -> None:
    between = Between("beta", {"time of change": 0.1}, 0.0, 0.0, 20, ["link: both hosts have won 3 of 20 races"])
    (found,) = between_findings(between, 120.0, "root")
    assert "both hosts have won 3" in found.what
    endless = dataclasses.replace(between, late={"time of change": float("inf")}, problems=[])
    (found,) = between_findings(endless, 120.0, "root")
    assert "a heartbeat may be missed" in found.what
