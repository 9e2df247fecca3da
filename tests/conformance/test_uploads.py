"""Where clients put their files."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest
import requests
from flyteidl.service.dataproxy_pb2 import CreateUploadLocationRequest, CreateUploadLocationResponse
from grpc import StatusCode

from tests.conformance.flyte import DOMAIN, Flyte, refused

DATA = b"0123456789"


def location(flyte: Flyte, data: bytes = DATA, /, **fields: Any) -> CreateUploadLocationResponse:
    values = {"project": flyte.project, "domain": DOMAIN, "content_md5": hashlib.md5(data).digest()}  # noqa: S324
    return flyte.data_proxy.CreateUploadLocation(CreateUploadLocationRequest(**(values | fields)))


def put(place: CreateUploadLocationResponse, data: bytes = DATA) -> int:
    # Flyte 1.16 answers with a Content-Length of the digest; nobody must send it.
    headers = {key: value for key, value in place.headers.items() if key.lower() != "content-length"}
    headers |= {"Content-MD5": base64.b64encode(hashlib.md5(data).digest()).decode()}  # noqa: S324
    return requests.put(place.signed_url, data=data, headers=headers, timeout=30).status_code


def test_a_file_goes_where_the_location_says(flyte: Flyte) -> None:
    place = location(flyte, filename="data.bin", add_content_md5_metadata=True)
    digest = base64.b32encode(hashlib.md5(DATA).digest()).decode()  # noqa: S324
    assert place.native_url.endswith(f"/{flyte.project}/{DOMAIN}/{digest}/data.bin")
    assert put(place) in (200, 201)


def test_a_name_may_be_written_again_with_the_same_content_only(flyte: Flyte) -> None:
    named: dict[str, Any] = {
        "filename": "data.bin",
        "filename_root": "root",
        "add_content_md5_metadata": True,
    }
    place = location(flyte, **named)
    assert place.native_url.endswith(f"/{flyte.project}/{DOMAIN}/root/data.bin")
    assert put(place) in (200, 201)
    location(flyte, **named)
    with refused(StatusCode.ALREADY_EXISTS, "file already exists at location", "specify a matching hash"):
        location(flyte, b"other", **named)


def test_the_project_is_not_checked(flyte: Flyte) -> None:
    assert location(flyte, project="no-such-project").signed_url


@pytest.mark.parametrize(
    "fields",
    [{"project": ""}, {"domain": ""}, {"content_md5": b""}],
    ids=["project", "domain", "name or digest"],
)
def test_a_location_needs_project_domain_and_a_name_or_digest(flyte: Flyte, fields: dict[str, Any]) -> None:
    with refused(StatusCode.INVALID_ARGUMENT):
        location(flyte, **fields)
