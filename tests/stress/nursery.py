"""Workers that are started again whenever they end badly, as a cluster requeues them: a program.

`sys.argv` is a share as JSON and the number of workers. They are forks of this process, which has imported neps and
does nothing else, so that a start costs milliseconds and a test can afford hundreds of kills. Prints their exit codes.
"""

from __future__ import annotations

import json
import os
import sys

import neps
from stress.share import Share


def main() -> None:
    """Entry: ends once all workers have ended well."""
    share, size = Share.from_plan(json.loads(sys.argv[1])), int(sys.argv[2])
    neps.run  # noqa: B018 - imported before the first fork
    lacking, living = size, set[int]()
    while lacking or living:
        while lacking:
            lacking -= 1
            pid = os.fork()
            if pid == 0:
                share.work()
                return
            living.add(pid)
        pid, status = os.wait()
        living.remove(pid)
        print(os.waitstatus_to_exitcode(status), flush=True)
        lacking += status != 0


if __name__ == "__main__":
    main()
