"""What the files of a trial mean together: every way in which attempts follow each other, and what readers complete."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from neps._ledger import documents, trial_folder
from neps._ledger.claims import Hold
from neps._ledger.documents import UnreadableDocumentError
from neps._ledger.exclusive import publish
from neps._ledger.records import End
from neps._ledger.trial_folder import TrialFolder
from neps._ledger.trial_state import TrialState, condemn, read_state, trial_of
from neps._trial import Status
from unit.ledger_scene import Scene, dead, here, somewhere

RESULT, FIRST_RESULT = "result.yaml", "result_1.yaml"


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path / "run")


def seen(scene: Scene, known: TrialState | None = None, *, complete: bool = True) -> TrialState:
    state = read_state(scene.folder(1), known, complete=complete)
    assert state is not None
    return state


def test_uncommitted(scene: Scene) -> None:
    folder = scene.folder(1)
    assert read_state(folder) is None
    assert folder.reserve()
    assert read_state(folder) is None


def test_running(scene: Scene) -> None:
    scene.claim(1, somewhere())
    state = seen(scene)
    assert (state.status, state.start.attempt, state.start.identity) == (Status.RUNNING, 1, somewhere())
    assert state.decision.config == {"x": 0.1}


@pytest.mark.parametrize("end", [End.LEFT, End.DIED])
def test_waits_after_an_end_without_a_result(scene: Scene, end: End) -> None:
    scene.claim(1).end_attempt(1, end, here())
    state = seen(scene)
    assert (state.status, state.end, state.result) == (Status.WAITING, end, None)
    assert not scene.path(1, RESULT).exists()


@pytest.mark.parametrize("end", [End.LEFT, End.DIED])
def test_runs_again(scene: Scene, end: End) -> None:
    scene.claim(1)
    scene.take_over(1, 1, somewhere("second"), end)
    state = seen(scene)
    assert (state.status, state.start.attempt, state.start.after) == (Status.RUNNING, 2, str(end))
    assert state.start.identity == somewhere("second")


def test_success(scene: Scene) -> None:
    scene.claim(1)
    assert scene.end(1, loss=0.25)
    state = seen(scene)
    assert (state.status, state.end) == (Status.SUCCESS, End.RESULT)
    assert state.result is not None
    assert state.result.outcome.loss == 0.25
    assert scene.path(1, RESULT).samefile(scene.path(1, "attempt_1.end.yaml"))


def test_failure(scene: Scene) -> None:
    scene.claim(1)
    scene.fail(1)
    assert seen(scene).status is Status.FAILED


@pytest.mark.parametrize("attempt", [1, 2])
def test_end_that_is_a_result_is_completed(scene: Scene, attempt: int) -> None:
    """Its owner died between the two links."""
    scene.claim(1)
    if attempt == 2:
        scene.take_over(1, 1, here())
    scene.end(1, attempt)
    scene.path(1, RESULT).unlink()
    assert seen(scene, complete=False).status is Status.SUCCESS
    assert not scene.path(1, RESULT).exists()
    assert seen(scene).status is Status.SUCCESS
    assert scene.path(1, RESULT).samefile(scene.path(1, f"attempt_{attempt}.end.yaml"))


def test_zombie_loses_its_end(scene: Scene) -> None:
    scene.claim(1, somewhere("zombie"))
    scene.take_over(1, 1, here("second"))
    assert not scene.end(1, 1, somewhere("zombie"), loss=7.0)
    assert not scene.path(1, RESULT).exists()
    assert scene.end(1, 2, here("second"), loss=8.0)
    state = seen(scene)
    assert state.result is not None
    assert (state.result.outcome.loss, state.result.origin.attempt) == (8.0, 2)


def test_contender_loses_to_an_owner_who_lives(scene: Scene) -> None:
    scene.claim(1)
    scene.end(1, loss=3.0)
    assert not scene.folder(1).end_attempt(1, End.DIED, somewhere("contender"))
    assert seen(scene).status is Status.SUCCESS


def test_known_attempts_are_not_read_again(scene: Scene) -> None:
    scene.claim(1)
    scene.take_over(1, 1, here("second"))
    known = seen(scene)
    scene.spoil(1, "trial.yaml")
    scene.spoil(1, "attempt_1.end.yaml")
    scene.end(1, 2)
    assert seen(scene, known).status is Status.SUCCESS


class TestRetry:
    @pytest.fixture
    def retried(self, scene: Scene) -> Scene:
        """Attempt 2 was opened by a retry that died before anything else."""
        scene.claim(1)
        scene.fail(1, cost=2.0)
        assert scene.folder(1).open_attempt(2, dead(), "retry")
        return scene

    def test_void_result_is_set_aside(self, retried: Scene) -> None:
        assert seen(retried, complete=False).status is Status.RUNNING
        assert retried.path(1, RESULT).exists()
        assert seen(retried).status is Status.RUNNING
        assert not retried.path(1, RESULT).exists()
        assert retried.path(1, FIRST_RESULT).samefile(retried.path(1, "attempt_1.end.yaml"))

    def test_void_result_in_the_way_of_the_next(self, retried: Scene) -> None:
        assert retried.end(1, 2, loss=0.5)
        assert retried.path(1, RESULT).samefile(retried.path(1, "attempt_2.end.yaml"))
        assert retried.path(1, FIRST_RESULT).samefile(retried.path(1, "attempt_1.end.yaml"))
        assert seen(retried).status is Status.SUCCESS

    def test_void_result_came_back(self, retried: Scene) -> None:
        """Somebody who had seen it missing, before the retry, completed it late."""
        retried.end(1, 2, loss=0.5)
        retried.path(1, RESULT).unlink()
        retried.folder(1).complete(1)
        state = seen(retried)
        assert (state.start.attempt, state.status) == (2, Status.SUCCESS)
        assert retried.path(1, RESULT).samefile(retried.path(1, "attempt_2.end.yaml"))

    def test_two_set_aside_and_the_next_result_stays(self, retried: Scene) -> None:
        """The slow one takes away what was published after it had looked."""
        retried.end(1, 2, loss=0.5)
        assert retried.folder(1).set_result_aside(1)
        assert retried.path(1, RESULT).samefile(retried.path(1, "attempt_2.end.yaml"))
        assert retried.path(1, FIRST_RESULT).samefile(retried.path(1, "attempt_1.end.yaml"))
        assert {p.name for p in retried.path(1).iterdir() if p.name.startswith(".")} == set()

    def test_what_it_has_cost_stays_spent(self, retried: Scene) -> None:
        retried.end(1, 2, cost=3.0)
        trial = trial_of(retried.folder(1), seen(retried))
        assert (trial.spent, trial.cost, trial.attempts) == (5.0, 3.0, 2)

    def test_free_costs_are_not_spent(self, retried: Scene) -> None:
        retried.end(1, 2, cost=3.0, account_for_cost=False)
        assert trial_of(retried.folder(1), seen(retried)).spent == 2.0

    def test_several(self, retried: Scene) -> None:
        for attempt in (2, 3):
            retried.fail(1, attempt, cost=1.0)
            assert retried.folder(1).open_attempt(attempt + 1, here(), "retry")
            assert seen(retried).start.attempt == attempt + 1
        retried.end(1, 4)
        assert trial_of(retried.folder(1), seen(retried)).spent == 4.0
        assert sorted(p.name for p in retried.path(1).glob("result*")) == [
            RESULT,
            FIRST_RESULT,
            "result_2.yaml",
            "result_3.yaml",
        ]


class TestUnreadable:
    def test_torn_result_with_a_good_end(self, scene: Scene) -> None:
        scene.claim(1)
        scene.end(1, loss=4.0)
        scene.spoil(1, RESULT)
        state = seen(scene)
        assert state.result is not None
        assert state.result.outcome.loss == 4.0

    def test_torn_end_with_a_good_result(self, scene: Scene) -> None:
        scene.claim(1)
        scene.end(1, loss=4.0)
        scene.spoil(1, "attempt_1.end.yaml")
        assert seen(scene).status is Status.SUCCESS

    @pytest.mark.parametrize("name", ["trial.yaml", "attempt_1.end.yaml", "attempt_2.yaml"])
    def test_torn_on_the_way(self, scene: Scene, name: str) -> None:
        scene.claim(1)
        if name == "attempt_2.yaml":
            scene.folder(1).end_attempt(1, End.LEFT, here())
        scene.spoil(1, name)
        with pytest.raises(UnreadableDocumentError, match=name):
            read_state(scene.folder(1))

    @pytest.mark.parametrize("field", ["number", "config", "worker", "pid", "boot", "run"])
    def test_field_missing(self, scene: Scene, field: str) -> None:
        scene.claim(1)
        fields = documents.load(str(scene.path(1, "trial.yaml")))
        assert fields is not None
        del fields[field]
        scene.spoil(1, "trial.yaml", documents.encode(fields))
        with pytest.raises(UnreadableDocumentError, match=r"trial\.yaml"):
            read_state(scene.folder(1))

    def test_of_another_number(self, scene: Scene) -> None:
        scene.claim(2)
        scene.spoil(1, "trial.yaml", scene.path(2, "trial.yaml").read_bytes())
        with pytest.raises(UnreadableDocumentError, match="its number is 2, not 1"):
            read_state(scene.folder(1))

    def test_of_another_run(self, scene: Scene) -> None:
        other = Scene(scene.root, "run1")
        other.claim(1)
        with pytest.raises(UnreadableDocumentError, match="another run"):
            read_state(scene.folder(1))


class TestCondemn:
    def damaged(self, scene: Scene) -> TrialState:
        state = seen(scene)
        assert state.result is not None
        assert state.result.origin.damaged
        assert state.status is Status.FAILED
        return state

    def test_verdict_is_the_end_and_the_result(self, scene: Scene) -> None:
        scene.claim(1)
        condemn(scene.folder(1), "torn", here())
        state = self.damaged(scene)
        assert state.end is End.DAMAGED
        assert state.result is not None
        assert state.result.outcome.error == "torn"
        assert scene.path(1, RESULT).samefile(scene.path(1, "attempt_1.end.yaml"))

    def test_of_the_last_attempt(self, scene: Scene) -> None:
        scene.claim(1)
        scene.take_over(1, 1, here())
        condemn(scene.folder(1), "torn", here())
        assert self.damaged(scene).start.attempt == 2

    def test_owner_loses_to_the_verdict(self, scene: Scene) -> None:
        scene.claim(1)
        condemn(scene.folder(1), "torn", here())
        assert not scene.end(1)
        self.damaged(scene)

    def test_verdict_loses_to_a_result(self, scene: Scene) -> None:
        scene.claim(1)
        scene.end(1, loss=2.0)
        scene.path(1, RESULT).unlink()
        condemn(scene.folder(1), "torn", here())
        assert seen(scene).status is Status.SUCCESS
        assert scene.path(1, RESULT).exists()

    def test_torn_end(self, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
        scene.claim(1)
        scene.spoil(1, "attempt_1.end.yaml")
        _impatient(monkeypatch)
        condemn(scene.folder(1), "torn", here())
        self.damaged(scene)
        assert scene.path(1, "attempt_1.end.yaml").read_bytes().startswith(b"format_version: 1\nnumber")

    def test_folders_at_both_names(self, scene: Scene) -> None:
        scene.claim(1)
        for name in ("attempt_1.end.yaml", RESULT):
            scene.path(1, name).mkdir()
        condemn(scene.folder(1), "folders", here())
        assert scene.path(1, RESULT).is_dir()

    def test_where_nothing_can_be_written(self, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: object, **__: object) -> bool:
            raise PermissionError

        scene.claim(1)
        monkeypatch.setattr(trial_folder, "publish", refuse)
        condemn(scene.folder(1), "torn", here())
        assert not scene.path(1, RESULT).exists()


def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        trial_folder, "publish", lambda *args, **kwargs: publish(*args, **({"patience": 0.05} | kwargs))
    )


class TestFolder:
    def test_holding(self, scene: Scene) -> None:
        folder: TrialFolder = scene.claim(1, here("first"))
        assert Hold(folder, 1, "first").is_own()
        assert not Hold(folder, 1, "other").is_own()
        scene.take_over(1, 1, here("second"))
        assert Hold(folder, 2, "second").is_own()
        assert not Hold(folder, 2, "first").is_own()

    def test_a_folder_of_the_next_run_is_not_held(self, scene: Scene) -> None:
        folder = scene.claim(1, here("first"))
        shutil.rmtree(folder.path)
        Scene(scene.root, "run1").claim(1, here("other"))
        assert not Hold(folder, 1, "first").is_own()

    def test_success_without_parsing(self, scene: Scene) -> None:
        folder = scene.claim(1)
        assert folder.has_succeeded() is None
        scene.fail(1, error="Traceback\nstatus: success\nno\n", info_dict={"a": "\nstatus: success\n"})
        assert folder.has_succeeded() is False
        scene.claim(2)
        scene.end(2)
        assert scene.folder(2).has_succeeded() is True

    def test_config_is_written_once(self, scene: Scene) -> None:
        folder = scene.claim(1, config={"x": None, "y": "no"})
        folder.write_config(scene.decision(1, here(), config={"x": None, "y": "no"}), here())
        assert scene.path(1, "config.yaml").read_text() == "x: null\ny: 'no'\n...\n"
        scene.spoil(1, "config.yaml", b"edited")
        folder.write_config(scene.decision(1, here()), here())
        assert scene.path(1, "config.yaml").read_bytes() == b"edited"
