"""The public functions: `run` a search, `load` one, print its `status`, `retry` its failed trials."""

from __future__ import annotations

from neps.api.reading import load
from neps.api.run import run

__all__ = ["load", "run"]
