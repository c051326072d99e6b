"""Power cuts while workers search, which drop what was not synced: run by `scripts/stress torn-power`."""

import os
import sys

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # processes are forked, so nothing may start threads
sys.dont_write_bytecode = True
