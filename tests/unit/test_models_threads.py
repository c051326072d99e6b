"""Linear algebra takes one thread while a model is fitted, and as many as before afterwards; torch's stay."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_info, threadpool_limits

from neps._models.acquisition import Acquisition
from neps._models.threads import one_thread
from neps._trial import Trial
from neps.samplers import Sobol
from neps.samplers._model_based.axes import Axes
from neps.samplers._model_based.proposal import propose
from neps.space import Float, SearchSpace
from neps.testing.simulation import generator_for, simulate


def _threads() -> set[int]:
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


def test_one_thread_and_then_as_many_as_before() -> None:
    torchs = torch.get_num_threads()
    with threadpool_limits(2, user_api="blas"):
        with one_thread():
            assert _threads() == {1}
            assert torch.get_num_threads() == torchs
        assert _threads() == {2}


def test_an_error_in_between_changes_nothing_about_that() -> None:
    with threadpool_limits(2, user_api="blas"):
        with pytest.raises(ZeroDivisionError), one_thread():
            _ = 1 / 0
        assert _threads() == {2}


def test_a_proposal_takes_one() -> None:
    seen: list[set[int]] = []

    class Flat:
        def __call__(self, Z: NDArray[np.float64]) -> NDArray[np.float64]:
            seen.append(_threads())
            return np.zeros(len(Z))

        def with_gradient(self, Z: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
            return self(Z), np.zeros_like(Z)

    def term(axes: Axes, trials: Sequence[Trial], improvement: Acquisition) -> Acquisition:
        return Flat()

    space = SearchSpace({"x": Float(0, 1)})
    history = simulate(Sobol(), space, lambda config: float(config["x"] or 0.0), 4)
    with threadpool_limits(2, user_api="blas"):
        propose(history, generator_for(0, 5), term)
        assert _threads() == {2}
    assert seen
    assert all(threads == {1} for threads in seen)


_FITTED = """
import os, sys, tempfile
before = dict(os.environ)
import neps
neps.run(
    lambda x: x, tempfile.mkdtemp(), {"x": neps.Float(0, 1)}, searcher="bayesian_optimization", initial_design_size=1,
    max_evaluations_total=3, progress=False,
)
assert "threadpoolctl" in sys.modules, "a model was fitted"
assert dict(os.environ) == before, dict(os.environ).items() ^ before.items()
"""


@pytest.mark.parametrize("more", [{}, {"KMP_DUPLICATE_LIB_OK": "False"}], ids=["unset", "set"])
def test_the_environment_is_as_it_was_after_a_model_was_fitted(more: dict[str, str]) -> None:
    kept = {name: value for name, value in os.environ.items() if name != "KMP_DUPLICATE_LIB_OK"}
    done = subprocess.run(
        [sys.executable, "-c", _FITTED], env=kept | more, capture_output=True, text=True, check=False, timeout=300
    )
    assert (done.returncode, done.stderr) == (0, "")
