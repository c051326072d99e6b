"""Every text of the package that a user can meet, in one list to be read aloud: `scripts/messages`.

They are found in the syntax trees: what is raised, logged, warned and printed, the command line's help (argparse and
click alike), and any other string of two words or more, since messages are put together from parts. Docstrings are left
out, except those that click shows. `tests/unit/messages.txt` is the list as it was last reviewed.
"""

from __future__ import annotations

import argparse
import ast
import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

__all__ = ["REVIEWED", "Message", "listed", "messages_in", "package_messages"]

_REPOSITORY = Path(__file__).resolve().parents[1]
REVIEWED = _REPOSITORY / "tests" / "unit" / "messages.txt"

_PROSE = re.compile(r"[^\W\d_]{2,}[,;:.!?…)`'\"]* +[(`'\"]*([^\W\d_]|\{|%)")
"""A word, a blank, and another word or a placeholder."""
_LOG = frozenset({"critical", "debug", "error", "exception", "info", "log", "warning"})
_OUTPUT = frozenset({"echo", "print", "secho", "write"})
_HELP = frozenset({"description", "epilog", "help", "short_help", "usage"})
_PATTERNS = frozenset({"compile", "findall", "fullmatch", "match", "search", "split", "sub"})


@dataclasses.dataclass(frozen=True)
class Message:
    """One text, and where it is. `kind` is error, log, warning, output or help; or "text", if it is used elsewhere."""

    file: str
    line: int
    kind: str
    text: str


def package_messages() -> list[Message]:
    """Those of all modules of neps, file by file, each in its order."""
    files = sorted((_REPOSITORY / "neps").rglob("*.py"))
    return [m for path in files for m in messages_in(path.read_text("utf-8"), str(path.relative_to(_REPOSITORY)))]


def messages_in(source: str, file: str) -> list[Message]:
    """Those of one module.

    Example:
        >>> [(m.kind, m.text) for m in messages_in('raise ValueError(f"x is {x!r}, not {min(a)}: change it.")', "a.py")]
        [('error', 'x is {x}, not {…}: change it.')]
    """
    finder = _Finder(file)
    finder.visit(ast.parse(source))
    return sorted(finder.found, key=lambda message: message.line)


def listed(messages: list[Message]) -> str:
    """The list as it is stored: without line numbers, which change."""
    lines = []
    for file in dict.fromkeys(message.file for message in messages):
        mine = dict.fromkeys(f"    {m.kind:7} {m.text}\n" for m in messages if m.file == file)
        lines += [f"{file}\n", *mine]
    return "".join(lines)


class _Finder(ast.NodeVisitor):  # its methods are called by the names of nodes
    """Walks a module; `_kinds` says what the strings below are for, the innermost last."""

    def __init__(self, file: str) -> None:
        self.found: list[Message] = []
        self._file = file
        self._kinds = ["text"]
        self._used: dict[str, str] = {}

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        """A function: its docstring is no message, unless click shows it."""
        outer, self._used = self._used, dict(_names_used(node))
        if _is_command(node) and (shown := ast.get_docstring(node)):
            self._add(node.lineno, "help", shown)
        self._body(node)
        self._used = outer

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._body(node)

    def visit_Module(self, node: ast.Module) -> None:
        self._body(node)

    def _body(self, node: ast.Module | ast.ClassDef | ast.FunctionDef) -> None:
        for child in ast.iter_child_nodes(node):
            if not (isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant)):  # a docstring
                self.visit(child)

    def visit_Expr(self, node: ast.Expr) -> None:
        """A string that stands alone documents what is above it."""
        if not isinstance(node.value, ast.Constant):
            self.visit(node.value)

    def visit_Raise(self, node: ast.Raise) -> None:
        """Whatever is raised is an error."""
        self._within("error", node)

    def visit_Call(self, node: ast.Call) -> None:
        """A call says what its strings are for; patterns and what is looked up are for nobody."""
        if _name(node.func) not in _PATTERNS:
            self._within(_kind_of(node) or self._kinds[-1], node)

    def visit_keyword(self, node: ast.keyword) -> None:
        """An argument by keyword: help, or what the call says."""
        self._within("help" if node.arg in _HELP else self._kinds[-1], node)

    def visit_Assign(self, node: ast.Assign) -> None:
        """A string that gets a name is for what the name is used for."""
        names = [target.id for target in node.targets if isinstance(target, ast.Name)]
        used = [self._used[name] for name in names if name in self._used]
        self._within(used[0] if used else self._kinds[-1], node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str):
            self._add(node.lineno, self._kinds[-1], node.value)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """An f-string, with placeholders; and the strings in what it formats, on lines of their own."""
        self._add(node.lineno, self._kinds[-1], "".join(_shown(part) for part in node.values))
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                self.visit(part.value)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        """What is looked up by a string is no message."""
        self.visit(node.value)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        """An annotation is none, either."""
        if node.value is not None:
            self.visit(node.value)

    def _within(self, kind: str, node: ast.AST) -> None:
        self._kinds.append(kind)
        self.generic_visit(node)
        self._kinds.pop()

    def _add(self, line: int, kind: str, text: str) -> None:
        if _PROSE.search(text) or (kind != "text" and re.search(r"[^\W\d_]{2,}", text)):
            self.found.append(Message(self._file, line, kind, text.replace("\n", r"\n")))


def _name(function: ast.expr) -> str:
    """The last part of what is called: `echo` of click.echo."""
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _kind_of(call: ast.Call) -> str | None:
    name = _name(call.func)
    owner = ast.unparse(call.func.value).lower() if isinstance(call.func, ast.Attribute) else ""
    if name.endswith(("Error", "Exception")) or (name == "error" and "log" not in owner):
        return "error"
    if name in _LOG and "log" in owner:
        return "log"
    return "warning" if name == "warn" else "output" if name in _OUTPUT else None


def _names_used(function: ast.AST) -> Iterator[tuple[str, str]]:
    """For what names are used in a function, where that is raised, logged, warned of or printed."""
    for node in ast.walk(function):
        kind = "error" if isinstance(node, ast.Raise) else _kind_of(node) if isinstance(node, ast.Call) else None
        if kind is not None:
            yield from ((name.id, kind) for name in ast.walk(node) if isinstance(name, ast.Name))


def _is_command(function: ast.FunctionDef) -> bool:
    decorators = [each.func if isinstance(each, ast.Call) else each for each in function.decorator_list]
    return any(_name(each) in {"command", "group"} for each in decorators)


def _shown(part: ast.expr) -> str:
    if isinstance(part, ast.Constant):
        return str(part.value)
    value = part.value if isinstance(part, ast.FormattedValue) else part
    return f"{{{_name(value) or '…'}}}"


def main() -> None:
    """Print the list with its places, or store it as reviewed."""
    parser = argparse.ArgumentParser(prog="scripts/messages", description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--write", action="store_true", help=f"rewrite {REVIEWED.relative_to(_REPOSITORY)}")
    messages = package_messages()
    if parser.parse_args().write:
        REVIEWED.write_text(listed(messages), "utf-8")
        return
    for message in messages:
        print(f"{message.file}:{message.line}: {message.kind}: {message.text}")


if __name__ == "__main__":
    main()
