"""The results cache is believed only where it is surely this run's, and whole."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

import pytest

from neps._ledger import results_cache as module
from neps._ledger.documents import UnreadableDocumentError
from neps._ledger.layout import Layout
from neps._ledger.news import News
from neps._ledger.results_cache import ResultsCache, parse
from neps._ledger.view import View
from neps._trial import Decision, Result, Status, Trial
from neps.space import Float, SearchSpace
from unit.ledger_scene import Scene, here


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path / "run")


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path, "run0")


def trial(number: int = 1, **result: object) -> Trial:
    return Trial(
        number=number,
        decision=Decision(number=number, config={"x": 0.5, "y": None}),
        result=Result.of(**({"success": True, "loss": 1.0, "cost": 2.0} | result)),  # type: ignore[arg-type]
        status=Status.SUCCESS,
        spent=2.0,
    )


def known(layout: Layout) -> dict[int, Trial]:
    return {number: parse(number, payload) for number, payload in News(layout).read_on()}


def file(layout: Layout, worker: str = "a") -> Path:
    return Path(layout.results_cache, f"{worker}.jsonl")


def remember(layout: Layout, *trials: Trial, worker: str = "a") -> None:
    cache = ResultsCache(layout, worker)
    for one in trials:
        cache.append(one)


def test_nothing_there(layout: Layout) -> None:
    assert known(layout) == {}


def test_round_trip(layout: Layout) -> None:
    remember(layout, trial(1), trial(2, loss=float("inf")), worker="a")
    remember(layout, trial(3), worker="b")
    assert known(layout) == {1: trial(1), 2: trial(2, loss=float("inf")), 3: trial(3)}


def test_nothing_is_made_before_the_first_success(layout: Layout) -> None:
    remember(
        layout, dataclasses.replace(trial(), result=None), trial(success=False), trial(damaged=True, success=False)
    )
    assert not Path(layout.hidden).exists()


def test_what_json_would_change_is_left_to_the_folder(layout: Layout) -> None:
    remember(
        layout,
        trial(1, info_dict={1: "a"}),
        trial(2, info_dict={"a": {"b": {None: 1}}}),
        trial(3, info_dict={"a": [1]}),
    )
    assert list(known(layout)) == [3]


@pytest.mark.parametrize("length", [1, 8, 9, 10, 40, -2])
def test_torn_line(layout: Layout, length: int) -> None:
    remember(layout, trial(1))
    remember(layout, trial(2), worker="b")
    path = file(layout)
    path.write_bytes(path.read_bytes()[:length])
    assert list(known(layout)) == [2]


def test_line_without_its_newline_is_whole(layout: Layout) -> None:
    remember(layout, trial(1))
    file(layout).write_bytes(file(layout).read_bytes()[:-1])
    assert list(known(layout)) == [1]


def test_torn_line_costs_the_one_after_it(layout: Layout) -> None:
    remember(layout, trial(1))
    file(layout).write_bytes(file(layout).read_bytes()[:50])
    remember(layout, trial(2), trial(3))
    assert list(known(layout)) == [3]


def test_changed_byte(layout: Layout) -> None:
    remember(layout, trial(1))
    content = file(layout).read_bytes()
    assert b'"loss": 1.0' in content
    file(layout).write_bytes(content.replace(b'"loss": 1.0', b'"loss": 0.0'))
    assert known(layout) == {}


def test_lines_of_another_run(layout: Layout) -> None:
    """As where somebody copies `.neps` about."""
    other = Layout(layout.root, "run1")
    remember(other, trial(1))
    Path(layout.results_cache).mkdir(parents=True)
    file(layout).write_bytes(file(other).read_bytes())
    assert known(layout) == {}


def test_lines_of_another_format(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    remember(layout, trial(1))
    monkeypatch.setattr(module, "FORMAT_VERSION", 2)
    assert known(layout) == {}


def test_anything_else_in_its_folder(layout: Layout) -> None:
    remember(layout, trial(1))
    file(layout, "junk").write_bytes(bytes(range(256)) * 20)
    file(layout, "empty").touch()
    file(layout, "folder").mkdir()
    assert list(known(layout)) == [1]


def test_never_fails_its_worker(layout: Layout) -> None:
    Path(layout.hidden).write_text("a file")
    remember(layout, trial(1))
    assert known(layout) == {}


@pytest.mark.parametrize(
    "payload",
    [
        b"[" * 5000,
        b"{}",
        b"[1]",
        b'{"decision": {}, "result": {}, "attempts": 1, "spent": 0}',
        b"9" * 5000,
        b'{"decision": 1, "result": 2, "attempts": 3, "spent": 4}',
    ],
    ids=lambda payload: payload[:20],
)
def test_a_wrong_payload_with_a_right_checksum_is_left_to_the_folder(scene: Scene, payload: bytes) -> None:
    scene.claim(1)
    scene.end(1, loss=4.0)
    lines = [b"1 " + payload, b"x " + payload, b"0 {}", b"-1 {}", b"9" * 30 + b" {}", b""]
    file(scene.layout).parent.mkdir(parents=True)
    file(scene.layout).write_bytes(b"".join(module._checksum("run0", each) + b" " + each + b"\n" for each in lines))
    assert scene.view().trials[1].loss == 4.0
    assert scene.reader().trials[1].loss == 4.0


@pytest.mark.parametrize("change", [{"attempts": "1"}, {"attempts": 10**30}, {"spent": -1}, {"spent": None}])
def test_a_line_of_wrong_types_is_left_to_the_folder(layout: Layout, change: dict[str, object]) -> None:
    remember(layout, trial(1))
    _, number, payload = file(layout).read_bytes().rstrip(b"\n").split(b" ", 2)
    with pytest.raises(UnreadableDocumentError):
        parse(int(number), json.dumps(json.loads(payload) | change).encode())


def test_a_line_whose_trial_is_not_of_the_space_is_left_to_the_folder(scene: Scene) -> None:
    scene.claim(1)
    scene.end(1, loss=4.0)
    ResultsCache(scene.layout, "a").append(scene.view().trials[1])
    shifted = SearchSpace({"x": Float(0.5, 1)})
    view = View(scene.layout, here(), lease=60.0, poll=1.0, fits=lambda decision: decision.check(shifted))
    view.join()
    assert "doesn't belong to the search space" in (view.trials[1].error or "")


def test_a_pipe_or_a_link_among_the_files_holds_nobody_up(layout: Layout) -> None:
    remember(layout, trial(1))
    os.mkfifo(file(layout, "pipe"))
    file(layout, "zeros").symlink_to("/dev/zero")
    assert list(known(layout)) == [1]


def test_what_makes_a_long_line_is_left_to_the_folder(layout: Layout) -> None:
    remember(layout, trial(1, info_dict={"text": "x" * (1 << 20)}), trial(2))
    assert list(known(layout)) == [2]


class TestCrowd:
    def test_a_little_is_added_by_anybody(self, layout: Layout) -> None:
        cache = ResultsCache(layout, "a")
        cache.add([1, 2, 3], {1: trial(1), 2: trial(2)}.get)
        assert list(known(layout)) == [1, 2]

    def test_a_lot_by_one_at_a_time(self, layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
        from filelock import FileLock

        monkeypatch.setattr(module, "MANY", 2)
        asked: list[int] = []
        first, second = ResultsCache(layout, "a"), ResultsCache(layout, "b")
        first.add([1, 2, 3], trial)
        with FileLock(f"{layout.results_cache}.lock"):
            second.add([1, 2, 3], asked.append)
        assert list(known(layout)) == [1, 2, 3]
        assert not file(layout, "b").exists()
        assert asked == [], "who doesn't write needs to read nothing"


def test_form_of_a_line(layout: Layout) -> None:
    """docs/format.md: CRC-32 over the format version and the run, then over what follows the first blank."""
    import zlib

    remember(layout, trial(4))
    checksum, _, rest = file(layout).read_bytes().rstrip(b"\n").partition(b" ")
    assert checksum == b"%08x" % zlib.crc32(b"1 run0" + rest)
    number, _, payload = rest.partition(b" ")
    assert number == b"4"
    assert set(json.loads(payload)) == {"decision", "result", "attempts", "spent"}
