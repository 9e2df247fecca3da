from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest

from tasks._render import report_json, to_html, to_markdown, to_page
from tasks._types import Finding
from tasks._view import Cell, Fact, Section, Table, Text, Tone, View

HOSTILE = [
    pytest.param("<script>alert(1)</script>", id="script"),
    pytest.param("</script><img src=x onerror=alert(1)>", id="end-of-script"),
    pytest.param('" onmouseover="alert(1)', id="attribute"),
    pytest.param("{{ 7 * 7 }}{% raw %}$NAV_HTML", id="template"),
    pytest.param("|```\n\n# heading <!--", id="markdown"),
    pytest.param("\u2028\x00\x1b[31m\u202e ü 火", id="control-characters"),
]


class Tags(HTMLParser):
    """Collects what a browser would make of a page: its tags, and every attribute that acts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.acting: list[str] = []
        self.outside: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.acting += [name for name, _ in attrs if name.startswith("on")]
        self.outside += [value or "" for name, value in attrs if name in {"src", "srcset"} or tag == "link"]


def view(text: str, href: str = "") -> View:
    cell = Cell(text=text, href=href, tone=Tone.BAD, code=True)
    return View(
        headline=text,
        tone=Tone.BAD,
        summary=text,
        facts=[Fact(label=text, value=cell)],
        findings=[Finding(where=text, problem=text, remedy=text)],
        sections=[
            Section(
                title=text,
                tone=Tone.BAD,
                summary=text,
                facts=[Fact(label=text, value=cell)],
                tables=[Table(columns=[text, "b"], rows=[[cell, Cell(text=text)]], more=3)],
                texts=[Text(title=text, body=text)],
            )
        ],
    )


def without_code(markdown: str) -> str:
    """Code mentions nobody and marks nothing up."""
    return re.sub(r"(`+).*?\1", "", markdown, flags=re.DOTALL)


@pytest.mark.parametrize("text", HOSTILE)
def test_html_keeps_hostile_text_as_text(text: str) -> None:
    seen, plain = (
        Tags(to_html(view(text), "{}")),
        Tags(to_html(view(re.sub(r"[^\n]+", "harmless", text)), "{}")),
    )
    assert seen.tags == plain.tags
    assert seen.acting == []


@pytest.mark.parametrize("text", HOSTILE)
def test_json_comes_back_out_of_the_deck_as_it_went_in(text: str) -> None:
    record = {"log": text}
    fragment = to_html(view("x"), json.dumps(record))
    assert json.loads(report_json(f"<html>{fragment}</html>") or "") == record
    assert Tags(fragment).tags.count("script") == 2


def test_page_without_a_report_has_no_json() -> None:
    assert report_json("<html><script>1</script></html>") is None


def test_html_asks_for_nothing_from_outside() -> None:
    page = to_page(to_html(view("x"), "{}"), title="<x>")
    assert Tags(page).outside == []
    assert "@import" not in page and "url(" not in page
    assert "<title>&lt;x&gt;</title>" in page


@pytest.mark.parametrize("href", ["javascript:alert(1)", "data:text/html,x", "https://a b", 'https://x"y'])
def test_links_that_are_no_web_page_are_dropped(href: str) -> None:
    assert "<a " not in to_html(view("x", href), "{}")
    assert "](" not in to_markdown(view("x", href))


def test_links_to_web_pages_stay() -> None:
    assert 'href="https://flyte.example/x"' in to_html(view("x", "https://flyte.example/x"), "{}")
    assert "(https://flyte.example/x)" in to_markdown(view("x", "https://flyte.example/x"))


@pytest.mark.parametrize("text", HOSTILE)
def test_markdown_keeps_hostile_text_inside_its_place(text: str) -> None:
    lines = without_code(to_markdown(view(text))).splitlines()
    assert sum(line.startswith("## ") for line in lines) == 1
    assert [line for line in lines if line.startswith("<")] == [
        line for line in lines if line.startswith(("<details>", "</details>"))
    ]


def test_markdown_mentions_nobody() -> None:
    assert "@somebody" not in without_code(to_markdown(view("@somebody look")))


def test_markdown_fits_into_a_comment() -> None:
    text = to_markdown(view("a long log line\n" * 20_000))
    assert len(text) < 65_000
    assert text.rstrip().endswith("The rest is in the deck.")


def test_markdown_has_nothing_that_a_terminal_acts_on() -> None:
    assert not set(to_markdown(view("a\x1b[2Jb\u202ec\x07\nd\x9be"))) & set("\x1b\x07\x9b\u202e")
