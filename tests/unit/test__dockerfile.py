from __future__ import annotations

import pytest

from tasks._dockerfile import read_dockerfile

EVERYTHING = r"""# escape=\
ARG BASE=python
ARG TAG=${X:-3.11}
FROM --platform=$TARGETPLATFORM ${BASE}:$TAG AS build
ENV DIR=deps
COPY --chown=1:1 ["a b.txt", "x*.lock", "./"]
COPY $DIR/requirements.lock \
   # a comment

   ./pyproject.toml ./
RUN <<EOF
FROM nothing
EOF
RUN --mount=type=bind,source=setup.py,target=/x --mount=type=cache,target=/c python <<-X
	X
COPY <<F1 <<F2 /etc/
one
F1
two
F2
ADD --link https://example.com/x local.txt ./
FROM build
COPY --from=build /a /b
COPY --from=0 /a /b
COPY --from=busybox:1 --link /a /b
COPY $DIR/z /
RUN --mount=from=tools.example.com/uv,target=/uv uv
CMD ["x"]
"""


def test_bases_are_what_comes_from_elsewhere_with_arguments_filled_in() -> None:
    read = read_dockerfile(EVERYTHING, platform="linux/amd64")
    assert read.flaws == ()
    assert [(base.written, base.image, base.line) for base in read.bases] == [
        ("${BASE}:$TAG", "python:3.11", 4),
        ("busybox:1", "busybox:1", 25),
        ("tools.example.com/uv", "tools.example.com/uv", 27),
    ]


def test_context_is_taken_by_path_from_its_root() -> None:
    read = read_dockerfile(EVERYTHING, platform="linux/amd64")
    assert [(use.word, use.sources, use.line) for use in read.takes] == [
        ("COPY", ("a b.txt", "x*.lock"), 6),
        ("COPY", ("deps/requirements.lock", "pyproject.toml"), 7),
        ("RUN --mount", ("setup.py",), 14),
        ("ADD", ("local.txt",), 21),
        ("COPY", ("deps/z",), 26),
    ]
    assert [use.sources for use in read.urls] == [("https://example.com/x",)]


def test_arguments_of_the_build_count_before_defaults() -> None:
    read = read_dockerfile("ARG BASE=a:1\nFROM $BASE\nFROM $BASE\nFROM scratch", arguments={"BASE": "b:2"})
    assert [base.image for base in read.bases] == ["b:2", "b:2"]


def test_only_declared_arguments_are_filled_in() -> None:
    read = read_dockerfile("FROM ${BASE:-a:1}", arguments={"BASE": "b:2"})
    assert [base.image for base in read.bases] == ["a:1"]


@pytest.mark.parametrize(
    ("reference", "image"),
    [
        ("$A", "x"),
        ("${A}y", "xy"),
        ("${A:-z}", "x"),
        ("${B:-z}", "z"),
        ("y${A:+z}", "yz"),
        ("y${B:+z}", "y"),
    ],
)
def test_variables_are_filled_in_as_docker_does(reference: str, image: str) -> None:
    assert [base.image for base in read_dockerfile(f"ARG A=x\nFROM {reference}").bases] == [image]


def test_another_escape_character_is_taken() -> None:
    read = read_dockerfile("# escape=`\nFROM `\n  a:1\nCOPY x `\n y /z\n")
    assert [base.image for base in read.bases] == ["a:1"]
    assert [use.sources for use in read.takes] == [("x", "y")]


def test_directives_end_with_the_first_other_line() -> None:
    assert read_dockerfile("# syntax=a/b\n# escape=`\n\n# check=skip\nFROM x").directives == {
        "syntax": "a/b",
        "escape": "`",
    }
    assert read_dockerfile("# hello\n# syntax=a/b\nFROM x").directives == {}


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("", 1, "there is no FROM"),
        ("FROM a\nRUM b", 2, "'RUM' is no instruction"),
        ("FROM a\nRUN", 2, "RUN says nothing"),
        ("RUN x\nFROM a", 1, "before the first FROM"),
        ("FROM a b", 1, "AS and a name"),
        ("FROM $NOTHING", 1, "is empty"),
        ("FROM a\nCOPY x", 2, "where it goes"),
        ("FROM a\nCOPY $HERE/x /", 2, "no value that could be known"),
        ("FROM a\nCOPY --from=$X x /", 2, "cannot have a variable"),
        ("FROM a\nRUN <<EOF\nx", 2, "has no end"),
        ("FROM a\nRUN <<RUN\nRUN", 2, "cannot be called RUN"),
        ("FROM a\nRUN <<EOF\nRUN true \\\nEOF", 3, "cannot go on"),
        ("# escape=x\nFROM a", 1, "escape character"),
        ("FROM a AS a\nFROM a", 1, "the name of a stage"),
        ("ARG A=x\nFROM ${B:-${A}}", 2, "not understood"),
    ],
)
def test_what_cannot_be_read_is_a_flaw_of_its_line(text: str, line: int, problem: str) -> None:
    [flaw] = read_dockerfile(text).flaws
    assert flaw.line == line
    assert problem in flaw.problem


def test_stages_inherit_what_the_stage_before_sets() -> None:
    read = read_dockerfile("FROM a AS one\nENV D=deps\nFROM one\nCOPY ${D}/x /")
    assert [use.sources for use in read.takes] == [("deps/x",)]


def test_here_strings_and_quoted_marks_are_no_documents() -> None:
    read = read_dockerfile("FROM a\nRUN cat <<<word\nRUN echo 'a <<b' $((1<<2))\nCOPY x /")
    assert read.flaws == ()
    assert [use.line for use in read.takes] == [4]
