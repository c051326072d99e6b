"""Fixtures that give a test its rigs (`tests/rigs`) and its random numbers, and the rule that CI skips nothing.

Found by pytest. What needs no fixture (`wait_until`, `as_host`, `with faultfs(...)`) is imported from `rigs`.
"""

from __future__ import annotations

import os
import random
import secrets
import signal
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from rigs.faultfs import Mount, faultfs, faultfs_available
from rigs.hosts import hosts_available
from rigs.processes import Fleet
from rigs.requirements import require
from rigs.slurm import Slurm, slurm, slurm_available
from rigs.smallfs import Kind, smallfs, smallfs_available

collect_ignore = ["stress/ranks_contract.py"]  # a script that torchrun starts
_SEED = "NEPS_TEST_SEED"
_STORMS = tuple(
    f"tests/stress/test_{name}.py"
    for name in (
        "chaos",
        "mounts_storm",
        "slurm_storm",
        "stress_exactness",
        "stress_kills",
        "stress_promotions",
        "stress_queue",
        "stress_system_calls",
        "stress_torn_power",
    )
)
"""Tests that start processes by the dozen, most of which are killed."""
_CROWDS = _STORMS + tuple(
    f"tests/stress/test_stress_{name}.py" for name in ("confirming", "endings", "launches", "ranks", "stops")
)
"""Tests that have more than four workers at once, or ranks."""
_LONG = ("tests/integration/", "tests/stress/", "tests/unit/test_ledger_removing")
_Report = TypeVar("_Report", pytest.TestReport, pytest.CollectReport)


def pytest_configure() -> None:
    """Draws the seed of this run; in the environment, so that pytest-xdist's processes have the same."""
    os.environ.setdefault(_SEED, str(secrets.randbelow(2**32)))
    # A shell without job control starts what is in the background with the first two ignored, and nohup the third; so
    # would be all children, to which tests send them.
    defaults = (
        (signal.SIGINT, signal.default_int_handler),
        (signal.SIGQUIT, signal.SIG_DFL),
        (signal.SIGHUP, signal.SIG_DFL),
    )
    for signum, action in defaults:
        if signal.getsignal(signum) is signal.SIG_IGN:
            signal.signal(signum, action)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """How pytest-xdist shares the tests out: one by one, but crowds to one process, and first.

    A crowd's leases run out where it competes with others for the processor.
    """
    from xdist.scheduler import LoadScopeScheduling

    scheduler = LoadScopeScheduling(config, log)
    scheduler._split_scope = lambda nodeid: "crowds" if nodeid.startswith(_CROWDS) else nodeid
    return scheduler


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With pytest-xdist the longest come first, so that all its processes end together."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: not item.nodeid.startswith(_LONG))


def pytest_report_header() -> str:
    """How to repeat this run."""
    return f"random seed of the tests: {os.environ[_SEED]} (set {_SEED} to it to repeat)"


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI a skipped test fails."""
    return _without_skips((yield))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """In CI a skipped file fails."""
    return _without_skips((yield))


def _without_skips(report: _Report) -> _Report:
    is_expected_failure = hasattr(report, "wasxfail")
    if report.skipped and not is_expected_failure and os.environ.get("CI") == "true":
        report.outcome = "failed"
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.longrepr = f"CI may skip nothing, but this was to be skipped: {reason}"
    return report


@pytest.fixture(autouse=True)
def _unmeasured(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Coverage leaves out what storms start: it would double what they cost, and the killed lose what they measured."""
    if request.node.nodeid.startswith(_STORMS):
        for name in [name for name in os.environ if name.startswith("COVERAGE_")]:
            monkeypatch.delenv(name)


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> random.Random:
    """Random numbers of this test's own: the same for the same seed, whatever other tests run."""
    print(f"{_SEED}={os.environ[_SEED]}")
    return random.Random(f"{os.environ[_SEED]} {request.node.nodeid}")


@pytest.fixture
def fleet(tmp_path: Path, rng: random.Random) -> Iterator[Fleet]:
    """Real worker processes, none of which outlives the test."""
    folder = tmp_path / "fleet"
    folder.mkdir()
    with Fleet(folder, rng) as fleet:
        yield fleet


@pytest.fixture
def hosts() -> None:
    """For tests that run commands `as_host` or workers with `host=`."""
    require(hosts_available())


@pytest.fixture
def faulty(tmp_path: Path) -> Iterator[Mount]:
    """A filesystem that fails by rules, without caches, over an empty folder."""
    require(faultfs_available())
    backing = tmp_path / "backing"
    backing.mkdir()
    with faultfs(backing) as mount:
        yield mount


@pytest.fixture(params=["tmpfs", "ext4"])
def small(request: pytest.FixtureRequest) -> Iterator[Path]:
    """An empty filesystem of 1 MiB, once of each kind."""
    kind: Kind = request.param
    require(smallfs_available(kind))
    with smallfs(kind) as path:
        yield path


@pytest.fixture
def cluster() -> Iterator[Slurm]:
    """A SLURM with four idle nodes."""
    require(slurm_available())
    with slurm() as cluster:
        yield cluster
