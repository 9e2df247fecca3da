"""The layers of an image, read from its manifest and its history."""

from __future__ import annotations

import pytest

from scripts.layers import Layer, lines_of, table_of

HISTORY = [
    {"created_by": "/bin/sh -c #(nop) ADD file:1 in / "},
    {"created_by": "ENV A=1", "empty_layer": True},
    {"created_by": "RUN /bin/sh -c set -eu;     true # buildkit"},
    {"created_by": "COPY /a /b # buildkit"},
    {"comment": "Imported"},
]


def test_lines_are_those_of_the_dockerfile_that_made_a_layer() -> None:
    assert lines_of(HISTORY) == ["ADD file:1 in /", "RUN set -eu; true", "COPY /a /b", ""]


@pytest.mark.parametrize("history", [None, "text", {"a": 1}, [1]], ids=str)
def test_a_history_is_optional(history: object) -> None:
    assert lines_of(history) == []


def test_a_table_ends_with_the_sum() -> None:
    layers = [Layer(size_bytes=2**20, made_by="RUN a"), Layer(size_bytes=2**19, made_by="")]
    assert table_of(layers).splitlines() == [
        "    1.0 MiB  RUN a",
        "    0.5 MiB",
        "    1.5 MiB  in all, compressed",
    ]
