"""Ways to break the protocol, each a patch of neps's code: a proof that finds nothing wrong then proves nothing.

`python -m visibility --mutations` tries them all, and prints how many machines it took to find each. With seed 1 that
were 2 to 12 for stat, the end, the order of numbers and the quarter of a lease, 36 to 77 for the half claim, the link
that only the owner makes, the dead owner's attempt, errors and EEXIST of link, and 227 and 372 for what is enqueued.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any
from unittest import mock

from neps._ledger import documents, exclusive, trial_state
from neps._ledger.layout import RESULT, end_name
from neps._ledger.numbering import Numbering, Reserved
from neps._ledger.silence import Silence
from neps._ledger.trial_folder import TrialFolder
from neps._queue import Queue
from neps._trial import Trial
from neps._worker.known import Known

__all__ = ["MUTATIONS"]


def _trust_stat(staged: str, target: str, *_: object) -> bool:
    if os.path.lexists(target):
        return False
    os.replace(staged, target)  # noqa: PTH105
    return True


def _believe_errors(staged: str, target: str, *_: object) -> bool:
    try:
        os.link(staged, target)
    except OSError:
        return False
    return True


def _believe_eexist(staged: str, target: str, *_: object) -> bool:
    try:
        os.link(staged, target)
    except FileExistsError:
        return False
    return True


def _publish_without_end(folder: TrialFolder, attempt: int, fields: Any, me: Any, *_: object) -> bool:
    content = documents.encode(fields)
    won = exclusive.publish(folder.path, RESULT, content, me.token)
    if won:
        exclusive.publish(folder.path, end_name(attempt), content, me.token)
    return won


def _open_without_end(folder: TrialFolder, attempt: int, *_: Any, **__: Any) -> bool:
    del folder, attempt
    return True


_seen = Queue.seen


def _seen_once_ended(queue: Queue, trial: Trial) -> None:
    if trial.outcome is not None:
        _seen(queue, trial)


def _patch(target: Any, name: str, new: Any) -> Callable[[], AbstractContextManager[Any]]:
    return lambda: mock.patch.object(target, name, new)


MUTATIONS: dict[str, Callable[[], AbstractContextManager[Any]]] = {
    "a name is free if stat says so": _patch(exclusive, "_link", _trust_stat),
    "an error of link means that it was not done": _patch(exclusive, "_link", _believe_errors),
    "EEXIST of link means that it was somebody else": _patch(exclusive, "_link", _believe_eexist),
    "a result is published without competing for the end": _patch(TrialFolder, "end_with_result", _publish_without_end),
    "only the owner links result.yaml to its end": _patch(trial_state, "_complete", lambda *_: None),
    "a dead owner's attempt is not ended before the next": _patch(TrialFolder, "end_attempt", _open_without_end),
    "silence of a quarter of the lease is death": _patch(
        Silence, "longer_than", lambda self, lease: self.seconds > lease / 4
    ),
    "a half claim is waited for, for ever": _patch(Reserved, "is_half_claim", lambda *_: False),
    "numbers are decided before lower ones are": _patch(
        Numbering, "lowest", property(lambda self: max([*self.reserved, self.frontier]))
    ),
    "what is enqueued is taken in any order": _patch(Known, "in_turn", property(lambda _: False)),
    "an entry is free until its trial has ended": _patch(Queue, "seen", _seen_once_ended),
    "what is seen in part is believed": _patch(documents, "is_complete", lambda _: True),
}
"""Each by what is wrong then."""
