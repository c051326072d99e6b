"""Roots that malice, a torn disk or somebody's editor has spoilt: nothing hangs or crashes, with every searcher."""

from __future__ import annotations

import random
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neps._ledger import definition, reading
from rigs.endurance import SEARCHERS, assert_endures, found
from rigs.hostile import spoil

EXAMPLES = 2


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pristine")


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What can't be read is waited for as long as ever, but for less time."""
    monkeypatch.setattr(definition, "_PATIENCE", 0.05)
    monkeypatch.setattr(reading, "_PATIENCE", 0.02)


@pytest.mark.parametrize("searcher", SEARCHERS)
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32 - 1))
def test_a_spoilt_root_is_endured(pristine: Path, searcher: str, seed: int) -> None:
    if not (pristine / searcher).exists():
        found(pristine / searcher, searcher)
    with tempfile.TemporaryDirectory() as folder:
        root = shutil.copytree(pristine / searcher, Path(folder, "root"), symlinks=True)
        spoil(root, random.Random(seed))
        assert_endures(root, searcher)
