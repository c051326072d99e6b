"""The public functions: `run` a search, `load` one, `retry` its failed trials."""

from __future__ import annotations

from neps.api.reading import load
from neps.api.retrying import retry
from neps.api.run import run

__all__ = ["load", "retry", "run"]
