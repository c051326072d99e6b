"""Exclusive creation: the few filesystem primitives that correctness rests on, and nothing else.

Each contested name of a run is made by exactly one of them, for ever. They hold on every filesystem on which
`neps.testing.FilesystemContract` passes; docs/how-it-works.md tells which others were measured and why they
failed (renaming a prepared folder, O_EXCL with content, unlinking, locks). Called by the rest of the ledger.
"""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Callable

from neps._ledger.foreign import END_MARKER, NotAFileError, is_complete, read
from neps._ledger.whole_files import Staged

__all__ = [
    "PATIENCE",
    "make_folder",
    "move_away",
    "publish",
    "put",
    "relocate",
    "sync_folder",
]

PATIENCE = 5.0
"""For how many seconds an exclusive creation goes on trying, where nothing else is said."""

_UNSUPPORTED = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.EACCES})


def make_folder(path: str) -> bool:
    """Reserve a name: True for the one caller who made the folder.

    mkdir has one winner on every filesystem that was measured. A caller who got an error although the folder
    was made (a lost reply) can't know it: False then means "somebody's, perhaps mine", a half claim.

    Raises:
        OSError: if the folder could not be made and isn't there.
    """
    try:
        os.mkdir(path)  # noqa: PTH102 - strings: this is called for each claim, and Path costs more than mkdir
    except FileExistsError:
        return False
    except OSError:
        if os.path.lexists(path):
            return False
        raise
    return True


def publish(
    folder: str, name: str, content: bytes, token: str, *, durable: bool = True, patience: float = PATIENCE
) -> bool:
    """Make `content` appear at `folder/name`, whole, and only if nothing is there: True if it is ours.

    The content is staged as `.NAME.TOKEN` in the same folder and linked. The form of that name matters: GlusterFS
    then places it beside NAME, and only so has link one winner there.

    Args:
        folder: an existing folder.
        name: the final name.
        content: a document that ends with `END_MARKER`, with something in it that only its author writes.
        token: the author's, without a dot.
        durable: whether the content must survive a power loss once the name is seen.
        patience: seconds to go on trying after errors, and to wait for a name that exists but can't be read.

    Raises:
        OSError: if the content can't be staged, or the name neither be made nor found.
    """
    with Staged(f"{folder}/.{name}.{token}") as staged:
        staged.write(content, durable=durable)
        return _link(staged.path, f"{folder}/{name}", content, time.monotonic() + patience)


def _link(staged: str, target: str, content: bytes, deadline: float) -> bool:
    """Link, and after an error look whose content is there: a reply may be lost, and a retransmission refused."""
    pause = 0.001
    while True:
        try:
            os.link(staged, target)
        except OSError as error:
            failure = error
        else:
            return True
        seen = _seen(target)
        if seen == content:
            return True
        if seen is not None and is_complete(seen):
            return False
        if time.monotonic() > deadline:
            if isinstance(failure, FileExistsError):
                return False
            raise failure
        time.sleep(pause)
        pause = min(2 * pause, 0.1)


def _seen(path: str) -> bytes | None:
    """What stands at a name: its content, something complete where it is no file, None where that can't be told."""
    try:
        return read(path)
    except NotAFileError:
        return END_MARKER
    except OSError:
        return None


def move_away(source: str, own_name: str) -> bool:
    """Rename `source` to a name that only the caller uses: True for the one caller who took it away.

    Unlike unlink, which has two winners on some distributed filesystems. The target must not exist, or, for
    folders, must be full: then the rename fails and nothing is lost.
    """
    try:
        os.rename(source, own_name)  # noqa: PTH104
    except FileNotFoundError:
        return os.path.lexists(own_name)  # the reply was lost, and the request sent once more; or it was somebody else
    except OSError as error:
        if error.errno in {errno.ENOTEMPTY, errno.EEXIST, errno.ESTALE}:
            return False
        if not os.path.lexists(own_name):
            raise
        return not os.path.lexists(source)  # done, and the reply was lost; or refused, by an error of its own
    return True


def relocate(source: str, own_name: str, destination: Callable[[str], str]) -> bool:
    """Take a file away from a contested name, look at what it is, and put it where it belongs.

    What is taken need not be what was meant: somebody may have published anew in between. Then it goes back.

    Args:
        source: the contested name.
        own_name: a name that only the caller uses.
        destination: called with `own_name`, says where the file belongs; that name may already be taken by the same.

    Returns:
        Whether this caller took something away.
    """
    if not move_away(source, own_name):
        return False
    put(own_name, destination(own_name))
    return True


def put(own_name: str, target: str) -> None:
    """Give a file that was taken away its place; nothing happens where somebody else has done it."""
    deadline, pause = time.monotonic() + PATIENCE, 0.001
    while True:
        try:
            os.link(own_name, target)
        except (FileExistsError, FileNotFoundError):
            break
        except OSError:  # nobody else may know of what was taken
            if time.monotonic() > deadline:
                raise
            time.sleep(pause)
            pause = min(2 * pause, 0.1)
        else:
            break
    with contextlib.suppress(FileNotFoundError):
        os.unlink(own_name)  # noqa: PTH108


def sync_folder(path: str) -> None:
    """Make the names in a folder survive a power loss, where the filesystem knows how."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
    finally:
        os.close(descriptor)
