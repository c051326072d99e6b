"""The outcome of an evaluation: reads what run_pipeline returned, and writes down what it raised.

A value only: who publishes it, and what a worker does about a failure, is decided elsewhere.
"""

from __future__ import annotations

import dataclasses
import math
import traceback
from collections.abc import Callable, Mapping
from typing import Any

from neps._evaluation.metrics import LOSSES, advice
from neps._evaluation.plain import as_number, clean, element_count, plain_mappings, text, unwrapped
from neps._outcome import Outcome
from neps.errors import ReturnValueError

__all__ = ["Evaluated", "failure", "read_return_value"]

_MAX_ERROR = 20_000
_MAX_MESSAGE = 1_000


@dataclasses.dataclass(frozen=True, slots=True)
class Evaluated:
    """An evaluation that ended by itself: its outcome, and the exception that it raised, to chain.

    The exception's traceback keeps run_pipeline's variables alive, a model on a GPU included: drop it before the next
    evaluation. So it is no part of the outcome, which is kept. `out_of_time`: it ended for its max_seconds_per_trial.
    """

    outcome: Outcome
    exception: BaseException | None = None
    out_of_time: bool = False


def read_return_value(value: object) -> Outcome:
    """Read what run_pipeline returned: a loss, or a mapping that holds one.

    Args:
        value: a number, a one-element array or tensor, or a mapping with `loss` or `objective_to_minimize` (if
            both are there, they must be equal), and optionally `cost` (finite, ≥ 0, None for none),
            `account_for_cost` (a bool), `info_dict` (a mapping or None), `learning_curve` (a sequence of numbers
            or None). Other keys are metrics of the user's: they go into info_dict, where they replace nothing.

    Raises:
        ReturnValueError: for anything else. NaN and infinite losses are fine.

    Example:
        >>> read_return_value({"loss": 0.5, "cost": 2, "accuracy": 0.9}).info_dict
        {'accuracy': 0.9}
        >>> read_return_value(True)
        Traceback (most recent call last):
        neps.errors.ReturnValueError: run_pipeline returned True (bool) as its loss; the loss must be a number. \
Return the loss alone, or {"loss": …}.
    """
    try:
        return _read_mapping(value) if isinstance(value, Mapping) else Outcome(success=True, loss=_loss(value))
    except ReturnValueError:
        raise
    except BaseException as error:
        raise ReturnValueError(
            f"run_pipeline returned a {type(value).__name__} that can't be read: {type(error).__name__}: "
            f"{text(error, _MAX_MESSAGE)}. Return plain numbers."
        ) from error


def failure(exception: BaseException) -> Evaluated:
    r"""An evaluation that raised `exception`, whatever that exception does when it is looked at.

    Example:
        >>> failure(KeyError("lr")).outcome.error
        "KeyError: 'lr'\n\nKeyError: 'lr'\n"
    """
    head = f"{type(exception).__name__}: {text(exception, _MAX_MESSAGE)}"
    try:
        exception.__traceback__ = _users_part(exception)
        own = traceback.format_exception(exception)
        error = f"{head}\n\n{clean(''.join(own), _MAX_ERROR)}"
    except BaseException:  # noqa: BLE001 - out of memory or stack, or an exception whose attributes raise
        error = f"{head}\n\n(its traceback can't be shown)"
    return Evaluated(Outcome(success=False, error=error), exception)


def _users_part(exception: BaseException) -> Any:
    """The traceback from run_pipeline on, without the frames of this package that called it."""
    part = exception.__traceback__
    while part is not None and str(part.tb_frame.f_globals.get("__name__")).startswith("neps._evaluation"):
        part = part.tb_next
    return part


def _read_mapping(returned: Mapping[Any, Any]) -> Outcome:
    value = dict(returned)
    return Outcome(
        success=True,
        loss=_loss_of(value),
        **{name: read(value[name]) for name, read in _READERS.items() if name in value},
        info_dict=_info(value),
    )


def _loss_of(value: dict[Any, Any]) -> float:
    losses = [_loss(value[name]) for name in LOSSES if name in value]
    if not losses:
        raise ReturnValueError(
            f"run_pipeline returned a mapping with the keys {_shown(list(value))}, but its loss must be under 'loss' "
            f"(or 'objective_to_minimize'). {text(advice(value), 500)}"
        )
    if len({repr(loss) for loss in losses}) > 1:  # as text, NaN equals NaN
        raise ReturnValueError(
            f"run_pipeline returned 'loss' = {losses[0]} and 'objective_to_minimize' = {losses[1]}, which mean the "
            "same and differ. Return one of them."
        )
    return losses[0]


def _loss(value: object) -> float:
    return _number(value, "as its loss; the loss", 'Return the loss alone, or {"loss": …}.')


def _cost(value: object) -> float | None:
    if value is None:
        return None
    cost = _number(value, "as its cost; the cost", "Leave it out if there is none.")
    if not (math.isfinite(cost) and cost >= 0):
        raise ReturnValueError(
            f"run_pipeline returned the cost {cost}; a cost must be finite and at least 0. "
            "Leave it out if there is none."
        )
    return cost


def _account_for_cost(value: object) -> bool:
    account = unwrapped(value)
    if isinstance(account, bool):
        return account
    raise ReturnValueError(
        f"run_pipeline returned account_for_cost = {_shown(value)}; it must be True or False. "
        "Leave it out for True: the cost then counts towards max_cost_total."
    )


def _info(value: dict[Any, Any]) -> dict[Any, Any]:
    given = value.get("info_dict")
    if given is not None and not isinstance(given, Mapping):
        raise ReturnValueError(
            f"run_pipeline returned info_dict = {_shown(given)}; it must be a mapping or None. "
            'Put the value into one: {"info_dict": {"name": value}}.'
        )
    metrics = {key: item for key, item in value.items() if key not in {*LOSSES, "info_dict", *_READERS}}
    more, info = plain_mappings(metrics=metrics, info_dict={} if given is None else given)
    return more | info


def _learning_curve(value: Any) -> list[float] | None:
    if value is None:
        return None
    points = value.tolist() if element_count(value) is not None else value
    if not isinstance(points, list | tuple):
        raise ReturnValueError(
            f"run_pipeline returned learning_curve = {_shown(value)}; it must be a sequence of numbers, one for "
            "each step, or None. Return a list."
        )
    return [_number(point, "in its learning_curve; each point", "Return a flat list of numbers.") for point in points]


_READERS: dict[str, Callable[[Any], Any]] = {
    "cost": _cost,
    "account_for_cost": _account_for_cost,
    "learning_curve": _learning_curve,
}
"""Of the outcome's fields that may be left out; each raises ReturnValueError."""


def _number(value: object, where: str, advice: str) -> float:
    try:
        number = as_number(value)
    except OverflowError:
        raise ReturnValueError(
            f"run_pipeline returned an integer {where} must fit in a float (up to 1.8e308). {advice}"
        ) from None
    if number is None:
        given = repr(_shown(value)) if isinstance(value, str) else _shown(value)
        forgotten = " Is a return statement missing?" if value is None else ""
        raise ReturnValueError(
            f"run_pipeline returned {given} ({type(value).__name__}) {where} must be a number.{forgotten} {advice}"
        )
    return number


def _shown(value: object) -> str:
    return text(value, 200)
