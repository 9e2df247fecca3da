from __future__ import annotations

from pathlib import Path

import pytest

from tasks._errors import RepositoryTooLarge, UnknownBranch, UnknownRevision
from tasks.source import checked_branch, checked_sha, size_watch


@pytest.mark.parametrize(
    "sha", ["main", "4f0c1d2", "-x", "--upload-pack=x", "A" * 40, "a" * 41, "", "a" * 40 + "\n"]
)
def test_what_is_no_full_sha_is_refused(sha: str) -> None:
    with pytest.raises(UnknownRevision, match="full SHA"):
        checked_sha(sha)


@pytest.mark.parametrize("sha", ["a" * 40, "0" * 64])
def test_full_sha_is_taken(sha: str) -> None:
    assert checked_sha(sha) == sha


@pytest.mark.parametrize("name", ["main", "release/1.2", "fix-1", "größe", "a.b"])
def test_branch_is_taken(name: str) -> None:
    assert checked_branch(name) == name


@pytest.mark.parametrize(
    "name",
    ["", "-x", "/a", "a/", "a..b", "a//b", "a b", "a:b", "a^", "a~1", "a*", "a[b", "a\\b", "@{1}", ".a"],
)
@pytest.mark.parametrize("suffix", ["", "/b.lock"])
def test_what_no_branch_can_be_called_is_refused(name: str, suffix: str) -> None:
    with pytest.raises(UnknownBranch):
        checked_branch(name + suffix)


def test_folder_over_its_limit_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "pack").write_bytes(b"x" * 100)
    size_watch(tmp_path, 100)()
    size_watch(tmp_path, 0)()
    with pytest.raises(RepositoryTooLarge, match="100 bytes; 99"):
        size_watch(tmp_path, 99)()
