"""neps.yaml: published once, joined by all, and never guessed."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from neps._ledger import definition as module
from neps._ledger import documents
from neps._ledger.definition import Definition, find_definition, publish_definition
from neps._ledger.foreign import END_MARKER
from neps.errors import DirectoryError, FormatVersionError
from unit.ledger_scene import SPACE, Scene


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PATIENCE", 0.1)


def definition(**changes: Any) -> Definition:
    fields: dict[str, Any] = {
        "space": SPACE,
        "searcher": {"name": "sobol", "settings": {"a": None, "b": "no"}},
        "seed": 7,
        "launch": "L",
    }
    return Definition(**(fields | changes))


def test_round_trip(tmp_path: Path) -> None:
    mine = definition(space={"x": {"type": "categorical", "choices": [None, "no", True, "é", 1.5]}})
    assert publish_definition(str(tmp_path / "new" / "root"), mine, "me") == mine
    assert find_definition(str(tmp_path / "new" / "root")) == mine


def test_a_lease_that_no_thread_can_wait_for_is_read_as_a_long_one(tmp_path: Path) -> None:
    """As an earlier version has published it."""
    fields = definition(lease_seconds=1e11).to_fields()
    (tmp_path / "neps.yaml").write_bytes(documents.encode(fields))
    found = find_definition(str(tmp_path))
    assert found is not None
    assert found.lease_seconds == 1e9


def test_second_joins_the_first(tmp_path: Path) -> None:
    first = publish_definition(str(tmp_path), definition(seed=1), "me")
    assert publish_definition(str(tmp_path), definition(seed=2), "you") == first
    assert first.run != definition().run


def test_second_waits_until_it_sees_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its client says for a while that there is none, although the link has failed."""
    first = publish_definition(str(tmp_path), definition(), "me")
    answers = [None, None]
    monkeypatch.setattr(module, "find_definition", lambda root: answers.pop() if answers else find_definition(root))
    assert publish_definition(str(tmp_path), definition(), "you") == first
    assert answers == []


def test_no_run(tmp_path: Path) -> None:
    assert find_definition(str(tmp_path)) is None
    assert find_definition(str(tmp_path / "absent")) is None


def test_trials_without_a_definition(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.claim(1)
    before = scene.snapshot()
    with pytest.raises(DirectoryError, match=r"holds trials \(config_N\) but no neps.yaml.*Nothing was changed"):
        find_definition(str(tmp_path))
    assert scene.snapshot() == before


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "no end marker"),
        (b"format_version: 1\nspa", "no end marker"),
        (b"format_version: 1" + END_MARKER, "it has no"),
        (b"[1]" + END_MARKER, "not a mapping"),
    ],
)
def test_torn(tmp_path: Path, content: bytes, why: str) -> None:
    (tmp_path / "neps.yaml").write_bytes(content)
    with pytest.raises(DirectoryError, match=why) as caught:
        find_definition(str(tmp_path))
    assert "Restore a copy" in str(caught.value)
    assert (tmp_path / "neps.yaml").read_bytes() == content


def test_torn_for_a_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PATIENCE", 20.0)
    whole = documents.encode(definition(run="r").to_fields())
    path = tmp_path / "neps.yaml"
    path.write_bytes(whole[:40])
    looked = threading.Event()
    monkeypatch.setattr("time.sleep", lambda _: looked.set())

    def write_the_rest() -> None:
        looked.wait(10)
        path.write_bytes(whole)

    writer = threading.Thread(target=write_the_rest)
    writer.start()
    found = find_definition(str(tmp_path))
    writer.join()
    assert found is not None
    assert found.run == "r"


def test_newer_version_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: pytest.fail("another look can't help"))
    (tmp_path / "neps.yaml").write_bytes(b"format_version: 2\nrun: a" + END_MARKER)
    with pytest.raises(FormatVersionError, match=r"neps\.yaml: it has format version 2.*Install a newer neps"):
        find_definition(str(tmp_path))


def test_root_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "root").touch()
    with pytest.raises(DirectoryError, match="can't be read"):
        find_definition(str(tmp_path / "root"))
    with pytest.raises(DirectoryError, match="can't be used"):
        publish_definition(str(tmp_path / "root"), definition(), "me")
