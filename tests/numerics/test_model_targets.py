"""The transform of losses before a model is fitted."""

from __future__ import annotations

import numpy as np
import pytest

from neps.models.losses import model_targets

LOSSES = np.array([0.3, 1.2, 0.7, 2.0, 0.5, 1.1])


def test_benign_losses_are_only_standardised() -> None:
    expected = (LOSSES - LOSSES.mean()) / LOSSES.std()
    np.testing.assert_allclose(model_targets(LOSSES), expected, rtol=1e-12)


@pytest.mark.parametrize("scale", [1e-300, 1e-12, 1e12, 1e300])
@pytest.mark.parametrize("offset", [0.0, -10.0])
def test_the_unit_of_the_loss_does_not_matter(scale: float, offset: float) -> None:
    targets = model_targets(scale * (LOSSES + offset))
    np.testing.assert_allclose(targets, model_targets(LOSSES), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_as_bad_as_the_worst(bad: float) -> None:
    targets = model_targets(np.append(LOSSES, bad))
    assert targets[-1] == targets.max() == targets[np.argmax(LOSSES)]
    assert np.argmin(targets) == np.argmin(LOSSES)


def test_an_exploded_loss_does_not_flatten_the_others() -> None:
    targets = model_targets(np.append(LOSSES, 1e30))
    assert targets[-1] == targets.max()
    assert np.ptp(targets[: len(LOSSES)]) > 1.0
    np.testing.assert_array_equal(np.argsort(targets[:-1]), np.argsort(LOSSES))


@pytest.mark.parametrize(
    "losses",
    [[3.0], [0.0, 0.0], [1e12] * 5, [np.nan], [np.nan, np.inf, -np.inf], [0.1 + 0.2, 0.3], [5.0, np.nan]],
    ids=str,
)
def test_losses_that_tell_nothing_become_zeros(losses: list[float]) -> None:
    np.testing.assert_array_equal(model_targets(np.array(losses)), np.zeros(len(losses)))


def test_no_overflow_at_the_largest_floats() -> None:
    with np.errstate(over="ignore"):
        targets = model_targets(np.array([-1.7e308, 0.0, 1.7e308, 1.0]))
    assert np.all(np.isfinite(targets))
    assert targets[0] < targets[1] <= targets[3] < targets[2]
