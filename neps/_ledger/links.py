"""A filesystem without hard links: told from other failures, and refused with what to do.

Called where publishing has failed: each document is published by a hard link, and there no waiting helps.
"""

from __future__ import annotations

import contextlib
import errno
import os
import uuid

from neps.errors import DirectoryError

__all__ = ["without_links"]

_UNSUPPORTED = frozenset({errno.EPERM, errno.EMLINK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP})


def without_links(root: str, error: OSError) -> DirectoryError | None:
    """The error to raise where the filesystem of `root` has no hard links; None if that isn't what has failed.

    Args:
        root: the run's root directory.
        error: what has failed; of all calls only those that link or rename name two paths.
    """
    if error.errno not in _UNSUPPORTED or error.filename2 is None or (refused := _try_to_link(root)) is None:
        return None
    return DirectoryError(
        f"root_directory {root} can't be used: its filesystem has no hard links ({refused.strerror}), and neps "
        "publishes each document by one. NFS, Lustre, GlusterFS, BeeGFS and local Linux filesystems (ext4, XFS, Btrfs, "
        "tmpfs) have them; FAT, exFAT, most mounted object stores (s3fs, gcsfuse) and some FUSE filesystems have none. "
        "Choose a root_directory on one that has: `neps check DIR` tests a folder."
    )


def _try_to_link(folder: str) -> OSError | None:
    """What a link to a file of one's own says, where it says that there are none."""
    path = f"{folder}/.neps-link-{uuid.uuid4().hex}"
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666))
        os.link(path, f"{path}.2")
    except OSError as error:
        return error if error.errno in _UNSUPPORTED and error.filename2 is not None else None
    finally:
        for name in (path, f"{path}.2"):
            with contextlib.suppress(OSError):
                os.unlink(name)  # noqa: PTH108
    return None
