"""A leash for searches that a test has to keep up with: trials above a number wait, until the test lengthens it.

Without one a busy machine decides how much of a search is left when the test does its part. Used by objectives and
tests.
"""

from __future__ import annotations

import time
from pathlib import Path

__all__ = ["hold", "lengthen"]


def lengthen(leash: Path, number: int) -> None:
    """Trials up to this number may go on; to be called once before anybody is held."""
    new = leash.with_suffix(".new")
    new.write_text(str(number))
    new.replace(leash)


def hold(leash: str, number: int) -> None:
    """Waits until a trial may go on; at once where there is no leash."""
    while leash and int(Path(leash).read_text()) < number:
        time.sleep(0.005)
