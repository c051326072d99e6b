"""`python -m neps`: the same as the command `neps`."""

from __future__ import annotations

import sys

from neps._cli import main

if __name__ == "__main__":
    sys.exit(main())
