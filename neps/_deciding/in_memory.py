"""The trials of a run that has no directory: `neps.AskAndTell` and `neps.testing.simulate` keep theirs so.

Decided in turn, ended in any order. What decisions need is kept up, so that one costs no more than what is new.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType

from neps._budget import Budget, ExpectedCost, Improvement, Limit, Spending
from neps._deciding.decision import Refused, decide, is_independent
from neps._deciding.request import Request
from neps._ending import Ending
from neps._fidelity import Brackets
from neps._history import History
from neps._outcome import Origin, Outcome, Result
from neps._queue import Queue
from neps._trial import Decision, Status, Trial, Value
from neps.errors import ReturnValueError, SamplerError, SpaceError
from neps.samplers._protocol import Sampler
from neps.space import SearchSpace

__all__ = ["InMemory", "check_cost"]


def check_cost(number: int, outcome: Outcome, budget: Budget) -> None:
    """Refuse a success without a cost that the budget needs.

    Raises:
        ReturnValueError: if it is one.
    """
    if budget.counting_costs is not None and budget.cost_if_missing is None and outcome.lacks_cost:
        raise ReturnValueError(
            f"trial {number} returned the loss {outcome.loss:g}, but no cost, which {budget.counting_costs} needs. "
            'Return {"loss": …, "cost": …}.'
        )


@dataclasses.dataclass(slots=True)
class InMemory:
    """A run in memory: `claim` the next trial, `publish` a result.

    Args:
        sampler: what decides each trial.
        space: what it searches.
        seed: the run's.
        budget: what it may spend.
        expected_cost: what the user says that an evaluation costs; None: as others have.
        clock: what time it is, to be noted with each decision.
        first_configs: what its first numbers evaluate, checked.
        imported: results from elsewhere, as trials without a number.
        earlier: those of earlier runs from which this one starts.
    """

    sampler: Sampler
    space: SearchSpace
    seed: int
    budget: Budget
    expected_cost: ExpectedCost | None = None
    clock: Callable[[], datetime | None] = lambda: None
    first_configs: Sequence[Mapping[str, Value]] = ()
    imported: tuple[Trial, ...] = ()
    earlier: tuple[Trial, ...] = ()
    _trials: dict[int, Trial] = dataclasses.field(default_factory=dict, init=False)
    _pending: dict[int, Decision] = dataclasses.field(default_factory=dict, init=False)
    _spending: Spending = dataclasses.field(init=False)
    _brackets: Brackets = dataclasses.field(default_factory=Brackets, init=False)
    _improvement: Improvement = dataclasses.field(init=False)
    _endings: list[Ending] = dataclasses.field(default_factory=list, init=False)
    _queue: Queue = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        self._spending = Spending(self.budget.cost_if_missing)
        self._improvement = Improvement(self.space.highest_fidelity, self.budget.cost_if_missing)
        self._queue = Queue(self.first_configs)

    @property
    def pending(self) -> Mapping[int, Trial]:
        """The trials without a result, by number, in the order in which they were claimed."""
        return {number: self._trials[number] for number in self._pending}

    @property
    def history(self) -> History:
        """All trials as they are now: a copy."""
        return self._history(dict(self._trials), None)

    def claim(self) -> Trial | Limit:
        """Decide the next trial, which is pending from now on; or why none may start.

        Raises:
            SamplerError: if the sampler waits for results, though all are in.
            NepsError: as `decide`.
        """
        number = len(self._trials) + 1
        request = Request(
            history=self._history(self._trials, self._brackets),
            number=number,
            budget=self.budget,
            spending=self._spending,
            pending=self._pending.values(),
            seen_results=len(self._trials) - len(self._pending),
            expected_cost=self.expected_cost,
            independent=is_independent(self.sampler, self.budget),
            improvement=self._improvement,
            endings=self._endings,
            queue=self._queue,
        )
        answer = decide(self.sampler, request)
        if isinstance(answer, Refused):  # it was allowed when it was given here
            raise SpaceError(answer.why)
        if isinstance(answer, Limit):
            if answer.ending is not None and answer.ending not in self._endings:
                self._endings.append(answer.ending)
            if not answer.done and not self._pending:
                raise SamplerError(f"the sampler waits, but nothing is pending at number {number}: {answer.reason}")
            return answer
        self._pending[number] = decision = dataclasses.replace(answer, claimed=self.clock())
        return self._know(Trial(number=number, decision=decision))

    def publish(self, number: int, outcome: Outcome) -> Trial:
        """End a pending trial.

        Raises:
            ReturnValueError: if it succeeded without a cost that the budget needs; nothing is changed.
        """
        check_cost(number, outcome, self.budget)
        began, ended = self._pending.pop(number).claimed, self.clock()
        seconds = (ended - began).total_seconds() if began is not None and ended is not None else None
        result = Result(outcome, Origin(started=began, finished=ended, duration=seconds))
        status = Status.SUCCESS if outcome.success else Status.FAILED
        return self._know(
            dataclasses.replace(self._trials[number], result=result, status=status, spent=outcome.accounted_cost)
        )

    def _history(self, trials: dict[int, Trial], brackets: Brackets | None) -> History:
        return History(
            self.space,
            MappingProxyType(trials),
            self.seed,
            brackets,
            ended_by=self._endings[-1].reason if self._endings else None,
            imported=self.imported,
            earlier=self.earlier,
        )

    def _know(self, trial: Trial) -> Trial:
        self._trials[trial.number] = trial
        self._spending.seen(trial)
        self._brackets.seen(trial)
        if self.budget.ends_by_results:
            self._improvement.seen(trial)
        self._queue.seen(trial)
        return trial
