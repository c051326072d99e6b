"""What the ready callbacks share: importing a tracker that may be missing, and the metrics of a trial's end."""

from __future__ import annotations

import importlib
import numbers
from typing import Any

from neps.callbacks._protocol import TrialEnd
from neps.errors import NepsError

__all__ = ["FINAL_LOSS", "LOSS", "final_metrics", "require"]

LOSS = "loss"
"""What was reported, over steps."""
FINAL_LOSS = "final_loss"
"""The trial's own."""


def require(module: str, *, extra: str, what: str) -> Any:
    """Import a module of an optional dependency.

    Raises:
        NepsError: if it isn't installed.

    Example:
        >>> require("no_such_tracker", extra="tensorboard", what="neps.callbacks.TensorBoard")
        Traceback (most recent call last):
        neps.errors.NepsError: neps.callbacks.TensorBoard needs the package 'no_such_tracker', which isn't \
installed. Install it: pip install 'neps[tensorboard]'
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        missing = (error.name or module).partition(".")[0]
        raise NepsError(
            f"{what} needs the package {missing!r}, which isn't installed. Install it: pip install 'neps[{extra}]'"
        ) from error


def final_metrics(end: TrialEnd) -> dict[str, float]:
    """The numbers of a trial's end, by name; those of info_dict are called `info/NAME`.

    Example:
        >>> from neps.callbacks import Ending
        >>> final_metrics(TrialEnd(status=Ending.SUCCESS, loss=0.5, cost=2, info_dict={"accuracy": 0.9, "note": "a"}))
        {'final_loss': 0.5, 'cost': 2.0, 'info/accuracy': 0.9}
    """
    named: dict[str, Any] = {FINAL_LOSS: end.loss, "cost": end.cost, "duration": end.duration}
    named |= {f"info/{name}": value for name, value in end.info_dict.items() if isinstance(name, str)}
    return {
        name: float(value)
        for name, value in named.items()
        if isinstance(value, numbers.Real) and not isinstance(value, bool)
    }
