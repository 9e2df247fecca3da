"""Releases that nobody built: all that a promotion goes by, without the pods that make it.

The manifest, the package and the bundle are in Flyte's storage as ever. What a release's execution leaves
behind, the place of its manifest, is the output of an execution that builds nothing.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

from flyteidl.admin.launch_plan_pb2 import LaunchPlan
from flytekit import ContainerTask, workflow
from flytekit.configuration import ImageConfig, SerializationSettings
from flytekit.tools.translator import get_serializable

from tasks._entities import Entity, Kind
from tasks._executions import phase_of
from tasks._home import Home
from tasks._launch import launch
from tasks._names import plan_name, release_tag, target_tag
from tasks._protos import digest, read_archive
from tasks._rewrite import LaunchSettings, Placement, rewrite
from tasks._storage import sum_file, upload
from tasks._typed import literals
from tasks._types import Image, Revision, Status, Verdict
from tasks.make_release import store
from tasks.manifest import Manifest, StoredFile
from tasks.registration import register_all
from tasks.releases import NODE, Released
from tests.unit.entities import a_plan, a_task, a_workflow, write_package

_NOTHING = "sha256:" + "00" * 32
_PASSED = Verdict(status=Status.PASSED, summary="made by a test")

_nothing = ContainerTask(name="nothing", image="-", command=["true"])


@workflow
def _made(released: Released) -> Released:
    _nothing()
    return released


@workflow
def _release(released: Released) -> Released:
    found: Released = _made(released=released).with_overrides(node_name=NODE)
    return found


def package(plans: Sequence[str]) -> list[Entity]:
    """Return one task, one workflow of it, and launch plans of that."""
    made: list[Entity] = [a_task("fraud.fit"), a_workflow("fraud.train", tasks=["fraud.fit"])]
    for entity in made:
        entity.message.template.interface.SetInParent()
        entity.message.template.metadata.SetInParent()
    return [*made, *(a_plan(name, "fraud.train") for name in plans)]


def make_manifest(home: Home, repository: str, sha: str, folder: Path, plans: Sequence[str]) -> Manifest:
    """Put a package and a bundle into the storage of Taxiway's Flyte; return the manifest of them."""
    made = folder / sha
    made.mkdir()
    archive, bundle = made / "package.tgz", made / "code.tar.gz"
    write_package(archive, package(plans))
    bundle.write_bytes(f"the code of {sha}".encode())
    entities = read_archive(archive)

    def kept(file: Path) -> str:
        return upload(home.flyte, file, project=home.project, domain=home.domain, root=f"made-{sha}")

    return Manifest(
        target=home.target,
        revision=Revision(repository=repository, sha=sha),
        version=sha,
        image=Image(reference=f"registry.example.com/fraud@{_NOTHING}", fingerprint=_NOTHING),
        bundle=StoredFile(digest=f"sha256:{sum_file(bundle).sha256}", uri=kept(bundle), entries=1),
        package=StoredFile(digest=digest(entities), uri=kept(archive), entries=len(entities)),
        destination=".",
        policy=_NOTHING,
        created="2026-03-01T00:00:00+00:00",
    )


def record_release(home: Home, manifest: Manifest, *, image: str) -> None:
    """Store a manifest, and leave the record of it: an execution of the target's release flow."""
    released = Released(package=_PASSED, admission=_PASSED, verdict=_PASSED, stored=store(home, manifest))
    name = launch(
        home.flyte,
        _release_plan(home, image),
        name=f"release-{manifest.version[:20]}",
        inputs=literals({"released": released}),
        tags=[target_tag(home.target), release_tag(home.target, manifest.version)],
    ).id.name
    ended = home.end_of(name, timeout_s=120)
    assert phase_of(ended) == "SUCCEEDED", ended.closure.error.message


def _release_plan(home: Home, image: str) -> LaunchPlan:
    """Register, under the name of the target's releases, a version that keeps what it is given."""
    placement = Placement(
        project=home.project, domain=home.domain, version="kept", bundle_uri="", destination="."
    )
    settings = SerializationSettings(
        project=home.project,
        domain=home.domain,
        version=placement.version,
        image_config=ImageConfig.auto(img_name=image),
    )
    task, spec = (
        get_serializable(OrderedDict(), settings, entity).to_flyte_idl() for entity in (_nothing, _release)
    )
    task.template.container.image = image
    kept = spec.template.interface.inputs.variables["released"].type
    plan = a_plan(plan_name("release", home.target), spec.template.id.name, inputs={"released": kept})
    entities = [Entity(kind=Kind.TASK, message=task), Entity(kind=Kind.WORKFLOW, message=spec), plan]
    made = rewrite(entities, placement, LaunchSettings())
    register_all(made, home.flyte)
    found = made[-1].message
    assert isinstance(found, LaunchPlan)
    return found
