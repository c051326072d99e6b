"""Training frameworks' own callbacks, which report to neps and save their checkpoints through it.

`neps.integrations.lightning` and `neps.integrations.transformers` each import their framework: import the one that you
use, at the top of your script.
"""

from __future__ import annotations

__all__: list[str] = []
