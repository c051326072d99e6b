"""Tables of what was timed: seconds of each method at each place, how ours compare, and what many workers make.

Nothing is measured here.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence

from benchmarks.coordination.report import Table
from benchmarks.suggest.measuring import OURS, Place, Sample
from benchmarks.suggest.throughput import Turn

__all__ = ["ratios", "seconds", "throughput"]

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


def throughput(rounds: Sequence[Sequence[Turn]], cores: int) -> Table:
    """Each number of workers: medians and ranges of the rounds. Ratios are to the fewest, round by round."""
    by_round = [{turn.workers: turn for turn in turns} for turns in rounds]
    counts = sorted(by_round[0])
    heading = (
        "workers",
        "suggestions a second",
        f"ratio to {counts[0]}",
        "min(workers, cores)",
        "cores had",
        "processor seconds",
        "decisions",
        "deciding",
    )
    return Table(
        heading,
        [
            _crowd([turns[count] for turns in by_round], [turns[counts[0]] for turns in by_round], cores)
            for count in counts
        ],
    )


def _crowd(turns: Sequence[Turn], fewest: Sequence[Turn], cores: int) -> list[str]:
    return [
        str(turns[0].workers),
        _median([turn.rate for turn in turns], ".1f"),
        _median([turn.rate / one.rate for turn, one in zip(turns, fewest, strict=True)], ".2f"),
        str(min(turns[0].workers, cores)),
        _median([turn.cores for turn in turns], ".2f"),
        _median([turn.cost for turn in turns], ".3f"),
        _median([turn.effort for turn in turns], ".2f"),
        _median([turn.share for turn in turns], ".0%"),
    ]


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
    return _median([quantity(ours) / quantity(other) for ours, other in pairs], ".2f")


def _median(each: Sequence[float], form: str) -> str:
    """And the range."""
    return f"{statistics.median(each):{form}} ({min(each):{form}} – {max(each):{form}})"


def _cpu(sample: Sample) -> float:
    return sample.median_cpu


def _wall(sample: Sample) -> float:
    return sample.median_wall
