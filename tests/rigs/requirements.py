"""What a test needs of its machine. Called by fixtures and tests; the rule that CI skips nothing is in conftest.py."""

from __future__ import annotations

import pytest

__all__ = ["require"]


def require(reason: str | None) -> None:
    """Skips the test for `reason`, the answer of an `..._available()`; None goes on. In CI each skip is a failure."""
    if reason is not None:
        pytest.skip(reason)
