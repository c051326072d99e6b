"""One rule for a value, said as of an argument of `neps.run` or as of a searcher's setting."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from neps._checking import ARGUMENTS, SETTINGS, Checks
from neps.errors import ArgumentError

WRONG: list[tuple[Callable[[Checks, Any], object], Any, str]] = [
    (lambda checks, value: checks.number("x", value, above=0), 0, "a finite number greater than 0"),
    (lambda checks, value: checks.number("x", value, least=0), -1, "a finite number of at least 0"),
    (lambda checks, value: checks.number("x", value, above=0, most=9), 10, "greater than 0 and at most 9"),
    (lambda checks, value: checks.number("x", value), 10**400, "a finite number"),
    (lambda checks, value: checks.number_or_none("x", value), float("nan"), "a finite number, or None"),
    (lambda checks, value: checks.probability("x", value), 1.5, "a number from 0 to 1"),
    (lambda checks, value: checks.probability("x", value), True, "a number from 0 to 1"),
    (lambda checks, value: checks.whole("x", value, least=2), 1, "a whole number of at least 2"),
    (lambda checks, value: checks.whole_or_none("x", value), 1.0, "a whole number of at least 1, or None"),
    (lambda checks, value: checks.whole_or_none("x", value, most=8), 9, r"at most 2\^3"),
    (lambda checks, value: checks.choice("x", value, ("a", "b", "c")), "d", "'a', 'b' or 'c'"),
    (lambda checks, value: checks.choice_or_none("x", value, ("a", "b")), 3, "'a', 'b' or None"),
    (lambda checks, value: checks.flag("x", value), 1, "True or False"),
]


@pytest.mark.parametrize(("check", "value", "rule"), WRONG)
def test_the_rule_is_the_same_and_the_sentence_fits(
    check: Callable[[Checks, Any], object], value: Any, rule: str
) -> None:
    with pytest.raises(ArgumentError, match=rf"^x is .*; it must be .*{rule}\."):
        check(ARGUMENTS, value)
    with pytest.raises(ArgumentError, match=rf"^x must be .*{rule}, not .*\."):
        check(SETTINGS, value)


def test_what_fits_becomes_a_plain_value() -> None:
    found = [
        *(SETTINGS.number("x", np.float32(0.5)), SETTINGS.probability("x", 1), SETTINGS.whole("x", np.int64(3))),
        *(ARGUMENTS.choice("x", "b", ("a", "b")), SETTINGS.flag("x", value=True)),
        *(
            ARGUMENTS.number_or_none("x", None),
            ARGUMENTS.whole_or_none("x", None),
            SETTINGS.choice_or_none("x", None, "a"),
        ),
    ]
    assert repr(found) == "[0.5, 1.0, 3, 'b', True, None, None, None]"
