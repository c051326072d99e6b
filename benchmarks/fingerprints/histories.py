"""The histories on which searchers are asked: drawn by a plain generator from a description, never by a searcher.

A history is rows of plain data, then neps's values. Called by `deciding`; `recorded` notes a digest of each one's rows.
"""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal

from benchmarks.fingerprints.places import AT_RUNGS, Placed, place
from benchmarks.fingerprints.spaces import SPACES, Described, active, searched, space_of, value_at
from neps._history import History
from neps._trial import Decision, Place, Result, Status, Trial

__all__ = ["STORIES", "Row", "Story", "history_of", "loss_at", "rows_of", "units_in"]

_OWN = {"walk": 0.2, "slope": 0.1, "trend": 0.3, "early_noise": 0.02}

Outcome = Literal["success", "failed", "pending", "damaged"]
_LARGEST = {"NaN": math.nan, "infinite": math.inf, "minus infinite": -math.inf}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What a history tells.

    Args:
        space: of `SPACES`.
        trials: how many.
        asked: after how many of them a searcher is asked for the next.
        best: where the optimum is in each dimension of the unit cube, in turn.
        noise: the size of the noise of a loss.
        every: by a kind of end, of each how many trials one has it ("failed": 7).
        running: the last so many have no result yet.
        costs: whether costs are returned, but for each ninth trial.
        curves: whether learning curves are, by each second trial.
        remembers: whether each fifth trial remembers a model.
        places: how trials go on over fidelities, see `places`; None without a fidelity.
        brief: whether searchers with other settings than their defaults are asked, too.
    """

    space: str
    trials: int
    asked: Sequence[int]
    best: Sequence[float] = (0.4, 0.7, 0.2)
    noise: float = 0.0
    every: Mapping[str, int] = dataclasses.field(default_factory=dict)
    running: int = 0
    costs: bool = False
    curves: bool = False
    remembers: bool = False
    places: str | None = None
    brief: bool = False


STORIES: Mapping[str, Story] = {
    "floats": Story(space="floats", trials=60, asked=(0, 3, 10, 25, 60), brief=True),
    "noise and failures": Story(
        space="log",
        trials=120,
        asked=(11, 40, 120),
        noise=0.3,
        every={"failed": 7, "NaN": 11, "infinite": 13, "minus infinite": 29},
        brief=True,
    ),
    "running and damaged": Story(
        space="mixed", trials=80, asked=(12, 80), noise=0.1, every={"damaged": 9, "pending": 14}, running=5
    ),
    "nothing but failures": Story(space="mixed", trials=20, asked=(20,), every={"failed": 1}),
    "almost all": Story(space="finite", trials=40, asked=(5, 15, 40), noise=0.05, every={"failed": 8}),
    "categories": Story(space="categories", trials=50, asked=(15, 50), noise=0.1, running=2),
    "many parameters": Story(space="many", trials=45, asked=(12, 45), running=1),
    "good prior": Story(space="good prior", trials=60, asked=(0, 8, 60), best=(0.72, 0.45, 0.5, 0.3), brief=True),
    "bad prior": Story(
        space="bad prior", trials=60, asked=(9, 60), best=(0.72, 0.45, 0.5, 0.3), noise=0.1, every={"failed": 10}
    ),
    "costs": Story(space="mixed", trials=70, asked=(10, 30, 70), costs=True, every={"failed": 12}, running=3),
    "long": Story(space="mixed", trials=500, asked=(500,), noise=0.2, every={"failed": 17}, running=8, remembers=True),
    "rungs": Story(space="epochs", trials=150, asked=(0, 10, 50, 150), places="asha", brief=True),
    "rungs, failures": Story(
        space="epochs",
        trials=120,
        asked=(14, 120),
        places="asynchronous",
        noise=0.3,
        every={"failed": 8, "NaN": 9, "infinite": 17, "damaged": 19, "pending": 23},
        running=3,
    ),
    "brackets": Story(
        space="epochs", trials=140, asked=(20, 41, 90, 140), places="hyperband", noise=0.1, running=2, brief=True
    ),
    "brackets, failures": Story(
        space="share",
        trials=80,
        asked=(9, 13, 80),
        places="hyperband",
        every={"failed": 6, "damaged": 15, "pending": 21},
        running=1,
    ),
    "thawed": Story(
        space="share", trials=90, asked=(12, 45, 90), places="thawed", costs=True, curves=True, running=2, brief=True
    ),
    "thawed epochs": Story(
        space="epochs", trials=60, asked=(10, 30, 60), places="thawed", curves=True, every={"failed": 9}, brief=True
    ),
    "finite rungs": Story(space="finite epochs", trials=60, asked=(12, 60), places="asha", running=1),
    "brackets, good prior": Story(
        space="epochs, good prior", trials=120, asked=(0, 27, 60, 120), places="hyperband", noise=0.05, brief=True
    ),
    "brackets, bad prior": Story(
        space="epochs, bad prior", trials=120, asked=(41, 60, 120), places="hyperband", every={"failed": 11}
    ),
    "brackets, infinities": Story(
        space="epochs, good prior",
        trials=60,
        asked=(15, 60),
        places="hyperband",
        every={"minus infinite": 7, "infinite": 11, "NaN": 13},
    ),
    "rungs, infinities": Story(
        space="epochs, good prior", trials=60, asked=(20, 60), places="asha", every={"minus infinite": 5, "NaN": 13}
    ),
    "rungs, some priors": Story(
        space="share, some priors", trials=70, asked=(10, 70), places="asynchronous", curves=True, costs=True, running=2
    ),
    "long rungs": Story(
        space="epochs, good prior",
        trials=500,
        asked=(500,),
        places="asha",
        noise=0.1,
        every={"failed": 13},
        running=6,
        remembers=True,
    ),
    "branches": Story(
        space="branches",
        trials=80,
        asked=(0, 10, 30, 80),
        noise=0.05,
        every={"failed": 9, "damaged": 31},
        running=2,
        costs=True,
        brief=True,
    ),
    "branches by number": Story(space="branches by number", trials=40, asked=(10, 40)),
    "branches, prior": Story(space="branches, prior", trials=40, asked=(0, 12, 40)),
    "branches, rungs": Story(
        space="branches, epochs", trials=100, asked=(12, 100), places="asha", every={"failed": 8}, running=1, brief=True
    ),
    "branches, brackets": Story(
        space="branches, epochs, prior", trials=60, asked=(20, 60), places="hyperband", curves=True, brief=True
    ),
}
"""By name; the name is the seed as well."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One trial as plain data."""

    number: int
    config: Mapping[str, Any]
    placed: Placed | None
    outcome: Outcome
    loss: float | None
    cost: float | None
    curve: Sequence[float] | None
    remembered: Mapping[str, Any]


def rows_of(name: str) -> list[Row]:
    """The trials of a story. Python's generator gives the same numbers in every version and on every machine."""
    story, generator = STORIES[name], random.Random(name)  # noqa: S311 - no secrets
    rows, units, known = list[Row](), dict[int, list[float]](), list[tuple[Placed | None, str, float | None]]()
    for number in range(1, story.trials + 1):
        placed = place(story.places, known, generator.random())
        fresh = [generator.random() for _ in searched(SPACES[story.space])]
        units[number] = units[placed.previous] if placed is not None and placed.previous is not None else fresh
        rows.append(_row(story, number, placed, units[number], sum(generator.random() for _ in range(4)) - 2.0))
        known.append((placed, rows[-1].outcome, rows[-1].loss))
    return rows


def _row(story: Story, number: int, placed: Placed | None, units: Sequence[float], noise: float) -> Row:
    config, share = _configuration(SPACES[story.space], placed, units)
    end = _end(story, number)
    known = units_in(SPACES[story.space], config, units, story.best)
    loss = _LARGEST.get(end, loss_at(known, story.best, share, story.noise * noise))
    succeeded, fifth = end not in {"failed", "pending", "damaged"}, story.remembers and number % 5 == 0
    costs = story.costs and (succeeded or end == "failed") and number % 9
    return Row(
        number=number,
        config=config,
        placed=placed,
        outcome="success" if succeeded else end,  # type: ignore[arg-type]
        loss=loss if succeeded else None,
        cost=_rounded(0.5 + 4.0 * units[0] * share) if costs else None,
        curve=_curve(loss, share) if story.curves and succeeded and number % 2 else None,
        remembered=_memory(len(units), _OWN if placed is not None else {}) if fifth else {},
    )


def _configuration(described: Described, placed: Placed | None, units: Sequence[float]) -> tuple[dict[str, Any], float]:
    """The values, and what share of the highest fidelity they have."""
    at = dict(zip(searched(described), units, strict=True))
    config = active(described, {name: value_at(each, at.get(name, 0.0)) for name, each in described.items()})
    for name, arguments in described.items():
        if placed is not None and arguments.get("is_fidelity"):
            config[name] = AT_RUNGS[name][placed.rung]
            return config, config[name] / arguments["upper"]
    return config, 1.0


def _end(story: Story, number: int) -> str:
    if number > story.trials - story.running:
        return "pending"
    return next((end for end, count in story.every.items() if number % count == 0), "success")


def units_in(
    described: Described, config: Mapping[str, Any], units: Sequence[float], best: Sequence[float]
) -> list[float]:
    """Those of what is searched, with the best for what is inactive: it adds nothing to the loss."""
    pairs = enumerate(zip(searched(described), units, strict=True))
    return [unit if name in config else best[place % len(best)] for place, (name, unit) in pairs]


def loss_at(units: Sequence[float], best: Sequence[float], share: float = 1.0, noise: float = 0.0) -> float:
    """A bowl, with ripples for lack of smoothness; training to a share of the highest fidelity leaves more of it."""
    aims = [best[place % len(best)] for place in range(len(units))]
    bowl = sum((1.0 + place) * (unit - aim) ** 2 for place, (unit, aim) in enumerate(zip(units, aims, strict=True)))
    ripples = sum(unit * 8.0 % 1.0 for unit in units) / 20.0
    return _rounded((bowl + ripples) * (1.0 + 0.5 * (1.0 - share)) + 0.4 * (1.0 - share) * units[-1] + noise)


def _rounded(number: float) -> float:
    return float(f"{number:.6g}")


def _curve(loss: float, share: float) -> list[float]:
    return [_rounded(loss + (1.0 - share) * step / 10.0) if math.isfinite(loss) else loss for step in (3, 2, 1, 0)]


def _memory(dimensions: int, own: Mapping[str, float]) -> dict[str, Any]:
    """What a decision by a model remembers of it; `own` is what a model over fidelities adds."""
    model = {"lengthscales": [0.7] * dimensions, "effects": [0.2, 0.1, 0.05, 0.02], "signal": 0.8, "noise": 0.01}
    return {"by": "model", "model": {**model, "bend": 0.0, **own}}


# ----------------------------------------------------------------------------------------------- as values of neps


def history_of(name: str, rows: Sequence[Row]) -> History:
    """The same as a history."""
    space = space_of(SPACES[STORIES[name].space])
    trials = {row.number: _trial(row, space.fidelity) for row in rows}
    return History(space, MappingProxyType(trials), len(name))


def _trial(row: Row, fidelity: str | None) -> Trial:
    if row.outcome == "damaged":
        result = Result.of(success=False, damaged=True, error="trial.yaml is damaged")
        return Trial(number=row.number, decision=None, result=result, status=Status.FAILED)
    decision = _decision(row, None if fidelity is None else float(row.config[fidelity]))
    if row.outcome == "pending":
        return Trial(number=row.number, decision=decision)
    success = row.outcome == "success"
    result = Result.of(
        success=success,
        loss=row.loss,
        cost=row.cost,
        learning_curve=row.curve,
        learning_curve_steps=_steps(row, decision.fidelity),
        error=None if success else "the evaluation failed",
    )
    status = Status.SUCCESS if success else Status.FAILED
    return Trial(number=row.number, decision=decision, result=result, status=status, spent=row.cost or 0.0)


def _steps(row: Row, fidelity: float | None) -> list[float] | None:
    if row.curve is None or fidelity is None:
        return None
    return [_rounded(fidelity * (place + 1) / len(row.curve)) for place in range(len(row.curve) - 1)] + [fidelity]


def _decision(row: Row, fidelity: float | None) -> Decision:
    fields: dict[str, Any] = {
        "number": row.number,
        "config": row.config,
        "fidelity": fidelity,
        "metadata": row.remembered,
    }
    if row.placed is not None:
        fields["previous"] = row.placed.previous
        fields["place"] = Place(row.placed.rung, row.placed.bracket, row.placed.slot)
    return Decision(**fields)
