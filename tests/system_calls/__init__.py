"""A fault at each system call that changes a file of a root, one at a time: run by `scripts/stress system-calls`."""

import os
import sys

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # processes are forked, so nothing may start threads
sys.dont_write_bytecode = True
