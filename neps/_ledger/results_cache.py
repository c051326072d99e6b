"""The results cache: finished successful trials as JSON lines, so that a joiner need not open every folder.

One file a worker, appended by it alone; a checksum a line, which covers the run's identifier. Torn and foreign
lines are ignored, and the folders tell the rest: it may be deleted at any time. Not durable, never the truth.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import json
import logging
import os
import re
import shutil
import uuid
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from neps._ledger import fields as typed
from neps._ledger.documents import FORMAT_VERSION
from neps._ledger.exclusive import move_away
from neps._ledger.foreign import LONGEST_LINE, tail
from neps._ledger.layout import Layout
from neps._ledger.records import AttemptEnd, decision_fields, parsed, read_decision, result_fields
from neps._ledger.whole_files import replace
from neps._trial import Status, Trial

__all__ = ["LARGEST_FILE", "MANY", "ResultsCache", "line_of", "parse", "remembered", "survives_json"]

_logger = logging.getLogger("neps.ledger")
MANY = 100
"""From so many lines on, one joiner of a crowd writes them."""
LARGEST_FILE = 1 << 28
"""Bytes of a worker's file at most; of a larger one the end is read."""
_NUMBER = re.compile(rb"[1-9][0-9]{0,17}")
_PLAIN = (str, int, float, bool, type(None))


class ResultsCache:
    """The results cache of a run, and this worker's own file in it."""

    def __init__(self, layout: Layout, worker: str) -> None:
        self._folder = layout.results_cache
        self._run = layout.run
        self._path = f"{self._folder}/{worker}.jsonl"

    def append(self, trial: Trial) -> None:
        """Remember a success. Never fails: the folder has it all."""
        with contextlib.suppress(OSError):
            self._write(self._content([trial]))

    def add(self, numbers: Sequence[int], find: Callable[[int], Trial | None]) -> None:
        """Remember what a joiner found in the folders alone; where that is much, one joiner of a crowd does it.

        Args:
            numbers: of the trials.
            find: each one's, or None; asked by whoever writes the lines, and only then.
        """
        if len(numbers) < MANY:
            self._add_some(numbers, find)
            return
        with contextlib.suppress(OSError), self._alone():
            for first in range(0, len(numbers), MANY):
                self._add_some(numbers[first : first + MANY], find)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Write many lines; raises a TimeoutError, which is an OSError, while somebody else does."""
        from filelock import FileLock

        os.makedirs(self._folder, exist_ok=True)  # noqa: PTH103
        with FileLock(f"{self._folder}.lock").acquire(timeout=0):
            yield

    def _add_some(self, numbers: Sequence[int], find: Callable[[int], Trial | None]) -> None:
        with contextlib.suppress(OSError):
            self._write(self._content(filter(None, map(find, numbers))))

    def _content(self, trials: Iterable[Trial]) -> bytes:
        lines: list[bytes] = []
        for trial in trials:
            with contextlib.suppress(TypeError, ValueError):  # what somebody has edited by hand
                if (line := line_of(self._run, trial)) is not None:
                    lines.append(line)
        return b"".join(lines)

    def _write(self, content: bytes) -> None:
        """Opened for each line: run_pipeline may close every descriptor that it finds, and get its number itself."""
        if not content:
            return
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        try:
            descriptor = os.open(self._path, flags, 0o666)
        except FileNotFoundError:
            os.makedirs(self._folder, exist_ok=True)  # noqa: PTH103
            descriptor = os.open(self._path, flags, 0o666)
        try:
            os.write(descriptor, content)
        finally:
            os.close(descriptor)

    def rewrite(self, say: Callable[[int, bytes], bytes | None]) -> None:
        """Correct what all workers have remembered, at no moment with less than what is right in it.

        First this worker's own file has all of it. Then the others' go; they make new ones for what they append.

        Args:
            say: the line to have instead of this one of a number: the same, another, or None.

        Raises:
            OSError: if that fails, or somebody else does so now.
        """
        with self._alone():
            lines: dict[int, bytes] = {}
            paths = [f"{self._folder}/{name}" for name in sorted(os.listdir(self._folder))]  # noqa: PTH208
            sizes = {path: self._learn(path, 0, lines) for path in paths}
            said = [say(number, line) for number, line in lines.items()]
            replace(self._path, b"".join(line for line in said if line is not None))
            for path, size in sizes.items():
                if path != self._path:
                    self._take_in(path, size)

    def _learn(self, path: str, begin: int, lines: dict[int, bytes]) -> int:
        """Add the whole lines of a file from a place on, the last of each number; where they end."""
        if not os.path.isfile(path):  # noqa: PTH113 - by mistake or by malice
            return begin
        if os.path.getsize(path) > LARGEST_FILE:  # noqa: PTH202
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), path)
        content = (tail(path, LARGEST_FILE) or b"")[begin:]
        whole = content[: content.rfind(b"\n") + 1]
        for line in whole.splitlines(keepends=True):
            if (found := remembered(self._run, line)) is not None:
                lines[found[0]] = line
        return begin + len(whole)

    def _take_in(self, path: str, size: int) -> None:
        """Remove another worker's file, and take over what it has appended since `size` bytes of it were read."""
        own_name = f"{self._folder}.{uuid.uuid4().hex}"
        if move_away(path, own_name):
            lines: dict[int, bytes] = {}
            self._learn(own_name, size, lines)
            self._write(b"".join(lines.values()))
            if os.path.isdir(own_name):  # noqa: PTH112
                shutil.rmtree(own_name, ignore_errors=True)
            else:
                os.unlink(own_name)  # noqa: PTH108


def remembered(run: str, line: bytes) -> tuple[int, bytes] | None:
    """The number and the unparsed trial of a line; None where it isn't whole, or another run's."""
    checksum, _, rest = line.rstrip(b"\n").partition(b" ")
    number, _, payload = rest.partition(b" ")
    if checksum == _checksum(run, rest) and _NUMBER.fullmatch(number):
        return int(number), payload
    return None


def _checksum(run: str, rest: bytes) -> bytes:
    return b"%08x" % zlib.crc32(rest, zlib.crc32(b"%d %s" % (FORMAT_VERSION, run.encode())))


def line_of(run: str, trial: Trial) -> bytes | None:
    """The line of a success, or None where JSON can't hold it as YAML does."""
    if trial.decision is None or trial.result is None or not trial.succeeded:
        return None
    decision, result = decision_fields(trial.decision), result_fields(trial.result)
    fields = {"decision": decision, "result": result, "attempts": trial.attempts, "spent": trial.spent}
    if not all(survives_json(value) for value in (trial.decision.metadata, trial.info_dict)):
        return None
    rest = b"%d %s" % (trial.number, json.dumps(fields).encode())
    line = b"%s %s\n" % (_checksum(run, rest), rest)
    return line if len(line) <= LONGEST_LINE else None


def survives_json(value: Any) -> bool:
    """Whether JSON gives this value back as it is."""
    if isinstance(value, Mapping):
        return all(isinstance(key, str) and survives_json(item) for key, item in value.items())
    if isinstance(value, list):
        return all(survives_json(item) for item in value)
    return isinstance(value, _PLAIN)


def parse(number: int, payload: bytes) -> Trial:
    """The trial of a line whose checksum was right, read as strictly as a document: anybody may have written it.

    Raises:
        UnreadableDocumentError: if it isn't the line of a success.
    """
    return parsed(f"line of trial {number}", functools.partial(_parse, number, payload))


def _parse(number: int, payload: bytes) -> Trial:
    try:
        fields = typed.mapping(json.loads(payload))
    except RecursionError as error:
        raise ValueError("JSON is nested too deep") from error
    decision, end = typed.present(fields["decision"]), AttemptEnd.from_fields(typed.present(fields["result"]))
    if end.result is None or not end.result.outcome.success:
        raise ValueError("result is no success")
    return Trial(
        number=number,
        decision=read_decision(decision, number),
        result=end.result,
        status=Status.SUCCESS,
        attempts=typed.need(fields, "attempts", typed.counted),
        spent=typed.need(fields, "spent", typed.cost),
    )
