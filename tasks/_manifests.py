"""Manifests and image indexes, of OCI and of Docker's second version, as a registry holds them.

A manifest is its bytes: the digest is over them, so they are kept and passed on as they came.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from tasks._digests import content_digest
from tasks._errors import ReferenceInvalid, RegistryInvalid
from tasks._references import checked_digest

T = TypeVar("T")

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
INDEXES = frozenset({OCI_INDEX, DOCKER_INDEX})
MANIFESTS = (OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_INDEX)
"""The media types that are asked for, and no others: Docker's first version is not addressed by content."""


@dataclass(frozen=True, kw_only=True)
class Descriptor:
    """What some content is and how to know it. `platform` is `os/architecture[/variant]`, empty if unsaid."""

    media_type: str
    digest: str
    size: int
    artifact_type: str = ""
    platform: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """One manifest or index: `config` and `layers` of an image, or the `manifests` of an index.

    `body` is what was read, `digest` what it is by its own content.
    """

    media_type: str
    digest: str
    body: bytes = field(repr=False)
    artifact_type: str = ""
    config: Descriptor | None = None
    layers: tuple[Descriptor, ...] = ()
    manifests: tuple[Descriptor, ...] = ()
    subject: Descriptor | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_index(self) -> bool:
        """Whether it lists manifests, one a platform, and is not an image itself."""
        return self.media_type in INDEXES

    @property
    def size_bytes(self) -> int:
        """The size of the manifest itself, not of the image."""
        return len(self.body)


def parse_manifest(body: bytes, *, media_type: str = "", what: str, like: str = "sha256:") -> Manifest:
    """Read a manifest or index; `media_type` is the one it was sent with, `like` a digest of the kind wanted.

    `what` names it in errors.

    Raises:
        RegistryInvalid: it is none of `MANIFESTS`, contradicts itself, or is not of the spec's form.
    """
    document = parse_object(body, what)
    try:
        kind = _kind(document, media_type.partition(";")[0].strip().lower())
        index = kind in INDEXES
        return Manifest(
            media_type=kind,
            digest=content_digest(body, like=like),
            body=body,
            artifact_type=_text(document, "artifactType"),
            config=None if index else _descriptor(document.get("config")),
            layers=() if index else _descriptors(document, "layers"),
            manifests=_descriptors(document, "manifests") if index else (),
            subject=_optional(document, "subject", _descriptor),
            annotations=_texts(document, "annotations"),
        )
    except _Malformed as error:
        raise _invalid(what, str(error)) from None


def parse_descriptors(body: bytes, *, what: str) -> tuple[Descriptor, ...]:
    """Read the `manifests` of an index that a registry made up for an answer, such as of referrers.

    Raises:
        RegistryInvalid: it is not of the spec's form.
    """
    document = parse_object(body, what)
    try:
        return _descriptors(document, "manifests")
    except _Malformed as error:
        raise _invalid(what, str(error)) from None


def parse_object(body: bytes, what: str) -> Mapping[str, object]:
    """Read a JSON object; `what` names it in errors.

    Raises:
        RegistryInvalid: it is anything else.
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise _invalid(what, "it is not JSON") from None
    if not isinstance(document, dict):
        raise _invalid(what, "it is not a JSON object")
    return document


class _Malformed(ValueError):
    """A field is not what the spec says."""


def _invalid(what: str, why: str) -> RegistryInvalid:
    return RegistryInvalid(
        f"{what} is not of the OCI spec: {why}.", remedy="Push it again with a current tool, or name another."
    )


def _kind(document: Mapping[str, object], sent_as: str) -> str:
    """Return the media type, on which the header, `mediaType` and the fields have to agree.

    Content that is an image to one reader and an index to another would mean two things under one digest.
    """
    stated = _text(document, "mediaType")
    kind = sent_as if sent_as in MANIFESTS else stated or sent_as
    if kind not in MANIFESTS:
        raise _Malformed(f"{kind or 'no media type'!r} is none of {', '.join(MANIFESTS)}")
    if stated not in ("", kind):
        raise _Malformed(f"it was sent as {kind} and says that it is {stated}")
    foreign = ("config", "layers") if kind in INDEXES else ("manifests",)
    if found := [name for name in foreign if name in document]:
        raise _Malformed(f"as {kind} it cannot have {' and '.join(found)}")
    return kind


def _descriptor(value: object) -> Descriptor:
    if not isinstance(value, dict):
        raise _Malformed("a descriptor is missing")
    size = value.get("size")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise _Malformed("the size of a descriptor is not a number of bytes")
    try:
        digest = checked_digest(_text(value, "digest"))
    except ReferenceInvalid as error:
        raise _Malformed(f"of a descriptor, {error.problem.rstrip('.')}") from None
    return Descriptor(
        media_type=_text(value, "mediaType"),
        digest=digest,
        size=size,
        artifact_type=_text(value, "artifactType"),
        platform=_optional(value, "platform", _platform) or "",
        annotations=_texts(value, "annotations"),
    )


def _descriptors(document: Mapping[str, object], name: str) -> tuple[Descriptor, ...]:
    # Written by Go, an empty list may come as null.
    found = document.get(name, ()) or ()
    if not isinstance(found, (list, tuple)):
        raise _Malformed(f"{name} is not a list")
    return tuple(map(_descriptor, found))


def _platform(value: object) -> str:
    if not isinstance(value, dict):
        raise _Malformed("a platform is not an object")
    return "/".join(filter(None, (_text(value, name) for name in ("os", "architecture", "variant"))))


def _optional(document: Mapping[str, object], name: str, read: Callable[[object], T]) -> T | None:
    found = document.get(name)
    return None if found is None else read(found)


def _text(document: Mapping[str, object], name: str) -> str:
    found = document.get(name, "")
    if not isinstance(found, str):
        raise _Malformed(f"{name} is not a text")
    return found


def _texts(document: Mapping[str, object], name: str) -> Mapping[str, str]:
    found = document.get(name) or {}
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise _Malformed(f"{name} are not texts by name")
    return found
