"""docs/writing-a-sampler.md does what it says."""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path

import pytest

_PAGE = Path(__file__).parents[2] / "docs" / "writing-a-sampler.md"


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """A module that holds all code of the page."""
    code = "\n".join(re.findall(r"```python\n(.*?)```", _PAGE.read_text(encoding="utf-8"), re.DOTALL))
    module = types.ModuleType("writing_a_sampler")
    monkeypatch.setitem(sys.modules, module.__name__, module)  # pickle looks classes up there
    exec(compile(code, str(_PAGE), "exec"), module.__dict__)  # noqa: S102 - our own page
    return module


def test_the_example_finds_a_good_configuration(page: types.ModuleType) -> None:
    assert len(page.history.trials) == 100
    assert page.history.best.loss < 0.1


def test_the_example_keeps_the_contract(page: types.ModuleType) -> None:
    suite = page.TestHillClimber()
    names = [name for name in dir(suite) if name.startswith("test_")]
    assert len(names) >= 10
    for name in names:
        getattr(suite, name)()
