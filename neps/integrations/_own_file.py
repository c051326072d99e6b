"""Which trainer's a checkpoint file is: two of one attempt can't have the same one.

Else the second would go on from where the first has ended, such as the second fold of a cross-validation: it would
train nothing, and return the first one's loss.
"""

from __future__ import annotations

import os
from pathlib import Path

from neps.checkpoint._attempts import attempt_in
from neps.errors import ArgumentError

__all__ = ["OwnFile"]


class OwnFile:
    """The file that one callback keeps its trainer's checkpoint in.

    Outside of neps.run there are no attempts, and nothing says where one training ends and the next begins: a cell of a
    notebook that is run again, with a new callback, goes on from the file as a later attempt would. There each may.
    """

    def __init__(self, directory: str | os.PathLike[str], name: str) -> None:
        self._directory, self._name = os.fspath(directory), name

    def take(self) -> None:
        """A training with it begins; with the same callback again, another one of the same model.

        Raises:
            ArgumentError: if another callback has trained with it in this attempt and process.
        """
        if (attempt := attempt_in(self._directory)) is None:
            return
        path = Path(os.path.realpath(self._directory), self._name)
        if attempt.trainers.setdefault(path, self) is not self:
            stem, suffix = os.path.splitext(self._name)  # noqa: PTH122 - a name, not a path
            raise ArgumentError(
                f"two trainers of this trial keep their checkpoints in {self._name!r}, so the second would go on where "
                f"the first has ended. Give each NepsCallback a name of its own, such as name='{stem}_2{suffix}' for "
                "the second fold. If it is to go on with the first one's training, pass it the first one's callback."
            )
