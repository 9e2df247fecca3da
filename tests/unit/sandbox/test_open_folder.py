from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.sandbox.open_folder import open_to_all


@pytest.fixture(autouse=True)
def narrow_umask() -> Iterator[None]:
    before = os.umask(0o077)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_what_is_made_in_it_is_open_whatever_the_umask(tmp_path: Path) -> None:
    folder = tmp_path / "storage"
    folder.mkdir()
    open_to_all(folder)
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "deep" / "er" / "file").touch()
    assert [mode(folder / path) for path in (".", "deep", "deep/er", "deep/er/file")] == [
        0o777,
        0o777,
        0o777,
        0o666,
    ]


def test_what_was_there_before_is_opened_too(tmp_path: Path) -> None:
    folder = tmp_path / "storage" / "old"
    folder.mkdir(parents=True)
    open_to_all(tmp_path / "storage")
    (folder / "new").touch()
    assert (mode(folder), mode(folder / "new")) == (0o777, 0o666)


def test_a_file_that_shall_be_private_stays_so(tmp_path: Path) -> None:
    open_to_all(tmp_path)
    os.close(os.open(tmp_path / "private", os.O_CREAT | os.O_WRONLY, 0o600))
    assert mode(tmp_path / "private") == 0o600
