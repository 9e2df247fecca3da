"""A report as HTML for a deck, as Markdown for a pull request, and its JSON back out of a deck.

What a target wrote is escaped here, in one place each: by jinja2 in HTML, by `_md` in Markdown. The JSON
inside the HTML has every `<` escaped, so that nothing in it can end its script element.
"""

from __future__ import annotations

import html
import json
import re
from functools import lru_cache
from pathlib import Path

import jinja2

from tasks._view import View

_TEMPLATES = Path(__file__).with_name("templates")
_MARKED = re.compile(r'<script type="application/json" id="taxiway-report">(.*?)</script>', re.DOTALL)
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#!|~$&]|^[-+=])")
_SAFE_LINK = re.compile(r"https?://[^\s<>()\"'`]+")
_ACTING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_UNMENTIONED = "@\u200b"
"""A zero-width space ends the name of whoever a code host would notify."""
_MARKDOWN_LIMIT = 60_000
"""Code hosts refuse comments over about 65,000 characters."""


def to_html(view: View, json_text: str) -> str:
    """Return the report as one HTML fragment, styles included, which asks for nothing from outside.

    A fragment and not a page, for flytekit puts it inside the page of its own that holds all decks. It
    carries `json_text` as it is, and the report's Markdown as a JSON string, for whoever reads decks.
    """
    markdown = json.dumps(to_markdown(view))
    template = _templates().get_template("report.html.j2")
    return template.render(view=view, json_text=_in_script(json_text), markdown=_in_script(markdown))


def to_page(fragment: str, *, title: str) -> str:
    """Return a page of its own around what `to_html` returned."""
    return _templates().get_template("page.html.j2").render(fragment=fragment, title=title)


def to_markdown(view: View) -> str:
    """Return the report as Markdown that fits into a comment on a code host."""
    text = _templates().get_template("report.md.j2").render(view=view)
    text = re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"
    if len(text) <= _MARKDOWN_LIMIT:
        return text
    short = View(
        headline=view.headline,
        tone=view.tone,
        summary=view.summary[:2000],
        facts=view.facts,
        findings=view.findings[:20],
        sections=(),
    )
    text = _templates().get_template("report.md.j2").render(view=short)
    return re.sub(r"\n{3,}", "\n\n", text).strip()[:_MARKDOWN_LIMIT] + "\n\nThe rest is in the deck.\n"


def report_json(deck: str) -> str | None:
    """Return the JSON that `to_html` put into a deck; None where there is none."""
    found = _MARKED.search(deck)
    if found is None:
        return None
    return json.dumps(json.loads(found.group(1)), ensure_ascii=False)


def printable(text: str) -> str:
    """Return text without what a terminal acts on: control characters and changes of direction."""
    return _ACTING.sub("", text)


def _in_script(document: str) -> str:
    """Return the same JSON without anything that could end a script element or a line of one."""
    return document.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


@lru_cache(maxsize=1)
def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=jinja2.select_autoescape(("html.j2", "html"), default=False),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["md"] = _md
    environment.filters["mdcode"] = _md_code
    environment.filters["inhtml"] = _in_html
    environment.filters["link"] = _link
    environment.filters["fence"] = _fence
    return environment


def _line(text: str) -> str:
    return " ".join(printable(text).split())


def _md(text: str) -> str:
    """Escape text for Markdown: one line, no mark-up, no HTML, no table cell broken, nobody mentioned."""
    return _SPECIAL.sub(r"\\\1", _line(text)).replace("@", _UNMENTIONED)


def _in_html(text: str) -> str:
    """Escape text for an HTML line inside Markdown."""
    return html.escape(_line(text)).replace("@", _UNMENTIONED)


def _md_code(text: str) -> str:
    """Return text as inline code, which no run of backticks inside can end."""
    flat = _line(text).replace("|", "\\|")
    if not flat:
        return ""
    ticks = "`" * (max((len(run) for run in re.findall(r"`+", flat)), default=0) + 1)
    pad = " " if flat.startswith("`") or flat.endswith("`") else ""
    return f"{ticks}{pad}{flat}{pad}{ticks}"


def _link(href: str) -> str:
    """Return a link only if it leads to a web page; anything else (`javascript:`, ...) becomes empty."""
    return href if _SAFE_LINK.fullmatch(href) else ""


def _fence(text: str) -> str:
    """Return text as a fenced block, which no run of backticks inside can end."""
    ticks = "`" * max(3, max((len(run) for run in re.findall(r"`+", text)), default=0) + 1)
    return f"{ticks}text\n{printable(text).rstrip()}\n{ticks}"
