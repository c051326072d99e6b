"""The colours of figures, which colour-blind people tell apart: those of Okabe and Ito (2008), less black and yellow.

Called by `panels`, and by the figures of the benchmarks. No matplotlib.
"""

from __future__ import annotations

__all__ = ["BEST", "GREY", "GRID", "LIGHT_GREY", "LINE", "SEVERAL"]

LINE = "#0072B2"
"""Of what a figure is about."""
BEST = "#D55E00"
"""Of the best one."""
GREY, LIGHT_GREY, GRID = "#6e6e6e", "#bdbdbd", "#e6e6e6"
"""Of what stands behind: single dots, many lines, and the grid."""
SEVERAL = (LINE, BEST, "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
"""Of lines that are told apart by colour: as many as a figure may have."""
