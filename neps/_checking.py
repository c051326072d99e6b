"""What users pass, checked and converted to plain values: each rule once, for arguments and for settings alike.

Only values: paths and search spaces are checked where they are known. `neps.run` and searchers call it.
"""

from __future__ import annotations

import dataclasses
import math
import numbers
from collections.abc import Callable, Sequence

from neps.errors import ArgumentError, nearest, shown

__all__ = ["ARGUMENTS", "SETTINGS", "Checks"]


@dataclasses.dataclass(frozen=True)
class Checks:
    """Rules for values; each raises an ArgumentError for what it doesn't take.

    Args:
        says: the message, from the name, the value and the rule.
    """

    says: Callable[[str, object, str], str]

    def number(
        self, name: str, value: object, *, least: float = -math.inf, above: float = -math.inf, most: float = math.inf
    ) -> float:
        """A finite number that is at least `least`, greater than `above` and at most `most`, as a plain float."""
        return self._number(name, value, (least, above, most), "")

    def number_or_none(
        self, name: str, value: object, *, least: float = -math.inf, above: float = -math.inf, most: float = math.inf
    ) -> float | None:
        """The same, or None."""
        return None if value is None else self._number(name, value, (least, above, most), ", or None")

    def probability(self, name: str, value: object) -> float:
        """A number from 0 to 1, as a plain float."""
        converted = _real(value)
        if not 0.0 <= converted <= 1.0:
            raise self._error(name, value, "a number from 0 to 1")
        return converted

    def whole(self, name: str, value: object, *, least: int = 1) -> int:
        """A whole number of at least `least`, as a plain int."""
        return self._whole(name, value, least, "")

    def whole_or_none(self, name: str, value: object, *, least: int = 1, most: int | None = None) -> int | None:
        """The same, or None; and at most `most`, a power of two."""
        if value is None:
            return None
        converted = self._whole(name, value, least, ", or None")
        if most is not None and converted > most:
            raise self._error(name, converted, f"at most 2^{most.bit_length() - 1}")
        return converted

    def choice(self, name: str, value: object, choices: Sequence[str]) -> str:
        """One of a few words, as plain str."""
        return self._choice(name, value, choices, [])

    def choice_or_none(self, name: str, value: object, choices: Sequence[str]) -> str | None:
        """The same, or None."""
        return None if value is None else self._choice(name, value, choices, ["None"])

    def flag(self, name: str, value: object) -> bool:
        """True or False."""
        if not isinstance(value, bool):
            raise self._error(name, value, "True or False")
        return value

    def _number(self, name: str, value: object, bounds: tuple[float, float, float], otherwise: str) -> float:
        least, above, most = bounds
        converted = _real(value)
        if not math.isfinite(converted) or converted < least or converted <= above or converted > most:
            rule = f" of at least {least:g}" if least > -math.inf else ""
            rule = f" greater than {above:g}" if above > -math.inf else rule
            rule += f" and at most {most:,.0f}" if most < math.inf else ""
            raise self._error(name, value, f"a finite number{rule}{otherwise}")
        return converted

    def _whole(self, name: str, value: object, least: int, otherwise: str) -> int:
        if not isinstance(value, numbers.Integral) or isinstance(value, bool) or value < least:
            raise self._error(name, value, f"a whole number of at least {least}{otherwise}")
        return int(value)

    def _choice(self, name: str, value: object, choices: Sequence[str], otherwise: list[str]) -> str:
        if not isinstance(value, str) or value not in choices:
            *others, last = [*map(repr, choices), *otherwise]
            message = self.says(name, value, f"{', '.join(others)} or {last}")
            raise ArgumentError(message + nearest(str(value), choices))
        return next(choice for choice in choices if choice == value)

    def _error(self, name: str, value: object, rule: str) -> ArgumentError:
        return ArgumentError(self.says(name, value, rule))


ARGUMENTS = Checks(lambda name, value, rule: f"{name} is {shown(value)}; it must be {rule}.")
"""For what is passed to `neps.run` and its like."""

SETTINGS = Checks(lambda name, value, rule: f"{name} must be {rule}, not {value!r}.")
"""For a searcher's settings."""


def _real(value: object) -> float:
    """The number, infinity for one beyond all floats, or NaN for anything else."""
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.inf
