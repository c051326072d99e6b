"""Rows of text as a table, for a terminal and for a notebook. Knows no trial; whoever shows something calls it.

What is shown may be anybody's: nothing that steers a terminal or a browser comes through.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

__all__ = ["aligned", "as_html", "cell", "narrowed", "printable"]

_LONGEST_CELL = 24
_GAP = 2
_MORE = "…"


def printable(text: str) -> str:
    r"""The text without what would steer a terminal: files may hold anything.

    >>> printable("a\x1b[2J")
    'a\\x1b[2J'
    """
    return "".join(char if char.isprintable() or char == "\n" else ascii(char)[1:-1] for char in text)


def cell(value: object) -> str:
    """A value as a table shows it, in one line: short, and floats to four digits.

    >>> cell(0.123456), cell(float("nan")), cell(None), cell("adam"), cell(10**6)
    ('0.1235', 'nan', '', 'adam', '1000000')
    """
    text = "" if value is None else f"{value:.4g}" if isinstance(value, float) else printable(str(value))
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST_CELL else f"{text[: _LONGEST_CELL - 1]}{_MORE}"


def aligned(rows: Sequence[Sequence[str]], indent: str = "  ") -> Iterator[str]:
    r"""The rows as lines, each column as wide as its widest cell.

    >>> list(aligned([["x", "a\nb"], ["1", "2"]]))
    ['  x  a\\nb', '  1  2']
    """
    rows = [[printable(text).replace("\n", "\\n") for text in row] for row in rows]
    widths = _widths(rows)
    for row in rows:
        cells = (text.ljust(width) for text, width in zip(row, widths, strict=True))
        yield f"{indent}{(' ' * _GAP).join(cells)}".rstrip()


def narrowed(rows: Sequence[Sequence[str]], width: int) -> list[list[str]]:
    """As many columns, from the left, as fit into so many characters; an ellipsis stands for the others.

    >>> narrowed([["trial", "learning_rate", "optimizer"], ["1", "0.01", "adam"]], 24)
    [['trial', 'learning_rate', '…'], ['1', '0.01', '…']]
    """
    ends = [end - _GAP for end in itertools.accumulate(wide + _GAP for wide in _widths(rows))]
    fits = [end + _GAP + len(_MORE) <= width for end in ends[:-1]] + [end <= width for end in ends[-1:]]
    kept = [*fits, False].index(False)
    return [[*row[:kept], *([_MORE] if kept < len(row) else [])] for row in rows]


def as_html(rows: Sequence[Sequence[str]], caption: str = "") -> str:
    """A table for a notebook; the first row is its head.

    >>> as_html([["x"], ["<b>"]])
    '<table><thead><tr><th>x</th></tr></thead><tbody><tr><td>&lt;b&gt;</td></tr></tbody></table>'
    """
    from html import escape

    head, *body = rows
    title = f"<p>{escape(caption)}</p>" if caption else ""

    def cells(tag: str, row: Sequence[str]) -> str:
        return "".join(f"<{tag}>{escape(text)}</{tag}>" for text in row)

    lines = "".join(f"<tr>{cells('td', row)}</tr>" for row in body)
    return f"{title}<table><thead><tr>{cells('th', head)}</tr></thead><tbody>{lines}</tbody></table>"


def _widths(rows: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(len, column)) for column in zip(*rows, strict=True)]
