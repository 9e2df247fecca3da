"""The release manifest: what a release is made of, by digest. Made once; later flows take it from here."""

from __future__ import annotations

import hashlib
from pathlib import Path

from tasks._digests import canonical_json
from tasks._errors import ManifestChanged
from tasks._types import Image, Record, Revision


class StoredFile(Record):
    """A file in the storage of Taxiway's own Flyte. `digest` says what is in it: see where it is used."""

    uri: str
    digest: str
    entries: int


class Manifest(Record):
    """A release: revision, image, code bundle and package, with the policy and the tools they were made by.

    `bundle`'s digest is that of its bytes, `package`'s that of its entities. `version` is what they are
    registered as, `destination` where the code is unpacked in the image. `policy` is the digest of the
    policy in force when it was made. `author` are the addresses that the commit gives, which anybody can
    set. `created` is ISO 8601.
    """

    target: str
    revision: Revision
    version: str
    image: Image
    bundle: StoredFile
    package: StoredFile
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
    return canonical_json(manifest.model_dump(mode="json"))


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
