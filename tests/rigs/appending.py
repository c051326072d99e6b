"""A file that many processes append to at once, whatever befalls them: evidence, of which neps knows nothing.

Called by proofs and stress tests, in the processes that they start, too.
"""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["append"]


def append(path: Path, text: str) -> None:
    """Append it in one write, which in append mode is never torn on a local disk."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)
