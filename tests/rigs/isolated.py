"""Runs the `main` function of a rig in a bare interpreter of its own.

Standard library only, no site packages, no coverage, deaf to PYTHONPATH: so a rig starts fast, and the environment
it hands on to the code under test stays as the test set it. Called by `rigs.hosts` and `rigs.faultfs`.
"""

from __future__ import annotations

import sys
from pathlib import Path

__all__ = ["isolated"]

_TESTS = str(Path(__file__).resolve().parents[1])


def isolated(module: str) -> list[str]:
    """The start of a command line that runs `main()` of `rigs.<module>`; its arguments follow in `sys.argv[1:]`."""
    program = f"import sys; sys.path.insert(0, {_TESTS!r}); from rigs.{module} import main; main()"
    return [sys.executable, "-I", "-S", "-c", program]
