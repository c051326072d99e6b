"""A worker of the stress tests, a program: rounds of `neps.run`, each begun by all workers of a crew at one instant.

Started by `stress.crew`, which prepares the rounds; what a worker does in a round is in `stress.share`. As the
process lives through many rounds, a simultaneous start on a new root costs milliseconds instead of an interpreter.
"""

from __future__ import annotations

import itertools
import json
import logging
import os
import sys
from pathlib import Path
from typing import Any

import neps
from rigs.appending import append
from stress.share import Share


def main() -> None:
    """Entry: `sys.argv` is the crew's folder and this worker's index. Ends at a round without a plan."""
    folder, index = Path(sys.argv[1]), int(sys.argv[2])
    logging.basicConfig(level=logging.INFO, format="%(relativeCreated)d %(name)s %(message)s")
    neps.run  # noqa: B018 - what is imported when first used is imported before the first start
    for number in itertools.count(1):
        announce(folder / f"ready_{number}")
        os.close(os.open(folder / f"start_{number}", os.O_RDONLY))  # a fifo: opens for all, once the crew opens it
        plan = json.loads((folder / f"round_{number}.json").read_text())
        if plan is None:
            return
        if index < len(plan):
            (folder / f"outcome_{number}_{index}.json").write_text(json.dumps(run(plan[index])))


def announce(path: Path) -> None:
    """One byte more in a file that all workers append to."""
    append(path, "!")


def run(plan: dict[str, Any]) -> str | None:
    """A worker's share: what it raised, or None."""
    try:
        Share.from_plan(plan).work()
    except BaseException as error:  # noqa: BLE001 - the test wants to know of any
        return f"{type(error).__name__}: {error}"
    return None


if __name__ == "__main__":
    main()
