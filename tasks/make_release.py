"""Make a release of what was packaged: admitted, and written down in a manifest that is never made twice."""

import os
import re
import tempfile
from pathlib import Path

from flytekit import Resources, task
from flytekit.configuration import Config
from flytekit.types.file import FlyteFile
from pydantic import ValidationError

from tasks._enrolment import Enrolment
from tasks._errors import FlyteExists, ManifestChanged
from tasks._executions import get_execution
from tasks._flyte import Flyte, connect
from tasks._home import Home
from tasks._own import home_of, own_execution
from tasks._packaged import Package, read_package
from tasks._settings import read_settings
from tasks._storage import fetch, sum_file, upload
from tasks._types import Status, Verdict
from tasks._versions import version_of
from tasks.admission import admit, release_allowances
from tasks.image import ImageStep
from tasks.manifest import Manifest, StoredFile, StoredManifest, canonical
from tasks.prepare import Prepared
from tasks.releases import Released

NAME = "manifest.json"
_SKIPPED = Verdict(status=Status.SKIPPED, summary="not done, for an earlier step did not pass")
_LOCATION = re.compile(r"already exists at location \[([^\]]+)\]")


def manifest_of(
    enrolment: Enrolment,
    prepared: Prepared,
    package: Package,
    *,
    image: ImageStep,
    bundle_uri: str,
    package_uri: str,
    created: str,
) -> Manifest | None:
    """Return the manifest of what was prepared and packaged; None where preparing stopped."""
    policy, bundle = prepared.policy, prepared.bundle
    if policy is None or bundle is None:
        return None
    return Manifest(
        target=enrolment.name,
        revision=prepared.revision,
        version=prepared.version,
        image=image.image,
        bundle=StoredFile(uri=bundle_uri, digest=bundle.digest, entries=bundle.entries),
        package=StoredFile(uri=package_uri, digest=package.digest, entries=len(package.entities)),
        destination=policy.package.destination,
        policy=policy.digest,
        author=prepared.commit.addresses,
        subject=prepared.commit.subject,
        created=created,
        tools={name: version_of(name) for name in ("taxiway", "flytekit", "flyteidl")},
    )


def store(home: Home, manifest: Manifest) -> StoredManifest:
    """Write a manifest under its own digest, unless its revision has one already: then return that.

    A file of a fixed name for each revision decides who was first, since Flyte gives no place twice for
    different content.

    Raises:
        FlyteUnavailable: Flyte or its storage does not answer.
        ManifestChanged: what is there is no manifest of this revision.
    """
    place = {"project": home.project, "domain": home.domain}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / NAME
        path.write_text(canonical(manifest), encoding="utf-8")
        try:
            upload(home.flyte, path, root=f"release-{home.target}-{manifest.revision.sha}", **place)
        except FlyteExists as error:
            manifest = _there(home, error, manifest)
            path.write_text(canonical(manifest), encoding="utf-8")
        uri = upload(home.flyte, path, root=sum_file(path).sha256, **place)
    return StoredManifest(uri=uri, digest=manifest.digest)


def _there(home: Home, error: FlyteExists, ours: Manifest) -> Manifest:
    located = _LOCATION.search(error.details)
    if located is None:
        raise error
    with tempfile.TemporaryDirectory() as folder:
        found = fetch(located[1], Path(folder) / NAME, home.flyte.config.platform)
        try:
            manifest = Manifest.model_validate_json(found.read_bytes())
        except ValidationError:
            manifest = None
    if manifest is None or (manifest.target, manifest.revision) != (ours.target, ours.revision):
        raise ManifestChanged(
            f"{located[1]} is no manifest of {ours.target} {ours.revision.sha}.",
            remedy="See who else writes to Taxiway's storage.",
        )
    return manifest


def release_package(
    enrolment: Enrolment,
    prepared: Prepared,
    package: Package,
    *,
    image: ImageStep | None,
    package_uri: str,
    home: Home,
    created: str,
) -> Released:
    """Admit a package and make a release of it; an earlier verdict that is not passed stops it."""
    if not package.verdict.passed or image is None or prepared.bundle is None:
        return Released(package=package.verdict, admission=_SKIPPED, verdict=_SKIPPED)
    admission = admit(package.entities, release_allowances(enrolment, image.image.reference))
    if not admission.passed:
        return Released(package=package.verdict, admission=admission, verdict=_SKIPPED)
    manifest = manifest_of(
        enrolment,
        prepared,
        package,
        image=image,
        bundle_uri=str(prepared.bundle.file.remote_source),
        package_uri=package_uri,
        created=created,
    )
    if manifest is None:
        return Released(package=package.verdict, admission=admission, verdict=_SKIPPED)
    stored = store(home, manifest)
    verdict = Verdict(status=Status.PASSED, summary=f"released as {manifest.version}")
    return Released(package=package.verdict, admission=admission, verdict=verdict, stored=stored)


def _created(flyte: Flyte) -> str:
    """Return when this execution was made: the same for each try of this task."""
    return str(get_execution(flyte, own_execution()).closure.created_at.ToJsonString())


@task(requests=Resources(cpu="250m", mem="400Mi"), limits=Resources(cpu="1", mem="1Gi"), retries=2)
def make_release(
    enrolment: Enrolment,
    prepared: Prepared,
    image: ImageStep | None,
    status: int,
    log: FlyteFile,
    package: FlyteFile,
) -> Released:
    """Admit the package and write the manifest; a revision that was released before keeps its own."""
    if prepared.released is not None:
        before = Verdict(status=Status.PASSED, summary="released before; the same bytes are taken")
        return Released(package=before, admission=before, verdict=before, stored=prepared.released)
    policy = prepared.policy
    read = read_package(
        Path(package.download()),
        status=status,
        log=Path(log.download()).read_text(encoding="utf-8", errors="replace"),
        image=image.image.reference if image else "",
        destination=policy.package.destination if policy else "",
    )
    settings = read_settings(os.environ)
    with connect(
        Config.auto(), timeout_s=settings.rpc_timeout_s, patience_s=settings.rpc_patience_s
    ) as flyte:
        return release_package(
            enrolment,
            prepared,
            read,
            image=image,
            package_uri=str(package.remote_source),
            home=home_of(flyte, enrolment.name),
            created=_created(flyte),
        )
