"""The state machine: which client goes on, for how long, how late it sees, and what befalls it, is hypothesis's choice.

Whatever was done, in the end all that may run come to an end, and one clean worker finds nothing left to do.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
from collections import Counter, deque
from unittest import mock

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

import neps
from neps._budget import Budget
from neps._ledger.heartbeat import Heartbeat
from neps._worker.settings import Settings as WorkerSettings
from neps.space import SearchSpace
from visibility.calls import ROOT, Calls
from visibility.client_view import ClientView
from visibility.clients import FAILURES, LOST_REPLIES, Client, Clock, Fault
from visibility.disk import Disk
from visibility.reference import Reference, Rules
from visibility.workers import LEASE, Member, Search, enqueuing

__all__ = ["COUNTS", "Visibility", "run"]

COUNTS: Counter[str] = Counter()
"""What was done to all machines so far."""
_BOUND = LEASE / 3
_CLIENTS = 3
_MOST = 3
_TURNS_TO_END = 3000
_SHOWN = 80
_SPACE: dict[str, neps.Parameter] = {"x": neps.Float(0, 1)}
_FIDELITY: dict[str, neps.Parameter] = {"x": neps.Float(0, 1), "epochs": neps.Integer(1, 3, is_fidelity=True)}
_CHOICES: dict[str, neps.Parameter] = {"x": neps.Categorical(["a", "b", "c"])}
SEARCHES: dict[str, tuple[dict[str, neps.Parameter], str, bool]] = {
    "any number": (_SPACE, "random_search", False),
    "each of a grid": (_CHOICES, "grid_search", False),
    "in turn": (_SPACE, "regularized_evolution", False),
    "by cost": (_SPACE, "random_search", True),
    "promoting": (_FIDELITY, "asha", False),
}
"""Space, searcher, and whether a budget of cost ends it; the first two decide numbers in any order."""
_ANY_ORDER = ("any number", "each of a grid")

_few, _many = st.integers(1, 8), st.sampled_from([10, 20, 50, 150, 400])
_faults = st.tuples(st.just(True), st.sampled_from(LOST_REPLIES)) | st.tuples(
    st.just(False), st.sampled_from((0, *FAILURES))
)
_lags = st.sampled_from([0, 0, 1, 2, 5, 20, 10_000])
_who = st.integers(0, _CLIENTS - 1)


class Visibility(RuleBasedStateMachine):
    """Three clients, each a host of its own."""

    @initialize(
        search=st.sampled_from(sorted(SEARCHES)),
        training=st.lists(st.integers(0, 6), min_size=3, max_size=3),
        enqueues=st.booleans(),
    )
    def begin(self, search: str, training: list[int], *, enqueues: bool) -> None:
        space, searcher, by_cost = SEARCHES[search]
        budget = Budget(max_cost_total=float(_MOST)) if by_cost else Budget(max_evaluations_total=_MOST)
        asked = WorkerSettings(budget=budget, wait_for_all=True, expected_cost=1.0 if by_cost else None)
        self.search = Search(SearchSpace(space), searcher, asked)
        self.clock, self.trace = Clock(), deque[str](maxlen=_SHOWN)
        self.clock.step, self.clock.at_each_step = LEASE / 24, self._beat
        self.reference = Reference(
            Rules(_MOST, search not in _ANY_ORDER, by_cost, asked.max_attempts), self._may_be_dead
        )
        self.disk = Disk(lambda: self.clock.now, self.reference.observe)
        self.disk.make_folder("/in-memory")
        self.losses, self.boots = itertools.count(1), itertools.count(1)
        self.stack = contextlib.ExitStack()
        self.stack.enter_context(Calls(self.disk))
        self.stack.enter_context(mock.patch.multiple(Heartbeat, begin=Heartbeat._appear, stop=mock.DEFAULT))
        logging.disable(logging.CRITICAL)  # what workers say of all this
        self.stack.callback(logging.disable, logging.NOTSET)
        self.everybody: dict[str, Member] = {}
        self.user: Client | None = None
        self.users: list[Client] = []
        self.may_enqueue = enqueues and search != "each of a grid"  # which has all that there is
        self.values = (count / 1000 for count in itertools.count(1))
        self.training = training
        self.members = [self._boot(index) for index in range(_CLIENTS)]
        COUNTS["machines"] += 1

    # Rules

    @rule(who=_who, calls=_few, lag=_lags)
    def go_on(self, who: int, calls: int, lag: int) -> None:
        """It goes on for so many calls, which don't see the last so many changes."""
        client = self.members[who].client
        if client.may_run:
            client.view.lag = lag
            client.run(calls)
            self._check()

    @rule(who=_who, calls=_many, lag=_lags)
    def go_far(self, who: int, calls: int, lag: int) -> None:
        """For many."""
        self.go_on(who, calls, lag)

    @rule(order=st.permutations(range(_CLIENTS)), calls=_few, lag=_lags)
    def take_turns(self, order: list[int], calls: int, lag: int) -> None:
        """All of them, so that they meet at the same name."""
        for who in order:
            self.go_on(who, calls, lag)

    @rule(who=_who, what=st.sampled_from(["kill", "freeze", "thaw", "result", "left"]))
    def befall(self, who: int, what: str) -> None:
        """SIGKILL, SIGSTOP or SIGCONT; or its evaluations come to a result from now on, or are interrupted politely."""
        member, client = self.members[who], self.members[who].client
        if what == "kill":
            COUNTS["kills"] += not client.ended
            client.crash()
        elif what == "freeze" and client.may_run:
            COUNTS["freezes"] += 1
            client.frozen = True
            client.note("is frozen")
        elif what == "thaw":
            self._thaw(client)
        else:
            member.fate = what
        self._check()

    @rule(who=_who, fault=_faults, after=st.integers(0, 12))
    def fail(self, who: int, fault: tuple[bool, int], after: int) -> None:
        """One of its next changes kills it, or fails, or is done and reported as failed."""
        done, number = fault
        self.members[who].client.faults.append(Fault(number, done=done, after=after))

    @precondition(lambda self: self.may_enqueue)
    @rule(calls=_many, lag=_lags)
    def enqueue(self, calls: int, lag: int) -> None:
        """A user enqueues two configurations, or goes on with that."""
        if self.user is None or not self.user.may_run:
            name = f"u{next(self.boots)}"
            self.user = Client(name, ClientView(self.disk, _BOUND), self.clock, self.trace, COUNTS)
            self.users.append(self.user)
            self.user.main = enqueuing(self.user, self.values)
            self.user.start()
        self.user.view.lag = lag
        self.user.run(calls)
        self._check()

    @precondition(lambda self: self.user is not None)
    @rule(fault=_faults, after=st.integers(0, 6))
    def fail_to_enqueue(self, fault: tuple[bool, int], after: int) -> None:
        """One of the user's next changes kills or fails, as of `fail`."""
        if self.user is not None:
            done, number = fault
            self.user.faults.append(Fault(number, done=done, after=after))

    @rule(seconds=st.sampled_from([0.1, 1.0, LEASE / 3, LEASE, 2 * LEASE]))
    def wait(self, seconds: float) -> None:
        """Time passes, in which nobody but the heartbeats does anything."""
        self.clock.pass_until(self.clock.now + seconds)
        self._check()

    @precondition(lambda self: any(member.client.ended for member in self.members))
    @rule(who=_who)
    def start(self, who: int) -> None:
        """Who has left is started again."""
        if self.members[who].client.ended:
            self.members[who] = self._boot(who)

    # In the end

    def teardown(self) -> None:
        if not hasattr(self, "members"):
            return
        try:
            if not self.reference.wrong:
                self._finish()
        finally:
            for client in (*self.users, *(member.client for member in self.everybody.values())):
                client.crash()
            self.stack.close()

    def _finish(self) -> None:
        if self.user is not None and self.user.may_run:
            self.user.faults = []
            self.user.run(1000)
        for member in self.members:
            self._thaw(member.client)
            member.fate, member.client.faults, member.client.view.lag = "result", [], 0
        for turn in range(_TURNS_TO_END):
            running = [member.client for member in self.members if member.client.may_run]
            if not running:
                break
            running[turn % len(running)].run(20)
            self._check()
        if stuck := [member.client.name for member in self.members if member.client.may_run]:
            self.reference.wrong.append(f"{stuck} never come to an end")
        self._check()
        self._run_clean()
        self.reference.check_end()
        self._check()

    def _run_clean(self) -> None:
        """Whatever is left to do, a worker does that comes after all others."""
        clean = self._boot(0)
        clean.training = 0
        for _ in range(_TURNS_TO_END):
            if not clean.client.may_run:
                return
            clean.client.run(100)
        self.reference.wrong.append("a worker that comes last never comes to an end")

    # Between

    def _boot(self, index: int) -> Member:
        name = f"{'abc'[index]}{next(self.boots)}"
        client = Client(name, ClientView(self.disk, _BOUND), self.clock, self.trace, COUNTS)
        member = Member(client, self.search, self.reference, self.losses)
        member.training = self.training[index]
        self.everybody[name] = member
        client.start()
        return member

    def _thaw(self, client: Client) -> None:
        if client.frozen:
            client.frozen = False
            client.note("goes on")

    def _beat(self) -> None:
        for member in self.everybody.values():
            member.beat()

    def _may_be_dead(self, worker: str, number: int, attempt: int) -> bool:
        """Whether somebody may take it for dead now: it is, or its attempt shows no life for almost a lease."""
        client = self.everybody[worker].client
        shown = [self.disk.names[path] for path in _signs_of_life(number, attempt) if path in self.disk.names]
        last = max(past.now.changed.values[-1][1] for past in shown if past.now is not None)
        return client.crashed or client.ended or self.clock.now - last > LEASE - _BOUND

    def _check(self) -> None:
        for index, member in enumerate(self.members):
            if member.client.crashed:
                self.members[index] = self._boot(index)
        for client in (*self.users, *(member.client for member in self.everybody.values())):
            if (error := client.error) is not None:
                client.error = None
                self.reference.wrong.append(f"{client.name} raised {error!r}")
        if self.reference.wrong:
            lines = "\n  ".join(self.trace)
            raise AssertionError(f"{self.reference.wrong[0]}\n  {lines}")


def _signs_of_life(number: int, attempt: int) -> list[str]:
    """What its owner has written when it opened an attempt, and what it touches from then on."""
    folder = f"{ROOT}/config_{number}"
    start = "trial.yaml" if attempt == 1 else f"attempt_{attempt}.yaml"
    return [f"{folder}/{start}", f"{folder}/attempt_{attempt}.lock"]


def run(number: int, machines: int, *, shrink: bool = True) -> str | None:
    """So many machines of a seed; what was wrong in the smallest that shows it, or None."""
    phases = [Phase.generate, Phase.shrink] if shrink else [Phase.generate]
    chosen = settings(
        max_examples=machines,
        stateful_step_count=40,
        deadline=None,
        database=None,
        phases=phases,
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
    )
    try:
        run_state_machine_as_test(seed(number)(Visibility), settings=chosen)
    except AssertionError as error:
        return str(error)
    return None
