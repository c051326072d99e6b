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

from neps._evaluation.plain import clean
from neps._ranking import ranks
from neps._trial import Status, Trial
from neps.space import Number, Parameter, SearchSpace

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
    if not isinstance(parameter, Number):
        return CategoricalDistribution(parameter.every_value(most=1) or ())
    if parameter.whole:
        return IntDistribution(int(parameter.lower), int(parameter.upper), parameter.log, int(parameter.step or 1))
    return FloatDistribution(parameter.lower, parameter.upper, parameter.log, parameter.step)


def top_fidelity(trials: Iterable[Trial], known: float | None = None) -> float | None:
    """The highest fidelity at which any trial has a finite loss: that of `History.best`. None without a fidelity.

    Args:
        trials: those to look at.
        known: that of all others.
    """
    found = [known, *(trial.fidelity for trial in trials if ranks(trial))]
    return max((fidelity for fidelity in found if fidelity is not None), default=None)


def state_of(trial: Trial, top: float | None) -> TrialState:
    """COMPLETE are the trials that `History.best` is the best of, PRUNED those that stopped at a lower fidelity.

    FAIL: it failed, or its loss is not finite, which Optuna takes for a failure (NaN), or for the best of all (-inf).
    WAITING: nobody holds it, and any worker may resume or commit it.
    """
    if trial.result is None:
        return TrialState.RUNNING if trial.status is Status.RUNNING else TrialState.WAITING
    if not ranks(trial):
        return TrialState.FAIL
    return TrialState.COMPLETE if trial.fidelity == top else TrialState.PRUNED


def curve_of(trial: Trial, before: Curve, reported: Mapping[float, float]) -> Curve:
    """Its learning curve: that of the trial it continues, then its own, or else its loss at its fidelity.

    Where it repeats a step of the trial that it continues, the later loss counts.
    """
    own = dict(reported) or dict(trial.learning_curve)
    if not own and trial.fidelity is not None and ranks(trial):
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

    @property
    def began(self) -> datetime | None:
        """When it may have begun, if it has."""
        return self.about if self.state is not TrialState.WAITING else None

    @property
    def ended(self) -> datetime | None:
        """When it may have ended, if it has."""
        return self.about if self.state.is_finished() else None


def frozen(trial: Trial | None, place: Place, searched: Mapping[str, BaseDistribution], curve: Curve) -> FrozenTrial:
    """The trial as Optuna has it. None: nobody has taken the number yet, though a later one is taken.

    Args:
        trial: ours.
        place: its number, id and state.
        searched: all that `distributions` gave.
        curve: all that `curve_of` gave.
    """
    if trial is None:
        return _frozen(place, place.began, place.ended)
    start, complete = _times(trial)
    known = {name: distribution for name, distribution in searched.items() if name in trial.config}
    return _frozen(
        place,
        start or place.began,
        complete or place.ended,
        value=trial.loss if place.state in (TrialState.COMPLETE, TrialState.PRUNED) else None,
        params={name: trial.config[name] for name in known},
        distributions=known,
        user_attrs=dict(attributes(trial, searched)),
        intermediate_values=_thinned(curve),
    )


def _frozen(place: Place, start: datetime | None, complete: datetime | None, **known: Any) -> FrozenTrial:
    nothing: dict[str, Any] = {"value": None, "params": {}, "distributions": {}, "user_attrs": {}, "system_attrs": {}}
    return FrozenTrial(
        number=place.number,
        trial_id=place.identity,
        state=place.state,
        datetime_start=start,
        datetime_complete=complete,
        **{**nothing, "intermediate_values": {}, **known},
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
            yield f"config.{name}", as_attribute(value)
    yield from ((name, as_attribute(value)) for name, value in _facts(trial).items() if value is not None)
    for name, value in itertools.islice(trial.info_dict.items(), _MOST_ATTRIBUTES):
        yield f"info.{clean(str(name), _LONGEST_TEXT)}", as_attribute(value)
    if len(trial.info_dict) > _MOST_ATTRIBUTES:
        yield "info", f"<left out: {len(trial.info_dict) - _MOST_ATTRIBUTES} more values>"


def _facts(trial: Trial) -> dict[str, object]:
    place = trial.place
    return {
        "previous": f"config_{trial.previous}" if trial.previous is not None else None,
        "bracket": place.bracket if place else None,
        "rung": place.rung if place else None,
        **(trial.measures | ({"loss": None} if ranks(trial) else {})),
        "spent": trial.spent if trial.spent != (trial.cost or 0.0) else None,
        "duration": trial.duration,
        "attempts": trial.attempts if trial.attempts > 1 else None,
        "worker": trial.worker or None,
        "error": trial.error,
    }


def as_attribute(value: object) -> Any:
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
    return as_attribute(value)
