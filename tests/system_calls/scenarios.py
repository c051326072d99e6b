"""The scenarios: what is there before, what is done to it under faults, and how a clean process finishes it."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import neps
from neps._cli import main
from neps._ledger.reading import read_definition
from neps._views.status_json import read_fields
from rigs.waiting import wait_until
from system_calls.place import Place
from system_calls.training import Telling, Training, be_killed, fail, interrupt, loss_of

__all__ = ["SCENARIOS", "Scenario"]

_SPACE = {"x": neps.Float(0, 1)}
_FIDELITY = {**_SPACE, "epochs": neps.Integer(1, 9, is_fidelity=True)}
_CONFIGS = [{"x": 0.25}, {"x": 0.75}]
_BESIDE = ("stops", "endings", "known", "confirmations", ".neps")
_LEASE = 20.0
_SHORT_LEASE = 0.9


@dataclasses.dataclass(frozen=True)
class Scenario:
    """One of them.

    Args:
        name: for people.
        trials: how many there are in the end, all of them successes.
        act: done under faults, in a process of its own.
        finish: done afterwards without faults, in another one. It is what a user does who knows nothing of faults.
        prepare: done once before all that; None is an empty root.
        raises: whether it calls what raises an OSError as it is, to be called again.
    """

    name: str
    trials: int
    act: Callable[[Place], object]
    finish: Callable[[Place], object]
    prepare: Callable[[Place], object] | None = None
    raises: bool = False


def _search(place: Place, training: Training | None = None, trials: int = 2, **more: Any) -> None:
    arguments: dict[str, Any] = {
        "searcher": "random_search",
        "lease_seconds": _LEASE,
        "max_evaluations_total": trials,
        "seed": 7,
        "progress": False,
        "post_run_summary": False,
        "callbacks": [Telling(place)],
    }
    neps.run(training or Training(place), place.root, **{"pipeline_space": _SPACE, **arguments, **more})


def _work(place: Place) -> None:
    _search(place, Training(place, epochs=2), post_run_summary=True)


# Promotions, and checkpoints that nobody needs any more


def _promote(place: Place) -> None:
    more: dict[str, Any] = {"pipeline_space": _FIDELITY, "searcher": "successive_halving", "keep_checkpoints": "best"}
    _search(place, trials=5, **more)


# A worker that dies, and another one that takes over


def _die(place: Place) -> None:
    _search(place, Training(place, epochs=2, first=be_killed))


def _take_over(place: Place) -> None:
    _search(place, Training(place, epochs=2), max_cost_total=2.0)


# A worker that is interrupted, and hands its trial back


def _be_interrupted(place: Place) -> None:
    with contextlib.suppress(KeyboardInterrupt):
        _search(place, Training(place, epochs=2, first=interrupt), trials=1)


def _resume(place: Place) -> None:
    _search(place, Training(place, epochs=2), trials=1)


# A trial that fails, and is retried


def _fail_and_retry(place: Place) -> None:
    _search(place, Training(place, epochs=2, first=fail), trials=1, ignore_errors=True)
    neps.retry(place.root, failed=True)
    _resume(place)


def _retry(place: Place) -> None:
    with contextlib.suppress(neps.errors.NepsError):  # there is no run yet
        neps.retry(place.root, failed=True)
    _resume(place)


# A run that is moved aside


def _earlier(place: Place) -> None:
    os.environ["NEPS_RUN_TOKEN"] = "earlier"  # noqa: S105 - a launch
    _search(place)


def _earlier_alone(place: Place) -> None:
    _earlier(place)
    _say_what_is_known(place)
    _reach_target(place)
    _confirm(place)
    place.evidence.unlink()  # it is of another run than what follows


def _overwrite(place: Place) -> None:
    os.environ["NEPS_RUN_TOKEN"] = "later"  # noqa: S105 - a launch
    _search(place, trials=1, overwrite_working_directory=True)


def _overwrite_the_rest(place: Place) -> None:
    _overwrite(place)
    present = neps.load(place.root)
    (aside,) = [path for path in (place.root / "overwritten").iterdir() if path.name[0] != "."]
    earlier = neps.load(aside)
    assert (_enqueued(place.root), present.imported, present.ended_by) == (0, (), None)
    assert (_enqueued(aside), len(earlier.imported), earlier.ended_by is None) == (2, 1, False)


# The command line


def _earlier_and_later(place: Place) -> None:
    _earlier_alone(place)
    _overwrite(place)


def _clean(place: Place) -> None:
    _command("clean", str(place.root))


def _clean_the_rest(place: Place) -> None:
    _clean(place)
    beside = [path.name for name in _BESIDE for path in (place.root / name).glob("*")]
    assert set(beside) <= {read_definition(place.root).run}, beside


def _summary(place: Place) -> None:
    _command("summary", str(place.root))


def _command(*arguments: str) -> None:
    with contextlib.redirect_stdout(io.StringIO()):
        status = main(list(arguments))
    if status:
        raise SystemExit(status)


# What users know, and what lies beside the trials


def _begin(place: Place) -> None:
    _search(place, trials=1)


def _say_what_is_known(place: Place) -> None:
    neps.enqueue(place.root, _CONFIGS)
    place.tell("enqueued", 0)
    neps.import_trials(place.root, [{"config": {"x": 0.5}, "loss": 0.5}])


def _say_and_go_on(place: Place) -> None:
    _say_what_is_known(place)
    _search(place, trials=3)


def _say_the_rest(place: Place) -> None:
    """What a user does who was told that it failed: look, as the message says."""
    there, said = _enqueued(place.root), any(entry.event == "enqueued" for entry in place.told())
    assert there == 2 or not (there or said), there
    if not there:
        neps.enqueue(place.root, _CONFIGS)
    neps.import_trials(place.root, [{"config": {"x": 0.5}, "loss": 0.5}])
    _search(place, trials=3)
    found = neps.load(place.root)
    assert len(found.imported) == 1
    assert [trial.config for trial in found if trial.enqueued] == _CONFIGS


def _enqueued(root: Path) -> int:
    return int(read_fields(root)["queue"]["enqueued"])


def _reach_target(place: Place) -> None:
    _search(place, target_loss=2.0)


def _reach_target_again(place: Place) -> None:
    _reach_target(place)
    assert neps.load(place.root).ended_by is not None


def _confirm(place: Place) -> None:
    neps.confirm(lambda x: x, place.root, top=1, seeds=2, progress=False, post_run_summary=False)


def _confirm_the_rest(place: Place) -> None:
    _confirm(place)
    (confirmation,) = (place.root / "confirmations").iterdir()
    assert [trial.status for trial in neps.load(confirmation)] == ["success", "success"]


# Evaluations that run elsewhere


def _go_elsewhere(place: Place) -> None:
    _search(place, Training(place, pending=True), trials=1)
    _told(place, 1)


def _told(place: Place, number: int) -> None:
    job = [entry for entry in place.told() if (entry.event, entry.number) == ("job", number)][-1]
    loss = job.facts["loss"]
    neps.tell(place.root, number, {"loss": loss, "cost": 1.0}, attempt=job.facts["attempt"])
    place.tell("told", number, loss=loss)


def _tell_the_rest(place: Place) -> None:
    _search(place, Training(place, pending=True), trials=1)
    for trial in neps.load(place.root).pending:
        _told(place, trial.number)


# Ask and tell


def _ask_and_tell(place: Place) -> None:
    search = _asking(place)
    while (trial := search.ask()) is not None:
        _answer(place, search, trial)


def _ask_the_rest(place: Place) -> None:
    search = _asking(place)
    for trial in search.pending:
        _answer(place, search, trial)
    _ask_and_tell(place)
    # Who was killed inside of `ask` has left a worker's trial.
    _search(place, Training(place, epochs=2), lease_seconds=None)


def _asking(place: Place) -> neps.AskAndTell:
    return neps.AskAndTell(_SPACE, root_directory=place.root, searcher="random_search", seed=7, max_evaluations_total=2)


def _answer(place: Place, search: neps.AskAndTell, trial: neps.Trial) -> None:
    loss = loss_of(float(str(trial.config["x"])), 1)
    search.tell(trial, {"loss": loss, "cost": 1.0})
    place.tell("told", trial.number, loss=loss)


# Heartbeats


def _beat(place: Place) -> None:
    _search(place, Training(place, pace=_until_touched_twice), trials=1, lease_seconds=_SHORT_LEASE)


def _beat_no_more(place: Place) -> None:
    _search(place, Training(place), trials=1, lease_seconds=_SHORT_LEASE)


def _until_touched_twice(folder: Path) -> None:
    seen = set[int]()

    def touched() -> bool:
        for lock in folder.glob("attempt_*.lock"):
            seen.add(lock.stat().st_mtime_ns)
        return len(seen) > 1

    with contextlib.suppress(AssertionError):  # each touch may be what fails
        wait_until(touched, 3 * _SHORT_LEASE, "two heartbeats")


SCENARIOS = (
    Scenario("a worker", 2, _work, _work),
    Scenario("promotion, freeing of checkpoints", 5, _promote, _promote),
    Scenario("takeover", 2, _take_over, _take_over, _die),
    Scenario("handing back", 1, _be_interrupted, _resume),
    Scenario("failure, retry", 1, _fail_and_retry, _retry, raises=True),
    Scenario("overwriting", 1, _overwrite, _overwrite_the_rest, _earlier_alone),
    Scenario("`neps clean`", 1, _clean, _clean_the_rest, _earlier_and_later),
    Scenario("`neps summary`", 2, _summary, _summary, _earlier),
    Scenario("`neps.PENDING`, `neps.tell`", 1, _go_elsewhere, _tell_the_rest),
    Scenario("ask and tell", 2, _ask_and_tell, _ask_the_rest, raises=True),
    Scenario("heartbeat", 1, _beat, _beat_no_more),
    Scenario("`neps.enqueue`, `neps.import_trials`", 3, _say_and_go_on, _say_the_rest, _begin),
    Scenario("an ending", 1, _reach_target, _reach_target_again, _begin),
    Scenario("`neps.confirm`", 1, _confirm, _confirm_the_rest, _begin),
)
