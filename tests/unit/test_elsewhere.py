"""Names that other tools and versions have in their top module: the error says what to write here."""

from __future__ import annotations

import pytest

import neps
from neps._elsewhere import NAMES


@pytest.mark.parametrize("name", ["PipelineSpace", "IntegerFidelity", "create_study", "Ordinal"])
def test_they_are_explained(name: str) -> None:
    with pytest.raises(AttributeError) as refused:
        getattr(neps, name)
    assert str(refused.value) == f"module 'neps' has no attribute '{name}'. {NAMES[name]}"


def test_none_of_them_exists() -> None:
    assert not NAMES.keys() & set(neps.__all__)


def test_others_stay_plain() -> None:
    with pytest.raises(AttributeError, match=r"^module 'neps' has no attribute 'nonsense'$"):
        _ = neps.nonsense
