"""The release manifest: what a release is made of, by digest. Made once; later flows take it from here."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from flytekit.types.file import FlyteFile

from tasks._errors import ManifestChanged
from tasks._types import Image, Record, Revision
from tasks.bundle import CodeBundle


class PackageFile(Record):
    """Everything serialised from a revision, as `pyflyte package` wrote it; `digest` is over its entities."""

    file: FlyteFile
    digest: str
    entities: int


class Manifest(Record):
    """A release: revision, image, code bundle and package, with the policy and the tools they were made by.

    `version` is what its entities are registered as. `policy` is the digest of the policy in force then;
    `author` are the addresses that the commit gives for its author and committer, which anybody can set.
    """

    target: str
    revision: Revision
    version: str
    image: Image
    bundle: CodeBundle
    package: PackageFile
    destination: str
    policy: str
    author: list[str] = []
    subject: str = ""
    created: str
    tools: dict[str, str] = {}

    @property
    def digest(self) -> str:
        """`sha256:...` over the canonical JSON of all of it."""
        return "sha256:" + hashlib.sha256(canonical(self).encode()).hexdigest()


class StoredManifest(Record):
    """Where a manifest is kept, under its own digest, and by which execution it was made."""

    uri: str
    digest: str
    execution: str = ""


def canonical(manifest: Manifest) -> str:
    """Return a manifest as the JSON that its digest is over."""
    return json.dumps(manifest.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))


def checked_manifest(path: Path, digest: str) -> Manifest:
    """Read a manifest, if it is what its digest says.

    Raises:
        ManifestChanged: it is not, or it is none.
    """
    content = path.read_bytes()
    found = "sha256:" + hashlib.sha256(content).hexdigest()
    if found != digest:
        raise ManifestChanged(
            f"The release manifest is {found}, and {digest} was made.",
            remedy="See who else writes to Taxiway's storage; make the release anew from another commit.",
        )
    return Manifest.model_validate_json(content)
