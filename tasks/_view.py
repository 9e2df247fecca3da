"""What a report shows, before it is HTML or Markdown: a headline, facts, sections of facts and tables.

Both renderings walk the same `View`, so neither can say what the other does not. Everything in it is plain
text; the renderers escape it.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field

from tasks._types import Finding


class Tone(str, enum.Enum):
    """How a thing stands, for colour and symbol."""

    GOOD = "good"
    BAD = "bad"
    WARN = "warn"
    MUTED = "muted"
    PLAIN = "plain"

    @property
    def symbol(self) -> str:
        """A sign that says the same as the colour, for whoever does not see the colour."""
        return {"good": "✓", "bad": "✗", "warn": "!", "muted": "-", "plain": ""}[self.value]


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A text, perhaps with a link; `code` sets it in the machine's type."""

    text: str
    href: str = ""
    tone: Tone = Tone.PLAIN
    code: bool = False


@dataclass(frozen=True, kw_only=True)
class Fact:
    """A labelled value."""

    label: str
    value: Cell


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows of as many cells as there are columns. `more` is how many rows were left out."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    more: int = 0


@dataclass(frozen=True, kw_only=True)
class Text:
    """Somebody else's output, shown as it is; `title` says whose."""

    title: str
    body: str


@dataclass(frozen=True, kw_only=True)
class Section:
    """One step's part of the report."""

    title: str
    tone: Tone
    summary: str
    facts: Sequence[Fact] = field(default_factory=tuple)
    tables: Sequence[Table] = field(default_factory=tuple)
    texts: Sequence[Text] = field(default_factory=tuple)


@dataclass(frozen=True, kw_only=True)
class View:
    """A whole report: the verdict first, then what to do about it, then the rest."""

    headline: str
    tone: Tone
    summary: str
    facts: Sequence[Fact]
    findings: Sequence[Finding]
    sections: Sequence[Section]
