from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import pytest

from tasks._errors import BuilderMissing, ImageContextChanged
from tasks._settings import Settings
from tasks._tar import TarGz
from tasks.image import blob_name, image_builder, unpack_context
from tests.mounted import Mounted

LOCK = b"flytekit==1.16.31\n"


def context(folder: Path, files: Mapping[str, bytes]) -> Path:
    with TarGz(folder / "context.tar.gz") as tar:
        for name, content in files.items():
            tar.file(name, content, executable=name.endswith(".sh"))
    return folder / "context.tar.gz"


def blob(content: bytes) -> str:
    return blob_name(content, like="0" * 40)


def test_blob_is_named_as_git_names_it() -> None:
    assert blob(b"") == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
    assert blob_name(b"", like="0" * 64) == hashlib.sha256(b"blob 0\0").hexdigest()


def test_context_is_unpacked_with_its_folders(tmp_path: Path) -> None:
    blobs = {"deps/requirements.lock": blob(LOCK)}
    unpack_context(context(tmp_path, {"deps/requirements.lock": LOCK}), blobs, into=tmp_path / "out")
    assert (tmp_path / "out" / "deps" / "requirements.lock").read_bytes() == LOCK


def test_files_can_be_run_that_could_be_in_git(tmp_path: Path) -> None:
    blobs = {"a.sh": blob(LOCK), "b": blob(LOCK)}
    unpack_context(context(tmp_path, {"a.sh": LOCK, "b": LOCK}), blobs, into=tmp_path / "out")
    assert {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "out").iterdir()} == {
        "a.sh": 0o755,
        "b": 0o644,
    }


@pytest.mark.parametrize(
    ("files", "named"),
    [
        pytest.param({}, "requirements.lock", id="missing"),
        pytest.param({"requirements.lock": b"other"}, "requirements.lock", id="changed"),
        pytest.param({"requirements.lock": LOCK, "setup.py": b""}, "setup.py", id="one more"),
        pytest.param({"requirements.lock": LOCK, "../x": b""}, r"\.\./x", id="outside"),
    ],
)
def test_context_other_than_planned_is_refused(files: dict[str, bytes], named: str, tmp_path: Path) -> None:
    with pytest.raises(ImageContextChanged, match=named):
        unpack_context(context(tmp_path, files), {"requirements.lock": blob(LOCK)}, into=tmp_path / "out")


def test_installation_without_a_builder_says_so() -> None:
    with pytest.raises(BuilderMissing, match="TAXIWAY_IMAGE_ROOT"):
        image_builder(Settings(), {}, Mounted()).__enter__()
