"""Rows for a terminal: columns as wide as their widest cell."""

from __future__ import annotations

from collections.abc import Sequence

from tasks._render import printable


def columns(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table of texts under a head, without anything that would steer a terminal."""
    table = [[printable(cell).replace("\n", " ") for cell in row] for row in (head, *rows)]
    widths = [max(len(row[at]) for row in table) for at in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    )
