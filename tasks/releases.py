"""Releases as Flyte's records have them: found by SHA, read by digest, checked against what they name."""

from __future__ import annotations

import tempfile
from pathlib import Path

from flyteidl.admin.node_execution_pb2 import NodeExecutionGetDataRequest
from flyteidl.core.identifier_pb2 import NodeExecutionIdentifier

from tasks._entities import Entity
from tasks._errors import FlyteNotFound, ManifestChanged, NotReleased
from tasks._home import Home
from tasks._names import release_tag
from tasks._protos import BadArchive, digest, read_archive
from tasks._storage import fetch, sum_file
from tasks._typed import Unreadable, value_of
from tasks._types import Record, Verdict
from tasks.manifest import Manifest, StoredFile, StoredManifest, checked_manifest

NODE = "make-release"
"""The node of a release's workflow whose output says where the manifest is."""
_LOOKED_AT = 20


class Released(Record):
    """How making a release went. `stored` is None where a verdict stopped it."""

    package: Verdict
    admission: Verdict
    verdict: Verdict
    stored: StoredManifest | None = None


def find_release(home: Home, sha: str) -> StoredManifest:
    """Return where the manifest of a revision's release is: one list, and one read for each try at it.

    Raises:
        NotReleased: there is none.
    """
    for execution in home.executions(("release",), tag=release_tag(home.target, sha), limit=_LOOKED_AT):
        stored = _stored_by(home, execution.id.name)
        if stored is not None:
            return stored
    raise NotReleased(
        f"There is no release of {home.target} {sha}.",
        remedy=f"Make it: `taxiway release {home.target} {sha}`.",
    )


def _stored_by(home: Home, execution: str) -> StoredManifest | None:
    identifier = NodeExecutionIdentifier(node_id=NODE, execution_id=home.identifier(execution))
    try:
        data = home.flyte.call("GetNodeExecutionData", NodeExecutionGetDataRequest(id=identifier))
        return value_of(data.full_outputs, "o0", Released).stored
    except (FlyteNotFound, Unreadable):
        return None


def read_manifest(home: Home, stored: StoredManifest, *, sha: str) -> Manifest:
    """Fetch a manifest and return it, if it is what its digest says and the release of `sha`.

    Raises:
        ManifestChanged: it is not.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = fetch(stored.uri, Path(folder) / "manifest.json", home.flyte.config.platform)
        manifest = checked_manifest(path, stored.digest)
    if (manifest.target, manifest.revision.sha) != (home.target, sha):
        raise ManifestChanged(
            f"The manifest {stored.digest} is of {manifest.target} {manifest.revision.sha}, not of "
            f"{home.target} {sha}.",
            remedy="See who else writes to Taxiway's storage.",
        )
    return manifest


def read_entities(home: Home, manifest: Manifest) -> list[Entity]:
    """Fetch the entities of a release, if they are those of its manifest.

    Raises:
        ManifestChanged: the package is another one, or none.
    """
    stored = manifest.package
    with tempfile.TemporaryDirectory() as folder:
        path = fetch(stored.uri, Path(folder) / "package.tgz", home.flyte.config.platform)
        try:
            entities = read_archive(path)
        except BadArchive as error:
            raise _changed("package", stored, f"cannot be read: {error}") from error
    if digest(entities) != stored.digest:
        raise _changed("package", stored, f"is {digest(entities)}, and {stored.digest} was made")
    return entities


def read_bundle(home: Home, manifest: Manifest, into: Path) -> Path:
    """Fetch the code bundle of a release into the folder `into`, if it is that of its manifest.

    Raises:
        ManifestChanged: it is another one.
    """
    stored = manifest.bundle
    path = fetch(stored.uri, into / "code.tar.gz", home.flyte.config.platform)
    found = f"sha256:{sum_file(path).sha256}"
    if found != stored.digest:
        raise _changed("code bundle", stored, f"is {found}, and {stored.digest} was made")
    return path


def _changed(what: str, stored: StoredFile, how: str) -> ManifestChanged:
    return ManifestChanged(
        f"The {what} at {stored.uri} {how}.",
        remedy="See who else writes to that storage; release another commit.",
    )
