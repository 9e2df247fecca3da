from __future__ import annotations

import pytest

from tasks._from_lines import pinned

BASES = {"python:3": "r/python@sha256:1", "${BASE}": "r/base@sha256:2"}


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        pytest.param("FROM python:3", "FROM r/python@sha256:1", id="alone"),
        pytest.param("from python:3 as a", "from r/python@sha256:1 as a", id="lower case, with a name"),
        pytest.param(
            "FROM --platform=linux/amd64 ${BASE}\n",
            "FROM --platform=linux/amd64 r/base@sha256:2\n",
            id="flag",
        ),
        pytest.param("FROM \\\n  python:3\nRUN x", "FROM \\\n  r/python@sha256:1\nRUN x", id="continued"),
        pytest.param("  FROM\tpython:3", "  FROM\tr/python@sha256:1", id="blanks"),
        pytest.param("COPY --from=python:3 a b", "COPY --from=r/python@sha256:1 a b", id="copied from"),
        pytest.param(
            "COPY --chown=1 --from=python:3 a b",
            "COPY --chown=1 --from=r/python@sha256:1 a b",
            id="second flag",
        ),
        pytest.param(
            "RUN --mount=type=bind,from=python:3,target=/x y",
            "RUN --mount=type=bind,from=r/python@sha256:1,target=/x y",
            id="mounted",
        ),
        pytest.param("FROM first\nCOPY --from=first a b", "FROM first\nCOPY --from=first a b", id="a stage"),
        pytest.param("FROM python:3.11", "FROM python:3.11", id="a longer name"),
        pytest.param("RUN echo FROM python:3", "RUN echo FROM python:3", id="elsewhere in a line"),
        pytest.param("# FROM python:3", "# FROM python:3", id="comment"),
    ],
)
def test_what_a_dockerfile_starts_from_is_pinned(written: str, wanted: str) -> None:
    assert pinned(written, BASES) == wanted
