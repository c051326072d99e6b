"""The public functions that take part in a run or read one: `run`, `load`, `retry`. Views and commands use them."""

from __future__ import annotations

from neps.api.reading import load
from neps.api.retrying import retry
from neps.api.run import run

__all__ = ["load", "retry", "run"]
