"""Callbacks of `neps.run`: what they are and what they are told, and ready ones for experiment trackers.

A tracker is imported when its callback is made, so its package is needed by nobody else; and the module of that
callback when it is first named.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from neps.callbacks.protocol import Callback, Ending, RunningTrial, TrialEnd, checked

if TYPE_CHECKING:
    from neps.callbacks.mlflow import MLflow
    from neps.callbacks.tensorboard import TensorBoard
    from neps.callbacks.wandb import WeightsAndBiases

__all__ = ["Callback", "Ending", "MLflow", "RunningTrial", "TensorBoard", "TrialEnd", "WeightsAndBiases", "checked"]

_HOME = {"MLflow": "mlflow", "TensorBoard": "tensorboard", "WeightsAndBiases": "wandb"}


def __getattr__(name: str) -> Any:
    """Import a tracker's callback when it is first named."""
    if name not in _HOME:
        message = f"module 'neps.callbacks' has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(importlib.import_module(f"neps.callbacks.{_HOME[name]}"), name)
