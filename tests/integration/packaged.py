"""The fixture's package, made as a preview makes it, and its registration in stages of a real Flyte."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from flyteidl.admin.launch_plan_pb2 import ACTIVE, LaunchPlanUpdateRequest
from flyteidl.admin.project_pb2 import Project, ProjectRegisterRequest
from flyteidl.core.identifier_pb2 import LAUNCH_PLAN, Identifier
from flytekit.configuration import Config, PlatformConfig

from tasks._entities import Entity
from tasks._errors import FlyteExists
from tasks._flyte import Flyte, connect
from tasks._protos import read_archive
from tasks._rewrite import Placement, rewrite
from tasks._run import run
from tasks.policy import Stage
from tasks.preview_order import stage_settings
from tasks.registration import register_all
from tests.fixtures.target import Target
from tests.running import Cluster

IMAGE = "localhost:30000/fraud@sha256:" + "0" * 64


def packaged(target: Target, folder: Path, branch: str = "main") -> list[Entity]:
    """Package a branch of the fixture's repository, with its code to be unpacked in `.`."""
    tree, archive = folder / branch, folder / f"{branch}.tgz"
    run(["git", "clone", "--quiet", "--branch", branch, target.url, tree], timeout_s=30)
    pyflyte = Path(sys.executable).with_name("pyflyte")
    words: list[str | Path] = [
        "--pkgs",
        "fraud.workflows",
        "--pkgs",
        "fraud.launch_plans",
        "package",
        "--image",
        IMAGE,
    ]
    more: list[str | Path] = [
        "--source",
        tree / "src",
        "--output",
        archive,
        "--copy",
        "all",
        "--force",
        "-d",
        ".",
    ]
    run([pyflyte, *words, *more], timeout_s=120, cwd=tree / "src")
    return read_archive(archive)


@contextmanager
def flyte_of(cluster: Cluster) -> Iterator[Flyte]:
    """Open a connection to a Flyte."""
    config = Config(platform=PlatformConfig(endpoint=cluster.endpoint, insecure=True))
    with connect(config, timeout_s=30, patience_s=10) as flyte:
        yield flyte


def make_project(flyte: Flyte, name: str) -> None:
    """Make a project, if it is not there."""
    with suppress(FlyteExists):
        flyte.call("RegisterProject", ProjectRegisterRequest(project=Project(id=name, name=name)))


def placed(package: Sequence[Entity], stage: Stage, version: str) -> list[Entity]:
    """Return a package as a stage registers it: with its settings and its code under the stage's prefix."""
    placement = Placement(
        project=stage.project,
        domain=stage.domain,
        version=version,
        bundle_uri=f"s3://bucket/{stage.project}/{stage.domain}/code.tar.gz",
        destination=".",
    )
    return rewrite(package, placement, stage_settings(stage))


def register(flyte: Flyte, package: Sequence[Entity], stage: Stage, version: str) -> None:
    """Register a package in a stage."""
    make_project(flyte, stage.project)
    register_all(placed(package, stage, version), flyte)


def activate(flyte: Flyte, stage: Stage, name: str, version: str) -> None:
    """Make one version of a launch plan the ACTIVE one."""
    identifier = Identifier(
        resource_type=LAUNCH_PLAN, project=stage.project, domain=stage.domain, name=name, version=version
    )
    flyte.call("UpdateLaunchPlan", LaunchPlanUpdateRequest(id=identifier, state=ACTIVE))
