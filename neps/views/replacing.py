"""How a derived file appears: whole, in the place of an older one, by whoever writes last.

Called by `summary` and `plot`. The ledger's documents are published otherwise, once and for ever.
"""

from __future__ import annotations

import contextlib
import os
import uuid

__all__ = ["replace"]


def replace(path: str, content: bytes) -> None:
    """Readers see the old file or the new one; where it can't be written, the old one stays.

    Args:
        path: in a folder that exists.
        content: of the whole file.

    Raises:
        OSError: if it can't be written.
    """
    folder, name = os.path.split(path)
    temporary = os.path.join(folder, f".{name}.{uuid.uuid4().hex}")  # noqa: PTH118
    try:
        with open(temporary, "wb") as file:  # noqa: PTH123
            file.write(content)
        os.replace(temporary, path)  # noqa: PTH105
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)  # noqa: PTH108
        raise
