"""Every error that neps raises on purpose, in one hierarchy.

Each message says what was wrong, the value, the rule, and what to do next. Nothing else lives here; every
module may import it.
"""

from __future__ import annotations

import reprlib
from collections.abc import Iterable

__all__ = [
    "ArgumentError",
    "CheckpointError",
    "DefinitionMismatchError",
    "DirectoryError",
    "EvaluationError",
    "FormatVersionError",
    "LaunchError",
    "NepsError",
    "NotPendingError",
    "RankError",
    "ReturnValueError",
    "SamplerError",
    "SpaceError",
    "StorageError",
    "TakenOverError",
    "TimeLimitError",
]


_LONGEST_NAME = 200
_ALIKE = 0.75
_LONGEST_SHOWN = 80


class NepsError(Exception):
    """Base of all errors that neps raises on purpose."""


class ArgumentError(NepsError, ValueError):
    """An argument of a public function is wrong; nothing has been written."""


class SpaceError(ArgumentError):
    """A parameter or a search space is wrong, or a configuration does not belong to its space."""


class NotPendingError(ArgumentError):
    """Nothing can be told of this trial (any more): it has ended, say, or another evaluates it; nothing is changed."""


class DefinitionMismatchError(ArgumentError):
    """The run in `root_directory` was defined differently; nothing has been written."""


class DirectoryError(NepsError, OSError):
    """The root directory cannot be used as it is: missing, unreadable, or not a run's."""


class FormatVersionError(DirectoryError):
    """The run was written in a format that this version of neps does not know."""


class LaunchError(NepsError, RuntimeError):
    """This process was started in a way that `neps.run` can't work with; nothing is lost.

    It is a rank of a training that torchrun has not started, say, or its job is shorter than what `should_stop` needs.
    """


class RankError(NepsError, RuntimeError):
    """A rank that torchrun has started can't go on: another one died, say. Its trial is resumed; see the message."""


class ReturnValueError(NepsError, ValueError):
    """`run_pipeline` returned something that is not a loss; its trial is recorded as failed."""


class SamplerError(NepsError, RuntimeError):
    """A sampler answered what none may answer, or failed: see docs/writing-a-sampler.md."""


class CheckpointError(NepsError, OSError):
    """A checkpoint cannot be saved or loaded; what was there before is still there."""


class StorageError(CheckpointError):
    """A checkpoint cannot be saved since the storage fails, and has for as long as was waited.

    Don't catch it in `run_pipeline`: its trial is then handed back, to be resumed from its last checkpoint. It fails
    only once `max_attempts` attempts in a row, without progress, have ended so.
    """


class EvaluationError(NepsError, RuntimeError):
    """`run_pipeline` failed; the trial is recorded as failed and the original error is the cause.

    Or it returned no cost, though max_cost_total is given; the trial is then recorded with its loss.
    """


class TakenOverError(NepsError, RuntimeError):
    """Another worker has taken over the trial that is evaluated here; raised in other threads than run_pipeline's."""


class TimeLimitError(NepsError, RuntimeError):
    """max_seconds_per_trial is over; raised in other threads than run_pipeline's, and in processes that it started.

    A trial that ends as failed for that names this error, too.
    """


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint for a misspelt name: `" Did you mean 'adam'?"`, or an empty string.

    Only where it is likely the same word: three quarters alike, the same letters, or the end of a name with dots. Half
    as near may mean anything.

    >>> nearest("random_serch", ["random_search", "sobol"]), nearest("lgo", ["log"])
    (" Did you mean 'random_search'?", " Did you mean 'log'?")
    >>> nearest("sampler", ["sample_default_first"]), nearest("bo", ["pibo"])
    ('', '')
    >>> nearest("momentum", ["optimizer", "optimizer.sgd.momentum"])
    " Did you mean 'optimizer.sgd.momentum'?"
    """
    if len(name) > _LONGEST_NAME:  # comparing texts takes the square of their lengths
        return ""
    candidates = [each for each in known if len(each) <= _LONGEST_NAME]
    import difflib  # only for a message

    close = [each for each in candidates if each.endswith(f".{name}")]  # its name within a choice or a repeat
    close = close or difflib.get_close_matches(name, candidates, n=1, cutoff=_ALIKE)
    close = close or [each for each in candidates if sorted(each) == sorted(name)]
    return f" Did you mean {close[0]!r}?" if close else ""


def gist(error: str | None) -> str:
    r"""The first line of an error as it is stored, "Type: message", to go into a sentence; the traceback follows it.

    The last line is no gist: it may be a note, the frame of an exception group, or what CUDA advises to compile.

    >>> gist("RuntimeError: CUDA error: out of memory\nCompile with `TORCH_USE_CUDA_DSA`.\n\nTraceback …")
    'RuntimeError: CUDA error: out of memory'
    >>> gist("ValueError: \n  the message begins here")
    'ValueError: the message begins here'
    >>> gist("CancelledError: \n\nTraceback (most recent call last):\n …")
    'CancelledError'
    """
    first, *rest = [line.strip() for line in (error or "").splitlines() if line.strip()] or [""]
    if first.endswith(":") and rest and not rest[0].startswith("Traceback (most recent call last)"):
        first = f"{first} {rest[0]}"
    return first.rstrip(".: ")


class _Short(reprlib.Repr):
    """Texts of values from files: short, whatever is in them, and without control characters."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.maxlevel, self.maxdict, self.maxlist = 2, 3, 4
        self.maxstring = self.maxother = self.maxlong = most

    def repr_int(self, value: int, level: int) -> str:
        """Python refuses to print very long ones."""
        bits = value.bit_length()
        return super().repr_int(value, level) if bits <= _LONGEST_SHOWN * 3 else f"<an int of {bits} bits>"


def shown(value: object, most: int = _LONGEST_SHOWN) -> str:
    """`repr(value)` for a message, of a plain value that was read: never long, and harmless on a terminal.

    >>> shown("x" * 1000), shown(list(range(100)))
    ("'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'", '[0, 1, 2, 3, ...]')
    """
    text = _Short(most).repr(value)
    return text if len(text) <= most else f"{text[: most - 3]}..."
