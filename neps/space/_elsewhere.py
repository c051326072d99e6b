"""What other tools call the arguments of a parameter, and what to write here. Shown where such a name is passed."""

from __future__ import annotations

__all__ = ["ELSEWHERE", "SPACE_ELSEWHERE"]

_DEFAULT = "Write default=…: the value (or the choice itself) where you expect good results."
_CONFIDENCE = 'Write default_confidence="low", "medium" or "high".'
_STEP = "Write step=…: the distance between two values."
_LOWER, _UPPER = "Write lower=….", "Write upper=…."
_BOUNDS = "Write lower=… and upper=…."
_CHOICES = "Write choices=[…]."
_LOG = "Write log=True: the base makes no difference."
_WEIGHTS = (
    'Write default=… and default_confidence="low", "medium" or "high": the default then weighs 2, 4 or 6 times as much '
    "as each other choice."
)
_ORDER = "Write ordered=True, with choices=[…] in their order."
_NAME = 'A parameter\'s name is its key in pipeline_space: {"name": neps.Float(0, 1)}.'

_ACTIVE_IF = 'Write active_if={"name of another parameter": its value, or a list of values, or neps.at_least(…)}.'
_FORBID = 'Write forbid=[{"optimizer": "sgd", "batch_size": neps.at_least(512)}], or functions in this list.'

ELSEWHERE = {
    # Optuna
    "low": _LOWER,
    "high": _UPPER,
    # NePS from 0.13 on
    "prior": _DEFAULT,
    "prior_confidence": _CONFIDENCE,
    "log_base": _LOG,
    # ConfigSpace, so SMAC
    "bounds": _BOUNDS,
    "default_value": _DEFAULT,
    "items": _CHOICES,
    "weights": _WEIGHTS,
    "sequence": _ORDER,
    "distribution": "A range is searched evenly; on a log scale with log=True, and with a prior with default=….",
    "meta": "Leave it out: nothing is stored with a parameter.",
    "name": _NAME,
    # Ray Tune, Syne Tune, Hyperopt
    "q": _STEP,
    "base": _LOG,
    "categories": _CHOICES,
    "options": _CHOICES,
    "label": _NAME,
    "p": _WEIGHTS,
    # scikit-optimize, Keras Tuner, Ax, and others
    "log_scale": _LOG,
    "scale": _LOG,
    "sampling": _LOG,
    "min_value": _LOWER,
    "max_value": _UPPER,
    "min": _LOWER,
    "max": _UPPER,
    "minimum": _LOWER,
    "maximum": _UPPER,
    "values": _CHOICES,
    "is_ordered": _ORDER,
    "fidelity": "Write is_fidelity=True.",
    "condition": _ACTIVE_IF,
    "conditions": _ACTIVE_IF,
    "depends_on": _ACTIVE_IF,
    "dependents": f"In the parameters that depend on this one: {_ACTIVE_IF[0].lower()}{_ACTIVE_IF[1:]}",
    "parent": _ACTIVE_IF,
}
"""What to do instead, by the argument's name."""

SPACE_ELSEWHERE = {
    "space": "Pass the parameters first, as a dict.",
    "forbidden": _FORBID,
    "forbidden_clauses": _FORBID,
    "constraints": _FORBID,
    "parameter_constraints": _FORBID,
    "conditions": f"In the parameters that have them: {_ACTIVE_IF[0].lower()}{_ACTIVE_IF[1:]}",
    "seed": "Pass seed=… to neps.run.",
    "name": "Leave it out: a space has no name.",
}
"""The same for `SearchSpace`."""
