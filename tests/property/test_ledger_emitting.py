from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from neps.ledger.emitting import emit

WORDS = [
    "no",
    "yes",
    "null",
    "~",
    "1e5",
    "1_0",
    "0x1f",
    "12:30:45",
    "2026-11-24",
    "2026-11-24T08:00:00+00:00",
    "=",
    "<<",
]
MARKS = [
    "- a",
    "? a",
    "a: b",
    "a #b",
    "#",
    "&a",
    "*a",
    "!a",
    "%a",
    "@a",
    "`a",
    "'",
    '"',
    "{",
    "[",
    "a,",
    " a",
    "a ",
    "",
]
texts = st.text(max_size=130) | st.sampled_from(WORDS + MARKS) | st.text(st.characters(max_codepoint=127), max_size=9)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts
keys = texts | st.integers()
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(keys, inner), max_leaves=8)


@given(st.dictionaries(keys, values))
@example({"a": {}, "b": [], "c": {"d": {}}})
@example({"number": {"no": 1e-300, "e": 1e22, "f": -0.0, "g": 5e-324, "h": 1e16}})
def test_it_writes_what_the_safe_dumper_writes(fields: dict[Any, Any]) -> None:
    assert emit(fields) == yaml.dump(
        fields, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True, width=1 << 30
    )


@pytest.mark.parametrize("text", WORDS + MARKS)
def test_a_text_stays_a_text(text: str) -> None:
    assert yaml.safe_load(emit({"k": text, "n": {"k": text}})) == {"k": text, "n": {"k": text}}
