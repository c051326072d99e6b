"""Small matrices in one thread, as samplers work with them: several get in each other's way on a busy machine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from neps._models.threads import one_thread


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    with one_thread():
        yield
