"""All trials of a run as a table in a format of other tools, as bytes. Called by `neps export`."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import math
from collections.abc import Mapping
from typing import Any

from neps._history import History
from neps.errors import NepsError

__all__ = ["FORMATS", "export_as", "strict"]

FORMATS = ("csv", "json", "parquet")


def export_as(history: History, form: str) -> bytes:
    """The trials as CSV, JSON or Parquet: `form` is one of `FORMATS`.

    Raises:
        neps.errors.NepsError: if what Parquet needs is not installed.
    """
    if form == "csv":
        return _csv(history).encode()
    if form == "json":
        return f"{json.dumps(strict(history.to_dict()), indent=1)}\n".encode()
    return _parquet(history)


def strict(value: Any) -> Any:
    """The same for JSON, which has no numbers that are not finite: "nan", "inf" and "-inf" stand for these.

    >>> strict({"loss": float("nan"), "curve": [1.0, float("inf")]})
    {'loss': 'nan', 'curve': [1.0, 'inf']}
    """
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): strict(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [strict(item) for item in value]
    return value


def _csv(history: History) -> str:
    rows = history.to_rows()
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(dict.fromkeys(name for row in rows for name in row)) or ["number"])
    writer.writeheader()
    writer.writerows({name: _flat(value) for name, value in row.items()} for row in rows)
    return text.getvalue()


def _flat(value: Any) -> Any:
    """A value that fits into a cell: what is nested is JSON."""
    return json.dumps(strict(value)) if isinstance(value, list | tuple | Mapping) else value


def _parquet(history: History) -> bytes:
    if any(importlib.util.find_spec(name) is None for name in ("pandas", "pyarrow")):
        raise NepsError(
            "Parquet needs pandas and pyarrow, and one of them is not installed: pip install 'neps[pandas]'"
        )
    frame = history.to_pandas()
    for name in frame.columns:
        if frame[name].dtype == object:
            frame[name] = _one_type(list(frame[name]))
    content = io.BytesIO()
    frame.to_parquet(content)
    return content.getvalue()


def _one_type(values: list[Any]) -> list[Any]:
    """A column holds one type in Parquet: texts where there are several, and JSON for what is nested."""
    flat = [_flat(value) for value in values]
    kinds = {type(value) for value in flat if value is not None}
    if len(kinds) <= 1 and all(map(_fits, flat)):
        return flat
    return [None if value is None else str(value) for value in flat]


def _fits(value: Any) -> bool:
    """Whether it is no whole number beyond Parquet's."""
    return not isinstance(value, int) or -(2**63) <= value < 2**63
