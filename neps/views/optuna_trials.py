"""What Optuna calls a trial, a distribution and an attribute, made of ours. No file; needs optuna.

Optuna has no fidelities but prunes, has no half-finished evaluations but fails, and takes no loss that isn't a number:
which of its states a trial gets is decided in `state_of`. Called by `optuna_storage`.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState

from neps.evaluation.plain import clean
from neps.space import Categorical, Float, Integer, Parameter, SearchSpace
from neps.trial import Status, Trial

__all__ = ["Curve", "attributes", "curve_of", "distributions", "frozen", "state_of", "top_fidelity"]

Curve = dict[float, float]
"""Losses by step."""
_MOST_POINTS = 1_000
_MOST_ATTRIBUTES = 100
_LONGEST_TEXT = 2_000
_LONGEST_JSON = 10_000


def distributions(space: SearchSpace) -> dict[str, BaseDistribution]:
    """The parameters that are searched. Fidelities and constants are none to Optuna: nothing was sampled."""
    return {name: _distribution(space.parameters[name]) for name in space.searched}


def _distribution(parameter: Parameter) -> BaseDistribution:
    if isinstance(parameter, Float):
        return FloatDistribution(parameter.lower, parameter.upper, log=parameter.log)
    if isinstance(parameter, Integer):
        return IntDistribution(parameter.lower, parameter.upper, log=parameter.log)
    if isinstance(parameter, Categorical):
        return CategoricalDistribution(parameter.choices)
    raise TypeError(f"{parameter!r} is not searched")


def top_fidelity(trials: Iterable[Trial], known: float | None = None) -> float | None:
    """The highest fidelity at which any trial has a finite loss: that of `History.best`. None without a fidelity.

    Args:
        trials: those to look at.
        known: that of all others.
    """
    found = [known, *(trial.fidelity for trial in trials if math.isfinite(trial.rank_key))]
    return max((fidelity for fidelity in found if fidelity is not None), default=None)


def state_of(trial: Trial, top: float | None) -> TrialState:
    """COMPLETE are the trials that `History.best` is the best of, PRUNED those that stopped at a lower fidelity.

    FAIL: it failed, or its loss is not finite, which Optuna takes for a failure (NaN), or for the best of all (-inf).
    WAITING: nobody holds it, and any worker may resume or commit it.
    """
    if trial.result is None:
        return TrialState.RUNNING if trial.status is Status.RUNNING else TrialState.WAITING
    if not math.isfinite(trial.rank_key):
        return TrialState.FAIL
    return TrialState.COMPLETE if trial.fidelity == top else TrialState.PRUNED


def curve_of(trial: Trial, before: Curve, reported: Mapping[float, float]) -> Curve:
    """Its learning curve: that of the trial it continues, then its own, or else its loss at its fidelity.

    Where it repeats a step of the trial that it continues, the later loss counts.
    """
    own = dict(reported) or dict(trial.learning_curve)
    if not own and trial.fidelity is not None and math.isfinite(trial.rank_key):
        own = {trial.fidelity: trial.rank_key}
    return dict(sorted({**before, **own}.items()))


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """Where a trial goes: its `number` in the study, its id in the storage, and what Optuna calls its state.

    `about` is a local time when it may have been: a damaged trial tells none, and Optuna wants one of each.
    """

    number: int
    identity: int
    state: TrialState
    about: datetime | None = None


def frozen(trial: Trial | None, place: Place, searched: Mapping[str, BaseDistribution], curve: Curve) -> FrozenTrial:
    """The trial as Optuna has it. None: nobody has taken the number yet, though a later one is taken.

    Args:
        trial: ours.
        place: its number, id and state.
        searched: all that `distributions` gave.
        curve: all that `curve_of` gave.
    """
    start, complete = _times(trial) if trial is not None else (None, None)
    known = {name: dist for name, dist in searched.items() if trial is not None and name in trial.config}
    has_value = trial is not None and place.state in (TrialState.COMPLETE, TrialState.PRUNED)
    return FrozenTrial(
        number=place.number,
        state=place.state,
        value=trial.loss if trial is not None and has_value else None,
        datetime_start=start or (place.about if place.state is not TrialState.WAITING else None),
        datetime_complete=complete or (place.about if place.state.is_finished() else None),
        params={name: trial.config[name] for name in known} if trial is not None else {},
        distributions=known,
        user_attrs=dict(attributes(trial, searched)) if trial is not None else {},
        system_attrs={},
        intermediate_values=_thinned(curve),
        trial_id=place.identity,
    )


def _times(trial: Trial) -> tuple[datetime | None, datetime | None]:
    """When its last evaluation, or else its first attempt, began, and when it ended."""
    start = trial.started or trial.claimed or trial.finished
    return _local(start), _local(trial.finished or start) if trial.ended else None


def _local(time: datetime | None) -> datetime | None:
    """Optuna's times are local, and don't say so."""
    return time.astimezone().replace(tzinfo=None) if time is not None else None


def _thinned(curve: Curve) -> dict[int, float]:
    """At most so many points, the first and the last among them; whole steps as int, which Optuna expects of all."""
    points = list(curve.items())
    if len(points) > _MOST_POINTS:
        stride = (len(points) - 1) / (_MOST_POINTS - 1)
        points = [points[round(place * stride)] for place in range(_MOST_POINTS)]
    return {int(step) if step == int(step) else step: loss for step, loss in points}  # type: ignore[misc]


def attributes(trial: Trial, searched: Mapping[str, BaseDistribution]) -> Iterator[tuple[str, Any]]:
    """What Optuna has no place for, as user attributes: JSON-able, and bounded."""
    yield "config", f"config_{trial.number}"
    for name, value in trial.config.items():
        if name not in searched:
            yield f"config.{name}", plain(value)
    place = trial.place
    found = {
        "previous": f"config_{trial.previous}" if trial.previous is not None else None,
        "bracket": place.bracket if place else None,
        "rung": place.rung if place else None,
        "loss": trial.loss if not math.isfinite(trial.rank_key) else None,
        "cost": trial.cost,
        "spent": trial.spent if trial.spent != (trial.cost or 0.0) else None,
        "duration": trial.duration,
        "attempts": trial.attempts if trial.attempts > 1 else None,
        "worker": trial.worker or None,
        "error": trial.error,
    }
    yield from ((name, plain(value)) for name, value in found.items() if value is not None)
    for name, value in itertools.islice(trial.info_dict.items(), _MOST_ATTRIBUTES):
        yield f"info.{clean(str(name), _LONGEST_TEXT)}", plain(value)
    if len(trial.info_dict) > _MOST_ATTRIBUTES:
        yield "info", f"<left out: {len(trial.info_dict) - _MOST_ATTRIBUTES} more values>"


def plain(value: object) -> Any:
    """A value of a file as JSON can hold it: numbers that it has no word for, and whatever else, become text."""
    if value is None or isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    if isinstance(value, Mapping | list):
        text = json.dumps(_jsonable(value))
        return json.loads(text) if len(text) <= _LONGEST_JSON else f"<left out: {len(text)} characters of JSON>"
    return clean(str(value), _LONGEST_TEXT)


def _jsonable(value: object) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _jsonable(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_jsonable(item) for item in value]
    return plain(value)
