"""A run for results from elsewhere to come into. Called by tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import neps

__all__ = ["begun"]


def begun(
    root: Path, objective: Callable[..., float], space: Mapping[str, Any], total: int = 1, searcher: str = "sobol"
) -> Path:
    """A search with so many trials."""
    neps.run(
        objective,
        root,
        space,
        searcher=searcher,
        seed=1,
        max_evaluations_total=total,
        progress=False,
        post_run_summary=False,
    )
    return root
