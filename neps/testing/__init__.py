"""Contract suites and simulations for people who extend neps: run them against your own sampler or filesystem.

Nothing in neps itself imports this, but for `neps check`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from neps._lazily import importing

if TYPE_CHECKING:
    from neps.testing.filesystem import FilesystemContract
    from neps.testing.samplers import SamplerContract
    from neps.testing.simulation import simulate

__all__ = ["FilesystemContract", "SamplerContract", "simulate"]

__getattr__ = importing(
    __name__, {"FilesystemContract": "filesystem", "SamplerContract": "samplers", "simulate": "simulation"}
)
