"""Checkpoints: files that are replaced as a whole, never by a zombie, and that neps knows as its own.

    state = neps.checkpoint.load(pipeline_directory, previous_pipeline_directory) or {"epoch": 0, …}
    …
    neps.checkpoint.save(pipeline_directory, state)

Users call `save` and `load`, inside run_pipeline or anywhere. The worker says which attempts it evaluates
(`_attempts`), and frees the disk of trials that can't be continued any more (`_files`). PyTorch is imported when it is
needed.
"""

from __future__ import annotations

from neps.checkpoint._saving import load, save

__all__ = ["load", "save"]
