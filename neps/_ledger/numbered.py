"""Documents of a run that are numbered 1, 2, 3 … without gaps in a folder of their own, each made by link.

Whoever adds one takes the number after the highest that it sees, and the next one if that is taken. Requests to leave
and what users know of trials are such documents.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
from collections.abc import Callable, Mapping
from typing import Any

from neps._ledger import documents
from neps._ledger.exclusive import publish, sync_folder

__all__ = ["Numbered"]

_logger = logging.getLogger("neps.ledger")


@dataclasses.dataclass(frozen=True, slots=True)
class Numbered:
    """The documents in one folder.

    Args:
        folder: its path; made with the first document.
        name: the name of a document by its number.
        number: the number by a name; None for names of other things.
    """

    folder: str
    name: Callable[[int], str]
    number: Callable[[str], int | None]

    def path(self, number: int) -> str:
        """Where it lies."""
        return f"{self.folder}/{self.name(number)}"

    def add(self, fields: Callable[[int], Mapping[str, Any]], token: str) -> int:
        """Publish one more, with what it says under its number. `sync` makes it durable.

        Raises:
            OSError: if it can't be written.
        """
        os.makedirs(self.folder, exist_ok=True)  # noqa: PTH103
        number = self.last() + 1
        while not publish(self.folder, self.name(number), documents.encode(fields(number)), token):
            number += 1
        return number

    def sync(self) -> None:
        """Make the documents durable.

        Raises:
            OSError: if the filesystem fails. They are there all the same.
        """
        folder = self.folder
        for _ in range(3):  # up to the root: a run has had none of them before
            sync_folder(folder)
            folder = os.path.dirname(folder)  # noqa: PTH120

    def sync_if_possible(self) -> None:
        """The same, for what was asked for and is there: to fail would ask for it once more."""
        try:
            self.sync()
        except OSError as error:
            _logger.warning("What was written to %s may not survive a power loss: %s", self.folder, error)

    def last(self) -> int:
        """The highest number that is taken. A listing and a look at a name may each be stale where the other is not."""
        names: list[str] = []
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            names = os.listdir(self.folder)  # noqa: PTH208
        number = max(filter(None, map(self.number, names)), default=0)
        while self.is_there(number + 1):
            number += 1
        return number

    def is_there(self, number: int) -> bool:
        """Whether that one is there.

        Raises:
            OSError: if the filesystem fails: then nobody knows.
        """
        try:
            os.lstat(self.path(number))
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True
