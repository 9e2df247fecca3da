from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from tasks._errors import RegistryInvalid
from tasks._manifests import (
    DOCKER_INDEX,
    DOCKER_MANIFEST,
    OCI_INDEX,
    OCI_MANIFEST,
    Manifest,
    parse_descriptors,
    parse_manifest,
)

DIGEST = "sha256:" + "a" * 64
ENTRY: dict[str, Any] = {"mediaType": "x/y", "digest": DIGEST, "size": 7}
IMAGE: dict[str, Any] = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": ENTRY, "layers": [ENTRY]}
INDEX: dict[str, Any] = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [ENTRY]}


def parse(document: Any, media_type: str = "", **more: str) -> Manifest:
    return parse_manifest(json.dumps(document).encode(), media_type=media_type, what="a.io/fraud:v1", **more)


@pytest.mark.parametrize(
    ("document", "sent_as", "kind"),
    [
        (IMAGE, OCI_MANIFEST, OCI_MANIFEST),
        (IMAGE, "", OCI_MANIFEST),
        (IMAGE, "application/json; charset=utf-8", OCI_MANIFEST),
        (IMAGE, OCI_MANIFEST.upper() + ";charset=utf-8", OCI_MANIFEST),
        ({**IMAGE, "mediaType": ""}, OCI_MANIFEST, OCI_MANIFEST),
        ({**IMAGE, "mediaType": DOCKER_MANIFEST}, DOCKER_MANIFEST, DOCKER_MANIFEST),
        (INDEX, OCI_INDEX, OCI_INDEX),
        ({**INDEX, "mediaType": DOCKER_INDEX}, DOCKER_INDEX, DOCKER_INDEX),
    ],
)
def test_a_manifest_is_of_the_type_that_it_is_sent_as_or_says(
    document: dict[str, Any], sent_as: str, kind: str
) -> None:
    manifest = parse(document, sent_as)
    assert manifest.media_type == kind
    assert manifest.is_index == (kind in (OCI_INDEX, DOCKER_INDEX))
    assert (manifest.config is None) == manifest.is_index
    assert len(manifest.layers) + len(manifest.manifests) == 1


def test_the_digest_is_over_the_bytes_as_they_came() -> None:
    body = json.dumps(IMAGE, indent=7).encode()
    manifest = parse_manifest(body, what="x")
    assert (manifest.body, manifest.size_bytes) == (body, len(body))
    assert manifest.digest == f"sha256:{hashlib.sha256(body).hexdigest()}"
    longer = parse_manifest(body, what="x", like="sha512:" + "0" * 128)
    assert longer.digest == f"sha512:{hashlib.sha512(body).hexdigest()}"


def test_what_is_optional_is_read() -> None:
    platform = {"os": "linux", "architecture": "arm64", "variant": "v8", "os.version": "1"}
    manifest = parse({**INDEX, "manifests": [{**ENTRY, "platform": platform, "artifactType": "a/b"}]})
    assert (manifest.manifests[0].platform, manifest.manifests[0].artifact_type) == ("linux/arm64/v8", "a/b")
    image = parse({**IMAGE, "subject": ENTRY, "annotations": {"k": "v"}, "artifactType": "c/d"})
    assert image.subject is not None
    assert (image.subject.digest, image.annotations, image.artifact_type) == (DIGEST, {"k": "v"}, "c/d")
    assert parse({**IMAGE, "layers": None, "annotations": None}).layers == ()


@pytest.mark.parametrize(
    ("document", "sent_as"),
    [
        ({**IMAGE, "manifests": []}, OCI_MANIFEST),
        ({**INDEX, "layers": []}, OCI_INDEX),
        (IMAGE, OCI_INDEX),
        ({**IMAGE, "mediaType": ""}, "application/json"),
        (IMAGE, DOCKER_MANIFEST),
        ({"schemaVersion": 1}, "application/vnd.docker.distribution.manifest.v1+prettyjws"),
        ({**IMAGE, "mediaType": 3}, OCI_MANIFEST),
        ({**IMAGE, "config": None}, OCI_MANIFEST),
        ({**IMAGE, "config": {**ENTRY, "digest": "sha256:../.."}}, OCI_MANIFEST),
        ({**IMAGE, "config": {**ENTRY, "size": -1}}, OCI_MANIFEST),
        ({**IMAGE, "config": {**ENTRY, "size": True}}, OCI_MANIFEST),
        ({**IMAGE, "layers": {}, "x": 1}, DOCKER_INDEX),
        ({**IMAGE, "layers": "x"}, OCI_MANIFEST),
        ({**IMAGE, "layers": ["x"]}, OCI_MANIFEST),
        ({**IMAGE, "annotations": {"k": 1}}, OCI_MANIFEST),
        ({**INDEX, "manifests": [{**ENTRY, "platform": "linux"}]}, OCI_INDEX),
        ([], OCI_MANIFEST),
    ],
)
def test_what_contradicts_itself_or_the_spec_is_invalid(document: Any, sent_as: str) -> None:
    with pytest.raises(RegistryInvalid, match="fraud:v1 is not of the OCI spec"):
        parse(document, sent_as)


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"\xff", b"[" * 100_000], ids=["no", "page", "bytes", "deep"]
)
def test_what_is_no_json_is_invalid(body: bytes) -> None:
    with pytest.raises(RegistryInvalid):
        parse_manifest(body, media_type=OCI_MANIFEST, what="x")
    with pytest.raises(RegistryInvalid):
        parse_descriptors(body, what="x")
