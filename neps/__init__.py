"""neps: hyperparameter optimization whose only shared state is a directory.

Start the same script as often as you like, on as many machines as you like: `neps.run` is all that it calls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from neps.lazily import importing

if TYPE_CHECKING:
    from neps import callbacks, checkpoint
    from neps.api.asking import AskAndTell
    from neps.api.reading import load
    from neps.api.retrying import retry
    from neps.api.run import run
    from neps.api.tell import tell
    from neps.callbacks import Callback
    from neps.children import report
    from neps.evaluation import PENDING
    from neps.history import History
    from neps.samplers import Sampler
    from neps.space import (
        Categorical,
        CategoricalParameter,
        Constant,
        ConstantParameter,
        Float,
        FloatParameter,
        Integer,
        IntegerParameter,
        Parameter,
        SearchSpace,
    )
    from neps.trial import Status, Trial
    from neps.views.optuna_study import to_optuna
    from neps.views.plot import plot
    from neps.views.status import status

__version__ = "0.1.0"

_HOME = {
    "AskAndTell": "api.asking",
    "PENDING": "evaluation",
    "Callback": "callbacks",
    "Categorical": "space",
    "CategoricalParameter": "space",
    "Constant": "space",
    "ConstantParameter": "space",
    "Float": "space",
    "FloatParameter": "space",
    "History": "history",
    "Integer": "space",
    "IntegerParameter": "space",
    "Parameter": "space",
    "Sampler": "samplers",
    "SearchSpace": "space",
    "Status": "trial",
    "Trial": "trial",
    "callbacks": "",
    "checkpoint": "",
    "load": "api.reading",
    "plot": "views.plot",
    "report": "children",
    "retry": "api.retrying",
    "run": "api.run",
    "status": "views.status",
    "tell": "api.tell",
    "to_optuna": "views.optuna_study",
}

__all__ = [
    "PENDING",
    "AskAndTell",
    "Callback",
    "Categorical",
    "CategoricalParameter",
    "Constant",
    "ConstantParameter",
    "Float",
    "FloatParameter",
    "History",
    "Integer",
    "IntegerParameter",
    "Parameter",
    "Sampler",
    "SearchSpace",
    "Status",
    "Trial",
    "callbacks",
    "checkpoint",
    "load",
    "plot",
    "report",
    "retry",
    "run",
    "status",
    "tell",
    "to_optuna",
]


def _hint(name: str) -> str:
    """What to write in the place of what other tools have under that name."""
    from neps.elsewhere import NAMES

    return f". {NAMES[name]}" if name in NAMES else ""


__getattr__ = importing(__name__, _HOME, _hint)


def __dir__() -> list[str]:
    """The public names, whether they are imported yet or not: what an interactive shell completes."""
    return sorted(__all__)
