"""What users know of trials: numbered documents, which the decisions after them look at.

    known/RUN/known_K.yaml    document K, made by link; the next number is only taken once this one is there

So all workers see the same in the same order, some of them later: that is as if a user had written it later. Whether a
configuration was taken is never stored here: the decision that takes it says so. `neps.enqueue` and
`neps.import_trials` write, workers and readers of histories read.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from neps._ledger import documents
from neps._ledger import fields as typed
from neps._ledger.documents import UnreadableDocumentError
from neps._ledger.identity import Identity
from neps._ledger.layout import Layout, known_name, known_number
from neps._ledger.numbered import Numbered
from neps._ledger.records import parsed
from neps._outcome import Result
from neps._trial import Decision, Status, Trial, Value

__all__ = [
    "Enqueued",
    "Imported",
    "KnownTrials",
    "Results",
    "distinct",
    "enqueue",
    "identity_of",
    "observed",
    "publish_results",
    "read_results",
    "unreadable_known",
]

_logger = logging.getLogger("neps.ledger")
_IN_A_DOCUMENT = 1000


@dataclasses.dataclass(frozen=True, slots=True)
class Enqueued:
    """List `number` of configurations that are to be evaluated, each in whole or in part."""

    number: int
    configs: tuple[Mapping[str, Value], ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Imported:
    """Document `number`: results from elsewhere, as trials without a number (it is 0). `source` is for people.

    `earlier`: they are of an earlier run, from which this one starts.
    """

    number: int
    source: str
    trials: tuple[Trial, ...]
    earlier: bool = False


class Results:
    """Results from elsewhere as one observer knows them, each once: `imported`, and those of `earlier` runs.

    Args:
        fits: looks whether a decision belongs to the run's space; raises ValueError if not: it is left out then.
    """

    def __init__(self, fits: Callable[[Decision], object]) -> None:
        self._fits = fits
        self._imported: dict[object, Trial] = {}
        self._earlier: dict[object, Trial] = {}
        self.imported: tuple[Trial, ...] = ()
        self.earlier: tuple[Trial, ...] = ()

    def add(self, document: Imported) -> None:
        """Add those that are new, and belong to the space."""
        found = self._earlier if document.earlier else self._imported
        for trial in document.trials:
            with contextlib.suppress(ValueError):
                self._fits(trial.decision)  # type: ignore[arg-type] # it has one
                found.setdefault(identity_of(trial), trial)
        self.imported, self.earlier = tuple(self._imported.values()), tuple(self._earlier.values())


def observed(config: Mapping[str, Value], fidelity: float | None, loss: float | None, cost: float | None) -> Trial:
    """A result from elsewhere, as a trial without a number. A loss of None is a failure."""
    decision = Decision(number=0, config=config, fidelity=fidelity, metadata={})
    result = Result.of(success=loss is not None, loss=loss, cost=cost, info_dict={})
    status = Status.SUCCESS if loss is not None else Status.FAILED
    return Trial(number=0, decision=decision, result=result, status=status, attempts=0)


def identity_of(trial: Trial) -> tuple[str, float | None, str]:
    """What tells results from elsewhere apart: who imports the same twice has it once."""
    return repr(sorted(trial.config.items())), trial.fidelity, repr(trial.loss)


def distinct(trials: Iterable[Trial]) -> tuple[Trial, ...]:
    """Results from elsewhere, each once."""
    found: dict[object, Trial] = {}
    for trial in trials:
        found.setdefault(identity_of(trial), trial)
    return tuple(found.values())


def publish_results(
    layout: Layout, trials: Sequence[Trial], source: str, me: Identity, *, earlier: bool = False
) -> int:
    """Publish results from elsewhere: the number of the last document. They are durable then.

    What is published twice counts once.

    Raises:
        OSError: if they can't be written.
    """
    number = 0
    for first in range(0, len(trials), _IN_A_DOCUMENT):
        results = [_result_fields(trial) for trial in trials[first : first + _IN_A_DOCUMENT]]
        number = _publish(layout, me, source=source, earlier=earlier or None, results=results)
    if trials:
        _documents(layout).sync()
    return number


def _result_fields(trial: Trial) -> dict[str, Any]:
    fields = {"config": dict(trial.config), "fidelity": trial.fidelity, "loss": trial.loss, "cost": trial.cost}
    return {name: value for name, value in fields.items() if value is not None}


def read_results(layout: Layout, fits: Callable[[Decision], object]) -> Results:
    """All results from elsewhere that a run has, as they are now; `fits` is that of `Results`."""
    results = Results(fits)
    with contextlib.suppress(OSError):
        for document in KnownTrials(layout, 0.0).look():
            if isinstance(document, Imported):
                results.add(document)
    return results


def enqueue(layout: Layout, configs: Sequence[Mapping[str, Value]], me: Identity) -> int:
    """Publish a list of configurations, all or none: the document's number. It is durable then, if possible.

    Raises:
        ValueError: if it is more than a document holds; nothing is written.
        OSError: if it can't be written, or nobody can tell.
    """
    number = _publish(layout, me, configs=[dict(config) for config in configs])
    _documents(layout).sync_if_possible()
    return number


def _publish(layout: Layout, me: Identity, **content: Any) -> int:
    fields = {"run": layout.run, **content, "by": me.worker, "host": me.host, "time": documents.now()}
    try:
        documents.decode(known_name(1), documents.encode({"number": 1} | fields))
    except UnreadableDocumentError as error:
        raise ValueError(error.why) from error
    return _documents(layout).add(lambda number: {"number": number} | fields, me.token)


def _documents(layout: Layout) -> Numbered:
    return Numbered(layout.known, known_name, known_number)


class KnownTrials:
    """The documents of a run, for one observer. A look is one system call while there is nothing new.

    Args:
        layout: the run's paths.
        lease: in seconds: for so long a document that can't be read keeps the later ones from being read. A reader who
            looks once passes 0.
    """

    def __init__(self, layout: Layout, lease: float) -> None:
        self._layout, self._lease = layout, lease
        self._documents = _documents(layout)
        self._torn_since: float | None = None
        self.seen = 0
        """The number of the last document that was read, or passed over."""

    def look(self) -> Iterator[Enqueued | Imported]:
        """What is new.

        Raises:
            OSError: if the filesystem fails.
        """
        while self._documents.is_there(self.seen + 1):
            number = self.seen + 1
            try:
                found = _read(self._layout, number)
            except UnreadableDocumentError as error:
                if not self._passed_over(error, time.monotonic()):
                    return
                continue
            if found is None:
                return
            self.seen, self._torn_since = number, None
            yield found

    def _passed_over(self, error: UnreadableDocumentError, now: float) -> bool:
        """Whether a document that can't be read is damaged by now: then the next one counts."""
        self._torn_since = now if self._torn_since is None else self._torn_since
        if not error.lasting and now - self._torn_since < self._lease:
            return False
        _logger.warning("What was enqueued or imported can't be read, and is passed over: %s. Do it again.", error)
        self.seen, self._torn_since = self.seen + 1, None
        return True


def unreadable_known(layout: Layout) -> Iterator[UnreadableDocumentError]:
    """Why documents of a run can't be read, of those that can't."""
    for number in range(1, _documents(layout).last() + 1):
        try:
            _read(layout, number)
        except UnreadableDocumentError as error:
            yield error


def _read(layout: Layout, number: int) -> Enqueued | Imported | None:
    """A document, or None where there is none (any more)."""
    path = _documents(layout).path(number)
    if (fields := documents.load(path)) is None:
        return None
    return parsed(path, functools.partial(_understood, fields, number, layout.run))


def _understood(fields: Mapping[str, Any], number: int, run: str) -> Enqueued | Imported:
    typed.need(fields, "number", functools.partial(typed.equal, number))
    if (theirs := typed.need(fields, "run", typed.run_name)) != run:
        raise typed.WrongError(theirs, f"not {run}", "run")
    if "results" in fields:
        source = typed.get(fields, "source", typed.text, "")
        trials = tuple(map(_result, typed.need(fields, "results", typed.mappings)))
        return Imported(number, source, trials, typed.get(fields, "earlier", typed.flag, False))
    return Enqueued(number, typed.need(fields, "configs", typed.configs))


def _result(fields: Mapping[str, Any]) -> Trial:
    return observed(
        typed.need(fields, "config", typed.config),
        typed.get(fields, "fidelity", typed.number),
        typed.get(fields, "loss", typed.any_number),
        typed.get(fields, "cost", typed.cost),
    )
