"""One thread for linear algebra while a model is fitted.

Needs threadpoolctl, which is imported with the first model. Samplers call `one_thread`.
"""

from __future__ import annotations

import functools
import os
from contextlib import AbstractContextManager

_SET_BY_THREADPOOLCTL = "KMP_DUPLICATE_LIB_OK"
_was_set = _SET_BY_THREADPOOLCTL in os.environ
from threadpoolctl import ThreadpoolController  # noqa: E402

if not _was_set:  # The process, and what the user starts from it, may rely on two OpenMP runtimes being refused.
    os.environ.pop(_SET_BY_THREADPOOLCTL, None)

__all__ = ["one_thread"]


def one_thread() -> AbstractContextManager[object]:
    """A context in which NumPy's and SciPy's linear algebra takes one thread; afterwards it has as many as before.

    Matrices of a few hundred rows gain nothing from more. On a node whose cores are busy, with training or with other
    workers, threads that wait for each other made a suggestion take 20 times as long. Torch's own threads
    are left as they are.

    Example:
        >>> with one_thread():
        ...     pass
    """
    limited: AbstractContextManager[object] = _controller().limit(limits=1, user_api="blas")
    return limited


@functools.cache
def _controller() -> ThreadpoolController:
    """Looks through the libraries that are loaded: 2 ms, once."""
    return ThreadpoolController()
