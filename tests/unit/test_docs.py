"""README.md and docs/: each page is reached from the README, each link leads somewhere, each command and block is one.

That blocks do what their page says, tests/integration has a test for each page.
"""

from __future__ import annotations

import ast
import re
import shlex
import textwrap
from pathlib import Path

import click
import pytest

from neps._cli import _neps

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = [REPOSITORY / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
PAGES += sorted((REPOSITORY / "docs").glob("*.md"))
NAMES = [str(page.relative_to(REPOSITORY)) for page in PAGES]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def prose(page: Path) -> str:
    return re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    found = set()
    for heading in re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").replace("*", "")
        found.add(re.sub(r"[^\w\- ]", "", text.strip().lower()).replace(" ", "-"))
    return found


def links(page: Path) -> list[tuple[Path, str]]:
    """The files within the repository to which a page leads, each with its anchor or an empty one."""
    found = [target for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)) if "://" not in target]
    parts = [target.partition("#") for target in found]
    return [((page.parent / file).resolve() if file else page, anchor) for file, _, anchor in parts]


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_each_link_leads_somewhere(page: Path) -> None:
    for target, anchor in links(page):
        assert target.exists(), target
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target), f"{target}#{anchor}"


def test_each_page_is_reached_from_the_readme() -> None:
    reached = [PAGES[0]]
    for page in reached:  # which grows
        reached += [target for target, _ in links(page) if target.suffix == ".md" and target not in reached]
    assert set(PAGES) <= set(reached)


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_each_block_of_python_is_python(page: Path) -> None:
    for block in blocks(page, "python"):
        ast.parse(textwrap.dedent(block))


def options(command: str) -> set[str]:
    found = _neps.get_command(click.Context(_neps), command)
    assert found is not None, command
    return {name for each in found.params for name in (*each.opts, *each.secondary_opts)} | {"--help"}


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_each_command_exists_with_its_options(page: Path) -> None:
    for line in "\n".join(blocks(page, "bash")).replace("\\\n", "").splitlines():
        if re.match(r"(exec )?neps [a-z]", line):
            _, _, called = line.partition("neps ")
            command, *words = shlex.split(called, comments=True)
            own = words[: words.index("--")] if "--" in words else words
            given = {word.partition("=")[0] for word in own if word.startswith("--")}
            assert given <= options(command), line
