"""Searchers are composed of parts, as the tables in the packages' docstrings say."""

from __future__ import annotations

import inspect
import re
from typing import Any

import pytest

from neps import samplers
from neps.samplers import Sampler
from neps.samplers import _multi_fidelity as multi_fidelity
from neps.samplers._model_based.model_search import ModelSearch
from neps.samplers._multi_fidelity.bracket_search import BracketSearch
from neps.samplers._multi_fidelity.freeze_thaw import FreezeThawSearch
from neps.samplers._multi_fidelity.modelled import Model
from neps.samplers._registry import SEARCHERS, constructor, remade, searcher_definition

ROWS = [tuple(row.split()) for row in re.findall(r"^    (\w+ +\w+ +O.*)$", multi_fidelity.__doc__ or "", re.MULTILINE)]
COMPOSED = {name: made for name in SEARCHERS if not inspect.isclass(made := constructor(name))}


def called(part: Any) -> str:
    kind = type(part).__name__
    return f"{kind}({called(part.fallback)})" if isinstance(part, Model) else kind


def test_the_table_has_all_with_brackets() -> None:
    found = {name for name, made in COMPOSED.items() if isinstance(made(), BracketSearch)}
    assert {row[0] for row in ROWS} == found
    assert len(ROWS) == len(found)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_search_in_brackets_is_composed_as_its_row_says(row: tuple[str, ...]) -> None:
    search = constructor(row[0])()
    assert isinstance(search, BracketSearch)
    module = SEARCHERS[row[0]][0].removeprefix("_multi_fidelity.")
    assert (row[0], module, *map(called, (search.kinds, search.promotion, search.source))) == row


@pytest.mark.parametrize("name", SEARCHERS)
def test_no_searcher_is_made_by_inheritance(name: str) -> None:
    kind = type(constructor(name)())
    assert kind.__bases__ == (Sampler,)
    if name in COMPOSED:
        assert kind in {BracketSearch, FreezeThawSearch, ModelSearch}


@pytest.mark.parametrize("name", SEARCHERS)
def test_what_makes_a_searcher_is_public_and_explains_its_settings(name: str) -> None:
    made = getattr(samplers, SEARCHERS[name][1])
    assert made is constructor(name)
    for setting in inspect.signature(made).parameters:
        assert f"    {setting}: " in (inspect.getdoc(made) or ""), setting
    sampler = made()
    assert (
        repr(sampler)
        == f"{made.__name__}({', '.join(f'{key}={value!r}' for key, value in sampler.settings().items())})"
    )
    assert list(sampler.settings()) == list(inspect.signature(made).parameters)
    assert remade(sampler) == sampler
    assert searcher_definition(sampler) == {"name": name, "settings": sampler.settings()}
