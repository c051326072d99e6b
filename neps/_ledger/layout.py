"""Every file name of a run, and no other module knows one. Strings only; nothing is opened here.

docs/format.md is the specification.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

__all__ = [
    "CONFIG",
    "DEFINITION",
    "RESULT",
    "TRIAL",
    "Layout",
    "attempt_of",
    "curve_name",
    "end_name",
    "ending_name",
    "is_ledger_name",
    "known_name",
    "known_number",
    "lock_name",
    "pending_name",
    "saved_name",
    "stalled_bytes",
    "stalled_name",
    "start_name",
    "stop_name",
    "stop_number",
    "stopped_name",
    "void_name",
]

DEFINITION = "neps.yaml"
TRIAL = "trial.yaml"
CONFIG = "config.yaml"
RESULT = "result.yaml"

_OWN_NAME = re.compile(
    r"(neps|trial|config|result(_\d+)?|attempt_\d+(\.end|\.pending)?)\.yaml(\.damaged-.*)?"
    r"|attempt_\d+\.(lock|saved|stopped|curve\.jsonl|stalled_\d+)"
)
_ATTEMPT = re.compile(r"attempt_([1-9][0-9]{0,17})(?:\.end)?\.yaml")
_STALLED = re.compile(r"attempt_([1-9][0-9]{0,17})\.stalled_([1-9][0-9]{0,17})")
_STOP = re.compile(r"stop_([1-9][0-9]{0,17})\.yaml")
_KNOWN = re.compile(r"known_([1-9][0-9]{0,17})\.yaml")
_TRIAL_FOLDER = re.compile(r"config_([1-9][0-9]{0,17})")


def start_name(attempt: int) -> str:
    """The document that opens an attempt: the decision opens the first."""
    return TRIAL if attempt == 1 else f"attempt_{attempt}.yaml"


def end_name(attempt: int) -> str:
    """The document that ends an attempt."""
    return f"attempt_{attempt}.end.yaml"


def pending_name(attempt: int) -> str:
    """The document which says that an attempt goes on without its worker."""
    return f"attempt_{attempt}.pending.yaml"


def attempt_of(name: str) -> int | None:
    """The attempt that a document starts or ends by its name; None for all others.

    Example:
        >>> attempt_of("attempt_3.end.yaml"), attempt_of("attempt_3.yaml"), attempt_of("result.yaml")
        (3, 3, None)
    """
    match = _ATTEMPT.fullmatch(name)
    return int(match[1]) if match else None


def lock_name(attempt: int) -> str:
    """The lock file of an attempt: its time of change is the heartbeat."""
    return f"attempt_{attempt}.lock"


def curve_name(attempt: int) -> str:
    """What an attempt has reported while it ran."""
    return f"attempt_{attempt}.curve.jsonl"


def saved_name(attempt: int) -> str:
    """The sign that an attempt has saved a checkpoint which is further on."""
    return f"attempt_{attempt}.saved"


def stopped_name(attempt: int) -> str:
    """The sign that a process of an attempt was told to stop, since the walltime of its job is nearly over."""
    return f"attempt_{attempt}.stopped"


def stalled_name(attempt: int, size: int) -> str:
    """The sign that a `save` of an attempt found no room for about `size` bytes."""
    return f"attempt_{attempt}.stalled_{size}"


def stalled_bytes(name: str, attempt: int) -> int | None:
    """For how many bytes there was no room, by the name of such a sign of an attempt; None for all others.

    Example:
        >>> stalled_bytes("attempt_2.stalled_80000", 2), stalled_bytes("attempt_1.stalled_80000", 2)
        (80000, None)
    """
    match = _STALLED.fullmatch(name)
    return int(match[2]) if match and match[1] == str(attempt) else None


def stop_name(number: int) -> str:
    """A request that all workers leave, in the folder of a run's requests."""
    return f"stop_{number}.yaml"


def stop_number(name: str) -> int | None:
    """The number of a request to leave, by its name; None for all other names.

    Example:
        >>> stop_number("stop_12.yaml"), stop_number(".stop_13.yaml.host-1-abc")
        (12, None)
    """
    match = _STOP.fullmatch(name)
    return int(match[1]) if match else None


def ending_name(number: int) -> str:
    """That results have ended the run, in the folder of such documents."""
    return f"ending_{number}.yaml"


def known_name(number: int) -> str:
    """What users know of trials, in the folder of a run's such documents: configurations to evaluate, say."""
    return f"known_{number}.yaml"


def known_number(name: str) -> int | None:
    """The number of such a document, by its name; None for all other names.

    Example:
        >>> known_number("known_12.yaml"), known_number("known_012.yaml")
        (12, None)
    """
    match = _KNOWN.fullmatch(name)
    return int(match[1]) if match else None


def void_name(attempt: int) -> str:
    """Where the result of an attempt goes when its trial is retried."""
    return f"result_{attempt}.yaml"


def is_ledger_name(name: str) -> bool:
    """Whether a file of that name in a trial's folder is the ledger's own, and no user's.

    Example:
        >>> is_ledger_name("result.yaml"), is_ledger_name("result.yaml.damaged-12345678"), is_ledger_name("model.pt")
        (True, True, False)
    """
    return _OWN_NAME.fullmatch(name) is not None


class Layout:
    """The paths of one run.

    Args:
        root: the run's root directory, absolute.
        run: the run's identifier, as published in neps.yaml; what lies in `.neps/` of other runs is left alone.
    """

    def __init__(self, root: str | Path, run: str = "") -> None:
        self.root = os.fspath(root)
        self.run = run
        self.hidden = f"{self.root}/.neps"
        self.results_cache = f"{self.hidden}/{run}/accelerator"
        self.presence = f"{self.hidden}/{run}/workers"
        self.launches = f"{self.root}/launches"
        self.stops = f"{self.root}/stops/{run}"
        self.endings = f"{self.root}/endings/{run}"
        self.confirmation = f"{self.root}/confirmations/{run}"
        self.known = f"{self.root}/known/{run}"
        self.damaged = f"{self.hidden}/{run}/damaged"
        self.overwritten = f"{self.root}/overwritten"
        self.summary = f"{self.root}/summary"
        self.definition = f"{self.root}/{DEFINITION}"

    def trial(self, number: int) -> str:
        """The folder of a trial."""
        return f"{self.root}/config_{number}"

    def numbers(self) -> Iterator[int]:
        """The numbers whose names are taken, in no order. A stale listing lacks some."""
        with os.scandir(self.root) as entries:
            for entry in entries:
                if match := _TRIAL_FOLDER.fullmatch(entry.name):
                    yield int(match[1])
