"""Taxiway's own repository is a target like any other: previewed and released by its own taxiway.toml."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import grpc
import pytest
from flyteidl.admin.common_pb2 import NamedEntityIdentifier
from flyteidl.admin.launch_plan_pb2 import ActiveLaunchPlanRequest, LaunchPlan
from flyteidl.service.admin_pb2_grpc import AdminServiceStub

from tasks._run import run
from tests import running
from tests.fixtures.target import Target
from tests.running import Cluster, Sandbox

ROOT = Path(__file__).parents[2]


ENROLMENT = """
name = "taxiway"
repository = "{url}"
preview = {{ project = "taxiway-previews", domain = "development", secret_groups = ["taxiway"] }}
[limits]
projects = ["taxiway"]
domains = ["development", "production"]
images = ["localhost:30000/taxiway"]
secret_groups = ["taxiway"]
"""
FRAUD_LIMITS = ("--limit-project", "fraud", "--limit-domain", "development", "--limit-domain", "production")
FRAUD_IMAGE = ("--limit-image", "registry.example.com/risk/fraud")


def test_taxiway_previews_itself(cluster: Cluster, tmp_path: Path) -> None:
    repository, sha = snapshot(tmp_path / "taxiway")
    (tmp_path / "enrolment.toml").write_text(ENROLMENT.format(url=repository.as_uri()))
    cluster.install()
    cluster.taxiway("enroll", "--file", tmp_path / "enrolment.toml", "--create-projects")
    report = cluster.preview("taxiway", sha, "--pull-request", "1")["report"]
    assert report["verdict"]["status"] == "passed"
    changes = {change["name"]: change["change"] for change in report["registered"]["diff"]["changes"]}
    assert changes["workflows.preview.preview"] == "added"


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Sandbox]:
    """A sandbox whose installation may become another one, which no other test goes by."""
    with running.sandbox(tmp_path / "state") as started:
        yield started


@pytest.mark.timeout(900)
def test_taxiway_releases_itself_and_what_is_enrolled_then_runs_the_new_version(
    fresh: Sandbox, target: Target, tmp_path: Path
) -> None:
    install = ("install", "--image", fresh.default_image, "--json")
    given = json.loads(fresh.taxiway(*install).stdout)["environment"]
    repository, sha = snapshot(tmp_path / "taxiway", env=given)
    (tmp_path / "enrolment.toml").write_text(ENROLMENT.format(url=repository.as_uri()))
    fresh.taxiway("enroll", "--file", tmp_path / "enrolment.toml", "--create-projects")
    assert active(fresh, "taxiway.self-check").spec.workflow_id.version != sha

    fresh.taxiway("release", "taxiway", sha, timeout_s=600)

    for domain in ("development", "production"):
        plan = active(fresh, "taxiway.self-check", domain=domain)
        assert (plan.id.version, plan.spec.workflow_id.version) == (sha, sha)
        assert plan.spec.workflow_id.domain == domain
        assert {pair.key: pair.value for pair in plan.spec.envs.values} == given
    fresh.taxiway("doctor")
    enrol = ("enroll", target.url, "--name", "fraud", "--create-projects")
    fresh.taxiway(*enrol, *FRAUD_LIMITS, *FRAUD_IMAGE)
    assert active(fresh, "taxiway.preview.fraud").spec.workflow_id.version == sha


def active(sandbox: Sandbox, name: str, *, domain: str = "production") -> LaunchPlan:
    """Return the version of a launch plan of Taxiway's own project that is ACTIVE."""
    identifier = NamedEntityIdentifier(project="taxiway", domain=domain, name=name)
    with grpc.insecure_channel(sandbox.endpoint) as channel:
        return AdminServiceStub(channel).GetActiveLaunchPlan(ActiveLaunchPlanRequest(id=identifier))


def snapshot(folder: Path, env: Mapping[str, str] | None = None) -> tuple[Path, str]:
    """Commit this checkout as it is, with what is not committed yet, and return that repository and SHA.

    With `env`, its policy has that in every stage, and lets releases go on without a soak time.
    """
    listed = run(["git", "-C", ROOT, "ls-files", "-z", "-co", "--exclude-standard"], timeout_s=30).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    if env is not None:
        pairs = ", ".join(f"{key} = {json.dumps(value)}" for key, value in env.items())
        policy = (folder / "taxiway.toml").read_text().replace('soak = "24h"', 'soak = "0s"')
        given = policy.replace('project = "taxiway"', f'project = "taxiway"\nenv = {{ {pairs} }}')
        (folder / "taxiway.toml").write_text(given)
    who = ["-c", "user.name=Ada Example", "-c", "user.email=ada@example.com"]
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], [*who, "commit", "-q", "-m", "As it is"]):
        run(["git", "-C", folder, *words], timeout_s=30)
    return folder, run(["git", "-C", folder, "rev-parse", "HEAD"], timeout_s=30).stdout.strip()
