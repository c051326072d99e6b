"""One config_N: what is read and published in a trial's folder, one method each. It decides nothing.

`trial_state` reads what the files mean together; what an attempt's own processes leave is in `claims`, and what `neps
retry` takes out of the way in `mending`.
"""

from __future__ import annotations

import contextlib
import math
import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from neps._ledger import documents
from neps._ledger.curve_file import CurveFile, Point
from neps._ledger.documents import UnreadableDocumentError
from neps._ledger.exclusive import PATIENCE, make_folder, publish, relocate, sync_folder
from neps._ledger.foreign import change_mark, is_complete, misplaced, read
from neps._ledger.identity import Identity
from neps._ledger.layout import (
    CONFIG,
    RESULT,
    TRIAL,
    Layout,
    curve_name,
    end_name,
    is_ledger_name,
    lock_name,
    pending_name,
    saved_name,
    start_name,
    void_name,
)
from neps._ledger.records import AttemptEnd, AttemptStart, End, decision_fields, digest_of, parsed, read_decision
from neps._trial import Decision
from neps.errors import shown

__all__ = ["TrialFolder"]


class TrialFolder:
    """The files of trial `number` of a run."""

    __slots__ = ("_layout", "number", "path")

    def __init__(self, layout: Layout, number: int) -> None:
        self._layout = layout
        self.number = number
        self.path = layout.trial(number)

    def reserve(self) -> bool:
        """Make the folder: True for one caller."""
        return make_folder(self.path)

    def commit(self, decision: Decision, me: Identity) -> bool:
        """Publish the decision, which opens attempt 1 for the committer: True if it was ours."""
        fields = {"run": self._layout.run, **decision_fields(decision), **me.to_document()}
        return publish(self.path, TRIAL, documents.encode(fields), me.token)

    def write_config(self, decision: Decision, me: Identity) -> None:
        """Make sure that config.yaml is there: derived, so neither durable nor contested."""
        if not os.path.lexists(f"{self.path}/{CONFIG}"):
            content = documents.encode(decision.config, versioned=False)
            publish(self.path, CONFIG, content, me.token, durable=False)

    def is_reserved(self) -> bool:
        """Whether the name is taken, as far as this client sees: a hint, where `reserve` is a fact."""
        return os.path.lexists(self.path)

    def check(self) -> None:
        """Make sure that a folder stands at the trial's name, or nothing as yet. A link to one is none: it leads out.

        Raises:
            UnreadableDocumentError: if something else does.
            OSError: if the filesystem fails, which says nothing.
        """
        if (what := misplaced(self.path)) is not None:
            raise UnreadableDocumentError(self.path, f"not a folder: {what}", lasting=True)

    def decision(self) -> tuple[Decision, AttemptStart] | None:
        """The decision and its committer, or None while the number is not committed."""
        path = f"{self.path}/{TRIAL}"
        fields = documents.load(path)
        if fields is None:
            return None
        if fields.get("run") != self._layout.run:
            raise UnreadableDocumentError(path, f"it belongs to another run ({shown(fields.get('run'))})")
        return parsed(path, lambda: (read_decision(fields, self.number), AttemptStart.from_fields(fields, 1)))

    def check_undecided(self) -> None:
        """Make sure that a number without a decision is but reserved: what an attempt leaves comes after that alone.

        Raises:
            UnreadableDocumentError: if such a thing is there, as where somebody has removed trial.yaml.
            OSError: if the filesystem fails.
        """
        names: list[str] = []
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            names = os.listdir(self.path)  # noqa: PTH208
        if TRIAL not in names and (left := sorted(filter(is_ledger_name, names))):
            why = f"it is missing, but the trial was begun: there is {left[-1]}"
            raise UnreadableDocumentError(f"{self.path}/{TRIAL}", why)

    def start(self, attempt: int) -> AttemptStart | None:
        """Who opened an attempt, or None while nobody has."""
        path = f"{self.path}/{start_name(attempt)}"
        fields = documents.load(path)
        return None if fields is None else parsed(path, lambda: AttemptStart.from_fields(fields, attempt))

    def end(self, attempt: int, of: Decision | None = None) -> AttemptEnd | None:
        """How an attempt ended, or None while it has not; where `of` is given, a result must be of that decision."""
        end = self._read_end(name := end_name(attempt), of)
        if end is not None and end.attempt != attempt:
            raise UnreadableDocumentError(f"{self.path}/{name}", f"it is of attempt {end.attempt}")
        return end

    def result(self, of: Decision | None = None) -> AttemptEnd | None:
        """The published result, or None while there is none; `of` as with `end`."""
        return self._read_end(RESULT, of)

    def _read_end(self, name: str, of: Decision | None = None) -> AttemptEnd | None:
        path = f"{self.path}/{name}"
        fields = documents.load(path)
        if fields is None:
            return None
        end = parsed(path, lambda: AttemptEnd.from_fields(fields))
        self.check_of(path, end, of)
        return end

    def check_of(self, path: str, end: AttemptEnd, of: Decision | None) -> None:
        """Make sure that an end, which was read from `path`, isn't the result of another decision than `of`.

        Raises:
            UnreadableDocumentError: if it says so.
        """
        if of is not None and end.decision is not None and end.decision != digest_of(self._layout.run, of):
            raise UnreadableDocumentError(path, f"it is the result of another decision than {TRIAL}", lasting=True)

    def heartbeat(self, attempt: int) -> int | None:
        """The mark of the last heartbeat, or None before the first: only its changes mean something."""
        return change_mark(self.lock_path(attempt))

    def lock_path(self, attempt: int) -> str:
        """The lock file of an attempt, which only its own worker touches."""
        return f"{self.path}/{lock_name(attempt)}"

    def curve(self, attempt: int, *, begun: bool = False) -> CurveFile:
        """What an attempt reports while it runs, which only its own worker writes, and what its run_pipeline starts."""
        return CurveFile(f"{self.path}/{curve_name(attempt)}", begun=begun)

    def reported(self, attempt: int, lately: Mapping[float, float] = MappingProxyType({})) -> dict[float, float]:
        """The losses by step that attempts up to this one have reported: a later one's replaces an earlier one's.

        What lies beyond the last step of the latest one is left out: that one has begun again, perhaps by `neps retry`,
        or from an older checkpoint. So is what can't be read: nothing depends on it.

        Args:
            attempt: the last one.
            lately: what that has reported, which may not be written yet.
        """
        points, last = dict[float, float](), math.inf
        for each in range(1, attempt + 1):
            found = dict[float, float]()
            with contextlib.suppress(OSError):
                found = self.curve(each).points()
            found |= lately if each == attempt else {}
            points |= found
            last = max(found, default=last)
        return {step: loss for step, loss in points.items() if step <= last}

    def last_report(self, attempt: int) -> Point | None:
        """The last step and loss that this attempt, or else the one before it, has reported, and so on."""
        for earlier in range(attempt, 0, -1):
            with contextlib.suppress(OSError):
                if (point := self.curve(earlier).last()) is not None:
                    return point
        return None

    def has_saved(self, attempt: int) -> bool:
        """Whether an attempt has left that sign, as far as this client sees."""
        return os.path.lexists(f"{self.path}/{saved_name(attempt)}")

    def superseded(self, attempt: int) -> bool:
        """Whether an attempt has an end or a successor: a hint, for its own heartbeat."""
        return self.has_end(attempt) or self.has_start(attempt + 1)

    def last_attempt(self) -> int:
        """The highest attempt that was opened, as far as this client sees."""
        attempt = 1
        while self.has_start(attempt + 1):
            attempt += 1
        return attempt

    def has_start(self, attempt: int) -> bool:
        """Whether an attempt was opened, as far as this client sees."""
        return os.path.lexists(f"{self.path}/{start_name(attempt)}")

    def has_end(self, attempt: int) -> bool:
        """Whether an attempt has ended, as far as this client sees."""
        return os.path.lexists(f"{self.path}/{end_name(attempt)}")

    def is_marked(self, attempt: int) -> bool:
        """Whether an attempt is marked to go on without its worker, as far as this client sees."""
        return os.path.lexists(f"{self.path}/{pending_name(attempt)}")

    def has_result(self) -> bool:
        """Whether a result is there, as far as this client sees."""
        return os.path.lexists(f"{self.path}/{RESULT}")

    def has_succeeded(self) -> bool | None:
        """Whether the published result is a success, without parsing it; None while there is no whole one."""
        content = self._whole(RESULT)
        return None if content is None else b"\nstatus: success\n" in content

    def seems_decided(self) -> bool:
        """Whether trial.yaml is whole, and of this run, without parsing it."""
        content = self._whole(TRIAL)
        return content is not None and self._layout.run.encode() in content

    def _whole(self, name: str) -> bytes | None:
        with contextlib.suppress(OSError):
            content = read(f"{self.path}/{name}")
            return content if content is not None and is_complete(content) else None
        return None

    def open_attempt(self, attempt: int, me: Identity, after: str) -> bool:
        """Open an attempt whose predecessor has ended: True if it was ours."""
        fields = AttemptStart(attempt, me, after).fields(time=documents.now())
        return publish(self.path, start_name(attempt), documents.encode(fields), me.token)

    def end_attempt(self, attempt: int, end: End, me: Identity, why: str | None = None, **more: float | None) -> bool:
        """End an attempt without a result: True if this end was ours. `more`: other fields of `AttemptEnd`."""
        fields = {"attempt": attempt, "end": str(end), "by": me.worker, "why": why, **more}
        fields["time"] = documents.now()
        return publish(self.path, end_name(attempt), documents.encode(fields), me.token)

    def end_with_result(
        self,
        attempt: int,
        fields: Mapping[str, Any],
        me: Identity,
        of: Decision | None = None,
        *,
        patience: float = PATIENCE,
    ) -> bool:
        """End an attempt with its result, and publish that as the trial's: True if it was ours, and durable then.

        It names the decision that it is the result `of`; a verdict on what nobody can read names none.
        """
        if of is not None:
            fields = {**fields, "decision": digest_of(self._layout.run, of)}
        won = publish(self.path, end_name(attempt), documents.encode(fields), me.token, patience=patience)
        if won:
            self.complete(attempt)
            sync_folder(self.path)
            sync_folder(self._layout.root)
        return won

    def complete(self, attempt: int) -> None:
        """Make an attempt's end, which is a result, the trial's result: whoever finds it so may do it."""
        source, target = f"{self.path}/{end_name(attempt)}", f"{self.path}/{RESULT}"
        try:
            os.link(source, target)
        except OSError:
            if not os.path.lexists(target):
                raise
            if attempt > 1 and self._void_before(attempt):
                with contextlib.suppress(FileExistsError):
                    os.link(source, target)

    def _void_before(self, attempt: int) -> bool:
        """Whether an earlier attempt's result stood in the way, and was taken out of it."""
        with contextlib.suppress(UnreadableDocumentError):
            published = self.result()
            return published is not None and published.attempt < attempt and self.set_result_aside(published.attempt)
        return False

    def publish_result(self, fields: Mapping[str, Any], me: Identity, *, patience: float = PATIENCE) -> bool:
        """Publish a result where the attempt's end can't carry it (it is damaged): True if it was ours."""
        return publish(self.path, RESULT, documents.encode(fields), me.token, patience=patience)

    def set_result_aside(self, attempt: int) -> bool:
        """Take the void result of an attempt that was retried out of the way: True for one caller."""
        own_name = f"{self.path}/.{RESULT}.{uuid.uuid4().hex}"
        return relocate(f"{self.path}/{RESULT}", own_name, lambda taken: self._home_of(taken, attempt))

    def _home_of(self, taken: str, void: int) -> str:
        """Where a result that was taken away belongs: back, if a later attempt has published in between."""
        with contextlib.suppress(UnreadableDocumentError):
            published = self._read_end(os.path.basename(taken))  # noqa: PTH119
            if published is not None and published.attempt > void:
                return f"{self.path}/{RESULT}"
        return f"{self.path}/{void_name(void)}"

    @property
    def directory(self) -> Path:
        """The folder as run_pipeline gets it."""
        return Path(self.path)
