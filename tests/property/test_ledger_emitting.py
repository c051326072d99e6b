from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from neps._ledger import emitting
from neps._ledger.emitting import emit

WORDS = ["no", "yes", "null", "~", "1e5", "1_0", "0x1f", "12:30:45", "2026-11-24T08:00:00+00:00", "=", "<<"]
MARKS = ["- a", "? a", "a: b", "a #b", "#", "&a", "*a", "!a", "%a", "@a", "`a", "'", '"', "{", "[", " a", "a ", ""]
texts = st.text(max_size=130) | st.sampled_from(WORDS + MARKS) | st.text(st.characters(max_codepoint=127), max_size=9)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts
keys = texts | st.integers()
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(keys, inner), max_leaves=8)


def by_yaml(fields: dict[Any, Any]) -> str:
    text: str = yaml.dump(fields, Dumper=emitting._Readable, sort_keys=False, allow_unicode=True, width=1 << 30)
    return text


@given(st.dictionaries(keys, values))
@example({"a": {}, "b": [], "c": {"d": {}}})
@example({"number": {"no": 1e-300, "e": 1e22, "f": -0.0, "g": 5e-324, "h": 1e16}})
def test_it_writes_what_the_safe_dumper_writes(fields: dict[Any, Any]) -> None:
    assert emit(fields) == by_yaml(fields)


@pytest.mark.parametrize("text", WORDS + MARKS)
def test_a_text_stays_a_text(text: str) -> None:
    assert yaml.safe_load(emit({"k": text, "n": {"k": text}})) == {"k": text, "n": {"k": text}}


def lines(alphabet: str) -> st.SearchStrategy[str]:
    return st.lists(st.text(alphabet, max_size=6), min_size=1, max_size=6).map("\n".join)


@given(lines("ab #:-'\"|>.") | lines("a ") | lines("a\t\r\x85\u2028\0é ") | st.text())
@example("NameError: x\n\nTraceback (most recent call last):\n  File 'a.py', line 1\n    ...\n...\n")
def test_texts_of_several_lines_come_back_as_they_were(text: str) -> None:
    for fields in ({"k": text}, {"n": {"k": text}}, {"n": [text, {"k": [text]}]}):
        written = emit(fields)
        assert yaml.load(written, Loader=yaml.CSafeLoader) == fields
        assert yaml.safe_load(written) == fields
        assert "\n...\n" not in written


def test_a_traceback_can_be_read() -> None:
    text = "ValueError: no\n\nTraceback (most recent call last):\n  File 'a.py', line 1"
    block = "  ValueError: no\n\n  Traceback (most recent call last):\n    File 'a.py', line 1\n"
    assert emit({"error": text, "worker": "w"}) == f"error: |-\n{block}worker: w\n"
