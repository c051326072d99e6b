"""Writes the run that the golden directories hold, with today's code, by fixed workers at a fixed time.

Called by the test; `python tests/format/writing.py FOLDER` writes one for a new format version. A golden directory
that exists is never written again: it stands for all runs that users have.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

import neps
from neps._ending import Ending
from neps._ledger import documents
from neps._ledger.claims import Hold
from neps._ledger.definition import FIRST_CONFIGS, Definition, publish_definition
from neps._ledger.endings import Endings
from neps._ledger.identity import Identity
from neps._ledger.known_trials import enqueue, observed, publish_results
from neps._ledger.layout import Layout
from neps._ledger.overwriting import move_aside
from neps._ledger.pending_mark import PendingMark, mark_pending
from neps._ledger.records import End, result_fields
from neps._ledger.retrying import reopen
from neps._ledger.stopping import request_stop
from neps._ledger.trial_folder import TrialFolder
from neps._ledger.trial_state import condemn
from neps._trial import Decision, Entry, Place, Result, Trial

__all__ = ["REQUIRED", "SPACE", "SPACES", "write_aside", "write_endings", "write_known", "write_run", "write_stops"]


def too_fast(config: Mapping[str, Any]) -> bool:
    """A rule of which a run has only the name."""
    return bool(config["rate"] > 0.9)


SPACE: dict[str, neps.space.Parameter] = {
    "rate": neps.Float(1e-4, 1, log=True, default=0.1, default_confidence="high"),
    "optimizer": neps.Categorical(["adam", None, "Ñandú", "no"], default="adam"),
    "epochs": neps.Integer(1, 9, is_fidelity=True),
    "data": neps.Constant("digits"),
}
STEPS: dict[str, neps.space.Parameter] = {
    **SPACE,
    "width": neps.Integer(16, 64, step=16, default=32),
    "drop": neps.Float(0, 0.5, step=0.1),
    "depth": neps.Categorical([2, 4, 8], ordered=True, default=4),
    "net": neps.Categorical({"small": dict, "large": list}),
}
CONDITIONAL = neps.SearchSpace(
    {
        "momentum": neps.Float(0, 1, active_if={"optimizer": ["Ñandú", None], "depth": neps.at_least(2)}),
        **SPACE,
        "depth": neps.Integer(1, 4),
        "beta": neps.Constant(0.9, active_if={"optimizer": "adam"}),
        "nesterov": neps.Categorical([False, True], active_if={"momentum": neps.more_than(0.25) & neps.at_most(0.75)}),
    },
    forbid=[{"optimizer": "no", "depth": neps.at_least(3)}, too_fast],
)
NESTED: dict[str, neps.space.Parameter] = {
    **SPACE,
    "cell": neps.Choice({"conv": {"kernel": neps.Integer(1, 7, step=2)}, "pool": {}}, default="conv"),
    "layer": neps.Repeat(neps.Choice({"dense": {"width": neps.Integer(8, 64)}, "skip": {}}), 0, 2),
}
SPACES: dict[str, Mapping[str, neps.space.Parameter]] = {
    "v1_steps": STEPS,
    "v1_conditional": CONDITIONAL,
    "v1_nested": NESTED,
}
"""Of the golden directories that don't hold `SPACE`."""
REQUIRED = {
    "v1_steps": ["ordered", "step"],
    "v1_conditional": ["active_if", "forbid"],
    "v1_nested": ["active_if", "choice", "repeat", "step"],
}
"""What those require of their readers."""
_FIXED: dict[str, Any] = {"optimizer": "adam", "epochs": 3, "data": "digits"}
_OTHERS: dict[str, dict[str, Any]] = {
    "net": {"width": 48, "drop": 0.3, "depth": 8, "net": "large"},
    "momentum": {"momentum": 0.5, "depth": 4, "beta": 0.9, "nesterov": True},
    "cell": {"cell": "conv", "cell.conv.kernel": 3, "layer": 1, "layer.1": "dense", "layer.1.dense.width": 16},
}
"""The other values of those that have a parameter of this name."""
_DECIDED: dict[int, dict[str, Any]] = {}
SEARCHER = {"name": "random_search", "settings": {"use_priors": False}}
EARLIER = "fedcba9876543210"
RUN = "0123456789abcdef"
TIME = dt.datetime(2026, 3, 1, 12, 30, 0, 250_000, dt.UTC)
ALICE = Identity(
    "node1-41-0a1b2c3d", "node1.example.org", "b19baa5e-4ea1-4065-b57f-1ece9574ff7e", "pid:[4026531836]", 41, 7
)
BOB = dataclasses.replace(ALICE, worker="node2-42-4e5f6a7b", host="node2.example.org", boot="0c3a", pid=42)
TORN = b"format_version: 1\nrun: 0123456789abcdef\nnumber: 6\nconfig:\n  ra"


_NAMING = {"decisions": False}


def write_run(
    root: Path, parameters: Mapping[str, neps.space.Parameter] = SPACE, *, name_decisions: bool = False, **defined: Any
) -> None:
    """Write the run into a folder that doesn't exist yet; its results may name their decisions."""
    others = [values for name, values in _OTHERS.items() if name in parameters]
    with (
        mock.patch.dict(_NAMING, {"decisions": name_decisions}),
        mock.patch.dict(_FIXED, *others),
        mock.patch.object(documents, "now", TIME.isoformat),
        mock.patch.object(Identity, "mine", return_value=BOB),
        mock.patch.object(uuid, "uuid4", return_value=uuid.UUID(int=10**37)),
    ):
        space = neps.SearchSpace(parameters)
        _write_earlier_run(root, space)
        layout = Layout(root, _define(root, RUN, space, launch="SLURM_ARRAY_JOB_ID=77", **defined))
        for number, write in enumerate(_TRIALS, start=1):
            write(TrialFolder(layout, number))


def write_stops(root: Path) -> None:
    """Ask all workers of that run to leave: after their trials, and then now."""
    with mock.patch.object(documents, "now", TIME.isoformat):
        for after_trial in (True, False):
            request_stop(Layout(root, RUN), [ALICE.worker, BOB.worker], ALICE, after_trial=after_trial)


def write_endings(root: Path) -> None:
    """End that run twice by its results: by patience, and by a target that a trial has reached."""
    layout = Layout(root, RUN)
    with mock.patch.object(documents, "now", TIME.isoformat):
        endings = Endings(layout, ALICE)
        reason = "no improvement in the last 2 results, since trial 1 (patience=2)"
        endings.publish(Ending(reason=reason, number=11, patience=2))
        endings.publish(Ending(reason="target_loss=0.5 was reached by trial 1", number=11, target_loss=0.5))


def write_aside(root: Path) -> None:
    """A run beside an earlier one that has taken along what was known of it, and why it has ended."""
    layout = Layout(root, EARLIER)
    with mock.patch.object(documents, "now", TIME.isoformat):
        root.mkdir()
        enqueue(layout, [{"rate": 0.75}], ALICE)
        publish_results(layout, [observed({"rate": 0.125, **_FIXED}, 3, 0.5, 2.0)], "a list", BOB)
        Endings(layout, ALICE).publish(Ending(reason="target_loss=1 was reached by trial 1", number=2, target_loss=1.0))
    write_run(root)


def write_known(root: Path) -> None:
    """The same run, which starts from an earlier one, with what users know, and a decision that takes of it."""
    first = ({"rate": 0.25, "optimizer": "no"}, {"rate": 0.5, "optimizer": "adam"})
    layout = Layout(root, RUN)
    config = {"rate": 0.125, **_FIXED}
    with mock.patch.object(documents, "now", TIME.isoformat):
        root.mkdir()
        publish_results(layout, [observed(config, 3, 0.5, 2.0)], "earlier", ALICE, earlier=True)
        with mock.patch.dict(_DECIDED, {2: {"seen_known": 1, "entry": Entry(0, 2)}, 7: {"seen_known": 2, "index": 4}}):
            write_run(
                root,
                first_configs=first,
                start_from=("00ff00ff00ff00ff",),
                known=1,
                requires=(FIRST_CONFIGS,),
            )
        enqueue(layout, [{"rate": 0.75}, {"optimizer": None, "epochs": 9}], ALICE)
        publish_results(layout, [observed(config, 3, math.nan, None), observed(config, 3, None, None)], "a list", BOB)


def _define(root: Path, run: str, space: neps.SearchSpace, **changes: Any) -> str:
    described: dict[str, Any] = {"space": space.definition(), "requires": space.requires}
    described |= {"forbid": tuple(space.forbidden_definition())} | changes
    definition = Definition(**described, searcher=SEARCHER, seed=11, run=run)
    return publish_definition(str(root), definition, ALICE.token).run


def _write_earlier_run(root: Path, space: neps.SearchSpace) -> None:
    launch = "SLURM_JOB_ID=70"
    layout = Layout(root, _define(root, EARLIER, space, lease_seconds=60.0, launch=launch))
    _success(TrialFolder(layout, 1))
    definition = Definition(space={}, searcher={}, seed=0, run=layout.run, launch=launch)
    assert move_aside(str(root), definition, BOB)


def _claim(folder: TrialFolder, who: Identity = ALICE, **changes: Any) -> None:
    config: dict[str, Any] = {"rate": folder.number / 100, **_FIXED}
    config |= changes.pop("config", {})
    if "momentum" in config:
        config = CONDITIONAL.completed(config, np.random.default_rng(0))
    number = folder.number
    fields: dict[str, Any] = {"number": number, "config": config, "fidelity": config["epochs"], "worker": who.worker}
    fields |= {"place": Place(0, 0, number - 1), "seed": 1000 + number, "seen_results": number - 1}
    decision = Decision(**(fields | {"claimed": TIME} | changes | _DECIDED.get(number, {})))
    folder.reserve()
    folder.commit(decision, who)
    folder.write_config(decision, who)


def _end(folder: TrialFolder, attempt: int = 1, who: Identity = ALICE, **changes: Any) -> None:
    fields: dict[str, Any] = {"success": True, "loss": 0.5, "cost": 3.0, "worker": who.worker, "attempt": attempt}
    fields |= {"started": TIME, "finished": TIME + dt.timedelta(seconds=90), "duration": 90.0}
    committed = folder.decision() if _NAMING["decisions"] else None
    of = committed[0] if committed is not None else None
    folder.end_with_result(attempt, result_fields(Result.of(**(fields | changes))), who, of)


def _success(folder: TrialFolder) -> None:
    """With everything that a result may have."""
    _claim(folder, config={"optimizer": "Ñandú"}, reserved_cost=3.5, metadata={"from": "prior", "weights": [0.5, 1]})
    info = {"note": "größer\n...\n", "accuracy": [0.25, 0.75], "ok": True, "none": None}
    _end(folder, info_dict=info, learning_curve=[1.5, float("inf"), 0.5], account_for_cost=False)


def _failed(folder: TrialFolder) -> None:
    _claim(folder, config={"optimizer": None})
    _end(folder, success=False, loss=None, cost=None, error="Traceback (most recent call last):\n  ...\nValueError: no")


def _left(folder: TrialFolder) -> None:
    _claim(folder)
    folder.curve(1).append([(1.0, 0.875), (2.0, math.nan)])
    Hold(folder, 1, ALICE.worker).mark_saved()
    Hold(folder, 1, ALICE.worker).mark_stalled(80_000)
    folder.end_attempt(1, End.LEFT, ALICE, "the storage failed: StorageError('…')", needs_bytes=80_000)


def _resumed(folder: TrialFolder) -> None:
    """What both attempts have reported is in the result."""
    _claim(folder)
    folder.curve(1).append([(1.0, 1.5), (2.0, 0.5)])
    folder.end_attempt(1, End.DIED, BOB, "worker node1-41-0a1b2c3d was silent for 121.0 s")
    folder.open_attempt(2, BOB, "died")
    folder.curve(2).append([(2.0, math.inf), (3.0, 0.25)])
    _end(folder, 2, BOB, loss=0.25, learning_curve=[1.5, math.inf, 0.25], learning_curve_steps=[1.0, 2.0, 3.0])


def _retried(folder: TrialFolder) -> None:
    _claim(folder)
    _end(folder, success=False, loss=9.0, cost=1.0, error="RuntimeError: out of memory")
    failed = Result.of(success=False, attempt=1)
    trial = Trial(
        number=folder.number, decision=Decision(number=5, config={}), result=failed, status=neps.Status.FAILED
    )
    definition = Definition(space={}, searcher={}, seed=0, run=RUN)
    assert reopen(str(folder.directory.parent), definition, trial)
    folder.open_attempt(3, BOB, "left")
    _end(folder, 3, BOB, loss=0.75)


def _damaged(folder: TrialFolder) -> None:
    folder.reserve()
    Path(folder.path, "trial.yaml").write_bytes(TORN)
    condemn(folder, "trial.yaml: it has no end marker: torn, empty, or not written by neps", BOB)


def _promoted(folder: TrialFolder) -> None:
    _claim(folder, BOB, config={"epochs": 9}, place=Place(1, 0, 0), previous=1)
    _end(folder, who=BOB, loss=float("nan"), cost=9)


def _running(folder: TrialFolder) -> None:
    _claim(folder, BOB)
    Path(folder.lock_path(1)).touch()
    folder.curve(1).append([(0.5, 2.25)])
    with Path(folder.path, "attempt_1.curve.jsonl").open("ab") as file:
        file.write(b"[1.0, 0.")


def _half_claim(folder: TrialFolder) -> None:
    """Its worker died with the decision staged, and not linked."""
    folder.reserve()
    Path(folder.path, f".trial.yaml.{ALICE.token}").write_bytes(b"format_version: 1\n")


def _pending(folder: TrialFolder) -> None:
    """By a worker that would have recorded a failure's loss and cost, and seconds as the cost."""
    _claim(folder, BOB)
    mark = PendingMark(
        attempt=1,
        worker=BOB.worker,
        started=TIME,
        max_cost_total=100.0,
        cost_is_duration=True,
        loss_value_on_error=9.0,
        cost_value_on_error=1.0,
    )
    mark_pending(folder, mark, BOB)


_TRIALS = (_success, _failed, _left, _resumed, _retried, _damaged, _promoted, _running, _half_claim, _pending)

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    if folder.name.endswith("_known"):
        write_known(folder)
    elif folder.name.endswith("_aside"):
        write_aside(folder)
    else:
        write_run(folder, SPACES.get(folder.name, SPACE))
    if folder.name.endswith("_stops"):
        write_stops(folder)
