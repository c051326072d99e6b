"""The trials of a run for people: how many there are in a line, and the best few as rows of a table.

`History` shows itself so, in a terminal and in a notebook; `neps top` prints the rows. How a table looks is the
business of `neps._tables`.
"""

from __future__ import annotations

import collections
from collections.abc import Mapping, Sequence

from neps._outcome import MEASURES
from neps._ranking import best, best_first, incumbent_key
from neps._tables import cell, printable
from neps._trial import Trial, Value
from neps.errors import shown
from neps.space import SearchSpace

__all__ = [
    "best_rows",
    "beyond_words",
    "config_names",
    "counted",
    "elsewhere_words",
    "imported_words",
    "in_short",
    "not_finite_words",
    "readable",
]

_LONGEST_VALUE = 40
_LONGEST_LINE = 200
_UNTOLD = "waiting for neps.tell"
_STATES = {"success": "succeeded", "failed": "failed", "running": "running", "waiting": "waiting", _UNTOLD: _UNTOLD}


def best_rows(trials: Sequence[Trial], space: SearchSpace, most: int) -> list[list[str]]:
    """The best trials, a row each, the best first; the first row is the head.

    Args:
        trials: those of a run.
        space: the run's.
        most: so many trials at most.
    """
    shown = best_first(trial for trial in trials if trial.succeeded)[:most]
    loss, *others = MEASURES
    others = [name for name in others if any(trial.measures[name] is not None for trial in shown)]
    names = sorted(space, key=lambda name: name != space.fidelity)  # the fidelity first, where there is one
    first = int(space.fidelity is not None)

    def values(trial: Trial) -> list[object]:
        measures, config = trial.measures, [trial.config.get(name) for name in names]
        return [trial.number, measures[loss], *config[:first], *map(measures.get, others), *config[first:]]

    head: list[object] = ["trial", loss, *names[:first], *others, *names[first:]]
    return [[cell(value) for value in row] for row in (head, *map(values, shown))]


def config_names(trials: Sequence[Trial], space: SearchSpace) -> list[str]:
    """The parameters that any configuration has, in the order of the space: the columns of a table of them."""
    return [name for name in space if any(name in trial.config for trial in trials)]


def in_short(trials: Sequence[Trial], space: SearchSpace) -> str:
    """How many trials are in which state, and which is the best."""
    if not trials:
        return "no trials"
    states = collections.Counter(_UNTOLD if trial.awaits_tell else str(trial.status) for trial in trials)
    counts = ", ".join(f"{states[state]} {word}" for state, word in _STATES.items() if states[state])
    return f"{counted(len(trials), 'trial')}: {counts}; best: {_best_in_short(trials, space)}"


def elsewhere_words(trials: Sequence[Trial], imported: Sequence[Trial], earlier: Sequence[Trial]) -> list[str]:
    """What a search knows beside its own trials, and whether the best is among that; earlier losses don't compare."""
    words = []
    if imported:
        words.append(f"and {counted(len(imported), 'imported result')}: {imported_words(trials, imported)}")
    if earlier:
        words.append(f"and {counted(len(earlier), 'result')} of earlier runs")
    return words


def imported_words(trials: Sequence[Trial], imported: Sequence[Trial]) -> str:
    """Whether an imported result is better than all trials."""
    found = best(imported)
    if found is None:
        return "none has a finite loss"
    if beyond_words(trials, imported):
        at = f" at fidelity {found.fidelity:g}" if found.fidelity is not None else ""
        return f"the best has loss {found.loss:.6g}{at}, better than any trial"
    return "none is better than the best trial"


def beyond_words(trials: Sequence[Trial], imported: Sequence[Trial]) -> str:
    """That an imported result is better than all trials, by the rule of `History.best`; empty if none is."""
    found, own = best(imported), best(trials)
    if found is None or (own is not None and incumbent_key(own)[:-1] <= incumbent_key(found)[:-1]):
        return ""
    return f"an imported result is better: loss {found.loss:.6g}"


def _best_in_short(trials: Sequence[Trial], space: SearchSpace) -> str:
    found = best(trials)
    if found is not None:
        at = f" at {printable(str(space.fidelity))} {found.fidelity:g}" if found.fidelity is not None else ""
        return f"trial {found.number}, loss {found.loss:.6g}{at}"
    diverged = sum(trial.succeeded for trial in trials)
    return f"none yet: {not_finite_words(diverged)}" if diverged else "none yet"


def counted(number: int, noun: str) -> str:
    """A number of things.

    Example:
        >>> counted(1, "trial"), counted(0, "trial"), counted(2, "loss")
        ('1 trial', '0 trials', '2 losses')
    """
    if number == 1:
        return f"{number} {noun}"
    return f"{number} {noun}{'es' if noun.endswith('s') else 's'}"


def readable(config: Mapping[str, Value]) -> str:
    """The values of a configuration, as far as they fit in a line.

    Example:
        >>> readable({"lr": 0.0123456, "optimizer": "adam"})
        "lr=0.01235, optimizer='adam'"
    """
    line = ""
    for place, (name, value) in enumerate(config.items()):
        shorter = f"{value:.4g}" if isinstance(value, float) else shown(value, _LONGEST_VALUE)
        item = f"{', ' if place else ''}{shown(name, _LONGEST_VALUE)[1:-1]}={shorter}"
        if len(line) + len(item) > _LONGEST_LINE:
            return f"{line} and {len(config) - place} more"
        line += item
    return line


def not_finite_words(number: int) -> str:
    """How many trials have succeeded with a loss that is no number to compare by."""
    return f"{counted(number, 'loss')} {'is' if number == 1 else 'are'} not finite"
