"""The keywords of `neps.run` and `neps.AskAndTell` that aren't their own: the searcher's, or nobody's.

Then the message says whose they are.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from neps._api.elsewhere import ELSEWHERE
from neps._calling import meant, unknown_argument
from neps.errors import ArgumentError
from neps.samplers import Sampler
from neps.samplers._registry import searchers_with, setting_names
from neps.space import SearchSpace

__all__ = ["check_keywords"]


def check_keywords(
    function: str, own: Collection[str], searcher: str | Sampler, space: SearchSpace, given: Mapping[str, Any]
) -> None:
    """Refuse keywords that neither a public function nor the searcher has.

    Args:
        function: what users call it, such as `neps.run`.
        own: the names of its own arguments.
        searcher: what the user passed; anything that is no searcher is refused elsewhere.
        space: what it will search.
        given: the keywords that aren't its own.

    Raises:
        ArgumentError: if there is one; the message names all of them, and what to write instead.
    """
    if (found := setting_names(searcher, space)) is None:
        return
    name, settings = found
    unknown = [keyword for keyword in given if keyword not in settings]
    if not unknown:
        return
    known = [*own, *settings]
    lines = [_refused(function, keyword, known, name) for keyword in unknown]
    if isinstance(searcher, Sampler):
        lines.append(f"The searcher is already a {name}: pass its settings to its constructor.")
    elif not all(searchers_with(keyword) or meant(keyword, known, ELSEWHERE) for keyword in unknown):
        takes = ", ".join(settings) or "no settings"
        lines += [f"{function} takes {', '.join(own)}.", f"The searcher {name!r} takes {takes}."]
    raise ArgumentError("\n".join(lines))


def _refused(function: str, keyword: str, known: list[str], searcher: str) -> str:
    if (others := searchers_with(keyword)) and keyword not in ELSEWHERE:
        whose = ", ".join(map(repr, others))
        return f"{function} has no argument {keyword!r} with the searcher {searcher!r}. It is a setting of {whose}."
    return unknown_argument(function, keyword, known, ELSEWHERE)
