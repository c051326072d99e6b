"""What a test reads from a figure: its lines, its legend, and where its texts stand."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.transforms import Bbox

__all__ = ["dots", "drawn", "illegible", "legend", "line", "points"]

_SMALLEST = 6.0
_ROUNDING = 0.5  # pixels


def drawn(figure: Figure) -> bytes:
    content = io.BytesIO()
    figure.savefig(content, format="png")
    return content.getvalue()


def line(axes: Axes, label: str) -> Line2D:
    (found,) = (line for line in axes.get_lines() if line.get_label() == label)
    return found


def points(line: Line2D) -> list[tuple[float, float]]:
    return list(zip(*np.asarray(line.get_data()).tolist(), strict=True))


def dots(axes: Axes, label: str) -> list[tuple[float, float]]:
    (found,) = (each for each in axes.collections if each.get_label() == label)
    assert isinstance(found, PathCollection)
    return [(float(x), float(y)) for x, y in np.asarray(found.get_offsets())]


def legend(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def illegible(figure: Figure) -> list[str]:
    """Which texts of a figure are cut, small, or over each other, and whether its legend is."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    boxes = {text: text.get_window_extent(renderer) for text in _texts(figure)}
    page = figure.bbox.padded(_ROUNDING)
    wrong = [f"{text.get_text()} is cut" for text, box in boxes.items() if not _within(box, page)]
    wrong += [f"{text.get_text()} is small" for text in boxes if float(text.get_fontsize()) < _SMALLEST]
    for (one, first), (other, second) in itertools.combinations(boxes.items(), 2):
        if first.padded(-_ROUNDING).overlaps(second.padded(-_ROUNDING)):
            wrong.append(f"{one.get_text()} is over {other.get_text()}")
    frame = figure.legends[0].get_window_extent(renderer)
    below = [box for axes in figure.axes if (box := axes.get_tightbbox(renderer)) and box.overlaps(frame)]
    return wrong + ["the legend is cut"] * (not _within(frame, page)) + ["the legend is over a panel"] * bool(below)


def _texts(figure: Figure) -> Iterator[Text]:
    for axes in figure.axes:
        yield from (axes.title, axes.xaxis.label, axes.yaxis.label)
        for axis in (axes.xaxis, axes.yaxis):
            yield from _tick_labels(axis)
            if axis.get_offset_text().get_text():
                yield axis.get_offset_text()
    yield from (text for text in (*figure.legends[0].get_texts(), *figure.texts) if text.get_text())


def _tick_labels(axis: Axis) -> Iterator[Text]:
    low, high = sorted(axis.get_view_interval())
    for tick in axis.get_major_ticks():
        if low <= tick.get_loc() <= high and tick.label1.get_text():
            yield tick.label1


def _within(box: Bbox, page: Bbox) -> bool:
    return bool(page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 and box.y1 <= page.y1)
