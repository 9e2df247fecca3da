from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest

from scripts.sandbox.errors import InvalidArgument
from scripts.sandbox.signed_urls import Refused, Signer, file_within, object_path, stored_path
from scripts.sandbox.storage import Storage

NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)
SIGNER = Signer(base="http://localhost:1/objects", secret=b"s")


def taken_apart(url: str) -> tuple[str, dict[str, str]]:
    parts = urlsplit(url)
    return unquote(parts.path).removeprefix("/objects/"), dict(parse_qsl(parts.query))


def test_a_signed_url_is_good_for_its_method_and_object_until_it_expires() -> None:
    path, query = taken_apart(SIGNER.sign("PUT", "p/d/a b", NOW + timedelta(seconds=5), "md5=="))
    assert SIGNER.check("PUT", path, query, NOW) == "md5=="
    for method, name, when in (
        ("GET", path, NOW),
        ("PUT", "p/d/c", NOW),
        ("PUT", path, NOW + timedelta(hours=1)),
    ):
        with pytest.raises(Refused):
            SIGNER.check(method, name, query, when)


@pytest.mark.parametrize("change", [{"md5": ""}, {"expires": "99999999999"}, {"token": "x"}, {"token": ""}])
def test_a_changed_url_is_refused(change: dict[str, str]) -> None:
    path, query = taken_apart(SIGNER.sign("PUT", "p/d/a", NOW + timedelta(seconds=5), "md5=="))
    with pytest.raises(Refused):
        SIGNER.check("PUT", path, {**query, **change}, NOW)


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/etc/passwd", "a//b", ".", "a\0b", "a\\b"])
def test_a_path_that_leaves_its_folder_is_refused(name: str) -> None:
    with pytest.raises(InvalidArgument, match="is no path of an object within its folder"):
        object_path("p", "development", "root", name)


def test_a_name_may_have_folders_of_its_own() -> None:
    assert object_path("", "p", "development", "root", "a/b.txt") == "p/development/root/a/b.txt"


def test_a_link_out_of_the_storage_is_not_followed(tmp_path: Path) -> None:
    storage = Storage(tmp_path / "storage")
    (tmp_path / "secret").write_text("x")
    (storage.root / "link").symlink_to(tmp_path / "secret")
    assert file_within(storage.root, "link") is None
    with pytest.raises(InvalidArgument):
        stored_path(storage, storage.uri("link"))


@pytest.mark.parametrize("uri", ["s3://bucket/x", "file:///etc/passwd", "file:///"])
def test_only_what_lies_in_the_storage_is_signed(tmp_path: Path, uri: str) -> None:
    with pytest.raises(InvalidArgument):
        stored_path(Storage(tmp_path), uri)
