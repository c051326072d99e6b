"""Attempts on one trial, by several workers in any order, against a model of what the directory must say then."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from pathlib import Path
from unittest import mock

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from neps._ledger import trial_folder
from neps._ledger.claims import Hold
from neps._ledger.pending_mark import PendingMark, mark_pending
from neps._ledger.records import End
from neps._ledger.retrying import RETRY
from neps._ledger.trial_state import TrialState, condemn, read_state, trial_of
from neps._outcome import Outcome
from neps._trial import Status, Trial
from neps._worker.untold import Untold
from neps.errors import NotPendingError
from unit.ledger_scene import Scene, somewhere

WORKERS = st.sampled_from(["a", "b", "c"])


@dataclasses.dataclass
class Model:
    """Each attempt's owner, and how it ended: None, "left", "died", "damaged", or a loss (None in a tuple: failed).

    `marked` are those that go on without their owner, as far as they haven't ended.
    """

    owners: list[str]
    ends: list[object]
    spent: float = 0.0
    marked: set[int] = dataclasses.field(default_factory=set)

    @property
    def last(self) -> int:
        return len(self.owners)

    @property
    def end(self) -> object:
        return self.ends[-1]

    @property
    def awaits_tell(self) -> bool:
        return self.end is None and self.last in self.marked

    @property
    def status(self) -> Status:
        if self.end is None:
            return Status.RUNNING
        if self.end in ("left", "died"):
            return Status.WAITING
        return Status.SUCCESS if isinstance(self.end, float) else Status.FAILED


class Attempts(RuleBasedStateMachine):
    """The trial is number 1; worker `w` publishes, leaves or takes over as its own view of the attempts allows."""

    @initialize()
    def claim(self) -> None:
        self.folder_of_run = Path(tempfile.mkdtemp())
        self.scene = Scene(self.folder_of_run / "run")
        self.scene.define()
        self.folder = self.scene.claim(1, somewhere("a"))
        self.model = Model(["a"], [None])
        self.known: dict[str, TrialState] = {}
        self.success: bytes | None = None
        self.loss = 0.0

    def teardown(self) -> None:
        shutil.rmtree(self.folder_of_run, ignore_errors=True)

    @rule(worker=WORKERS)
    def look_and_complete(self, worker: str) -> None:
        """What it has seen is what it goes on from, however old that is by then."""
        state = read_state(self.folder, self.known.get(worker))
        assert state is not None
        assert (state.mark is not None) == self.model.awaits_tell
        self.known[worker] = state

    @rule(attempt=st.integers(1, 4), failed=st.booleans(), both_links=st.booleans())
    def publish(self, attempt: int, failed: bool, both_links: bool) -> None:  # noqa: FBT001
        """Its owner, alive or a zombie by now, ends an attempt with a result; he may die between the two links."""
        if attempt > self.model.last:
            return
        self.loss += 1.0
        who = somewhere(self.model.owners[attempt - 1])
        fields = {"attempt": attempt, "who": who, "loss": self.loss, "cost": 1.0}
        end = self.scene.fail if failed else self.scene.end
        held_back = trial_folder.TrialFolder.complete
        if not both_links:
            trial_folder.TrialFolder.complete = lambda *_: None  # type: ignore[method-assign]
        try:
            won = end(1, **fields)  # type: ignore[arg-type]
        finally:
            trial_folder.TrialFolder.complete = held_back  # type: ignore[method-assign]
        assert won == (self.model.ends[attempt - 1] is None)
        if won:
            self.model.ends[attempt - 1] = (self.loss,) if failed else self.loss
            self.model.spent += 1.0

    @rule(attempt=st.integers(1, 4))
    def mark(self, attempt: int) -> None:
        """Its owner, alive or a zombie by now, marks an attempt as pending."""
        if attempt <= self.model.last:
            who = somewhere(self.model.owners[attempt - 1])
            mark_pending(self.folder, PendingMark(attempt=attempt, worker=who.worker), who)
            self.model.marked.add(attempt)

    @rule(attempt=st.none() | st.integers(1, 4), worker=st.none() | WORKERS, failed=st.booleans())
    def tell(self, attempt: int | None, worker: str | None, failed: bool) -> None:  # noqa: FBT001
        """Somebody tells; or a job of a worker, which knows its attempt."""
        job = attempt and worker and Hold(self.scene.folder(1), attempt, worker)
        untold = Untold.of(str(self.scene.root), self.scene.definition, 1, attempt, job or None)
        last, self.loss = self.model.last, self.loss + 1.0
        outcome = Outcome(success=not failed, loss=self.loss, cost=1.0)
        mine = worker is None or attempt is None or (attempt == last and self.model.owners[-1] == worker)
        with mock.patch.multiple("neps._worker.untold", _PATIENCE=0.0, _OWNERS_LEASES=0.0):
            try:
                told = untold.tell(outcome)
            except NotPendingError:
                assert not (self.model.awaits_tell and mine and attempt in ({None, 1} if last == 1 else {last}))
            else:
                assert self.model.awaits_tell
                assert mine
                assert attempt == last or (attempt is None and last == 1)
                assert told.loss == self.loss
                self.model.ends[-1] = (self.loss,) if failed else self.loss
                self.model.spent += 1.0

    @rule(worker=WORKERS, attempt=st.integers(1, 4), end=st.sampled_from([End.LEFT, End.DIED]))
    def end_without_result(self, worker: str, attempt: int, end: End) -> None:
        """Its owner leaves, or anybody takes him for dead."""
        if attempt > self.model.last:
            return
        who = somewhere(self.model.owners[attempt - 1] if end is End.LEFT else worker)
        assert self.folder.end_attempt(attempt, end, who) == (self.model.ends[attempt - 1] is None)
        if self.model.ends[attempt - 1] is None:
            self.model.ends[attempt - 1] = str(end)

    @precondition(lambda self: self.known)
    @rule(data=st.data())
    def open_next(self, data: st.DataObject) -> None:
        """A contender goes on from what it saw last."""
        worker = data.draw(st.sampled_from(sorted(self.known)))
        state = self.known[worker]
        if state.status is not Status.WAITING:
            return
        attempt = state.start.attempt + 1
        won = self.folder.open_attempt(attempt, somewhere(worker), str(state.end))
        assert won == (attempt == self.model.last + 1)
        if won:
            self.model.owners.append(worker)
            self.model.ends.append(None)

    @rule(worker=WORKERS, sets_aside=st.booleans(), leaves=st.booleans())
    def retry(self, worker: str, sets_aside: bool, leaves: bool) -> None:  # noqa: FBT001
        """`neps retry`, which may die at any step."""
        state = read_state(self.folder, complete=False)
        assert state is not None
        damaged = state.result is not None and state.result.origin.damaged
        if state.status is not Status.FAILED or damaged:
            return
        attempt, who = state.start.attempt, somewhere(worker)
        assert self.folder.open_attempt(attempt + 1, who, RETRY)
        self.model.owners.append(worker)
        self.model.ends.append(None)
        if sets_aside:
            self.folder.set_result_aside(attempt)
        if leaves:
            assert self.folder.end_attempt(attempt + 1, End.LEFT, who, RETRY)
            self.model.ends[-1] = "left"

    @rule(attempt=st.integers(1, 4))
    def set_aside_late(self, attempt: int) -> None:
        """Whoever saw a void result sets it aside, perhaps long after another has done so."""
        if attempt < self.model.last and isinstance(self.model.ends[attempt - 1], tuple):
            self.folder.set_result_aside(attempt)

    @rule(attempt=st.integers(1, 4))
    def complete_late(self, attempt: int) -> None:
        """Whoever saw an end that is a result makes it the trial's, perhaps after a retry."""
        if attempt <= self.model.last and isinstance(self.model.ends[attempt - 1], tuple | float):
            self.folder.complete(attempt)

    @precondition(lambda self: self.model.status in (Status.RUNNING, Status.SUCCESS))
    @rule(worker=WORKERS)
    def damage(self, worker: str) -> None:
        """A worker that can't read something publishes its verdict, and loses to a result."""
        condemn(self.folder, "torn", somewhere(worker))
        if self.model.end is None:
            self.model.ends[-1] = "damaged"

    @invariant()
    def last_end_decides(self) -> None:
        trial = self.read()
        assert (trial.status, trial.attempts) == (self.model.status, self.model.last)
        assert trial.spent == self.model.spent
        assert trial.awaits_tell == self.model.awaits_tell
        if isinstance(self.model.end, float):
            assert trial.loss == self.model.end
        if isinstance(self.model.end, tuple):
            assert trial.loss == self.model.end[0]

    @invariant()
    def one_end_for_each_attempt(self) -> None:
        for attempt, model in enumerate(self.model.ends, start=1):
            end = self.folder.end(attempt)
            assert (end is None) == (model is None)
            if end is not None and isinstance(model, str):
                assert str(end.end) == model

    @invariant()
    def published_success_never_changes(self) -> None:
        if self.success is None and isinstance(self.model.end, float):
            self.success = self.scene.path(1, f"attempt_{self.model.last}.end.yaml").read_bytes()
        if self.success is not None:
            assert isinstance(self.model.end, float)
            read_state(self.folder)
            assert self.scene.path(1, "result.yaml").read_bytes() == self.success

    def read(self) -> Trial:
        state = read_state(self.folder, complete=False)
        assert state is not None
        return trial_of(self.folder, state)


TestAttempts = Attempts.TestCase
TestAttempts.settings = settings(max_examples=250, stateful_step_count=25, deadline=None)
