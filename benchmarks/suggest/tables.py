"""Tables of what was timed: seconds of each method at each place, and how ours compare. Nothing is measured here."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence

from benchmarks.coordination.report import Table
from benchmarks.suggest.measuring import OURS, Place, Sample

__all__ = ["ratios", "seconds"]

_Quantity = Callable[[Sample], float]


def seconds(samples: Sequence[Sample]) -> Table:
    """Processor / wall seconds of a suggestion: medians over suggestions, then over rounds."""
    methods, rows = list(dict.fromkeys(sample.method for sample in samples)), []
    for place, here in _by_place(samples).items():
        cells = [_seconds([sample for sample in here if sample.method == method]) for method in methods]
        rows.append([str(place.dimensions), str(place.results), *cells])
    return Table(("parameters", "results", *methods), rows)


def ratios(samples: Sequence[Sample], rival: str) -> Table:
    """Ours divided by the rival's: the median over rounds, and the range of the rounds."""
    rows = []
    for place, here in _by_place(samples).items():
        if pairs := _pairs(here, rival):
            cells = [_ratio(pairs, quantity) for quantity in (_cpu, _wall)]
            rows.append([str(place.dimensions), str(place.results), *cells])
    return Table(("parameters", "results", f"{OURS[0]} / {rival}, processor", "wall"), rows)


def _by_place(samples: Sequence[Sample]) -> dict[Place, list[Sample]]:
    places = dict.fromkeys(sample.place for sample in samples)
    return {place: [sample for sample in samples if sample.place == place] for place in places}


def _pairs(here: Sequence[Sample], rival: str) -> list[tuple[Sample, Sample]]:
    """Ours and the rival's of each round that has both."""
    ours, others = ({sample.round: sample for sample in here if sample.method == name} for name in (OURS[0], rival))
    return [(ours[number], others[number]) for number in sorted(ours.keys() & others.keys())]


def _seconds(samples: Sequence[Sample]) -> str:
    if not samples:
        return ""
    return " / ".join(f"{statistics.median(map(quantity, samples)):.2g}" for quantity in (_cpu, _wall))


def _ratio(pairs: Sequence[tuple[Sample, Sample]], quantity: _Quantity) -> str:
    each = [quantity(ours) / quantity(other) for ours, other in pairs]
    return f"{statistics.median(each):.2f} ({min(each):.2f} – {max(each):.2f})"


def _cpu(sample: Sample) -> float:
    return sample.median_cpu


def _wall(sample: Sample) -> float:
    return sample.median_wall
