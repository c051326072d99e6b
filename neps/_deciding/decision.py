"""The decision: budgets first, then what users have enqueued, then the sampler.

A sampler's answer is checked as if it came from a stranger: it may be a user's own. What it answers is made plain, or
refused with a message that names it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import operator
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from neps._budget import Budget, Limit
from neps._deciding.given import completed
from neps._deciding.request import Request
from neps._deciding.seeding import entry_generator, generator_for, trial_seed
from neps._ending import Ending
from neps._evaluation.plain import as_number, plain
from neps._history import History
from neps._trial import MOST_PLACES, Decision, Entry, Place, place_fields
from neps.errors import ArgumentError, NepsError, SamplerError, SpaceError, shown
from neps.samplers._protocol import Done, Sampler, Suggestion, Wait
from neps.space import Value

__all__ = ["Refused", "decide", "is_independent"]

_LARGEST_SEED = 2**32 - 1
_ENQUEUED = MappingProxyType({"by": "user"})


@dataclasses.dataclass(frozen=True, slots=True)
class Refused:
    """What was enqueued as `entry` is no configuration of the space as it is here: pass it over, and ask again.

    It was one for whoever has enqueued it. A function in `forbid` isn't known there, and may be another one by now.
    """

    entry: Entry
    why: str


def is_independent(sampler: Sampler, budget: Budget) -> bool:
    """Whether numbers may be decided in any order: the sampler looks at no trial, and no budget makes it.

    One of cost or of fidelity is exact only where each decision knows all earlier ones; what results end, only where
    each knows the results.
    """
    counts_trials = budget.max_cost_total is None and budget.max_fidelity_total is None
    return sampler.independent and counts_trials and not budget.ends_by_results


def decide(sampler: Sampler, request: Request) -> Decision | Limit | Refused:
    """What a trial evaluates, or why none may start, for now or for good; or which enqueued one is to be passed over.

    A pure function of its arguments, if the sampler and the user's `expected_cost` are. Who commits the decision adds
    what only the worker knows, its name and the time.

    Raises:
        SamplerError: if the sampler fails, or its answer is wrong.
        SpaceError: if the configuration that it suggests doesn't belong to the space.
        NepsError: if `expected_cost` fails; ArgumentError: if what it returns is no cost.

    Example:
        >>> from neps._budget import Spending
        >>> from neps._history import History
        >>> from neps.samplers import Sobol
        >>> from neps.space import Float, SearchSpace
        >>> history = History(SearchSpace({"x": Float(0, 1)}), {}, seed=1)
        >>> request = Request(history=history, number=2, budget=Budget(max_evaluations_total=1), spending=Spending())
        >>> decide(Sobol(), request)
        Limit(done=True, reason='max_evaluations_total=1 is reached', first_cost_of=None)
    """
    if (limit := _limit(request)) is not None:
        return limit
    if (entry := request.queue.next(request.number)) is not None:
        try:
            return _checked("The queue", request, _taken(sampler, request, entry), entry)
        except SpaceError as error:
            return Refused(entry, str(error))
    name, answer = type(sampler).__qualname__, _spare(request) or _ask(sampler, request)
    match answer:
        case Suggestion():
            return _checked(name, request, answer)
        case Wait():
            return Limit(done=False, reason=answer.reason)
        case Done():
            return Limit(done=True, reason=answer.reason)
    message = f"{name}.decide returned {answer!r}; it must be a Suggestion, Wait or Done."
    raise SamplerError(message)


# Budgets


def _limit(request: Request) -> Limit | None:
    """Why no trial may start: by what results are, then by the number, then by the fidelity, then by the cost."""
    budget, spending = request.budget, request.spending
    if (ending := _ending(request)) is not None:
        return Limit(done=True, reason=ending.reason, ending=ending)
    if budget.max_evaluations_total is not None and request.number > budget.max_evaluations_total:
        return Limit(done=True, reason=f"max_evaluations_total={budget.max_evaluations_total} is reached")
    if spending.mean is None and _awaited_lacks_cost(request):  # so would what is tried next
        reason = (
            f"trial {request.awaited} returned no cost, which max_cost_total={budget.max_cost_total:g} needs. Have "
            'run_pipeline return {"loss": …, "cost": …}, or pass cost="duration" or cost_value_on_error=…'
        )
        return Limit(done=True, reason=reason)
    return spending.limit(budget, request.pending, expected=request.expected_cost is not None)


def _awaited_lacks_cost(request: Request) -> bool:
    awaited = request.history.by_number.get(request.awaited) if request.awaited is not None else None
    return awaited is not None and awaited.outcome is not None and awaited.outcome.lacks_cost


def _ending(request: Request) -> Ending | None:
    """What ends the run by its results: what they are now, or what somebody has published of them.

    The latter since a trial that still ran when patience was at its end may bring an improvement: most workers have
    left by then.
    """
    budget = request.budget
    if not budget.ends_by_results:
        return None
    published = (ending for ending in request.endings if budget.is_bound_by(ending))
    return next(published, None) or request.since_incumbent().ending(budget, request.number)


# What users have enqueued


def _taken(sampler: Sampler, request: Request, entry: Entry) -> Suggestion:
    """The configuration of an entry; without a fidelity it begins where the sampler says."""
    history, given = request.history, request.queue.config(entry)
    generator = entry_generator(history.seed, entry)
    config = completed(history.space, given, generator)
    if history.space.fidelity is None or history.space.fidelity in given:
        return Suggestion(config=config, metadata=_ENQUEUED)
    fidelity, place = sampler.beginning(history, generator)
    if fidelity is not None:
        config = history.space.at_fidelity(config, fidelity)
    return Suggestion(config=config, place=place, metadata=_ENQUEUED)


# The sampler


def _spare(request: Request) -> Suggestion | None:
    """The suggestion that lost its number, unless somebody has decided the same since."""
    spare = request.spare
    if spare is None or any(trial.config == spare.config for trial in request.history.by_number.values()):
        return None
    return Suggestion(config=spare.config, metadata=spare.metadata)


def _ask(sampler: Sampler, request: Request) -> object:
    index, history = request.queue.index(request.number), request.history
    generator = generator_for(history.seed, index)
    if history.earlier and not sampler.independent:
        from neps.samplers._model_based.earlier import learning_from_earlier

        history = learning_from_earlier(history)
    try:
        return sampler.decide(history, index, request.budget, generator)
    except OSError as error:  # not the run's filesystem, for which a worker would wait
        message = f"{type(sampler).__qualname__}.decide failed for trial {request.number}: {error}"
        raise SamplerError(message) from error


# Its answer


def _checked(name: str, request: Request, suggestion: Suggestion, entry: Entry | None = None) -> Decision:
    """The decision that a suggestion becomes: of the sampler of this name, or of what was enqueued."""
    history, number, previous = request.history, request.number, suggestion.previous
    if not isinstance(suggestion.config, Mapping):
        message = (
            f"{name}.decide gives trial {number} the config {shown(suggestion.config)}; it must be a mapping with a "
            "value for each parameter."
        )
        raise SamplerError(message)
    try:
        config = _configuration(history, suggestion)
    except SpaceError as error:
        message = f"{name}.decide gives trial {number} a configuration that isn't of the space: {error}"
        raise SpaceError(message) from error
    if previous is not None and not request.independent and previous not in history.by_number:
        message = f"{name}.decide has trial {number} continue trial {previous}, which doesn't exist."
        raise SamplerError(message)
    fields: dict[str, Any] = {
        "number": number,
        "config": config,
        "fidelity": config[history.space.fidelity] if history.space.fidelity is not None else None,
        "place": _place(name, number, suggestion.place),
        "previous": _counted(name, number, "previous", previous, number - 1),
        "seed": trial_seed(history.seed, number)
        if suggestion.seed is None
        else _counted(name, number, "seed", suggestion.seed, _LARGEST_SEED),
        "metadata": _metadata(name, number, suggestion.metadata),
        "seen_results": request.seen_results,
        "seen_known": request.seen_known,
        "entry": entry,
        "index": request.queue.stored(number, request.queue.index(number)) if entry is None else None,
    }
    if request.budget.has_patience:
        fields["incumbent"] = request.since_incumbent().incumbent
    decision = Decision(**fields)
    reserved = _expected_cost(request, decision)
    return decision if reserved is None else dataclasses.replace(decision, reserved_cost=reserved)


def _configuration(history: History, suggestion: Suggestion) -> dict[str, Value]:
    """As plain values; one that the trial that it continues has stays allowed, though a function may forbid it now."""
    space, earlier = history.space, history.by_number.get(suggestion.previous or 0)
    if space.forbid and earlier is not None:
        config = space.parsed(suggestion.config)
        if {**earlier.config, **{name: config[name] for name in space.fidelities}} == config:
            return config
    return space.validate(suggestion.config)


def _metadata(name: str, number: int, given: object) -> dict[Any, Any]:
    metadata = plain(given)
    if isinstance(given, Mapping) and isinstance(metadata, dict):
        return metadata
    message = (
        f"{name}.decide gives trial {number} the metadata {shown(metadata)} ({type(given).__name__}); it "
        "must be a mapping, {} for none."
    )
    raise SamplerError(message)


def _place(name: str, number: int, place: Place | None) -> Place | None:
    if place is None:
        return None
    if not isinstance(place, Place) or place.rung is None:
        rule = "it must be a neps.samplers.Place with a rung, or None"
        message = f"{name}.decide gives trial {number} the place {shown(place)}; {rule}."
        raise SamplerError(message)
    counted = {what: _counted(name, number, what, at, MOST_PLACES) for what, at in place_fields(place).items()}
    return Place(counted["rung"] or 0, counted["bracket"], counted["slot"])


def _counted(name: str, number: int, what: str, value: int | None, most: int) -> int | None:
    """What readers will believe: a place that somebody may have counted to, an earlier trial."""
    if value is None:
        return None
    with contextlib.suppress(TypeError):  # no whole number
        if 0 <= operator.index(value) <= most:
            return operator.index(value)
    rule = f"it must be a whole number from 0 to {most}"
    message = f"{name}.decide gives trial {number} the {what} {shown(value)}; {rule}."
    raise SamplerError(message)


# What it is expected to cost


def _expected_cost(request: Request, decision: Decision) -> float | None:
    expected, config = request.expected_cost, decision.config
    if not callable(expected):
        return expected if expected is not None else request.spending.expected_cost(decision)
    try:
        answer = expected(request.history.space.handed(config))
    except OSError as error:
        message = f"expected_cost failed for {dict(config)}: {error}"
        raise NepsError(message) from error
    cost = None
    with contextlib.suppress(OverflowError):  # an integer beyond all floats
        cost = as_number(answer)
    if cost is None or not (math.isfinite(cost) and cost >= 0):
        message = (
            f"expected_cost returned {shown(answer)} for {dict(config)}; it must be a finite number of at least 0."
        )
        raise ArgumentError(message)
    return cost
