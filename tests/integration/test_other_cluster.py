"""A release on its way into another cluster: a second sandbox, behind a door that asks who comes.

The tests are in the order of what happens: nobody is let in, then the cluster is down, then all goes well,
and then it is down once more.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from flyteidl.admin.common_pb2 import NamedEntityIdentifier, ResourceListRequest
from flyteidl.admin.execution_pb2 import Execution
from flyteidl.admin.launch_plan_pb2 import ACTIVE, LaunchPlan

from scripts.enrolments import find_enrolled
from tasks._enrolment import Enrolment
from tasks._errors import FlyteUnauthenticated, FlyteUnavailable
from tasks._executions import phase_of
from tasks._flyte import Flyte
from tasks._git_credentials import Credentials
from tasks._home import Home
from tasks._registered import fetch_registered
from tasks._settings import Settings
from tasks._stage_flyte import VARIABLE, open_stage
from tasks._typed import value_of
from tasks._types import Status
from tasks.carrying import launch_promotion
from tasks.due import due
from tasks.gates import GateState
from tasks.looking import Look, simulated
from tasks.manifest import Manifest
from tasks.nightly import sight_of
from tasks.policy import Stage
from tasks.prepare import fetch_revision
from tasks.promotion import policy_in_force
from tasks.promotion_records import PromotionReport, PromotionStatus
from tasks.releases import read_entities
from tasks.rollback import plan_rollback
from tasks.same_bytes import compare
from tasks.stage_diff import read_diff
from tasks.stage_state import active_plans, newest
from tasks.where import StagePlace, read_where
from tests import forked, running
from tests.integration.guarded import CLIENT, SECRET, Door, credentials, guarded
from tests.integration.packaged import flyte_of, make_project, placed
from tests.integration.released import make_manifest, record_release
from tests.repositories import ENVIRON, Repository
from tests.running import Sandbox

pytestmark = pytest.mark.timeout(300)
TARGET, PLAN = "fraud", "fraud.nightly"
POLICY = """
[package]
modules = ["fraud"]
[image]
repository = "registry.example.com/fraud"
[[stage]]
name = "development"
project = "fraud"
domain = "development"
activate = ["fraud.nightly"]
[[stage]]
name = "production"
endpoint = "{endpoint}"
project = "fraud"
domain = "production"
activate = ["fraud.nightly"]
labels = {{ team = "risk" }}
max_parallelism = 7
[[stage]]
name = "archive"
project = "fraud"
domain = "staging"
gates = {{ soak = "1h" }}
"""


@dataclass(frozen=True, kw_only=True)
class Clusters:
    """Two clusters, and a target of the first whose policy names the second by the door in front of it."""

    first: Sandbox
    second: Sandbox
    door: Door
    secrets: Path
    home: Home
    there: Flyte
    enrolment: Enrolment
    manifest: Manifest
    scratch: Path

    @property
    def other(self) -> str:
        """The second cluster's endpoint, as the policy has it."""
        return self.door.endpoint

    @property
    def known(self) -> dict[str, dict[str, str]]:
        return {self.other: {"client_id": CLIENT, "client_secret": SECRET}}

    def promote(self, stage: str, attempt: int = 1) -> Execution:
        """Promote the release by the target's own launch plan, and return the execution at its end."""
        sha = self.manifest.revision.sha
        return self.ended(
            launch_promotion(self.home, self.enrolment, sha=sha, stage=stage, attempt=attempt).id.name
        )

    def ended(self, name: str) -> Execution:
        return self.home.end_of(name, timeout_s=120)

    def look(self, **known: Any) -> Look:
        """What a release would be carried by."""
        source = fetch_revision(
            self.enrolment,
            self.manifest.revision.sha,
            into=self.scratch / f"look-{len(list(self.scratch.iterdir()))}",
            settings=Settings(allow_file_urls=True),
            credentials=Credentials(),
            environ=ENVIRON,
        )
        return Look(
            enrolment=self.enrolment,
            source=source,
            policy=policy_in_force(source, self.enrolment),
            home=self.home,
            credentials=known,
        )

    def taxiway(self, *words: str) -> str:
        """Run a command with credentials for both clusters, and return what it printed."""
        env = {**self.first.environ, VARIABLE: credentials(self.other)}
        return forked.taxiway(words, env=env, expect=(0,), timeout_s=120).stdout

    def where(self, **known: Any) -> list[StagePlace]:
        """What is where, for somebody with these credentials."""
        opened = lambda endpoint: open_stage(endpoint, self.home.flyte, known)  # noqa: E731
        return read_where(self.home, self.enrolment, open_other=opened).stages


def plans(flyte: Flyte, domain: str) -> list[LaunchPlan]:
    request = ResourceListRequest(id=NamedEntityIdentifier(project="fraud", domain=domain), limit=100)
    return list(flyte.call("ListLaunchPlans", request).launch_plans)


@pytest.fixture(scope="module")
def clusters(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clusters]:
    folder = tmp_path_factory.mktemp("clusters")
    secrets, scratch = folder / "secrets", folder / "scratch"
    for made in (secrets / "taxiway", scratch):
        made.mkdir(parents=True)
    repository = Repository.create(
        folder / "fraud.git", uploadpack_allowFilter="true", uploadpack_allowAnySHA1InWant="true"
    )
    with (
        running.sandbox(folder / "one", "--secrets", secrets) as first,
        running.sandbox(folder / "two") as second,
        guarded(second.endpoint) as door,
        flyte_of(first) as own,
        flyte_of(second) as there,
    ):
        sha = repository.commit({"taxiway.toml": POLICY.format(endpoint=door.endpoint)})
        words = ("--image", first.default_image, "--env", "TAXIWAY_RPC_PATIENCE_S=1")
        first.taxiway("install", *words)
        limits = (("endpoint", door.endpoint), ("project", "fraud"), ("image", "registry.example.com/fraud"))
        domains = [("domain", name) for name in ("development", "staging", "production")]
        flags = [word for name, value in (*limits, *domains) for word in (f"--limit-{name}", value)]
        first.taxiway("enroll", repository.url, "--name", TARGET, "--create-projects", *flags)
        make_project(there, "fraud")
        own = own.hurried(timeout_s=30, patience_s=1)
        home = Home(flyte=own, project="taxiway", domain="production", target=TARGET)
        manifest = make_manifest(home, repository.url, sha, folder, [PLAN])
        record_release(home, manifest, image=first.default_image)
        yield Clusters(
            first=first,
            second=second,
            door=door,
            secrets=secrets / "taxiway" / "flyte_credentials",
            home=home,
            there=there,
            enrolment=find_enrolled(own, "taxiway", "production", TARGET).enrolment,
            manifest=manifest,
            scratch=scratch,
        )


def test_nobody_gets_in_without_the_secret(clusters: Clusters) -> None:
    ended = clusters.promote("production")
    assert phase_of(ended) == "FAILED"
    assert ended.closure.error.code == "TAXI:FlyteUnauthenticated"
    said = ended.closure.error.message
    assert clusters.other in said and "secret taxiway/flyte_credentials" in said
    assert plans(clusters.there, "production") == []


def test_wrong_credentials_are_named_and_ours_are_not_sent(clusters: Clusters) -> None:
    wrong = {clusters.other: {"client_id": CLIENT, "client_secret": "another"}}
    for known, remedy in (({}, "Add a table"), (wrong, "Correct the table")):
        with (
            open_stage(clusters.other, clusters.home.flyte, known) as flyte,
            pytest.raises(FlyteUnauthenticated, match=remedy),
        ):
            active_plans(flyte, "fraud", "production")
    with open_stage(clusters.other, clusters.home.flyte, clusters.known) as flyte:
        assert active_plans(flyte, "fraud", "production") == {}


def test_calls_side_by_side_log_in_once(clusters: Clusters) -> None:
    for _ in range(5):
        with (
            open_stage(clusters.other, clusters.home.flyte, clusters.known) as flyte,
            ThreadPoolExecutor(max_workers=8) as pool,
        ):
            found = list(pool.map(lambda _: active_plans(flyte, "fraud", "production"), range(8)))
        assert found == [{}] * 8


def test_first_stage_is_promoted_whatever_the_other_cluster_does(clusters: Clusters) -> None:
    clusters.secrets.write_text(credentials(clusters.other))
    clusters.door.shut()
    ended = clusters.promote("development")
    assert phase_of(ended) == "SUCCEEDED", ended.closure.error.message
    assert active_plans(clusters.home.flyte, "fraud", "development") == {PLAN: [clusters.manifest.version]}


def test_promotion_into_a_cluster_that_is_down_is_a_fault_with_nothing_done(clusters: Clusters) -> None:
    ended = clusters.promote("production", attempt=2)
    assert phase_of(ended) == "FAILED"
    assert ended.closure.error.code == "RetriesExhausted|TAXI:FlyteUnavailable"
    assert clusters.other in ended.closure.error.message
    assert newest(clusters.home, "production") == (None, 0), "no generation was begun"


def test_simulation_names_the_stage_that_is_down_and_the_gates_of_the_one_after(clusters: Clusters) -> None:
    found = simulated(clusters.look(**clusters.known), clusters.manifest)
    development, production, archive = found.stages
    assert found.verdict.status is Status.FAILED
    assert development.verdict.passed and archive.verdict.passed
    [finding] = production.verdict.findings
    assert finding.where == "stage production: endpoint" and clusters.other in finding.problem
    lost = {gate.gate: gate for gate in archive.gates if gate.state is GateState.WAITING}
    assert set(lost) == {"previous", "soak"}
    assert all("production cannot be looked at" in gate.because for gate in lost.values())
    assert all(clusters.other in gate.evidence[0] for gate in lost.values())


def test_back_again_it_is_promoted_with_its_settings_and_the_same_bytes(clusters: Clusters) -> None:
    clusters.door.open()
    ended = clusters.promote("production", attempt=3)
    assert phase_of(ended) == "SUCCEEDED", ended.closure.error.message
    report = value_of(clusters.home.data(ended.id.name).full_outputs, "o0", PromotionReport)
    assert (report.status, str(report.same)) == (PromotionStatus.PROMOTED, "same bytes: 3 of 3")
    there, version = clusters.there, clusters.manifest.version
    entities = fetch_registered(there, "fraud", "production", version)
    packaged = read_entities(clusters.home, clusters.manifest)
    assert compare(
        placed(packaged, Stage(name="production", project="fraud", domain="production"), version), entities
    ).passed
    [plan] = plans(there, "production")
    assert (plan.id.version, plan.closure.state) == (version, ACTIVE)
    assert (plan.spec.labels.values["team"], plan.spec.max_parallelism) == ("risk", 7)
    assert plans(clusters.home.flyte, "production") == [], "the first cluster has nothing of it"


def test_bundle_lies_in_the_other_clusters_own_storage(clusters: Clusters) -> None:
    bundles = [path for path in clusters.second.storage.rglob("code.tar.gz") if "production" in path.parts]
    assert [path.read_bytes() for path in bundles] == [f"the code of {clusters.manifest.version}".encode()]
    entities = fetch_registered(clusters.there, "fraud", "production", clusters.manifest.version)
    words = " ".join(str(entity.message) for entity in entities)
    assert str(bundles[0]) in words and str(clusters.first.storage) not in words


def test_where_and_diff_ask_each_stage_at_its_own_flyte(clusters: Clusters) -> None:
    version = clusters.manifest.version
    _, production, *_ = clusters.where(**clusters.known)
    assert (production.endpoint, production.condition) == (clusters.other, "ok")
    assert (production.active, production.fault) == ({PLAN: [version]}, "")
    found = read_diff(
        clusters.home,
        "development",
        "production",
        open_flyte=lambda record: open_stage(record.endpoint, clusters.home.flyte, clusters.known),
    )
    assert (found.changes, found.unchanged, found.first.sha, str(found.bytes)) == (
        [],
        3,
        version,
        "same bytes: 3 of 3",
    )
    [setting] = found.settings
    assert any("team" in text for text in setting.details)


def test_what_runs_in_the_other_cluster_is_adopted(clusters: Clusters) -> None:
    place = (
        "--stage-project",
        "fraud",
        "--stage-domain",
        "production",
        "--stage-endpoint",
        clusters.other,
    )
    clusters.taxiway("init", TARGET, "--stage", "adopted", *place)
    adopted = next(one for one in clusters.where(**clusters.known) if one.stage == "adopted")
    assert (adopted.condition, adopted.cause, adopted.endpoint) == ("ok", "adoption", clusters.other)
    assert adopted.active == {PLAN: [clusters.manifest.version]}


def test_whom_it_does_not_let_in_is_told_so_in_the_row(clusters: Clusters) -> None:
    development, production, *_ = clusters.where()
    assert (development.condition, production.condition) == ("ok", "unknown")
    assert production.fault == "TAXI:FlyteUnauthenticated"
    assert "secret taxiway/flyte_credentials" in production.note


def test_commands_say_in_its_row_that_a_cluster_is_down_and_end_well(clusters: Clusters) -> None:
    clusters.door.shut()
    shown = clusters.taxiway("where", TARGET)
    assert f"unknown, {clusters.other} not asked (TAXI:FlyteUnavailable)" in shown
    found = json.loads(clusters.taxiway("diff", TARGET, "development", "production", "--json"))
    assert (found["bytes"], found["first"]["fault"]) == (None, "")
    assert found["second"]["fault"] == "TAXI:FlyteUnavailable" and clusters.other in found["second"]["note"]


def test_night_goes_on_without_the_stage_that_is_down(clusters: Clusters) -> None:
    look = clusters.look(**clusters.known)
    sights = [sight_of(look, stage) for stage in look.policy.stage]
    assert [one.runs for one in sights] == [clusters.manifest.revision.sha, "", ""]
    into_archive, into_production = due(sights, datetime.now(timezone.utc))
    for one in (into_archive, into_production):
        assert one.sha == ""
        assert "production cannot be looked at" in one.because and clusters.other in one.because


def test_rollback_of_a_stage_that_is_down_begins_nothing(clusters: Clusters) -> None:
    with pytest.raises(FlyteUnavailable, match=clusters.other):
        plan_rollback(
            clusters.home, "production", to="g0", reason="it scores too high", credentials=clusters.known
        )
    assert newest(clusters.home, "production")[1] == 1
