"""Parts of tables that benchmarks of regret share, as Markdown: mean ranks, figures by problem, what is missing.

Text only: `study` and `ranking` compute.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from benchmarks.comparing.ranking import Ranking
from benchmarks.comparing.study import Judged, Study

__all__ = ["NOTHING", "figure", "marked", "methods_line", "missing", "rank_cells", "span", "titled"]

NOTHING = "–"


def methods_line(study: Study[Any, Any]) -> str:
    """Which methods there are, in which version."""
    return "Methods: " + ", ".join(f"{method.name} ({study.version(method)})" for method in study.present())


def rank_cells(ranking: Ranking[Any], steps: Sequence[int]) -> Iterator[list[str]]:
    """For each of these numbers of steps: the mean rank of each method, and its interval."""
    mean, (low, high) = ranking.mean(), ranking.interval()
    for step in steps:
        triples = zip(mean[step - 1], low[step - 1], high[step - 1], strict=True)
        yield [f"{middle:.2f} [{below:.2f}, {above:.2f}]" for middle, below, above in triples]


def marked(problem: Judged, medians: Sequence[float]) -> list[str]:
    """The median of each method on a problem, the best in bold."""
    best = np.nanmin([*medians, np.inf])
    texts = ((median, figure(median, ".4g" if problem.optimum is None else ".2f")) for median in medians)
    return [f"**{text}**" if median == best else text for median, text in texts]


def figure(number: float, form: str) -> str:
    """A number, or that there is none."""
    return format(number, form) if math.isfinite(number) else NOTHING


def titled(problem: Judged) -> str:
    """The name of a problem, in italics where the optimum isn't known."""
    return problem.name if problem.optimum is not None else f"*{problem.name}*"


def span(counts: Sequence[int]) -> str:
    """From the lowest to the highest."""
    if not counts:
        return "0"
    return f"{min(counts)}" if min(counts) == max(counts) else f"{min(counts)}–{max(counts)}"


def missing(study: Study[Any, Any], command: str, selection: str = "") -> Iterator[str]:
    """Which runs the tables are meant to have and don't, and the command that makes them, which `selection` ends."""
    lacking = {method.name: count for method in study.methods if (count := study.missing(method))}
    wanted = {method.name: method.seeds * len(study.problems) for method in study.methods}
    yield from (f"Missing: {count} of {wanted[name]} runs of {name}" for name, count in lacking.items())
    if lacking:
        yield f"Make them with: scripts/bench {command} run --methods {','.join(lacking)}{selection}"
