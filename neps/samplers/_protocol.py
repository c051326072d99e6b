"""The one interface between samplers and everything else: `decide(history, number, budget, generator)`.

Pure: a sampler sees no file, clock, thread or global random state. The worker calls it; `neps.testing` checks it.
"""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from neps._ranking import ranks

if TYPE_CHECKING:
    import numpy as np

    from neps._budget import Budget
    from neps._history import History
    from neps._trial import Place, Value
    from neps.space import SearchSpace

__all__ = ["Done", "Sampler", "Suggestion", "Wait", "continuable_once"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """What to evaluate next.

    `config` holds every parameter of the space, constants and the fidelity included. `previous` is the number of
    the trial that it continues; `place` is where it stands in a search over fidelities. `metadata` is plain data
    (YAML) that is stored with the decision, to be read again from the history. `seed`, below 2^32, is the trial's for
    its evaluation; None: it follows from the run's seed and the number.
    """

    config: Mapping[str, Value]
    previous: int | None = None
    place: Place | None = None
    metadata: Mapping[str, Any] = dataclasses.field(default_factory=lambda: MappingProxyType({}))
    seed: int | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Wait:
    """Nothing can be decided before more results are in. `reason` is shown to the user."""

    reason: str


@dataclasses.dataclass(frozen=True, slots=True)
class Done:
    """Nothing is left to evaluate, ever. `reason` is shown to the user."""

    reason: str


class Sampler(abc.ABC):
    """Decides what each trial evaluates.

    `decide` is a pure function of its arguments: called twice with equal arguments it returns equal suggestions,
    and it keeps no state between calls that changes an answer (caches are fine). All randomness comes from
    `generator`, which is seeded by the run's seed and the number, or from `history.seed`.
    """

    independent: ClassVar[bool] = False
    """True if `decide` looks at nothing of the history but its space and seed. Such numbers may be claimed in any
    order, many at once."""

    tolerates_stale_history: ClassVar[bool] = False
    """True if a configuration that was decided for number N is about as good for N+1, though somebody else has
    taken N in between. A worker that loses a race then need not fit its model again."""

    needs_max_cost_total: ClassVar[bool] = False
    """True if `decide` can't do without `budget.max_cost_total`. `neps.run` then refuses to begin without it."""

    def check(self, space: SearchSpace) -> None:  # noqa: B027 - most samplers take every space
        """Raise `neps.errors.ArgumentError` if this sampler can't search `space`. Called before anything is written."""

    @abc.abstractmethod
    def settings(self) -> dict[str, Any]:
        """The settings that define the search, as plain data: published in neps.yaml, compared on joining."""

    @abc.abstractmethod
    def decide(
        self, history: History, number: int, budget: Budget, generator: np.random.Generator
    ) -> Suggestion | Wait | Done:
        """What trial `number` evaluates, given all earlier decisions and the results known so far.

        Trials that users have enqueued are in the history, but `number` counts without them: it is 1 for the first that
        this sampler decides.
        """

    def beginning(
        self,
        history: History,  # noqa: ARG002
        generator: np.random.Generator,  # noqa: ARG002
    ) -> tuple[float | None, Place | None]:
        """Where a configuration begins that a user has enqueued without a fidelity: the fidelity, and its place.

        As what would be suggested next if it were a new configuration. Unless overridden: in full, without a place.
        """
        return None, None

    def continuable(self, history: History) -> frozenset[int]:
        """The numbers of the ended trials that later decisions may continue: `keep_checkpoints` keeps what they need.

        An ended trial that isn't among them is given up for ever: no decision may name it as `previous` any more,
        whatever results come in, and whether or not the worker that decides knows those of this `history`. So it rests
        on what never changes: that a trial was decided, or has succeeded. In doubt, name it.

        Unless overridden: each success with a finite loss below the fidelity's upper bound that no success continues.
        """
        return continuable_once(history)


def continuable_once(history: History) -> frozenset[int]:
    """The trials that may be continued where each is so once, to a higher fidelity: see `Sampler.continuable`."""
    top = history.space.highest_fidelity
    continued = {trial.previous for trial in history.trials if trial.succeeded}
    return frozenset(
        trial.number
        for trial in history.trials
        if ranks(trial) and trial.number not in continued
        if top is not None and trial.fidelity is not None and trial.fidelity < top
    )
