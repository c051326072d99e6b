"""Callbacks of `neps.run`: what they are and what they are told, and ready ones for experiment trackers.

A tracker is imported when its callback is made, so its package is needed by nobody else.
"""

from __future__ import annotations

from neps.callbacks.mlflow import MLflow
from neps.callbacks.protocol import Callback, Ending, RunningTrial, TrialEnd, checked
from neps.callbacks.tensorboard import TensorBoard
from neps.callbacks.wandb import WeightsAndBiases

__all__ = ["Callback", "Ending", "MLflow", "RunningTrial", "TensorBoard", "TrialEnd", "WeightsAndBiases", "checked"]
