"""What decides a suggestion of ours: a hash over a module and all of neps that it imports, for the version of a run.

Standard library only. Comments, docstrings and layout don't count, so that rewording costs no computing.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from pathlib import Path

__all__ = ["fingerprint"]


def fingerprint(package: Path, modules: list[str]) -> str:
    """The first digits of a hash over the modules and what they import, if only in a function.

    Args:
        package: the folder of the package `neps`.
        modules: dotted names.
    """
    trees: dict[str, ast.Module] = {}
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        path = _file(package, name)
        if path is not None and name not in trees:
            trees[name] = ast.parse(path.read_text())
            waiting += _imported(trees[name], package.name)
    digest = hashlib.sha256()
    for name in sorted(trees):
        digest.update(f"{name} {ast.dump(_Bare().visit(trees[name]))}\0".encode())
    return digest.hexdigest()[:10]


def _file(package: Path, name: str) -> Path | None:
    place = package.parent.joinpath(*name.split("."))
    found = (path for path in (place.with_suffix(".py"), place / "__init__.py") if path.is_file())
    return next(found, None)


def _imported(tree: ast.Module, package: str) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == package:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


class _Bare(ast.NodeTransformer):
    """Drops texts that stand alone: docstrings."""

    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
        """A statement that is a text goes."""
        return None if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str) else node
