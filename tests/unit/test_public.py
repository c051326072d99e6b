"""The public boundary: what has no underscore is on the page, and what is on the page is there and documented."""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path

import pytest

import neps

REPOSITORY = Path(__file__).parents[2]
PAGE = (REPOSITORY / "docs/public.md").read_text(encoding="utf-8")
MODULES = ("space", "samplers", "testing", "callbacks", "checkpoint", "integrations", "errors")
PARTS = {"testing": {"filesystem", "samplers", "simulation"}, "integrations": {"lightning", "transformers"}}


def listed() -> dict[str, set[str]]:
    """The names of each module on the page."""
    found: dict[str, set[str]] = {}
    module = ""
    for row in re.findall(r"^\|(.*)\|$", PAGE, re.MULTILINE):
        cells = row.split("|")
        module = cells[0].strip("` ") or module
        found.setdefault(module, set()).update(re.findall(r"`(\w+)`", cells[-1]))
    return {name: names for name, names in found.items() if name.startswith("neps")}


def test_only_the_public_part_has_no_underscore() -> None:
    package = Path(neps.__file__).parent
    found = {
        ".".join(path.relative_to(package).with_suffix("").parts).removesuffix(".__init__")
        for path in package.rglob("*.py")
        if not any(part.startswith("_") and part != "__init__.py" for part in path.relative_to(package).parts)
    }
    assert found == {"__init__", *MODULES, *(f"{name}.{part}" for name, parts in PARTS.items() for part in parts)}


@pytest.mark.parametrize("name", ["", *MODULES])
def test_the_page_lists_what_each_module_exports(name: str) -> None:
    module = importlib.import_module(f"neps.{name}" if name else "neps")
    exported = PARTS["integrations"] if name == "integrations" else set(module.__all__)
    assert listed()[module.__name__] == exported


@pytest.mark.parametrize("name", ["", "samplers", "testing", "callbacks", "checkpoint", "errors"])
def test_each_name_is_documented(name: str) -> None:
    module = importlib.import_module(f"neps.{name}" if name else "neps")
    missing = [each for each in module.__all__ if not inspect.getdoc(getattr(module, each))]
    assert missing == []
