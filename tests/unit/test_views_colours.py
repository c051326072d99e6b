"""The colours of figures are told apart by people who see no green, or no red."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest

from neps._views.colours import BEST, GREY, LIGHT_GREY, LINE, SEVERAL

Array = npt.NDArray[np.float64]

SIGHT = {
    "all": np.eye(3),
    # Machado, Oliveira and Fernandes (2009), A physiologically-based model for simulation of color vision deficiency:
    # severity 1, on linear RGB
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
}
XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
WHITE = np.array([0.95047, 1.0, 1.08883])
CLEAR = 17.0
"""A distance in CIELAB; colours from about 2 on are seen to differ side by side, thin lines need much more."""


def lab(colour: str, sight: Array) -> Array:
    """A colour in CIELAB as it is seen."""
    given = np.array([int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)])
    linear = np.where(given <= 0.04045, given / 12.92, ((given + 0.055) / 1.055) ** 2.4)
    ratios = XYZ @ np.clip(sight @ linear, 0, 1) / WHITE
    x, y, z = np.where(ratios > 216 / 24389, np.cbrt(ratios), (24389 / 27 * ratios + 16) / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def closest(colours: Sequence[str], sight: Array) -> float:
    seen = [lab(colour, sight) for colour in colours]
    return min(float(np.linalg.norm(one - other)) for one, other in itertools.combinations(seen, 2))


@pytest.mark.parametrize("sight", SIGHT.values(), ids=SIGHT)
@pytest.mark.parametrize("colours", [SEVERAL, (LINE, BEST, GREY, LIGHT_GREY, "#ffffff")])
def test_all_are_told_apart(colours: Sequence[str], sight: Array) -> None:
    assert closest(colours, sight) > CLEAR


def test_the_simulation_mixes_up_what_people_do() -> None:
    """A red and a brown, which stood beside each other in an earlier figure."""
    assert closest(["#c1121f", "#8c510a"], SIGHT["all"]) > CLEAR
    assert closest(["#c1121f", "#8c510a"], SIGHT["deuteranopia"]) < 5
    assert np.allclose(lab("#ffffff", SIGHT["deuteranopia"]), [100, 0, 0], atol=0.1)
