"""docs/trackers.md keeps its word: its first snippet runs, and the others are parts of examples that tests run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import neps
from neps.callbacks import Ending

PAGE = Path(__file__).resolve().parents[2] / "docs" / "trackers.md"
CALLBACK, LIGHTNING, TRANSFORMERS = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)


def test_the_callback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    exec(CALLBACK, {"__name__": "__main__"})  # noqa: S102 - it is what users are told to run
    (trial, *_) = neps.load("results/tracked").trials
    shown = capsys.readouterr().out.splitlines()
    assert len(shown) == 3 * 5
    assert shown[0] == f"trial 1 begins: {dict(trial.config)}"
    assert shown[3:5] == [f"trial 1, step 3: {trial.loss:g}", f"trial 1 ends: success, {trial.loss}"]
    assert len(list(tmp_path.glob("results/tracked/config_*/tensorboard/events.out.tfevents.*"))) == 3


@pytest.mark.parametrize(
    ("snippet", "example"), [(LIGHTNING, "lightning_spirals.py"), (TRANSFORMERS, "transformers_sentences.py")]
)
def test_the_frameworks(snippet: str, example: str) -> None:
    assert snippet in (PAGE.parents[1] / "examples" / example).read_text()


def test_the_table_of_endings() -> None:
    assert re.findall(r"^\| `(\w+)` \|", PAGE.read_text(), re.MULTILINE) == [str(ending) for ending in Ending]
