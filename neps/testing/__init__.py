"""Contract suites and simulations for people who extend neps: run them against your own sampler or filesystem.

Nothing in neps itself imports this, but for `neps check`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from neps.testing.filesystem import FilesystemContract
    from neps.testing.samplers import SamplerContract
    from neps.testing.simulation import simulate

__all__ = ["FilesystemContract", "SamplerContract", "simulate"]

_HOME = {"FilesystemContract": "filesystem", "SamplerContract": "samplers", "simulate": "simulation"}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that each suite needs only what it tests."""
    if name not in _HOME:
        raise AttributeError(f"module 'neps.testing' has no attribute {name!r}")
    return getattr(importlib.import_module(f"neps.testing.{_HOME[name]}"), name)
