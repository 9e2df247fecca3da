from __future__ import annotations

import hashlib
import tarfile
from pathlib import Path

import pytest

from tasks._tar import TarGz

NAMES = ["a.py", "d/" * 60 + "deep.py", "größe.py", "x" * 100, "y" * 101, "z" * 990]


@pytest.mark.parametrize("name", NAMES, ids=["short", "deep", "not ascii", "100", "101", "length of length"])
def test_names_come_out_as_they_went_in(name: str, tmp_path: Path) -> None:
    with TarGz(tmp_path / "x.tar.gz") as tar:
        tar.file(name, b"content", executable=False)
        tar.symlink("link-" + name, name)
    with tarfile.open(tmp_path / "x.tar.gz") as read:
        file, link = read.getmembers()
        stream = read.extractfile(file)
        assert stream is not None
        assert stream.read() == b"content"
    assert (file.name, link.name, link.linkname) == (name, "link-" + name, name)


@pytest.mark.parametrize("size", [0, 1, 511, 512, 65_535, 65_536, 3_000_000])
def test_contents_of_any_size_come_out(size: int, tmp_path: Path) -> None:
    content = (b"0123456789abcdef" * (size // 16 + 1))[:size]
    with TarGz(tmp_path / "x.tar.gz") as tar:
        tar.file("a", content, executable=True)
    with tarfile.open(tmp_path / "x.tar.gz") as read:
        (member,) = read.getmembers()
        stream = read.extractfile(member)
        assert stream is not None
        assert stream.read() == content
    assert (member.mode, member.uid, member.uname, member.mtime) == (0o755, 0, "", 0)


def test_archive_says_what_its_bytes_are(tmp_path: Path) -> None:
    with TarGz(tmp_path / "x.tar.gz") as tar:
        tar.file("a", b"1", executable=False)
    archive = tar.archive()
    content = archive.path.read_bytes()
    assert archive.digest == "sha256:" + hashlib.sha256(content).hexdigest()
    assert archive.md5 == hashlib.md5(content, usedforsecurity=False).hexdigest()
    assert (archive.size_bytes, archive.members) == (len(content), 1)


def test_archive_that_broke_off_is_removed(tmp_path: Path) -> None:
    with pytest.raises(KeyError), TarGz(tmp_path / "x.tar.gz") as tar:
        tar.file("a", b"1", executable=False)
        raise KeyError
    assert list(tmp_path.iterdir()) == []
