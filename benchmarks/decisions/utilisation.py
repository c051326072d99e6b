"""Utilisation: how much of their time workers evaluate while there is something left to begin. Numbers only."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["utilisation"]


def utilisation(evaluations: Iterable[tuple[float, float]], workers: int, begin: float, end: float) -> float:
    """The share of the workers' time from `begin` to `end` that lies in evaluations, each from its start to its end.

    Example:
        >>> utilisation([(0.0, 4.0), (1.0, 9.0)], workers=2, begin=0.0, end=5.0)
        0.8
    """
    busy = sum(max(min(stop, end) - max(start, begin), 0.0) for start, stop in evaluations)
    return busy / (workers * (end - begin))
