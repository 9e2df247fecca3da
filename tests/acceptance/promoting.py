"""Targets whose releases are there without having been built, so that their promotions can be tried out.

All else is real: the repository with its policy, the enrolment, the launch plans, the stage, the bytes of
the release in storage. What a release's execution leaves behind, the place of its manifest, is the output
of an execution that builds nothing.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flyteidl.admin.launch_plan_pb2 import LaunchPlan
from flytekit import ContainerTask, workflow
from flytekit.configuration import ImageConfig, SerializationSettings
from flytekit.tools.translator import get_serializable

from scripts.enrolling import enrol
from scripts.enrolments import Enrolled
from tasks import policy
from tasks._enrolment import Enrolment, Limits, PreviewStage
from tasks._entities import Entity, Kind
from tasks._flyte import Flyte
from tasks._home import Home
from tasks._launch import launch
from tasks._names import plan_name, release_tag, target_tag
from tasks._protos import digest, read_archive
from tasks._rewrite import LaunchSettings, Placement, rewrite
from tasks._storage import sum_file, upload
from tasks._typed import literals
from tasks._types import Image, Revision, Status, Verdict
from tasks.converge import converge
from tasks.make_release import store
from tasks.manifest import Manifest, StoredFile
from tasks.registration import register_all
from tasks.releases import NODE, Released
from tasks.stage_state import Activation, Cause
from tests.acceptance.staging import PLANS, Target
from tests.integration.packaged import make_project, register
from tests.repositories import Repository
from tests.unit.entities import a_plan, a_task, a_workflow, write_package

HOME: Mapping[str, Any] = {"project": "taxiway", "domain": "production"}
STAGE, DOMAIN = "live", "development"
BEFORE = "before"
"""The version that a stage runs before its first promotion."""
_PASSED = Verdict(status=Status.PASSED, summary="made by a test")
_NOTHING = "sha256:" + "00" * 32
_POLICY = """
[package]
modules = ["flows"]
[image]
repository = "registry.example.com/flows"
[[stage]]
name = "{stage}"
project = "{project}"
domain = "{domain}"
activate = {plans}
on_conflict = "{on_conflict}"
verify = "none"
"""


_nothing = ContainerTask(name="nothing", image="-", command=["true"])


@workflow
def _made(released: Released) -> Released:
    _nothing()
    return released


@workflow
def _release(released: Released) -> Released:
    found: Released = _made(released=released).with_overrides(node_name=NODE)
    return found


@dataclass(frozen=True, kw_only=True)
class Bench:
    """A Flyte with Taxiway installed, and the repository that holds every target on a branch of its own."""

    flyte: Flyte
    image: str
    repository: Repository
    folder: Path

    def target(self, name: str, *, releases: int, on_conflict: str = "wait") -> Target:
        """Make a target of this name with so many releases."""
        make_project(self.flyte, name)
        text = _POLICY.format(
            stage=STAGE, project=name, domain=DOMAIN, plans=PLANS, on_conflict=on_conflict
        ).replace("'", '"')
        read = policy.read_policy(text.encode())
        assert isinstance(read, policy.Policy), read
        shas = [self.repository.commit({"taxiway.toml": text}, branch=name)]
        for number in range(1, releases):
            files = {"taxiway.toml": text, "README.md": f"Release {number}"}
            shas.append(self.repository.commit(files, branch=name, parent=shas[-1]))
        home = Home(flyte=self.flyte, target=name, **HOME)
        made = Target(home=home, enrolled=self._enrolled(name), stage=read.stage[0], shas=shas)
        for sha in shas:
            self._release(made, sha)
        self._run_before(made)
        return made

    def _enrolled(self, name: str) -> Enrolled:
        enrolment = Enrolment(
            name=name,
            repository=self.repository.url,
            protected_branch=name,
            preview=PreviewStage(project=name, domain=DOMAIN),
            limits=Limits(projects=["*"], domains=["*"], images=["*"]),
        )
        return enrol(self.flyte, enrolment, **HOME).enrolled

    def _release(self, target: Target, sha: str) -> None:
        """Put a release into storage, and leave the record of it."""
        archive, bundle = self.folder / f"{sha}.tgz", self.folder / f"{sha}.tar.gz"
        write_package(archive, package())
        bundle.write_bytes(sha.encode())
        uris = [upload(self.flyte, file, root=sum_file(file).sha256, **HOME) for file in (archive, bundle)]
        entities = read_archive(archive)
        manifest = Manifest(
            target=target.home.target,
            revision=Revision(repository=self.repository.url, sha=sha),
            version=sha,
            image=Image(reference=f"registry.example.com/flows@{_NOTHING}", fingerprint=_NOTHING),
            package=StoredFile(uri=uris[0], digest=digest(entities), entries=len(entities)),
            bundle=StoredFile(uri=uris[1], digest=f"sha256:{sum_file(bundle).sha256}", entries=1),
            destination=".",
            policy=_NOTHING,
            created="2026-03-01T00:00:00+00:00",
        )
        stored = store(target.home, manifest)
        released = Released(package=_PASSED, admission=_PASSED, verdict=_PASSED, stored=stored)
        tags = [target_tag(target.home.target), release_tag(target.home.target, sha)]
        execution = launch(
            self.flyte,
            self._release_plan(target),
            name=f"release-{sha[:20]}",
            inputs=literals({"released": released}),
            tags=tags,
        ).id.name
        assert target.end_of(execution) == "SUCCEEDED"

    def _release_plan(self, target: Target) -> LaunchPlan:
        """Register, under the name of the target's releases, a version that keeps what it is given."""
        placement = Placement(version="kept", bundle_uri="", destination=".", **HOME)
        settings = SerializationSettings(
            version=placement.version, image_config=ImageConfig.auto(img_name=self.image), **HOME
        )
        task, spec = (
            get_serializable(OrderedDict(), settings, entity).to_flyte_idl()
            for entity in (_nothing, _release)
        )
        task.template.container.image = self.image
        kept = spec.template.interface.inputs.variables["released"].type
        plan = a_plan(
            plan_name("release", target.home.target), spec.template.id.name, inputs={"released": kept}
        )
        entities = [Entity(kind=Kind.TASK, message=task), Entity(kind=Kind.WORKFLOW, message=spec), plan]
        made = rewrite(entities, placement, LaunchSettings())
        register_all(made, self.flyte)
        found = made[-1].message
        assert isinstance(found, LaunchPlan)
        return found

    def _run_before(self, target: Target) -> None:
        stage = target.stage
        register(self.flyte, package(), stage, BEFORE)
        wanted = Activation(
            target=target.home.target,
            stage=stage.name,
            project=stage.project,
            domain=stage.domain,
            generation=0,
            cause=Cause.ADOPTION,
            after=dict.fromkeys(PLANS, BEFORE),
        )
        converge(self.flyte, wanted)


def package() -> list[Entity]:
    """Return a task, a workflow of it, and three launch plans of that."""
    made = [a_task("t"), a_workflow("w", tasks=["t"])]
    for entity in made:
        entity.message.template.interface.SetInParent()
        entity.message.template.metadata.SetInParent()
    return [*made, *(a_plan(name, "w") for name in PLANS)]
