"""Columns of an info_dict: bounded, and nothing is left out."""

from __future__ import annotations

from typing import Any

import pytest

from neps._views.columns import cells, columns


@pytest.mark.parametrize("info", [{"a.b": 1, "a": {"b": 2}}, {1: 1, "1": 2}])
def test_what_would_stand_in_one_column_stands_in_two(info: dict[Any, Any]) -> None:
    names = columns([info])
    row = cells(info, names)
    assert len(names) == 2
    assert row == {names[0]: 1, "info": f'{{"{names[0]}": 2}}'}


def test_beyond_so_many_the_rest_is_one_column() -> None:
    info = {f"key{number}": number for number in range(300)}
    names = columns([info])
    assert len(names) == 201
    assert '"info.key299": 299' in str(cells(info, names)["info"])
