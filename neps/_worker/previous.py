"""The folder with the checkpoint that a trial continues, as run_pipeline gets it: `previous_pipeline_directory`."""

from __future__ import annotations

import logging
from pathlib import Path

from neps._trial import Decision
from neps._worker.context import Context

__all__ = ["Previous"]

_logger = logging.getLogger("neps.worker")


class Previous:
    """Finds it for one worker.

    Args:
        context: what the worker has at hand.
        wanted: whether run_pipeline takes it. If not, that is said once.
    """

    def __init__(self, context: Context, *, wanted: bool) -> None:
        self._context, self._continues = context, wanted

    def of(self, decision: Decision) -> Path | None:
        """The folder with the checkpoint; none where somebody moved it away, and its number may be another's now."""
        if decision.previous is None:
            return None
        if not self._continues:
            self._continues = True
            _logger.warning(
                "Trial %d continues trial %d, but run_pipeline doesn't take previous_pipeline_directory, so it can't "
                "load the checkpoint there, and trains from scratch. max_fidelity_total doesn't count that. Add "
                "previous_pipeline_directory to the signature: docs/checkpoints.md has an example. Later trials do "
                "the same, and are not logged.",
                decision.number,
                decision.previous,
            )
        folder = Path(self._context.layout.trial(decision.previous))
        if self._is_continued(decision, folder):
            return folder
        _logger.warning(
            "Trial %d continues a trial whose folder %s was moved away, so it starts without a checkpoint.",
            decision.number,
            folder,
        )
        return None

    def _is_continued(self, decision: Decision, folder: Path) -> bool:
        known = self._context.view.known().get(decision.previous or 0)
        if known is None:
            return folder.is_dir()
        if decision.place is None or decision.fidelity is None or known.decision is None:
            return True  # a sampler without rungs may change more than the fidelity
        return self._context.space.at_fidelity(known.config, decision.fidelity) == decision.config
