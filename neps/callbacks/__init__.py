"""Callbacks of `neps.run`: what they are and what they are told, and ready ones for experiment trackers.

A tracker is imported when its callback is made, so its package is needed by nobody else; and the module of that
callback when it is first named.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from neps.callbacks.protocol import Callback, Ending, RunningTrial, TrialEnd, checked
from neps.lazily import importing

if TYPE_CHECKING:
    from neps.callbacks.mlflow import MLflow
    from neps.callbacks.tensorboard import TensorBoard
    from neps.callbacks.wandb import WeightsAndBiases

__all__ = ["Callback", "Ending", "MLflow", "RunningTrial", "TensorBoard", "TrialEnd", "WeightsAndBiases", "checked"]

__getattr__ = importing(__name__, {"MLflow": "mlflow", "TensorBoard": "tensorboard", "WeightsAndBiases": "wandb"})
