"""A worker's view: what it learns, at which cost, from whom, and what it makes of damage."""

from __future__ import annotations

import dataclasses
import errno
import itertools
import math
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from neps._ledger.layout import Layout
from neps._ledger.news import News
from neps._ledger.records import End
from neps._ledger.results_cache import parse
from neps._ledger.retrying import reopen
from neps._ledger.trial_state import read_state
from neps._ledger.view import View
from neps._trial import Trial
from rigs.faultfs import Mount, Rule
from unit.ledger_scene import Clock, Scene, dead, failing, here, somewhere

LEASE = 60.0
NEWER = b"format_version: 2\nnumber: 1\n...\n"


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path / "run")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@contextmanager
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The paths that are opened or looked at."""
    paths: list[str] = []
    with monkeypatch.context() as patch:
        for function in ("open", "stat", "lstat"):
            original = getattr(os, function)

            def spy(path: object, *args: object, _original: object = original, **kwargs: object) -> object:
                paths.append(str(path))
                return _original(path, *args, **kwargs)  # type: ignore[operator]

            patch.setattr(os, function, spy)
        yield paths


def statuses(view: View) -> dict[int, str]:
    return {number: str(trial.status) for number, trial in sorted(view.known().items())}


@dataclasses.dataclass
class Told:
    """An observer that notes what it is told."""

    notes: list[tuple[int, str]]

    def seen(self, trial: Trial) -> None:
        self.notes.append((trial.number, str(trial.status)))

    def gone(self, number: int) -> None:
        self.notes.append((number, "gone"))


class TestJoin:
    def test_nothing(self, scene: Scene) -> None:
        view = scene.view()
        assert (view.numbers.frontier, view.numbers.lowest, dict(view.known())) == (1, 1, {})

    def test_all_that_there_is(self, scene: Scene) -> None:
        scene.claim(1)
        scene.end(1)
        scene.claim(2)
        scene.fail(2)
        scene.claim(3, somewhere())
        scene.claim(4).end_attempt(1, End.LEFT, here())
        scene.folder(5).reserve()
        view = scene.view()
        assert statuses(view) == {1: "success", 2: "failed", 3: "running", 4: "waiting"}
        assert (view.ended, set(view.numbers.reserved), view.numbers.lowest, view.numbers.frontier) == (2, {5}, 5, 6)

    def test_other_names_are_no_trials(self, scene: Scene) -> None:
        for name in (
            "config_0",
            "config_01",
            "config_1a",
            "config_",
            "config_-1",
            "xconfig_1",
            "config_\u0661",
            "summary",
        ):
            (scene.root / name).mkdir()
        assert scene.view().numbers.frontier == 1

    def test_tells_of_each_change_once(self, scene: Scene) -> None:
        told: list[tuple[int, str]] = []
        scene.claim(1)
        scene.end(1)
        scene.claim(2)
        view = View(scene.layout, here(), lease=LEASE, poll=1.0)
        view.observe(Told(told))
        view.join()
        scene.end(2)
        view.refresh()
        view.refresh()
        scene.claim(3)
        view.refresh()
        view.forget(3)
        assert told == [(1, "success"), (2, "running"), (2, "success"), (3, "running"), (3, "gone")]

    def test_from_the_results_cache_alone(self, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
        for number in range(1, 31):
            scene.claim(number)
            scene.end(number, cost=1.0, info_dict={"a": [1]})
        first = scene.view()
        with opened(monkeypatch) as paths:
            second = scene.view(here("second"))
        assert repr(dict(second.trials)) == repr(dict(first.trials))
        assert second.numbers.lowest == 31
        assert [path for path in paths if "config_" in path] == []

    def test_what_the_results_cache_lacks_comes_from_the_folders(self, scene: Scene) -> None:
        for number in (1, 2):
            scene.claim(number)
            scene.end(number)
        scene.view()
        scene.claim(3)
        scene.fail(3)
        (file,) = Path(scene.layout.results_cache).glob("*.jsonl")
        lines = file.read_bytes().splitlines(keepends=True)
        file.write_bytes(lines[0][:60] + b"\n" + lines[1])
        assert statuses(scene.view(here("second"))) == {1: "success", 2: "success", 3: "failed"}

    def test_without_the_results_cache(self, scene: Scene) -> None:
        scene.claim(1)
        scene.end(1)
        scene.view()
        shutil.rmtree(scene.layout.hidden)
        assert statuses(scene.view()) == {1: "success"}

    def test_results_cache_of_another_run(self, scene: Scene) -> None:
        other = Scene(scene.root.parent / "other", "run1")
        other.claim(1)
        other.end(1, loss=-99.0)
        other.view()
        shutil.copytree(other.layout.hidden, scene.layout.hidden)
        Path(scene.layout.hidden, "run1").rename(Path(scene.layout.hidden, scene.layout.run))
        scene.claim(1)
        assert statuses(scene.view()) == {1: "running"}

    def test_deleted_folder_is_free_again(self, scene: Scene) -> None:
        for number in (1, 2, 3):
            scene.claim(number)
            scene.end(number)
        scene.view()
        shutil.rmtree(scene.path(2))
        view = scene.view()
        assert set(view.known()) == {1, 3}
        assert view.numbers.lowest == 2

    def test_listing_that_lacks_a_number(self, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
        """As readdir may while others make folders, and as a stale client does."""
        for number in (1, 2, 3):
            scene.claim(number)
            scene.end(number)
        with monkeypatch.context() as patch:
            patch.setattr(Layout, "numbers", lambda _: iter([3, 1]))
            view = scene.view()
        assert view.numbers.lowest == 2
        view.refresh()
        assert set(view.known()) == {1, 2, 3}
        assert view.numbers.lowest == 4

    def test_folder_with_a_huge_number(self, scene: Scene) -> None:
        scene.claim(1)
        (scene.root / "config_999999999999").mkdir()
        view = scene.view()
        assert (view.numbers.lowest, view.numbers.frontier) == (2, 2)


class TestRefresh:
    def test_new_decisions_and_results(self, scene: Scene) -> None:
        view = scene.view()
        scene.claim(1)
        scene.claim(2)
        view.refresh()
        assert statuses(view) == {1: "running", 2: "running"}
        scene.end(1)
        view.refresh()
        assert statuses(view) == {1: "success", 2: "running"}

    def test_half_claim_is_the_lowest_number(self, scene: Scene) -> None:
        scene.folder(1).reserve()
        view = scene.view()
        view.refresh()
        assert (view.numbers.lowest, view.half_claims(0.0)) == (1, [1])
        scene.claim(1)
        view.refresh()
        assert (view.numbers.lowest, view.half_claims(0.0)) == (2, [])

    def test_lost_mkdir_is_noted(self, scene: Scene) -> None:
        view = scene.view()
        view.note_reserved(1)
        assert view.numbers.lowest == 1
        assert view.numbers.frontier == 2

    def test_costs_what_is_new_and_running(self, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
        for number in range(1, 41):
            scene.claim(number)
            scene.end(number)
        for number in (41, 42):
            scene.claim(number, somewhere())
        view = scene.view()
        with opened(monkeypatch) as paths:
            view.refresh()
        assert len(paths) <= 3
        scene.claim(43, somewhere())
        with opened(monkeypatch) as paths:
            view.refresh()
        assert {path.split("config_")[1].split("/")[0] for path in paths} <= {"41", "42", "43", "44"}
        assert len(paths) <= 12

    def test_result_of_another_is_learnt_without_writing(self, scene: Scene) -> None:
        scene.claim(1, somewhere())
        view = scene.view()
        scene.end(1)
        before = scene.snapshot()
        view.refresh()
        assert scene.snapshot() == before

    def test_own_trial(self, scene: Scene) -> None:
        me = here("me")
        view = scene.view(me)
        folder = scene.claim(1, me)
        view.begun(folder, scene.running(1, me))
        assert (view.numbers.lowest, set(view.pending)) == (2, {1})
        scene.end(1, who=me)
        state = read_state(folder)
        assert state is not None
        view.finished(folder, state)
        assert statuses(view) == {1: "success"}
        assert statuses(scene.view(here("other"))) == {1: "success"}


class TestWithoutDetails:
    """For samplers that look at nothing but the number."""

    def test_successes_are_only_counted(self, scene: Scene) -> None:
        scene.claim(1)
        scene.end(1)
        scene.claim(2)
        scene.fail(2)
        view = scene.view(details=False)
        assert (view.ended, set(view.known())) == (2, {2})

    def test_success_takes_one_open(self, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
        """Who joins, and finds it in no cache, also looks whether its decision is there."""
        scene.claim(1)
        scene.end(1)
        with opened(monkeypatch) as paths:
            view = scene.view(details=False)
        assert [path.rpartition("/")[2] for path in paths if "config_" in path] == ["result.yaml", "trial.yaml"]
        scene.claim(2)
        scene.end(2)
        view.note_reserved(2)
        with opened(monkeypatch) as paths:
            view._examiner.examine_reserved(2)
        assert [path.rpartition("/")[2] for path in paths if "config_" in path] == ["result.yaml"]
        assert view.ended == 2

    def test_the_results_cache_is_rebuilt_where_much_is_lacking(
        self, scene: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("neps._ledger.recalling.MANY", 3)
        for number in range(1, 5):
            scene.claim(number)
            if number > 1:
                scene.end(number, loss=float(number), info_dict={"a": [1]})
        scene.claim(5)
        scene.fail(5)
        first = scene.view(details=False)
        assert (first.ended, set(first.known())) == (4, {1, 5})
        remembered = dict(News(scene.layout).read_on())
        told = {number: parse(number, payload) for number, payload in remembered.items()}
        shutil.rmtree(scene.layout.hidden)
        assert repr(told) == repr({number: scene.view(here("other")).trials[number] for number in (2, 3, 4)})

    def test_little_that_it_lacks_is_left_to_the_folders(self, scene: Scene) -> None:
        """To read it costs each joiner less than to write it would."""
        scene.claim(1)
        scene.end(1)
        scene.view(details=False)
        assert dict(News(scene.layout).read_on()) == {}

    def test_settles_a_few_in_turn(self, scene: Scene, clock: Clock) -> None:
        view = scene.view(details=False)
        for number in range(1, 41):
            scene.claim(number)
            view.note_reserved(number)
        view.update_reserved()
        assert len(view.numbers.reserved) == 40
        clock.now += 2.0
        for left in (24, 8, 0):
            view.update_reserved()
            assert len(view.numbers.reserved) == left


class TestPending:
    def test_proven_dead_at_once(self, scene: Scene) -> None:
        scene.claim(1, dead())
        (pending,) = scene.view().update_some()
        assert pending.folder.number == 1
        assert not pending.waits

    def test_living_never(self, scene: Scene, clock: Clock) -> None:
        folder = scene.claim(1, somewhere())
        view = scene.view()
        for second in range(3 * int(LEASE)):
            if second % 20 == 0:
                Path(folder.lock_path(1)).touch()
                os.utime(folder.lock_path(1), ns=(second, second))
            clock.run(view, 1)
            assert view.update_some() == []

    def test_silent_for_a_lease(self, scene: Scene, clock: Clock) -> None:
        scene.claim(1, somewhere())
        view = scene.view()
        clock.run(view, LEASE)
        assert view.update_some() == []
        clock.run(view, 2)
        assert len(view.update_some()) == 1

    def test_silence_starts_anew_with_each_attempt(self, scene: Scene, clock: Clock) -> None:
        scene.claim(1, somewhere())
        view = scene.view()
        clock.run(view, LEASE - 1)
        scene.take_over(1, 1, somewhere("second"), End.LEFT)
        clock.run(view, LEASE - 1)
        assert view.update_some() == []

    def test_outage_is_no_silence(self, faulty: Mount, clock: Clock) -> None:
        scene = Scene(faulty.path / "run")
        scene.claim(1, somewhere())
        view = scene.view()
        view.update(1)
        faulty.rules([Rule("lookup,open,getattr", "*attempt_1.lock", "EIO")])
        for _ in range(200):
            clock.now += 1.0
            view.update(1)
        assert faulty.faults()
        faulty.rules([])
        clock.now += 1.0
        view.update(1)
        assert view.update_some() == []

    def test_left_may_be_resumed(self, scene: Scene) -> None:
        scene.claim(1, somewhere()).end_attempt(1, End.LEFT, somewhere())
        (pending,) = scene.view().update_some()
        assert pending.waits

    def test_many_are_inspected_in_turn(self, scene: Scene, clock: Clock) -> None:
        for number in range(1, 41):
            scene.claim(number, somewhere())
        view = scene.view()
        seen: set[int] = set()
        for _ in range(4):
            clock.now += 1.0
            view.update_some()
            looked = {n for n, pending in view.pending.items() if pending.looked == clock.now}
            assert 0 < len(looked) <= 16
            seen |= looked
        assert seen == set(range(1, 41))

    def test_deleted_folder(self, scene: Scene, clock: Clock) -> None:
        scene.claim(1, somewhere())
        view = scene.view()
        shutil.rmtree(scene.path(1))
        clock.run(view, 2 * LEASE)
        assert set(view.pending) == {1}

    def test_busy_worker_watches_between_two_looks(self, scene: Scene, clock: Clock) -> None:
        """Its evaluations last longer than two polls, so each of its own looks comes after a stall."""
        scene.claim(1, somewhere())
        view = scene.view()
        for _ in range(6):
            clock.now += LEASE / 3
            view.check_heartbeats()
        assert len(view.update_some()) == 1

    def test_busy_worker_with_evaluations_shorter_than_a_beat(self, scene: Scene, clock: Clock) -> None:
        scene.claim(1, somewhere())
        view = scene.view()
        for _ in range(20):
            assert view.update_some() == [] or clock.now > 1000.0 + LEASE
            clock.now += LEASE / 6
        assert len(view.update_some()) == 1


class TestRetries:
    def test_reopened_trial_is_pending_again(self, scene: Scene) -> None:
        definition = scene.define()
        scene.claim(1)
        scene.fail(1)
        view = scene.view()
        assert reopen(str(scene.root), definition, view.trials[1])
        view.check_for_retries()
        assert (statuses(view), view.ended) == ({1: "waiting"}, 0)
        assert view.pending[1].state.start.attempt == 2

    def test_which_has_ended_again_by_then(self, scene: Scene) -> None:
        definition = scene.define()
        scene.claim(1)
        scene.fail(1)
        view = scene.view()
        reopen(str(scene.root), definition, view.trials[1])
        scene.folder(1).open_attempt(3, here(), "left")
        scene.end(1, 3)
        view.check_for_retries()
        assert (statuses(view), view.ended) == ({1: "success"}, 1)


def test_numbers_seen_in_any_order(scene: Scene) -> None:
    for order in itertools.permutations([1, 2, 3, 5]):
        view = View(scene.layout, here(), lease=LEASE, poll=1.0)
        for number in order:
            view.note_reserved(number)
        assert view.numbers.frontier == 4


def test_a_result_whose_second_link_is_refused_counts(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is another user's file, say, and its owner has died between the two."""
    scene.claim(1, dead())
    scene.end(1, loss=0.25)
    scene.path(1, "result.yaml").unlink()
    with monkeypatch.context() as patch:
        patch.setattr(os, "link", failing(os.link, errno.EPERM, done=False, times=100))
        view = scene.view(lease=0.0)
        view.refresh()
        assert view.trials[1].loss == 0.25
    assert scene.view().trials[1].loss == 0.25
    assert scene.path(1, "result.yaml").exists()


def test_no_loss_that_is_not_finite_is_the_best(scene: Scene) -> None:
    scene.claim(1)
    scene.end(1, loss=math.nan)
    view = scene.reader()
    assert view.best is None
    scene.claim(2)
    scene.end(2, loss=7.0)
    view.refresh()
    assert view.best is not None
    assert view.best.number == 2
