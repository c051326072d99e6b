"""A worker of the stress tests, a program: one share (`sys.argv[1]`, JSON), and the end that Python gives it."""

from __future__ import annotations

import json
import logging
import sys

from stress.share import Share

if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(relativeCreated)d %(name)s %(message)s")
    Share.from_plan(json.loads(sys.argv[1])).work()
