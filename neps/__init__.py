"""neps: hyperparameter optimization whose only shared state is a directory.

Start the same script as often as you like, on as many machines as you like: `neps.run` is all that it calls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from neps._lazily import importing

if TYPE_CHECKING:
    from neps import callbacks, checkpoint, errors, samplers, space, testing
    from neps._api.asking import AskAndTell
    from neps._api.confirming import confirm
    from neps._api.enqueuing import enqueue
    from neps._api.importing import import_trials
    from neps._api.reading import load
    from neps._api.retrying import retry
    from neps._api.run import run
    from neps._api.spaces import space_from
    from neps._api.stopping import stop
    from neps._api.tell import tell
    from neps._children import current_trial, report
    from neps._evaluation import PENDING, CurrentTrial
    from neps._history import History
    from neps._trial import Status, Trial
    from neps._views.confirmation import Confirmation
    from neps._views.optuna_study import to_optuna
    from neps._views.plot import plot
    from neps._views.status import status
    from neps.callbacks import Callback
    from neps.samplers import Sampler
    from neps.space import (
        Categorical,
        CategoricalParameter,
        Choice,
        Constant,
        ConstantParameter,
        Float,
        FloatParameter,
        Integer,
        IntegerParameter,
        Parameter,
        Repeat,
        SearchSpace,
        at_least,
        at_most,
        less_than,
        more_than,
    )

__version__ = "0.1.0"

_HOME = {
    "AskAndTell": "_api.asking",
    "PENDING": "_evaluation",
    "Callback": "callbacks",
    "Categorical": "space",
    "CategoricalParameter": "space",
    "Choice": "space",
    "Confirmation": "_views.confirmation",
    "Constant": "space",
    "ConstantParameter": "space",
    "CurrentTrial": "_evaluation",
    "Float": "space",
    "FloatParameter": "space",
    "History": "_history",
    "Integer": "space",
    "IntegerParameter": "space",
    "Parameter": "space",
    "Repeat": "space",
    "Sampler": "samplers",
    "SearchSpace": "space",
    "Status": "_trial",
    "Trial": "_trial",
    "at_least": "space",
    "at_most": "space",
    "callbacks": "",
    "checkpoint": "",
    "confirm": "_api.confirming",
    "current_trial": "_children",
    "enqueue": "_api.enqueuing",
    "errors": "",
    "less_than": "space",
    "import_trials": "_api.importing",
    "load": "_api.reading",
    "more_than": "space",
    "plot": "_views.plot",
    "report": "_children",
    "retry": "_api.retrying",
    "run": "_api.run",
    "samplers": "",
    "space": "",
    "space_from": "_api.spaces",
    "status": "_views.status",
    "stop": "_api.stopping",
    "tell": "_api.tell",
    "testing": "",
    "to_optuna": "_views.optuna_study",
}

__all__ = [
    "PENDING",
    "AskAndTell",
    "Callback",
    "Categorical",
    "CategoricalParameter",
    "Choice",
    "Confirmation",
    "Constant",
    "ConstantParameter",
    "CurrentTrial",
    "Float",
    "FloatParameter",
    "History",
    "Integer",
    "IntegerParameter",
    "Parameter",
    "Repeat",
    "Sampler",
    "SearchSpace",
    "Status",
    "Trial",
    "at_least",
    "at_most",
    "callbacks",
    "checkpoint",
    "confirm",
    "current_trial",
    "enqueue",
    "errors",
    "import_trials",
    "less_than",
    "load",
    "more_than",
    "plot",
    "report",
    "retry",
    "run",
    "samplers",
    "space",
    "space_from",
    "status",
    "stop",
    "tell",
    "testing",
    "to_optuna",
]


def _hint(name: str) -> str:
    """What to write in the place of what other tools have under that name."""
    from neps._elsewhere import NAMES

    return f". {NAMES[name]}" if name in NAMES else ""


__getattr__ = importing(__name__, _HOME, _hint)


def __dir__() -> list[str]:
    """The public names, whether they are imported yet or not: what an interactive shell completes."""
    return sorted(__all__)
