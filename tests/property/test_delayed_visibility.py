"""Workers that see names, contents and times late keep the protocol; and each way to break it would be found.

The machine is in `tests/visibility`; `python -m visibility` runs it for longer.
"""

from __future__ import annotations

import pytest

from visibility.machine import run
from visibility.mutations import MUTATIONS

_QUICKLY_FOUND = (
    "a name is free if stat says so",
    "a result is published without competing for the end",
    "numbers are decided before lower ones are",
)


def test_the_model_is_never_contradicted() -> None:
    assert run(1, 120) is None


@pytest.mark.parametrize("broken", _QUICKLY_FOUND)
def test_a_broken_protocol_is_found(broken: str) -> None:
    with MUTATIONS[broken]():
        assert run(1, 400, shrink=False) is not None
