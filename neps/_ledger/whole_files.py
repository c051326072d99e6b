"""How a whole file appears: written under a name of its author's own, synced if it must last, then given its place.

All writers of whole files go through here: documents are linked (`exclusive`), checkpoints and what is derived replace
an older file. What is appended to, line by line, is written elsewhere.
"""

from __future__ import annotations

import contextlib
import os
import uuid
from typing import IO, Self

__all__ = ["Staged", "replace"]


class Staged:
    """A new file under a name of its author's own, for as long as the `with` lasts: then nothing has that name.

    The file is to be linked, or renamed, to its place meanwhile. Whatever fails, the bytes that were written under the
    own name are freed: they may take up the very space that is missing.

    Args:
        path: a name that nobody else uses, in the folder of the place.
    """

    __slots__ = ("path",)

    def __init__(self, path: str) -> None:
        self.path = path

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            os.unlink(self.path)  # noqa: PTH108

    def write(self, content: bytes, *, durable: bool) -> None:
        """Make the file, of this content; where it is `durable` it survives a power loss, but not yet its name."""
        descriptor = self._create()
        try:
            rest = memoryview(content)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            if durable:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def open(self) -> IO[bytes]:
        """Make the file, for somebody who writes to it himself, or by its `name`. `sync` makes it durable then."""
        return open(self.path, "xb", opener=self._create)

    def sync(self) -> None:
        """Make durable what is there: opened again, since whoever wrote may have closed it, or written by its name."""
        descriptor = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def replace(self, target: str) -> None:
        """Give the file its place, whatever stands there: readers see the old one or this one.

        After an error it counts as done if the own name is gone, which nobody else uses: the reply was lost, and a
        network filesystem that sends the request once more is told that there is no such file.
        """
        try:
            os.replace(self.path, target)  # noqa: PTH105
        except OSError:
            if os.path.lexists(self.path) or not os.path.lexists(target):
                raise

    def _create(self, *_: object) -> int:
        """Never truncate: a staged file that outlived its unlink is the published one, too."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        try:
            return os.open(self.path, flags, 0o666)
        except FileExistsError:
            os.unlink(self.path)  # noqa: PTH108
            return os.open(self.path, flags, 0o666)


def replace(path: str, content: bytes, *, durable: bool = False) -> None:
    """Put a whole file in the place of an older one: whoever writes last. Where that fails, the old one stays.

    Args:
        path: in a folder that exists.
        content: of the whole file.
        durable: whether the content must survive a power loss once it stands there.

    Raises:
        OSError: if it can't be written.
    """
    folder, name = os.path.split(path)
    with Staged(os.path.join(folder, f".{name}.{uuid.uuid4().hex}")) as staged:  # noqa: PTH118
        staged.write(content, durable=durable)
        staged.replace(path)
