"""Public functions on a filesystem that fails: an error of neps that names the folder and says what to do."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import neps
from neps._ledger.definition import Definition
from neps._ledger.reading import read_history
from neps.errors import DirectoryError

SPACE = {"x": neps.Float(0, 1)}
USUAL: dict[str, Any] = {"searcher": "random_search", "max_evaluations_total": 3, "seed": 1}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A run with a failed trial, and two that wait to be told."""

    def run_pipeline(x: float) -> object:
        if neps.current_trial().number == 1:
            raise ValueError("a bug")
        return neps.PENDING

    neps.run(run_pipeline, tmp_path, SPACE, **(USUAL | {"max_evaluations_total": 2}), ignore_errors=True)
    return tmp_path


def ask(search: neps.AskAndTell, _: Path) -> object:
    return search.ask()


def tell_a_search(search: neps.AskAndTell, _: Path) -> object:
    return search.tell(2, 0.5)


def look_at_pending(search: neps.AskAndTell, _: Path) -> object:
    return search.pending


def retry(_: neps.AskAndTell, root: Path) -> object:
    return neps.retry(root, 1)


def tell(_: neps.AskAndTell, root: Path) -> object:
    return neps.tell(root, 2, 0.5)


def load(_: neps.AskAndTell, root: Path) -> object:
    return neps.load(root)


WHERE: dict[str, tuple[Callable[[neps.AskAndTell, Path], object], str, str]] = {
    "AskAndTell.ask": (ask, "neps._ledger.trial_folder.TrialFolder.reserve", "Nothing is lost: ask again."),
    "AskAndTell.tell": (tell_a_search, "neps._worker.untold.Untold.tell", "Tell trial 2 again"),
    "AskAndTell.pending": (look_at_pending, "neps._ledger.view.View.refresh", "Nothing is lost: look again."),
    "retry": (retry, "neps._api.retrying.reopen", "Nothing is lost: retry trial 1 again."),
    "retry, at first": (retry, "neps._api.retrying.read_definition", "Nothing was reopened. Retry again."),
    "tell": (tell, "neps._worker.untold.Untold.tell", "Tell trial 2 again"),
    "load": (load, "neps._api.reading.read_history", "Then load it again."),
}


@pytest.mark.parametrize("what", WHERE)
@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.ENOSPC, "Free some space there"),
        (errno.EDQUOT, "Free some space there, or ask for more"),
        (errno.EIO, "The filesystem or its server fails"),
    ],
)
def test_what_fails_is_said(root: Path, monkeypatch: pytest.MonkeyPatch, what: str, number: int, advice: str) -> None:
    function, place, then = WHERE[what]

    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number), f"{root}/config_1")

    search = neps.AskAndTell(SPACE, root_directory=root, **USUAL)
    with monkeypatch.context() as patch:
        patch.setattr(place, fail)
        with pytest.raises(DirectoryError) as raised:
            function(search, root)
    said = str(raised.value)
    assert said.startswith(f"{root} can't be used: [Errno {number}] {os.strerror(number)}: '{root}/config_1'. {advice}")
    assert then in said
    assert isinstance(raised.value.__cause__, OSError)
    function(search, root)  # and it is as it says


def test_who_leaves_waits_for_a_filesystem_that_fails_as_it_reads_what_to_return(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = []

    def fail_twice(root: str, definition: Definition) -> neps.History:
        reads.append(root)
        if len(reads) <= 2:
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE), root)
        return read_history(root, definition)

    monkeypatch.setattr("neps._ledger.reading.read_history", fail_twice)
    history = neps.run(lambda x: x, tmp_path, SPACE, **USUAL, post_run_summary=False)
    assert (len(history), len(reads)) == (3, 3)
