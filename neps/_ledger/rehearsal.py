"""Where `neps.run` works during a rehearsal (`neps preempt-test`): a folder of its own in place of the user's root."""

from __future__ import annotations

import hashlib
import logging
import os

__all__ = ["VARIABLE", "rehearsed"]

_logger = logging.getLogger("neps")

VARIABLE = "NEPS_REHEARSAL_DIRECTORY"
"""The environment variable that names the folder; each root directory has a folder of its own in it."""


def rehearsed(root: str) -> str:
    """The root directory to work in: `root`, or the folder that stands for it in a rehearsal.

    Example:
        >>> rehearsed("/results/example")
        '/results/example'
    """
    if not (folder := os.environ.get(VARIABLE)):
        return root
    name = hashlib.blake2b(os.fsencode(root), digest_size=8).hexdigest()
    place = f"{os.path.abspath(folder)}/root_{name}"  # noqa: PTH100
    _logger.warning("%s is set, so this is a rehearsal: it works in %s in place of %s.", VARIABLE, place, root)
    return place
