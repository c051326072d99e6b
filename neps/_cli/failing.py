"""Errors as a command tells them: one line on standard error, and an exit code."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable

from neps.errors import ArgumentError, NepsError

__all__ = ["each", "failed"]


def failed(error: Exception) -> int:
    """Say what went wrong; 2 if it was asked wrongly, else 1."""
    print(f"neps: {error}", file=sys.stderr)
    return 2 if isinstance(error, ArgumentError) else 1


def each(roots: Iterable[str], act: Callable[[str], int | None]) -> int:
    """Do the same with several roots: what one of them fails by keeps none of the others from being done.

    Returns:
        The highest exit code.
    """
    codes = [0]
    for root in roots:
        try:
            codes.append(act(root) or 0)
        except BrokenPipeError:
            raise
        except (NepsError, OSError) as error:
            codes.append(failed(error))
    return max(codes)
