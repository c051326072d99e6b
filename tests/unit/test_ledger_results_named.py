"""A result counts for the decision that it names, and for no other; a number whose decision was lost isn't free."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import neps
from neps._ledger import documents
from neps._ledger.claims import Claim
from neps._ledger.records import decision_fields, digest_of, parsed, read_decision, result_fields
from neps._trial import Decision, Place, Result, Status
from unit.ledger_scene import RUN, TORN, Clock, Scene, here

LEASE = 60.0
_NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1, max_size=12)
_VALUES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _NAMES
_PLACES = st.none() | st.builds(
    Place, st.integers(0, 9), bracket=st.none() | st.integers(0, 9), slot=st.none() | st.integers(0, 9)
)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    scene = Scene(tmp_path / "run")
    scene.define()
    return scene


def publish(scene: Scene, number: int, **changes: Any) -> Decision:
    """A trial that a worker has evaluated, with loss 1."""
    me, folder = here(), scene.folder(number)
    folder.reserve()
    decision = scene.decision(number, me, **changes)
    claim = Claim.commit(folder, decision, me)
    assert claim is not None
    assert claim.publish(result_fields(Result.of(success=True, loss=1.0, cost=2.0, worker=me.worker)))
    return decision


def decide_otherwise(scene: Scene, number: int, **changes: Any) -> None:
    """Put another decision into the place of a trial's."""
    me = here("other")
    fields = {"run": RUN, **decision_fields(scene.decision(number, me, **changes)), **me.to_document()}
    scene.spoil(number, "trial.yaml", documents.encode(fields))


@given(st.dictionaries(_NAMES, _VALUES, max_size=4), _VALUES.filter(lambda x: type(x) in (int, float)), _PLACES)
def test_a_decision_is_named_alike_whether_written_or_read(
    config: dict[str, Any], fidelity: float, place: Place | None
) -> None:
    fidelity = fidelity if abs(fidelity) < 2**63 else 1.0
    decision = Decision(number=3, config=config, fidelity=fidelity, place=place, previous=2, seed=7, worker="w")
    fields = documents.decode("trial.yaml", documents.encode(decision_fields(decision)))
    assert digest_of(RUN, parsed("trial.yaml", lambda: read_decision(fields, 3))) == digest_of(RUN, decision)


@pytest.mark.parametrize(
    "change",
    [{"config": {"x": 0.9}}, {"fidelity": 3}, {"place": Place(1)}, {"previous": 1}, {"seed": 5}],
    ids=lambda change: next(iter(change)),
)
def test_a_result_of_another_decision_is_never_believed(scene: Scene, change: dict[str, Any]) -> None:
    publish(scene, 1)
    publish(scene, 2)
    decide_otherwise(scene, 2, **change)
    for trial in (scene.reader().trials[2], scene.view().trials[2]):
        assert (trial.status, trial.damaged, trial.loss, trial.spent) == (Status.FAILED, True, None, 2.0)
        assert "it is the result of another decision than trial.yaml" in (trial.error or "")
    assert scene.reader().trials[1].succeeded


def test_who_decided_and_when_makes_no_difference(scene: Scene) -> None:
    publish(scene, 1)
    decide_otherwise(scene, 1, reserved_cost=3.0, seen_results=4, metadata={"why": "so"})
    assert scene.reader().trials[1].loss == 1.0


def test_what_is_of_another_decision_is_set_aside_by_a_retry(scene: Scene) -> None:
    publish(scene, 1)
    decide_otherwise(scene, 1, config={"x": 0.75})
    assert neps.retry(scene.root, 1) == (1,)
    aside = sorted(path.name.split(".damaged-")[0] for path in scene.root.rglob("*.damaged-*"))
    assert aside == ["attempt_1.end.yaml", "result.yaml"]
    view = scene.view()
    assert (view.pending[1].waits, view.pending[1].state.decision.config) == (True, {"x": 0.75})


def test_a_result_that_names_no_decision_is_believed(scene: Scene) -> None:
    """Earlier versions wrote such."""
    scene.claim(1)
    scene.end(1)
    decide_otherwise(scene, 1, config={"x": 0.9})
    assert scene.reader().trials[1].loss == 1.0


@pytest.mark.parametrize("left", ["result.yaml", "attempt_1.end.yaml", "attempt_1.pending.yaml", "config.yaml"])
def test_a_number_whose_decision_is_lost_is_damaged_after_a_lease(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, left: str
) -> None:
    publish(scene, 1)
    for path in scene.path(1).iterdir():
        if path.name != left:
            path.unlink()
    scene.path(1, left).touch()
    clock = Clock(monkeypatch)
    view = scene.view()
    clock.run(view, LEASE)
    assert not view.numbers.reserved[1].is_half_claim(0.0)
    clock.run(view, 4)
    assert view.trials[1].damaged
    assert f"trial.yaml: it is missing, but the trial was begun: there is {left}" in (view.trials[1].error or "")


def test_files_of_the_users_in_a_half_claim_say_nothing(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.folder(1).reserve()
    scene.path(1, "model.pt").touch()
    scene.path(1, ".trial.yaml.somebody").touch()
    clock = Clock(monkeypatch)
    view = scene.view()
    clock.run(view, 3)
    assert view.numbers.reserved[1].is_half_claim(1.0)


def test_a_decision_that_comes_back_brings_its_result_back(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(scene, 1)
    content = scene.path(1, "trial.yaml").read_bytes()
    scene.path(1, "trial.yaml").unlink()
    clock = Clock(monkeypatch)
    clock.run(scene.view(), LEASE + 5)
    assert scene.reader().trials[1].damaged
    scene.path(1, "trial.yaml").write_bytes(content)
    assert scene.reader().trials[1].loss == 1.0


class TestPatience:
    """A worker that leaves hands on for how long it could not read something."""

    def torn(self, scene: Scene) -> None:
        scene.claim(1)
        scene.spoil(1, "trial.yaml")

    def test_goes_on_from_there(self, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
        self.torn(scene)
        clock = Clock(monkeypatch)
        for name in ("first", "second"):
            view = scene.view(here(name))
            clock.run(view, LEASE / 2 - 5)
            view.hand_on_patience()
            assert view.unreadable == [1]
        third = scene.view(here("third"))
        clock.run(third, 9)
        assert third.unreadable == [1]
        clock.run(third, 3)
        assert third.trials[1].damaged

    def test_is_counted_once_where_workers_look_at_the_same_time(
        self, scene: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.torn(scene)
        clock = Clock(monkeypatch)
        views = [scene.view(here(name)) for name in "abc"]
        for _ in range(int(LEASE / 2)):
            clock.now += 1.0
            for view in views:
                view.refresh()
        for view in views:
            view.hand_on_patience()
        late = scene.view(here("late"))
        clock.run(late, LEASE / 2 - 2)
        assert late.unreadable == [1]

    def test_is_of_that_document(self, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
        self.torn(scene)
        clock = Clock(monkeypatch)
        view = scene.view(here("first"))
        clock.run(view, LEASE - 5)
        view.hand_on_patience()
        note = next(Path(scene.layout.damaged).glob("1.*.yaml"))
        note.write_bytes(note.read_bytes().replace(b"trial.yaml", b"other.yaml"))
        late = scene.view(here("late"))
        clock.run(late, LEASE - 5)
        assert late.unreadable == [1]

    def test_is_forgotten_once_it_is_mended(self, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
        scene.claim(1)
        scene.spoil(1, "attempt_1.end.yaml")
        clock = Clock(monkeypatch)
        view = scene.view(here("first"))
        clock.run(view, LEASE / 2)
        view.hand_on_patience()
        clock.run(scene.view(here("second")), LEASE)
        assert list(Path(scene.layout.damaged).glob("1.*.yaml"))
        assert neps.retry(scene.root, 1) == (1,)
        assert list(Path(scene.layout.damaged).iterdir()) == []


@pytest.mark.parametrize("searcher", ["random_search", "bayesian_optimization"])
@pytest.mark.parametrize("budget", [{"max_evaluations_total": 3}, {"max_cost_total": 3}], ids=lambda b: next(iter(b)))
@pytest.mark.parametrize("harm", ["removed", "torn"])
def test_a_worker_that_finds_the_budget_spent_judges_it_and_leaves(
    tmp_path: Path, searcher: str, budget: dict[str, Any], harm: str, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluated = []

    def run_pipeline(x: float) -> dict[str, float]:
        evaluated.append(x)
        return {"loss": x, "cost": 1}

    space = {"x": neps.Float(0, 1)}
    settings: dict[str, Any] = {"searcher": searcher, "seed": 1, "lease_seconds": 0.3, "progress": False, **budget}
    neps.run(run_pipeline, tmp_path, space, **settings)
    decision = tmp_path / "config_2" / "trial.yaml"
    decision.unlink()
    if harm == "torn":
        decision.write_bytes(TORN)
    shutil.rmtree(tmp_path / ".neps")
    history = neps.run(run_pipeline, tmp_path, space, **settings)
    assert len(evaluated) == 3
    assert [trial.damaged for trial in history] == [False, True, False]
    assert history.total_cost == 3.0
    capsys.readouterr()
    neps.status(tmp_path)
    assert "2 succeeded, 1 failed (1 damaged), 0 running, 0 waiting" in capsys.readouterr().out
