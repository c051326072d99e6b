"""Small multiples: which methods stand out in which panel, and that people tell the colours of a panel apart."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import pytest
from matplotlib.colors import to_hex

from benchmarks.comparing.methods import OURS
from benchmarks.comparing.multiples import Column, coloured, columns, grid
from benchmarks.multifidelity.methods import BEST as BEST_OF_FIDELITIES
from benchmarks.multifidelity.methods import METHODS as METHODS_OF_FIDELITIES
from benchmarks.multifidelity.plots import _GROUPS as GROUPS_OF_FIDELITIES
from benchmarks.regret.methods import METHODS
from benchmarks.regret.plots import _GROUPS as GROUPS
from neps._views.colours import BEST, SEVERAL

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclasses.dataclass(frozen=True)
class _Named:
    name: str


def _methods(*names: str) -> list[_Named]:
    return [_Named(name) for name in names]


def test_each_column_brings_out_one_group_and_ours() -> None:
    shown = columns(_methods("ours", "a", "b", "c"), {"one": coloured("a", "b"), "two": coloured("c", "d")}, "ours")
    assert [column.title for column in shown] == ["one", "two"]
    looks = [{method.name: column.look(method) for method in column.methods} for column in shown]
    assert [[name for name, look in each.items() if look.stands_out] for each in looks] == [
        ["ours", "a", "b"],
        ["ours", "c"],
    ]
    assert {each["ours"].colour for each in looks} == {BEST}
    assert looks[0]["c"].colour == looks[1]["a"].colour


def test_methods_of_no_group_come_last_in_as_many_columns_as_they_need() -> None:
    others = [f"m{number}" for number in range(8)]
    shown = columns(_methods("ours", "a", *others), {"one": coloured("a"), "two": coloured("b")}, "ours")
    assert [(column.title, len(column.group)) for column in shown] == [("one", 1), ("others", 6), ("others", 2)]
    assert [column.title for column in columns(_methods("ours"), {}, "ours")] == ["ours"]


@pytest.mark.parametrize(
    ("groups", "known", "ours"),
    [(GROUPS, METHODS, OURS), (GROUPS_OF_FIDELITIES, METHODS_OF_FIDELITIES, BEST_OF_FIDELITIES)],
)
def test_the_methods_of_a_group_are_known_and_have_colours_that_people_tell_apart(
    groups: dict[str, dict[str, str]], known: dict[str, object], ours: str
) -> None:
    assert ours in known
    for group in groups.values():
        assert group.keys() <= known.keys()
        assert len({*group.values(), BEST}) == len(group) + 1
        assert {*group.values()} <= {*SEVERAL}


def test_a_grid_has_a_panel_for_each_row_and_column_and_legends_below() -> None:
    shown = columns(_methods("ours", "a", "b"), {"one": coloured("a"), "two": coloured("b")}, "ours")

    def draw(axes: Axes, row: int, column: Column[_Named]) -> None:
        for method in column.methods:
            look = column.look(method)
            axes.plot(np.arange(3) * (row + 1), label=method.name if look.stands_out else "", **look.line)
        axes.set_xlabel("spent")

    figure = grid(shown, ["first", "a-rather-long (name)"], 1.0, draw)
    panels, legends = figure.axes[:4], figure.axes[4:]
    assert [axes.get_title() for axes in panels] == ["one", "two", "", ""]
    assert [axes.get_ylabel() for axes in panels] == ["first", "", "a-rather-long\n(name)", ""]
    assert [axes.get_xlabel() for axes in panels] == ["", "", "spent", "spent"]
    texts = [axes.get_legend().get_texts() for axes in legends]  # type: ignore[union-attr] # there is one
    assert [[text.get_text() for text in each] for each in texts] == [
        ["ours", "a", "the others"],
        ["ours", "b", "the others"],
    ]
    assert to_hex(panels[0].get_lines()[0].get_color()) == BEST.lower()
