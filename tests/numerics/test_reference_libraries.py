"""The model layer against GPyTorch and BoTorch, in double precision, at the same hyperparameters.

These know no main effects: their kernel gets them as one more term, linear in features.
"""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from neps._models.acquisition import LogExpectedImprovement, log_h, log_h_slope
from neps._models.fidelity_process import FidelityHyperparameters, FidelityProcess
from neps._models.fitting import NegativeLogPosterior
from neps._models.gaussian_process import GaussianProcess, Hyperparameters
from neps._models.kernel import matern52, one_hot, squared_distances
from neps._models.main_effects import MainEffects
from numerics.cube import points
from numerics.dense_process import tensor

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", "`torch.jit.script` is deprecated", DeprecationWarning)
    from botorch.acquisition.analytic import LogExpectedImprovement as BoTorchLogExpectedImprovement
    from botorch.acquisition.analytic import _log_ei_helper
    from botorch.models import SingleTaskGP
    from botorch.posteriors.gpytorch import GPyTorchPosterior
    from botorch.settings import validate_input_scaling
    from gpytorch.constraints import Positive  # type: ignore[import-untyped]
    from gpytorch.kernels import Kernel, LinearKernel, MaternKernel, ScaleKernel  # type: ignore[import-untyped]
    from gpytorch.likelihoods import GaussianLikelihood  # type: ignore[import-untyped]
    from gpytorch.means import ZeroMean  # type: ignore[import-untyped]
    from gpytorch.mlls import ExactMarginalLogLikelihood  # type: ignore[import-untyped]

Array = NDArray[np.float64]
NUMERIC = np.zeros(3, dtype=np.intp)
MIXED = np.array([0, 3, 0, 2])
SPACES = pytest.mark.parametrize("choices", [NUMERIC, MIXED, np.array([7, 9, 11])], ids=str)
EFFECTS = np.array([0.5, 0.3, 0.02, 0.1])
NONE = np.zeros(4)


def _process(choices: NDArray[np.intp], effects: Array = EFFECTS, noise: float = 0.01) -> GaussianProcess:
    X = points(25, choices)
    y = np.sin(5.0 * X[:, 0]) + X.sum(axis=1)
    hyperparameters = Hyperparameters(np.linspace(0.3, 1.9, len(choices)), 1.3, noise, effects)
    return GaussianProcess(X, (y - y.mean()) / y.std(), choices, hyperparameters)


def _log() -> Positive:
    """A constraint whose raw parameter is the logarithm, as in our θ."""
    return Positive(transform=torch.exp, inv_transform=torch.log)


def _matern(process: GaussianProcess) -> Kernel:
    """Signal · Matérn 5/2 of the columns of `_columns`: those of a category share a length scale."""
    h, choices = process.hyperparameters, process.choices
    counts = np.maximum(choices, 1)
    lengthscales = np.repeat(np.where(choices > 0, 2.0**0.5, 1.0) * h.lengthscales, counts)
    dims = int(counts.sum())
    matern = MaternKernel(nu=2.5, ard_num_dims=dims, active_dims=range(dims), lengthscale_constraint=_log())
    kernel = ScaleKernel(matern, outputscale_constraint=_log()).double()
    kernel.base_kernel.lengthscale, kernel.outputscale = tensor(lengthscales), tensor(np.array(h.signal))
    return kernel


def _columns(process: GaussianProcess, Z: Array) -> Array:
    """Numbers, one-hot categories, and features of main effects times their standard deviations."""
    choices = process.choices
    hot = [one_hot(Z[:, j], count) if count else Z[:, [j]] for j, count in enumerate(choices)]
    effects = MainEffects(choices, len(choices))
    features = effects.features(Z) * np.sqrt(process.hyperparameters.effects[effects.degrees])
    return np.concatenate([*hot, features], axis=1)


def _model(process: GaussianProcess) -> SingleTaskGP:
    columns, kernel = _columns(process, process.X), _matern(process)
    if process.hyperparameters.effects.any():
        linear = LinearKernel(active_dims=range(kernel.base_kernel.ard_num_dims, columns.shape[1])).double()
        linear.variance = 1.0
        kernel += linear
    likelihood = GaussianLikelihood(noise_constraint=_log()).double()
    likelihood.noise = tensor(np.array(process.hyperparameters.noise))
    data = tensor(columns), tensor(process.y[:, None])
    with validate_input_scaling(state=False):
        return SingleTaskGP(
            *data, likelihood=likelihood, covar_module=kernel, mean_module=ZeroMean(), outcome_transform=None
        )


@SPACES
def test_the_kernel(choices: NDArray[np.intp]) -> None:
    process, Z = _process(choices, NONE), points(11, choices, seed=1)
    r2 = squared_distances(process.X, Z, process.hyperparameters.lengthscales, choices)
    columns = (tensor(_columns(process, each)) for each in (process.X, Z))
    theirs = _matern(process)(*columns).to_dense()
    np.testing.assert_allclose(1.3 * matern52(r2), theirs.detach().numpy(), rtol=1e-10)


@SPACES
@pytest.mark.parametrize("effects", [NONE, EFFECTS], ids=["no effects", "effects"])
@pytest.mark.parametrize("noise", [0.5, 0.01, 1e-6])
def test_the_posterior(choices: NDArray[np.intp], effects: Array, noise: float) -> None:
    process, Z = _process(choices, effects, noise), points(40, choices, seed=1)
    with torch.no_grad():
        posterior = _model(process).posterior(tensor(_columns(process, Z)))
    mean, variance = process.predict(Z)
    np.testing.assert_allclose(mean, posterior.mean[:, 0].numpy(), rtol=1e-7, atol=1e-8)
    np.testing.assert_allclose(variance, posterior.variance[:, 0].numpy(), rtol=1e-6, atol=1e-9)


class _OverFidelities(Kernel):  # type: ignore[misc]
    """What the last column, the distance from the highest fidelity, makes of a kernel of the others."""

    def __init__(self, top: Kernel, hyperparameters: FidelityHyperparameters) -> None:
        super().__init__()
        self.top, self.hyperparameters = top, hyperparameters

    def forward(self, x: torch.Tensor, z: torch.Tensor, **_: object) -> torch.Tensor:
        h, u, v = self.hyperparameters, x[..., :, -1:], z[..., None, :, -1]
        least, product = torch.minimum(u, v), u * v
        top = self.top(x, z).to_dense()
        return torch.as_tensor(top * (1.0 + h.walk * least + h.slope * product) + h.trend * (least + product))


def test_the_posterior_over_fidelities() -> None:
    plain, Z, u = _process(MIXED, NONE), points(12, MIXED, seed=1), np.resize([1.0, 0.4, 0.0], 25)
    h = FidelityHyperparameters(plain.hyperparameters, walk=0.3, slope=0.7, trend=0.4, early_noise=0.05)
    process, levels = FidelityProcess(plain.X, u, plain.y, MIXED, h), np.array([1.0, 0.3, 0.0])
    data = tensor(np.column_stack([_columns(plain, plain.X), u])), tensor(plain.y[:, None])
    kernel = _OverFidelities(_matern(plain), h)
    with validate_input_scaling(state=False), torch.no_grad():
        noise = tensor(process.noise(u)[:, None])
        model = SingleTaskGP(*data, noise, covar_module=kernel, mean_module=ZeroMean(), outcome_transform=None)
        at = np.column_stack([np.repeat(_columns(plain, Z), 3, axis=0), np.tile(levels, 12)])
        posterior = model.posterior(tensor(at.reshape(12, 3, -1)))
    assert isinstance(posterior, GPyTorchPosterior)
    means, covariances = process.joint(Z, levels)
    np.testing.assert_allclose(means, posterior.mean[..., 0].numpy(), rtol=1e-7, atol=1e-8)
    theirs = posterior.distribution.covariance_matrix.numpy()
    np.testing.assert_allclose(covariances, theirs, rtol=1e-6, atol=1e-9)


@SPACES
@pytest.mark.parametrize("effects", [NONE, EFFECTS], ids=["no effects", "effects"])
def test_the_log_marginal_likelihood(choices: NDArray[np.intp], effects: Array) -> None:
    process = _process(choices, effects)
    h, model = process.hyperparameters, _model(process)
    model.train()
    model.likelihood.train()
    theirs = ExactMarginalLogLikelihood(model.likelihood, model)(model(*model.train_inputs), model.train_targets)
    objective = NegativeLogPosterior(process.X, process.y, choices)
    value, gradient = objective._likelihood(np.log([*h.lengthscales, h.signal, h.noise, *(effects + 1e-300)]))
    np.testing.assert_allclose(value, -len(process.y) * theirs.item(), rtol=1e-9)
    if not choices.any():
        (-len(process.y) * theirs).backward()
        scale = model.covar_module.kernels[0] if effects.any() else model.covar_module
        raw = (scale.base_kernel.raw_lengthscale, scale.raw_outputscale, model.likelihood.raw_noise)
        np.testing.assert_allclose(gradient[:5], np.concatenate([r.grad.numpy().ravel() for r in raw]), rtol=1e-7)


@pytest.mark.parametrize("best", [1.0, -1.0, -10.0, -300.0])
def test_log_expected_improvement_and_its_gradient(best: float) -> None:
    process, Z = _process(NUMERIC, NONE), points(20, NUMERIC, seed=2)
    acquisition = BoTorchLogExpectedImprovement(_model(process), best_f=best, maximize=False)
    features = MainEffects(NUMERIC, len(NUMERIC)).features(Z)
    at = tensor(Z, differentiable=True)
    theirs = acquisition(torch.cat([at, torch.zeros(features.shape, dtype=torch.float64)], dim=1)[:, None, :])
    theirs.sum().backward()
    ours, gradients = LogExpectedImprovement(process, best).with_gradient(Z)
    assert at.grad is not None
    np.testing.assert_allclose(ours, theirs.detach().numpy(), rtol=1e-6)
    np.testing.assert_allclose(gradients, at.grad.numpy(), rtol=1e-5, atol=1e-6 * np.abs(gradients).max())


def test_the_tail_of_expected_improvement() -> None:
    z = np.concatenate([-np.logspace(0.5, 3.5, 50), np.linspace(-3.0, 10.0, 50)])
    at = tensor(z, differentiable=True)
    theirs = _log_ei_helper(at)
    theirs.sum().backward()
    assert at.grad is not None
    np.testing.assert_allclose(log_h(z), theirs.detach().numpy(), rtol=1e-9, atol=1e-14)
    np.testing.assert_allclose(log_h_slope(z), at.grad.numpy(), rtol=1e-7)
