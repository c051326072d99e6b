"""Which scale an axis has, where it ends, and how its ticks are labelled.

Called by `panels`.
"""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING

from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

__all__ = ["Losses", "drawable", "label_x", "label_y"]

_FARTHEST = 1e250
"""Values beyond are drawn there, and those below its inverse on linear axes: the margins around them would overflow."""
_LOG_FROM = 10.0
_FEW_POWERS = 100.0
"""Up to that span the powers of ten alone would be too few labels."""
_SPREAD = 5.0
_MARGIN = 0.05
_LOG = " (log scale)"


def drawable(value: float) -> float:
    """The value, or the farthest one that can be drawn."""
    return min(max(value, -_FARTHEST), _FARTHEST)


@dataclasses.dataclass(frozen=True, slots=True)
class Losses:
    """The axis of losses: from `low` to `high`, which is below the highest loss where that is an outlier.

    An outlier lies more than five times as far above the lowest loss as the median does; in terms of logarithms where
    all losses are positive. Without that limit, one diverged training would press all others into a line.
    """

    low: float
    high: float
    log: bool
    cut: bool

    @classmethod
    def of(cls, losses: Sequence[float], shown: float) -> Losses:
        """The axis of these losses, all drawable; `shown` is on it in any case."""
        positive = min(losses) > 1 / _FARTHEST
        place = math.log if positive else float
        best, median = place(min(losses)), place(statistics.median(losses))
        top = max(best + _SPREAD * (median - best), place(shown)) if median > best else math.inf
        kept = [loss for loss in losses if place(loss) <= top]
        low, high = min(kept), max(kept)
        return cls(low, high, log=_is_log(low, high), cut=high < max(losses))

    def above(self, loss: float) -> bool:
        """Whether it is beyond the end of the axis."""
        return loss > self.high


def label_x(axes: Axes, values: Sequence[float]) -> str:
    """Set the scale of the horizontal axis; what its label says of that."""
    low, high = min(values), max(values)
    log = _is_log(low, high)
    if log:
        axes.set_xscale("log")
    _label(axes.xaxis, values, log=log)
    return _LOG if log else ""


def label_y(axes: Axes, losses: Losses, values: Sequence[float]) -> str:
    """Set scale and end of the vertical axis; what its label says of that."""
    if losses.log:
        axes.set_yscale("log")
    _label(axes.yaxis, [value for value in values if not losses.above(value)], log=losses.log)
    if losses.cut:
        axes.set_ylim(*_ends(losses))
    return _LOG if losses.log else ""


def _is_log(low: float, high: float) -> bool:
    """Whether all values are positive and span a factor of 10 or more."""
    return low > 1 / _FARTHEST and high / low >= _LOG_FROM


def _ends(losses: Losses) -> tuple[float, float]:
    if losses.log:
        margin = (losses.high / losses.low) ** _MARGIN
        return losses.low / margin, losses.high * margin
    margin = (losses.high - losses.low) * _MARGIN
    return losses.low - margin, losses.high + margin


def _label(axis: Axis, values: Sequence[float], *, log: bool) -> None:
    """Whole numbers where all are whole; on logarithmic axes powers of ten, and numbers between where these are few."""
    if log:
        few = max(values) / min(values) <= _FEW_POWERS
        axis.set_major_locator(LogLocator(subs=(1, 2, 5) if few else (1,)))
        axis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axis.set_minor_formatter(NullFormatter())
    elif all(value == round(value) for value in values):
        axis.set_major_locator(MaxNLocator("auto", integer=True, min_n_ticks=1))
