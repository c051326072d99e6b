"""Which operations of a faulty filesystem fail, and how: the rules, their file, and the log of faults given.

A test writes the rules and reads the log (`rigs.faultfs`); the filesystem's server reads the one and writes the other
(`rigs.faultfs_server`). Of FUSE only the names of its operations are known here.
"""

from __future__ import annotations

import dataclasses
import errno
import fnmatch
import json
import os
import threading
import time
from pathlib import Path

from rigs.fuse_wire import OPCODES

__all__ = ["OPERATIONS", "Fault", "Rule", "RuleBook"]

_NOT_FOR_RULES = {"init", "release", "releasedir", "setattr"}  # nobody waits for them; or has the four names below
OPERATIONS = frozenset(OPCODES.values()) - _NOT_FOR_RULES | {"chmod", "chown", "truncate", "utime"}


@dataclasses.dataclass(frozen=True)
class Rule:
    """One rule; the first that matches an operation decides, and none means that all goes well.

    Args:
        operations: names out of `OPERATIONS` with commas between, or `*`. Nearly each use of a path begins with a
            `lookup`; `stat` is `lookup` or `getattr`, and `close` is `flush`.
        pattern: a glob against the path below the mount (`config_3/trial.yaml`; the mount itself is the empty path;
            `*` also matches slashes). Of `rename` and `link` either path may match.
        action: the name of an errno (`EIO`); `after:EIO`, it is done but reported as failed, as when a network
            filesystem loses the reply; `delay:0.5`, in seconds; `hang`, until this rule is gone or the process is
            killed; `short`, only half of a write is done.
        times: at most so many times; None is always.
        skip: not the first so many times.
    """

    operations: str
    pattern: str
    action: str
    times: int | None = None
    skip: int = 0

    def __post_init__(self) -> None:
        """Refuses a rule that could never be meant, which would let a test pass for nothing."""
        unknown = set(self.operations.split(",")) - OPERATIONS - {"*"}
        if unknown:
            raise ValueError(f"unknown operations {sorted(unknown)}; known: {sorted(OPERATIONS)}")
        if self.action not in {"hang", "short"} and not self.delay_seconds and not self.error_number:
            raise ValueError(f"unknown action {self.action!r}; known: EIO, after:EIO, delay:SECONDS, hang, short")
        if self.action == "short" and self.operations != "write":
            raise ValueError(f"only a write can be short, not {self.operations!r}")

    @property
    def delay_seconds(self) -> float:
        """The delay that comes before the operation."""
        return float(self.action.removeprefix("delay:")) if self.action.startswith("delay:") else 0.0

    @property
    def is_late(self) -> bool:
        """True where the error comes after the operation was done."""
        return self.action.startswith("after:")

    @property
    def error_number(self) -> int:
        """The errno to report; 0 is none."""
        return int(getattr(errno, self.action.removeprefix("after:"), 0))

    def matches(self, operation: str, paths: tuple[str, ...]) -> bool:
        """True if this rule is about the operation."""
        named = self.operations.split(",")
        return (operation in named or "*" in named) and any(fnmatch.fnmatchcase(path, self.pattern) for path in paths)


@dataclasses.dataclass(frozen=True)
class Fault:
    """One fault that was given: the operation, the paths it was about, and the action of the rule."""

    operation: str
    paths: tuple[str, ...]
    action: str


class RuleBook:
    """The rules in a file, with the counts of their uses, which begin anew when the file is replaced."""

    def __init__(self, rules: Path, log: Path) -> None:
        """Opens both; `rules` must be replaced by renaming, never be written in place."""
        self._path = rules
        self._log = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        self._lock = threading.Lock()
        self._text = b""
        self._rules: list[Rule] = []
        self._matched: list[int] = []

    @staticmethod
    def write(path: Path, rules: list[Rule]) -> None:
        """Replaces the rules."""
        new = path.with_suffix(".new")
        records = [dataclasses.asdict(rule) for rule in rules]
        new.write_text(json.dumps({"written_ns": time.monotonic_ns(), "rules": records}))
        new.replace(path)

    @staticmethod
    def faults(log: Path) -> list[Fault]:
        """The faults given so far, oldest first."""
        records = [json.loads(line) for line in log.read_text().splitlines()]
        return [Fault(record["operation"], tuple(record["paths"]), record["action"]) for record in records]

    def decide(self, operation: str, paths: tuple[str, ...]) -> Rule | None:
        """The rule that this operation falls under; it is logged as given."""
        with self._lock:
            self._refresh()
            for index, rule in enumerate(self._rules):
                if not rule.matches(operation, paths):
                    continue
                self._matched[index] += 1
                given_before = self._matched[index] - 1 - rule.skip
                if given_before >= 0 and (rule.times is None or given_before < rule.times):
                    fault = Fault(operation, paths, rule.action)
                    os.write(self._log, json.dumps(dataclasses.asdict(fault)).encode() + b"\n")
                    return rule
        return None

    def holds(self, rule: Rule) -> bool:
        """True as long as the rule stands in the file."""
        with self._lock:
            self._refresh()
            return rule in self._rules

    def _refresh(self) -> None:
        # By content, with the time of writing in it: a stat is quicker, but inode numbers and times repeat.
        text = self._path.read_bytes()
        if text != self._text:
            self._text = text
            self._rules = [Rule(**record) for record in json.loads(text)["rules"]]
            self._matched = [0] * len(self._rules)
