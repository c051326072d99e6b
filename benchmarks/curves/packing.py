"""From a store to the tables that are committed. Called by the command line."""

from __future__ import annotations

import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np

from benchmarks.curves.store import Record, Store
from benchmarks.problems.curve_tables import Table
from benchmarks.problems.curve_tasks import CurveTask

__all__ = ["pack", "table_of"]

_LIBRARIES = ("torch", "numpy", "scipy", "scikit-learn")


def pack(of: CurveTask, store: Store, number: int, folder: Path) -> str:
    """Write the table of the first so many configurations that are done; what was written, in some words."""
    packed = table_of(of, store.first(of)[:number])
    path = folder / f"{of.name}.xz"
    folder.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content := packed.packed())
    return f"{path}: {len(packed.configs)} configurations, {packed.seconds.sum() / 3600:.2f} h, {len(content)} bytes"


def table_of(of: CurveTask, records: Sequence[Record]) -> Table:
    """Of these records."""
    shape = (len(records), of.repeats, of.epochs)
    about = {"date": time.strftime("%F"), "versions": {name: version(name) for name in _LIBRARIES}}
    losses, errors = (
        np.array([getattr(record, name) for record in records]).reshape(shape) for name in ("losses", "errors")
    )
    seconds = np.array([[each[-1] for each in record.seconds] for record in records]).reshape(shape[:2])
    return Table(tuple(record.config for record in records), losses, errors, seconds, about)
