"""What a repository says of the images that Taxiway built there: one record for each fingerprint.

A record is an image index under a tag made of the fingerprint: its annotations say what the image is made
from and how it was found to be, its one manifest is the image. So one small request answers whether there is
an image of a fingerprint, and which. A tag that somebody moved to anything else is no record of it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone

from tasks._digests import canonical_json, json_digest
from tasks._manifests import OCI_INDEX, Descriptor, Manifest, parse_manifest

SOURCE = "org.opencontainers.image.source"
REVISION = "org.opencontainers.image.revision"
VERSION = "org.opencontainers.image.version"
CREATED = "org.opencontainers.image.created"
FINGERPRINT = "dev.taxiway.fingerprint"
INGREDIENTS = "dev.taxiway.ingredients"
_SIZE = "dev.taxiway.size-bytes"
_USER = "dev.taxiway.user"
_CHECKED = "dev.taxiway.checked-for"
_PREFIX = "record-"
# The kinds of ingredients whose names go on with a path (tasks.plan).
_OF_FILES = ("file", "mode")


@dataclass(frozen=True, kw_only=True)
class ImageRecord:
    """One image that was built: `labels` are those of the image itself, too.

    `checked_for` is the folder that code can be unpacked in, as a check found; empty where none was done.
    """

    image: Descriptor
    labels: Mapping[str, str]
    size_bytes: int
    user: str = ""
    checked_for: str = ""
    digest: str = field(default="", compare=False)
    """The digest of the record itself, where it was read."""

    @property
    def fingerprint(self) -> str:
        """What the image is made from."""
        return self.labels.get(FINGERPRINT, "")

    @property
    def created(self) -> datetime:
        """When the image was built; the beginning of time where that cannot be read."""
        try:
            made = datetime.fromisoformat(self.labels.get(CREATED, "").replace("Z", "+00:00"))
        except ValueError:
            return datetime.fromtimestamp(0, timezone.utc)
        return made if made.tzinfo else made.replace(tzinfo=timezone.utc)


def by_folder(ingredients: Mapping[str, str], folders: Collection[str]) -> dict[str, str]:
    """Return ingredients with one for all files of each folder: labels and reports have no room for each."""
    alone: dict[str, str] = {}
    inside: dict[str, dict[str, str]] = {}
    for name, value in ingredients.items():
        kind, _, path = name.partition(":")
        places = (folder for folder in folders if folder == "." or path.startswith(f"{folder}/"))
        folder = next(places, "") if kind in _OF_FILES else ""
        (inside.setdefault(folder, {}) if folder else alone)[name] = value
    return alone | {f"folder:{folder}": json_digest(held) for folder, held in inside.items()}


def labels_of(
    fingerprint: str, ingredients: Mapping[str, str], made_from: Mapping[str, str], created: datetime
) -> dict[str, str]:
    """Return the labels of an image: what it is made from, for which revision, and when."""
    return {
        **made_from,
        CREATED: created.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        FINGERPRINT: fingerprint,
        INGREDIENTS: canonical_json(dict(ingredients)),
    }


def image_tag(fingerprint: str) -> str:
    """Return the tag of the image of a fingerprint, for people."""
    return f"fp-{fingerprint.removeprefix('sha256:')}"


def record_tag(fingerprint: str) -> str:
    """Return the tag of the record of a fingerprint."""
    return f"{_PREFIX}{fingerprint.removeprefix('sha256:')}"


def is_record_tag(tag: str) -> bool:
    """Say whether a tag is one of a record."""
    return tag.startswith(_PREFIX)


def manifest_of(record: ImageRecord) -> Manifest:
    """Return the index that a record is kept as."""
    system, _, rest = record.image.platform.partition("/")
    machine, _, variant = rest.partition("/")
    platform = {"os": system, "architecture": machine, **({"variant": variant} if variant else {})}
    annotations = {**record.labels, _SIZE: str(record.size_bytes)}
    annotations |= {_USER: record.user} if record.user else {}
    annotations |= {_CHECKED: record.checked_for} if record.checked_for else {}
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "manifests": [
            {
                "mediaType": record.image.media_type,
                "digest": record.image.digest,
                "size": record.image.size,
                "platform": platform,
            }
        ],
        "annotations": annotations,
    }
    return parse_manifest(json.dumps(document, sort_keys=True).encode(), what="The record of an image")


def record_in(manifest: Manifest, fingerprint: str = "") -> ImageRecord | None:
    """Read the record that a manifest is; None where it is none, or one of another fingerprint."""
    labels = manifest.annotations
    size = labels.get(_SIZE, "")
    known = labels.get(FINGERPRINT, "")
    if len(manifest.manifests) != 1 or not known or known != (fingerprint or known) or not size.isdecimal():
        return None
    own = {_SIZE, _USER, _CHECKED}
    return ImageRecord(
        image=manifest.manifests[0],
        labels={name: value for name, value in labels.items() if name not in own},
        size_bytes=int(size),
        user=labels.get(_USER, ""),
        checked_for=labels.get(_CHECKED, ""),
        digest=manifest.digest,
    )
