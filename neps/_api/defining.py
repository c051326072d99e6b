"""What defines the run: the space, the searcher, the seed, the lease; new, or as published by whoever was first."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import secrets
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from neps._ledger.definition import DEFAULT_LEASE_SECONDS, FIRST_CONFIGS, Definition, check_definition
from neps._ledger.launches import launch_token
from neps._listing import counted
from neps.errors import ArgumentError, DefinitionMismatchError, shown
from neps.samplers import Sampler
from neps.samplers._registry import default_name, resolve, searcher_definition
from neps.space import SearchSpace

if TYPE_CHECKING:
    from neps._api.starting import Start

__all__ = ["Proposal"]

_logger = logging.getLogger("neps")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Proposal:
    """What the caller of `neps.run` asks for; None and "default" join whatever is published."""

    root: str
    space: SearchSpace
    searcher: str | Sampler
    searcher_settings: Mapping[str, Any]
    seed: int | None
    lease_seconds: float | None
    first_configs: tuple[Mapping[str, Any], ...] = ()
    start: Start | None = None

    @property
    def joins_any_searcher(self) -> bool:
        """Whether any published searcher will do."""
        return self.searcher == "default" and not self.searcher_settings

    def sampler(self) -> Sampler:
        """The sampler that is asked for.

        Raises:
            ArgumentError: if there is no such searcher, a keyword is wrong, or it can't search the space.
        """
        return resolve(self.searcher, self.space, dict(self.searcher_settings))

    def define(self, found: Definition | None) -> Definition:
        """The definition to publish, or, if one was found, that one.

        Raises:
            DefinitionMismatchError: if what is asked for differs from what was found.
        """
        if found is not None:
            if self.start is not None:
                self.start.withdraw(found.run)
            self._compare(found)
            return found
        if self.searcher == "default":
            _logger.info("searcher='default' is %s: %s", *default_name(self.space))
        definition = self._definition(launch_token())
        return definition if self.start is None else self.start.published(self.root, definition)

    def check(self) -> None:
        """Make sure that it can be published, before an earlier run makes room for it.

        Raises:
            ArgumentError: if not.
        """
        check_definition(self._definition(None))

    def _definition(self, launch: str | None) -> Definition:
        return Definition(
            space=self.space.definition(),
            forbid=tuple(self.space.forbidden_definition()),
            searcher=searcher_definition(self.sampler()),
            seed=secrets.randbits(32) if self.seed is None else self.seed,
            lease_seconds=DEFAULT_LEASE_SECONDS if self.lease_seconds is None else self.lease_seconds,
            requires=tuple(sorted({*self.space.requires, *([FIRST_CONFIGS] if self.first_configs else [])})),
            first_configs=self.first_configs,
            launch=launch,
        )

    def sampler_for(self, definition: Definition) -> Sampler:
        """The sampler of the run as it is defined."""
        if not self.joins_any_searcher:
            return self.sampler()
        name, settings = definition.searcher["name"], dict(definition.searcher.get("settings") or {})
        try:
            return resolve(name, self.space, settings)
        except ArgumentError as error:
            message = f"The run in {self.root} has the searcher {name!r}, which this call can't join: {error}"
            raise DefinitionMismatchError(message) from error

    def _compare(self, found: Definition) -> None:
        searched = self.space.differences(SearchSpace.from_definition(found.space, found.forbid))
        if not self.joins_any_searcher:
            here = searcher_definition(self.sampler())
            searched = [*searched, *_searcher_differences(self._completed(found.searcher), here)]
        if differences := [*searched, *self._differences(found)]:
            raise _mismatch(self.root, differences, another_search=bool(searched))

    def _differences(self, found: Definition) -> Iterator[str]:
        if self.seed is not None and self.seed != found.seed:
            yield f"seed is {found.seed} in the run and {self.seed} in this call"
        if self.lease_seconds is not None and self.lease_seconds != found.lease_seconds:
            yield f"lease_seconds is {found.lease_seconds:g} in the run and {self.lease_seconds:g} in this call"
        yield from self._other_first_configs(found)
        if self.start is not None and (difference := self.start.differs(found)) is not None:
            yield difference

    def _other_first_configs(self, found: Definition) -> Iterator[str]:
        own = found.first_configs[: -1 if found.start_from else None]  # the last one is the best of earlier runs
        if self.first_configs and [*map(dict, self.first_configs)] != [*map(dict, own)]:
            first = f"{counted(len(own), 'other configuration')} in the run" if own else "nothing in the run"
            yield f"first_configs is {first}: leave it out here, and add configurations by neps.enqueue"

    def _completed(self, published: Mapping[str, Any]) -> Mapping[str, Any]:
        """With the settings that the version which published it didn't have yet: they stand at their defaults."""
        with contextlib.suppress(ArgumentError):  # of one's own, or with what this version has no more
            return searcher_definition(resolve(published["name"], self.space, dict(published.get("settings") or {})))
        return published


def _mismatch(root: str, differences: Sequence[str], *, another_search: bool) -> DefinitionMismatchError:
    listed = "".join(f"\n  - {difference}" for difference in differences)
    learning = f", with start_from={root!r} to learn from this run" if another_search else ""
    return DefinitionMismatchError(
        f"The run in {root} is defined differently:{listed}\nNothing was changed. To join that run, use its values. Or "
        f"choose another root_directory{learning}, or pass overwrite_working_directory=True to move it aside."
    )


def _searcher_differences(there: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
    if there.get("name") != here["name"]:
        return [f"searcher is {shown(there.get('name'))} in the run and {here['name']!r} in this call"]
    old, new = there.get("settings") or {}, here.get("settings") or {}
    return [
        f"the searcher's {name} is {shown(old.get(name))} in the run and {shown(new.get(name))} in this call"
        for name in sorted({*old, *new})
        if old.get(name) != new.get(name)
    ]
