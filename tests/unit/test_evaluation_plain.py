"""plain and clean: whatever the user's value is or does, what comes out goes through YAML and back unchanged."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import math
from collections import OrderedDict, namedtuple
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from neps._evaluation.plain import clean, plain, text
from neps._ledger import documents
from neps._ledger.foreign import LARGEST


class Number(enum.IntEnum):
    ONE = 1


class Word(enum.StrEnum):
    A = "a"


class Color(enum.Enum):
    RED = object()


class LoudText(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "loud"


class BadStr:
    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __str__(self) -> str:
        raise self.error

    __repr__ = __str__


class NoText:
    def __str__(self) -> str:
        return 7  # type: ignore[return-value]  # noqa: PLE0307 - broken on purpose


class BadMapping(Mapping[str, int]):
    def __getitem__(self, key: str) -> int:
        raise SystemExit(3)

    def __iter__(self) -> Iterator[str]:
        return iter(["a"])

    def __len__(self) -> int:
        return 1


class BadProperty:
    @property
    def item(self) -> None:
        raise GeneratorExit


@dataclasses.dataclass
class Record:
    x: int = 1


Pair = namedtuple("Pair", "a b")  # noqa: PYI024 - an untyped one, as users have them
MOMENT = dt.datetime(2024, 5, 6, 7, 8, 9, tzinfo=dt.UTC)


def through_yaml(value: Any) -> Any:
    return yaml.load(yaml.dump(value, Dumper=yaml.CSafeDumper, sort_keys=False), Loader=yaml.CSafeLoader)


def is_same(a: Any, b: Any) -> bool:
    """Equal, of the same types all the way down, where NaN is NaN."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        pairs = zip(a.items(), b.items(), strict=False)
        return len(a) == len(b) and all(is_same(list(x), list(y)) for x, y in pairs)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(is_same, a, b))
    return bool(a == b or (isinstance(a, float) and math.isnan(a) and math.isnan(b)))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (Number.ONE, 1),
        (Word.A, "a"),
        (Color.RED, "Color.RED"),
        (LoudText("quiet"), "quiet"),
        (np.str_("word"), "word"),
        (np.float64(0.5), 0.5),
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.longdouble("0.5"), "0.5"),
        (np.arange(4).reshape(2, 2), [[0, 1], [2, 3]]),
        (np.array(["a", None], dtype=object), ["a", None]),
        (torch.tensor(0.5, requires_grad=True), 0.5),
        (torch.tensor([True, False]), [True, False]),
        (torch.zeros(2, 1), [[0.0], [0.0]]),
        ((1, [2, {3}]), [1, [2, [3]]]),
        (Pair(1, 2), [1, 2]),
        (OrderedDict(a=frozenset([1])), {"a": [1]}),
        (PurePosixPath("a/b"), "a/b"),
        (MOMENT, "2024-05-06T07:08:09+00:00"),
        (MOMENT.date(), "2024-05-06"),
        (MOMENT.time(), "07:08:09"),
        (Decimal("1.5"), "1.5"),
        (1 + 2j, "(1+2j)"),
        (b"ab", "b'ab'"),
        (Record(), "Record(x=1)"),
        ({1: 2, None: 3, False: 4}, {1: 2, None: 3, False: 4}),
        ({(1, 2): 3, PurePosixPath("p"): 4}, {"[1, 2]": 3, "p": 4}),
        (2**1999, 2**1999),
        (2**9_999, "0x8" + "0" * 2_499),
        (BadStr(ValueError("x")), "<BadStr: it can't be shown as text, since __str__ raised ValueError>"),
        (BadStr(KeyboardInterrupt()), "<BadStr: it can't be shown as text, since __str__ raised KeyboardInterrupt>"),
        (NoText(), "<NoText: it can't be shown as text, since __str__ raised TypeError>"),
    ],
)
def test_conversion(value: object, expected: object) -> None:
    converted = plain(value)
    assert is_same(converted, expected), converted
    assert is_same(through_yaml(converted), expected)


@pytest.mark.parametrize("value", [BadMapping(), BadProperty(), MagicMock(), np.zeros(1001), torch.zeros(1001), object])
def test_everything_else_becomes_text(value: object) -> None:
    converted = plain({"odd": value, "rest": 1})
    assert isinstance(converted["odd"], str)
    assert converted["rest"] == 1
    assert through_yaml(converted) == converted


def test_a_large_array_is_left_out_and_its_place_says_so() -> None:
    info = {
        "confusion": np.zeros((40, 50)),
        "of": torch.zeros(3, 500, requires_grad=True),
        "log": [np.zeros(1001)],
    }
    assert plain(info) == {
        "confusion": "<left out: ndarray of 40 × 50 values; lists hold up to 1000, so save it as a file>",
        "of": "<left out: Tensor of 3 × 500 values; lists hold up to 1000, so save it as a file>",
        "log": ["<left out: ndarray of 1001 values; lists hold up to 1000, so save it as a file>"],
    }
    largest = plain({"of": np.arange(1000).reshape(10, 100)})["of"]
    assert [len(row) for row in largest] == [100] * 10


def test_tables_are_lists_by_column() -> None:
    table = pd.DataFrame({"a": [1, 2], "b": [0.5, None]})
    converted = plain({"table": table, "column": table["a"], "many": pd.concat([table] * 1000)})
    assert converted["table"]["a"] == [1, 2]
    assert converted["column"] == [1, 2]
    assert converted["many"].startswith("<left out: DataFrame of 2000 × 2 values")
    assert "..." not in str(plain({"sparse": csr_array(np.eye(2000))}))


def test_cycles_and_depth_end_in_text() -> None:
    cycle: list[Any] = [1]
    cycle.append({"again": cycle})
    assert plain(cycle) == [1, {"again": "<list that contains itself>"}]
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert "<list nested more than 20 deep>" in str(plain(deep))
    shared = [[0]] * 2
    assert plain(shared) == [[0], [0]]


def test_lists_that_share_lists_do_not_fill_the_memory() -> None:
    value: Any = [0]
    mapping: Any = {}
    for _ in range(18):
        value = [value, value]
        mapping = {"a": mapping, "b": mapping}
    for converted in (str(plain(value)), str(plain(mapping))):
        assert len(converted) < 5_000_000
        assert "<left out: more than 100000 values>" in converted


def test_long_texts_lose_their_middle() -> None:
    long = "a" * 6_000 + "b" * 6_000
    assert plain(long) == "a" * 5_000 + " [… 2000 characters left out …] " + "b" * 5_000
    assert text("x" * 10, limit=4) == "xx [… 6 characters left out …] xx"


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(alphabet=st.characters())
    | st.text(alphabet=st.characters(categories=["Cs", "Cc", "Zl", "Zp", "Zs", "Cn"]))
    | st.sampled_from(["<<", "=", "...", "---", "null", "1e3", "0o7", "2024-05-06", "? x", "- x", "\ufeff", "a" * 300])
    | st.binary()
    | st.datetimes()
    | st.complex_numbers()
    | st.decimals(allow_nan=False)
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner, inner)
        | st.dictionaries(scalars | st.tuples(scalars), inner)
        | st.frozensets(scalars)
    ),
    max_leaves=20,
)


@given(values)
@example({"<<": {"a": 1}})
@example({"a" * 2_000: ["\n\t x \n", " ", "\r\n"]})
def test_round_trip_through_yaml(value: object) -> None:
    converted = plain(value)
    assert is_same(through_yaml(converted), converted)


@given(st.text(alphabet=st.characters()))
def test_clean_changes_nothing_that_can_be_printed(string: str) -> None:
    cleaned = clean(string)
    assert clean(cleaned) == cleaned
    cleaned.encode()
    if string.isprintable():
        assert cleaned == string


def test_all_texts_together_are_bounded() -> None:
    value = plain({str(number): "x" * 10_000 for number in range(200)})
    assert sum(len(text) for text in value.values()) < 1_020_000
    assert value["150"] == "<left out: more than 1000000 characters>"


def test_names_that_do_not_fit_are_not_taken_for_one() -> None:
    value = plain({"texts": ["x" * 10_000] * 99 + ["x" * 9_990]} | {f"name of {number}": number for number in range(3)})
    assert list(value) == ["texts", "<left out: more than 1000000 characters>"]
    assert value["<left out: more than 1000000 characters>"] is None


def test_numbers_that_no_reader_takes_for_keys_become_text() -> None:
    assert plain({2**64: 1, 2**64 + 1: 2}) == {2**64: 1, str(2**64 + 1): 2}


def test_the_largest_is_read_again() -> None:
    """Deep, so that it is indented most, with lines of one letter, and of as many values as there may be."""
    value: Any = ["a\n" * 4999 for _ in range(100)] + list(range(99_000))
    for _ in range(18):
        value = [value]
    content = documents.encode({"info_dict": {"a": plain(value)}})
    assert len(content) < LARGEST
    assert documents.decode("a", content)["info_dict"]["a"] == plain(value)
