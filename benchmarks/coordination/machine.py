"""The facts of the machine that figures depend on: cores, load, disk, versions."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import statistics
import time
from pathlib import Path

from benchmarks.coordination.report import Table

__all__ = ["facts"]

_PACKAGES = ("neps", "numpy", "PyYAML", "optuna", "SQLAlchemy")


def facts(directory: Path) -> Table:
    """What the figures of this run depend on; `directory` is where it writes."""
    rows = [
        ("cores", f"{len(os.sched_getaffinity(0))} of {os.cpu_count()}, {_processor()}"),
        ("load before", ", ".join(f"{load:.1f}" for load in os.getloadavg())),
        ("system", platform.platform()),
        ("filesystem", _filesystem(directory)),
        ("fsync of a new file", f"{_fsync_milliseconds(directory):.2f} ms (median of 50)"),
        ("Python", platform.python_version()),
        ("packages", ", ".join(f"{name} {_version(name)}" for name in _PACKAGES)),
    ]
    return Table(("machine", ""), rows)


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _filesystem(directory: Path) -> str:
    """Type and options of the mount that `directory` lies on."""
    device = directory.stat().st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
        mount, _, rest = line.partition(" - ")
        if mount.split()[2] == number:
            return f"{rest.split()[0]} ({mount.split()[5]})"
    return "unknown"


def _fsync_milliseconds(directory: Path) -> float:
    seconds = []
    for index in range(50):
        with (directory / f"fsync_{index}").open("wb") as file:
            file.write(b"x" * 300)
            file.flush()
            began = time.perf_counter()
            os.fsync(file.fileno())
            seconds.append(time.perf_counter() - began)
    return 1e3 * statistics.median(seconds)


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "(not installed)"
