"""`neps.load`: the history of a run, read without taking part in it."""

from __future__ import annotations

from pathlib import Path

from neps._api.arguments import root_path
from neps._calling import public
from neps._history import History
from neps._ledger.reading import read_history
from neps._ledger.storage import told_of

__all__ = ["load"]


@public("neps.load")
def load(root_directory: str | Path) -> History:
    """The history of the run in `root_directory`; needs no write permission and changes nothing.

    Args:
        root_directory: where the run lies, as passed to `neps.run` (with its `task_ID` and `dev_ID` folders).

    Returns:
        All trials, those that are running or wait included.

    Raises:
        neps.errors.DirectoryError: if there is no run, or it can't be read.

    Example:
        >>> import neps, tempfile
        >>> root = tempfile.mkdtemp()
        >>> space = {"x": neps.Integer(1, 1)}
        >>> _ = neps.run(lambda x: x / 2, root, space, searcher="grid_search")
        >>> neps.load(root).best.config
        {'x': 1}
    """
    root = root_path(root_directory)
    with told_of(root, "Then load it again."):
        return read_history(root)
