"""What a view makes of documents that can't be trusted: patience for a lease, then one published verdict."""

from __future__ import annotations

from pathlib import Path

import pytest

from neps._ledger import trial_folder, trust
from neps._ledger.records import End
from neps._ledger.trial_state import condemn
from neps._ledger.view import View
from neps._trial import Status, Trial
from unit.ledger_scene import TORN, Clock, Scene, here, somewhere

LEASE = 60.0
NEWER = b"format_version: 2\nnumber: 1\n...\n"


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path / "run")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def statuses(view: View) -> dict[int, str]:
    return {number: str(trial.status) for number, trial in sorted(view.known().items())}


class TestDamage:
    def damaged(self, view: View, number: int = 1) -> Trial:
        trial = view.trials[number]
        assert trial.status is Status.FAILED
        assert trial.result is not None
        assert trial.damaged
        assert number not in view.numbers.reserved
        assert number not in view.pending
        return trial

    def test_torn_decision_past_the_lease(self, scene: Scene, clock: Clock) -> None:
        scene.spoil(1, "trial.yaml")
        view = scene.view()
        clock.run(view, LEASE - 1)
        assert (view.numbers.lowest, dict(view.known())) == (1, {})
        assert not scene.path(1, "result.yaml").exists()
        clock.run(view, 3)
        trial = self.damaged(view)
        assert "no end marker" in (trial.error or "")
        assert (trial.error or "").startswith(f"{scene.path(1, 'trial.yaml')}: ")
        assert (view.numbers.lowest, view.ended) == (2, 1)
        assert scene.path(1, "trial.yaml").read_bytes() == TORN
        for name in ("result.yaml", "attempt_1.end.yaml"):
            text = scene.path(1, name).read_text()
            assert "end: damaged\n" in text
            assert "status: failed\n" in text
            assert str(scene.root) not in text

    def test_becomes_readable_in_time(self, scene: Scene, clock: Clock) -> None:
        scene.claim(1)
        whole = scene.path(1, "trial.yaml").read_bytes()
        scene.spoil(1, "trial.yaml", whole[:30] + b"\0" * 100)
        view = scene.view()
        clock.run(view, LEASE - 2)
        scene.spoil(1, "trial.yaml", whole)
        clock.run(view, 10)
        assert statuses(view) == {1: "running"}

    def test_newer_version_at_once(self, scene: Scene) -> None:
        scene.spoil(1, "trial.yaml", NEWER)
        trial = self.damaged(scene.view())
        assert "format version 2" in (trial.error or "")

    def test_published_verdict_is_believed_at_once(self, scene: Scene, clock: Clock) -> None:
        scene.spoil(1, "trial.yaml")
        first = scene.view()
        clock.run(first, LEASE + 2)
        self.damaged(scene.view(here("second")))
        self.damaged(scene.reader())

    def test_unlike_for_one_worker_only(self, scene: Scene, clock: Clock) -> None:
        """One sees it torn, and condemns it; all others believe the verdict."""
        scene.claim(1, somewhere())
        whole = scene.path(1, "trial.yaml").read_bytes()
        other = scene.view(here("other"))
        scene.spoil(1, "trial.yaml")
        one = scene.view(here("one"))
        for _ in range(int(LEASE) + 2):
            clock.now += 1.0
            one.refresh()
        self.damaged(one)
        scene.spoil(1, "trial.yaml", whole)
        other.refresh()
        assert self.damaged(other).config == {"x": 0.1}

    def test_result_that_came_first_counts(self, scene: Scene, clock: Clock) -> None:
        """Torn on the way to an attempt that has succeeded meanwhile."""
        scene.claim(1, somewhere())
        view = scene.view()
        scene.folder(1).end_attempt(1, End.LEFT, here())
        scene.folder(1).open_attempt(2, here(), "left")
        scene.spoil(1, "attempt_2.yaml")
        clock.run(view, LEASE - 1)
        scene.end(1, 2, loss=3.0)
        scene.path(1, "result.yaml").unlink()
        clock.run(view, 4)
        assert statuses(view) == {1: "success"}
        assert view.ended == 1

    @pytest.mark.parametrize("name", ["attempt_1.end.yaml", "attempt_2.yaml"])
    def test_torn_attempt(self, scene: Scene, clock: Clock, name: str) -> None:
        scene.claim(1)
        if name == "attempt_2.yaml":
            scene.folder(1).end_attempt(1, End.DIED, here())
        scene.spoil(1, name)
        view = scene.view()
        clock.run(view, LEASE + 3)
        self.damaged(view)
        assert scene.path(1, name).read_bytes() == TORN
        assert "end: damaged" in scene.path(1, "result.yaml").read_text()

    def test_file_in_place_of_the_folder(self, scene: Scene) -> None:
        for number in (1, 2):
            scene.claim(number)
            scene.end(number)
        (scene.root / "config_3").write_text("mine")
        view = scene.view()
        assert "not a folder" in (self.damaged(view, 3).error or "")
        assert view.numbers.lowest == 4
        view.refresh()
        assert (scene.root / "config_3").read_text() == "mine"

    @pytest.mark.parametrize("name", ["trial.yaml", "attempt_1.end.yaml", "result.yaml"])
    @pytest.mark.parametrize("details", [True, False])
    def test_folder_in_place_of_a_document(self, scene: Scene, name: str, details: bool) -> None:  # noqa: FBT001
        if name != "trial.yaml":
            scene.claim(1)
        scene.path(1, name).mkdir(parents=True)
        view = scene.view(details=details)
        view.refresh()
        if name == "result.yaml":
            assert statuses(view) == {1: "running"}
        else:
            self.damaged(view)
        assert scene.path(1, name).is_dir()

    def test_torn_result_with_a_good_end(self, scene: Scene) -> None:
        scene.claim(1)
        scene.end(1, loss=4.0)
        scene.spoil(1, "result.yaml")
        view = scene.view()
        assert view.trials[1].loss == 4.0
        assert scene.path(1, "result.yaml").read_bytes() == TORN

    def test_without_permission_stops_nobody(self, scene: Scene, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: object, **__: object) -> bool:
            raise PermissionError

        scene.spoil(1, "trial.yaml")
        view = scene.view()
        monkeypatch.setattr(trial_folder, "publish", refuse)
        clock.run(view, LEASE + 3)
        self.damaged(view)

    def test_ended_counts_once(self, scene: Scene, clock: Clock) -> None:
        """Readable again at the very moment at which it was condemned, and published before."""
        scene.claim(1)
        scene.end(1)
        whole = scene.path(1, "trial.yaml").read_bytes()
        scene.spoil(1, "trial.yaml")
        view = scene.view()

        def heal(*args: object) -> None:
            condemn(*args)  # type: ignore[arg-type]
            scene.spoil(1, "trial.yaml", whole)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(trust, "condemn", heal)
            clock.run(view, LEASE + 3)
        clock.run(view, 3)
        assert (view.ended, statuses(view)) == (1, {1: "success"})

    def test_reader_condemns_nothing(self, scene: Scene) -> None:
        scene.spoil(1, "trial.yaml", NEWER)
        before = scene.snapshot()
        self.damaged(scene.reader())
        assert scene.snapshot() == before
