"""Register Taxiway's own tasks and workflows in a Flyte, and its self-check's launch plan."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from scripts.enrolling import make_project, publish
from scripts.own import ROOT, Placement, own_version, serialise, source_files
from tasks._flyte import Flyte
from tasks._storage import upload
from tasks._tar import TarGz
from tasks.registration import Counts, register_all
from workflows.launch_plans import Installation, self_check_plan

DOCKER_HOST = "TAXIWAY_DOCKER_HOST"
"""The setting of an installation that says which container engine builds images."""


@dataclass(frozen=True, kw_only=True)
class Installing:
    """What is to be installed where. `bundled`: the code is uploaded, and not part of the image.

    An empty `version` is made from the content.
    """

    placement: Placement
    bundled: bool
    version: str = ""
    service_account: str = ""
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Installed:
    """What installing left behind."""

    installation: Installation
    image: str
    counts: Counts
    project_made: bool
    plan_created: bool
    activated: bool


def install(flyte: Flyte, wanted: Installing) -> Installed:
    """Install, so that targets can be enrolled. Installing the same again makes nothing.

    Targets that are enrolled keep the version that they were enrolled with until they are enrolled again.

    Raises:
        DifferentStructure: the version is installed with other content.
        RegistrationRefused: Flyte does not take an entity.
    """
    made = make_project(flyte, wanted.placement.project)
    placement = wanted.placement
    if wanted.bundled:
        placement = replace(placement, bundle_uri=_upload_code(flyte, placement))
    version = wanted.version or own_version(serialise(placement, "content"))
    counts = register_all(serialise(placement, version), flyte)
    installation = Installation(
        project=placement.project,
        domain=placement.domain,
        version=version,
        env=wanted.env,
        service_account=wanted.service_account,
    )
    created, activated = publish(flyte, self_check_plan(installation))
    return Installed(
        installation=installation,
        image=placement.image,
        counts=counts,
        project_made=made,
        plan_created=created,
        activated=activated,
    )


def bundle_code(target: Path, root: Path = ROOT) -> str:
    """Write Taxiway's packages as a tar.gz to `target` and return its digest: same code, same bytes."""
    with TarGz(target) as tar:
        for file in source_files(root):
            tar.file(file.relative_to(root).as_posix(), file.read_bytes(), executable=False)
    return tar.archive().digest


def _upload_code(flyte: Flyte, placement: Placement) -> str:
    with tempfile.TemporaryDirectory(prefix="taxiway-") as folder:
        bundle = Path(folder) / "taxiway.tar.gz"
        digest = bundle_code(bundle)
        root = f"taxiway-code/{digest.removeprefix('sha256:')}"
        return upload(flyte, bundle, project=placement.project, domain=placement.domain, root=root)
