"""Callbacks of `neps.run`: what they are and what they are told, and ready ones for experiment trackers.

A tracker is imported when its callback is made, so its package is needed by nobody else; and the module of that
callback when it is first named.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from neps._lazily import importing
from neps.callbacks._protocol import Callback, Ending, RunningTrial, TrialEnd

if TYPE_CHECKING:
    from neps.callbacks._mlflow import MLflow
    from neps.callbacks._tensorboard import TensorBoard
    from neps.callbacks._wandb import WeightsAndBiases

__all__ = ["Callback", "Ending", "MLflow", "RunningTrial", "TensorBoard", "TrialEnd", "WeightsAndBiases"]

__getattr__ = importing(__name__, {"MLflow": "_mlflow", "TensorBoard": "_tensorboard", "WeightsAndBiases": "_wandb"})
