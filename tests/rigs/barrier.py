"""The start line of a fleet: `await_start()` in a worker's program, after its imports, waits for `Fleet.release`.

Its own module, since every worker imports it: nothing else is loaded by it. The other end is in `rigs.processes`.
"""

from __future__ import annotations

import os

__all__ = ["GO", "READY", "await_start"]

READY = "NEPS_TEST_READY_FD"
GO = "NEPS_TEST_GO_FD"


def await_start() -> None:
    """Says that this worker is ready, and returns at the instant at which all are released."""
    ready, go = int(os.environ[READY]), int(os.environ[GO])
    os.write(ready, b"!")
    os.close(ready)
    os.read(go, 1)  # never written to: it ends when the test closes the other end, for all workers at once
    os.close(go)
