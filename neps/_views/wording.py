"""How views and announcements say what is best and what went wrong. What is counted, `neps._listing` says."""

from __future__ import annotations

from neps._listing import not_finite_words
from neps._tables import printable
from neps._trial import Trial
from neps.errors import gist

__all__ = ["best_words", "loss_words", "short_gist"]

_LONGEST_ERROR = 200


def loss_words(trial: Trial, fidelity: str | None, digits: int = 6) -> str:
    """The loss of a trial, and at which fidelity, by its parameter's name: only losses of one fidelity compare.

    Example:
        >>> from neps._trial import Decision, Result
        >>> decision = Decision(number=1, config={"epochs": 27}, fidelity=27)
        >>> loss_words(Trial(number=1, decision=decision, result=Result.of(success=True, loss=0.9081)), "epochs")
        '0.9081 at 27 epochs'
    """
    loss = f"{trial.loss:.{digits}g}"
    return loss if fidelity is None or trial.fidelity is None else f"{loss} at {trial.fidelity:g} {fidelity}"


def best_words(best: Trial | None, fidelity: str | None, not_finite: int) -> str:
    """What is said of the incumbent, or of there being none.

    Example:
        >>> best_words(None, None, 2), best_words(None, None, 1), best_words(None, None, 0)
        ('no best yet: 2 losses are not finite', 'no best yet: 1 loss is not finite', 'no best yet')
    """
    if best is not None:
        return f"best {loss_words(best, fidelity)} (trial {best.number})"
    return f"no best yet: {not_finite_words(not_finite)}" if not_finite else "no best yet"


def short_gist(error: str | None) -> str:
    """The gist of an error, as a line that can be printed; cut where it is very long."""
    line = printable(gist(error))
    return line if len(line) <= _LONGEST_ERROR else f"{line[:_LONGEST_ERROR]}..."
