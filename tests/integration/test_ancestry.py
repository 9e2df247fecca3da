"""Which of two commits came first, over a fetch that brought only the tips."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks._ancestry import Ancestry, ancestry
from tasks._git_credentials import Credentials
from tasks._settings import Settings
from tasks._types import Revision
from tasks.source import Source, fetch
from tests.repositories import ENVIRON, Repository


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    path = tmp_path_factory.mktemp("ancestry") / "target.git"
    return Repository.create(path, uploadpack_allowFilter="true", uploadpack_allowAnySHA1InWant="true")


@pytest.fixture(scope="module")
def line(repository: Repository) -> list[str]:
    return repository.history(200)


def fetched(repository: Repository, sha: str, into: Path) -> Source:
    return fetch(
        Revision(repository=repository.url, sha=sha),
        base_branch="main",
        into=into,
        settings=Settings(allow_file_urls=True),
        credentials=Credentials(),
        environ=ENVIRON,
    )


@pytest.mark.parametrize(
    ("sha", "active", "expected"),
    [
        pytest.param(-1, -1, Ancestry.SAME, id="same"),
        pytest.param(-1, -2, Ancestry.DESCENDANT, id="next"),
        pytest.param(-1, 0, Ancestry.DESCENDANT, id="far-ahead"),
        pytest.param(-2, -1, Ancestry.ANCESTOR, id="one-behind"),
        pytest.param(0, -1, Ancestry.ANCESTOR, id="far-behind"),
        pytest.param(20, 150, Ancestry.ANCESTOR, id="both-in-the-middle"),
    ],
)
def test_along_one_branch(
    repository: Repository, line: list[str], tmp_path: Path, sha: int, active: int, expected: Ancestry
) -> None:
    source = fetched(repository, line[sha], tmp_path)
    assert ancestry(source.repository, line[sha], line[active]) is expected


def test_two_branches_are_apart(repository: Repository, line: list[str], tmp_path: Path) -> None:
    side = repository.history(3, branch="side", parent=line[100])
    source = fetched(repository, line[-1], tmp_path)
    assert ancestry(source.repository, line[-1], side[-1]) is Ancestry.APART


def test_commit_that_is_gone_is_unknown(repository: Repository, line: list[str], tmp_path: Path) -> None:
    source = fetched(repository, line[-1], tmp_path)
    assert ancestry(source.repository, line[-1], "0123456789" * 4) is Ancestry.UNKNOWN
