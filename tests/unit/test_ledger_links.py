"""A filesystem without hard links is refused, in words that say so, and nothing is left there."""

from __future__ import annotations

from pathlib import Path

import pytest

import neps
from neps._ledger import definition, trial_folder
from neps._ledger.exclusive import publish
from neps.errors import DirectoryError
from rigs.faultfs import Mount, Rule


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (definition, trial_folder):
        monkeypatch.setattr(module, "publish", lambda *args, **more: publish(*args, **(more | {"patience": 0.01})))


def run(root: Path, count: int) -> neps.History:
    space = {"x": neps.Float(0, 1)}
    return neps.run(
        lambda x: x, root, space, searcher="random_search", max_evaluations_total=count, seed=1, lease_seconds=5
    )


@pytest.mark.parametrize("error", ["EPERM", "EMLINK", "EOPNOTSUPP", "ENOSYS"])
def test_it_says_so_and_leaves_nothing(faulty: Mount, error: str) -> None:
    faulty.rules([Rule("link", "*", error)])
    with pytest.raises(DirectoryError) as raised:
        run(faulty.path / "searches" / "first", 2)
    assert f"{faulty.path}/searches/first can't be used: its filesystem has no hard links" in str(raised.value)
    assert "exFAT" in str(raised.value)
    assert "neps check DIR" in str(raised.value)
    assert list(faulty.backing.iterdir()) == []


def test_a_folder_that_was_there_stays(faulty: Mount) -> None:
    (faulty.backing / "mine").mkdir()
    (faulty.backing / "mine" / "notes.txt").write_text("mine")
    faulty.rules([Rule("link", "*", "EPERM")])
    with pytest.raises(DirectoryError, match="has no hard links"):
        run(faulty.path / "mine", 2)
    assert [path.name for path in faulty.backing.rglob("*")] == ["mine", "notes.txt"]


def test_a_run_that_was_copied_there_says_so_at_once(faulty: Mount) -> None:
    """No outage, for which a worker would wait."""
    run(faulty.path / "run", 1)
    faulty.rules([Rule("link", "*", "EPERM")])
    with pytest.raises(DirectoryError, match="has no hard links"):
        run(faulty.path / "run", 2)


def test_one_failure_is_no_lack_of_links(faulty: Mount) -> None:
    faulty.rules([Rule("link", "*trial.yaml", "EPERM", times=1)])
    assert len(run(faulty.path / "run", 2).succeeded) == 2
    faulty.rules([Rule("create", "*/.neps.yaml*", "EPERM")])
    with pytest.raises(DirectoryError, match="this user may write"):
        run(faulty.path / "other", 2)
