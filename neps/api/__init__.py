"""The public functions that take part in a run or read one: `run` and `load`. Views and commands build on them."""

from __future__ import annotations

from neps.api.reading import load
from neps.api.run import run

__all__ = ["load", "run"]
