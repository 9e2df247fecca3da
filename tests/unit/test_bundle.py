from __future__ import annotations

import pytest

from tasks._git import Kind, TreeEntry
from tasks._types import Finding
from tasks.bundle import bounded, link_problems, name_problems, submodule_notes


def entry(path: str, kind: Kind = Kind.FILE) -> TreeEntry:
    return TreeEntry(path=path, kind=kind, oid="0" * 40)


@pytest.mark.parametrize(
    "path",
    ["../x", "a/../x", "/x", "a//x", "./x", "a/.", "..", ".git/config", "a/.GIT", "a\nb", "a\x7f", "a\udcff"],
)
def test_name_that_cannot_be_unpacked_safely_is_found(path: str) -> None:
    assert len(name_problems([entry(path)])) == 1


@pytest.mark.parametrize(
    "path", ["a", "a/b.py", "..a", "a..", ".gitignore", ".github/x", "a b", "größe", "..."]
)
def test_ordinary_name_is_no_problem(path: str) -> None:
    assert name_problems([entry(path)]) == []


@pytest.mark.parametrize(
    "entries",
    [[entry("a"), entry("a")], [entry("a", Kind.SYMLINK), entry("a/b")], [entry("a/b"), entry("a")]],
    ids=["twice", "below a link", "below a file"],
)
def test_entries_in_each_others_way_are_found(entries: list[TreeEntry]) -> None:
    assert len(name_problems(entries)) == 1


def test_link_out_of_the_tree_is_shown_without_control_characters() -> None:
    (problem,) = link_problems({"a": "../\x1b[31m", "b": "a-file"})
    assert problem.where == "a"
    assert "\\x1b" in problem.problem


def test_submodule_is_a_note() -> None:
    assert [note.where for note in submodule_notes([entry("a"), entry("m", Kind.SUBMODULE)])] == ["m"]


def test_many_findings_are_counted() -> None:
    many = [Finding(where=str(number), problem="p", remedy="r") for number in range(50)]
    shown = bounded(many)
    assert len(shown) == 21
    assert shown[-1].problem == "30 more like these"
