"""What is told of an evaluation, read by the rules for run_pipeline: for `neps.tell` and `neps.AskAndTell`."""

from __future__ import annotations

from neps._evaluation import PendingType, failure, read_return_value
from neps._evaluation.plain import clean
from neps._outcome import Outcome
from neps.errors import ArgumentError, ReturnValueError, shown

__all__ = ["outcome_of"]

_LONGEST_ERROR = 20_000


def outcome_of(number: int, result: object) -> Outcome:
    """What a trial came to, by what run_pipeline may return, an exception, or a text that says what went wrong.

    Raises:
        ArgumentError: if it can't be read.

    Example:
        >>> outcome_of(3, {"loss": 0.5}).loss, outcome_of(3, "out of memory").error
        (0.5, 'out of memory')
    """
    try:
        return _read(result)
    except ReturnValueError as error:
        raise ArgumentError(f"Nothing was told of trial {number}: {error}") from error


def _read(result: object) -> Outcome:
    if isinstance(result, PendingType):
        raise ReturnValueError("neps.PENDING says that there is no result yet. Tell the loss once it is there.")
    if isinstance(result, BaseException):
        return failure(result).outcome
    if isinstance(result, str):
        return Outcome(success=False, error=clean(_said(result), _LONGEST_ERROR))
    try:
        return read_return_value(result)
    except ReturnValueError as error:
        if isinstance(error.__cause__, KeyboardInterrupt):
            raise error.__cause__ from None
        raise ReturnValueError(f"{error} If it has failed, tell the exception, or a text that says why.") from error


def _said(text: str) -> str:
    if not text.strip():
        raise ReturnValueError("the result is an empty text. Say why the evaluation failed, or tell the loss.")
    try:
        float(text)
    except ValueError:
        return text
    raise ReturnValueError(
        f"the result is the text {shown(text)}, and a text says why an evaluation failed. If it is the loss, tell it "
        "as a number: float(…)."
    )
