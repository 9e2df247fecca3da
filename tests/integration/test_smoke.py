"""A package registered, compared and smoke-tested on a Flyte, as a preview's steps do it."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from flyteidl.admin.launch_plan_pb2 import ACTIVE, LaunchPlanUpdateRequest
from flyteidl.core.execution_pb2 import WorkflowExecution
from flyteidl.core.identifier_pb2 import Identifier, ResourceType, WorkflowExecutionIdentifier
from flytekit.configuration import Config, PlatformConfig
from pydantic import JsonValue

from tasks._entities import Entity, Kind
from tasks._executions import get_execution
from tasks._flyte import Flyte, connect
from tasks._protos import read_archive
from tasks._rewrite import LaunchSettings, Placement, rewrite
from tasks._storage import sum_file, upload
from tasks._types import Status
from tasks._wait import wait
from tasks.diff import Change, compare_with_stage
from tasks.policy import SmokeTest, Stage
from tasks.registration import register_all
from tasks.smoke import run_smoke
from tasks.smoke_case import SmokePlace
from tests.running import Cluster

PROJECT, DOMAIN = "flytesnacks", "development"
STAGE = Stage(name="development", project=PROJECT, domain=DOMAIN)
FLOWS = """
import time
from dataclasses import dataclass
from typing import List

from flytekit import LaunchPlan, task, workflow


@dataclass
class Options:
    rows: int
    rate: float = 0.5


@task
def train(options: Options, factor: float, names: List[str]) -> float:
    if not names:
        raise ValueError("no names")
    time.sleep(factor if factor > 100 else 0)
    return options.rows * options.rate * factor


@workflow
def main(options: Options, names: List[str], factor: float = 1.0) -> float:
    return train(options=options, factor=factor, names=names)


nightly = LaunchPlan.get_or_create(main, "smoked.nightly", default_inputs={"factor": 2.0})
"""


@dataclass(frozen=True, kw_only=True)
class Packaged:
    """A package as `pyflyte package` writes it: its entities, and its code."""

    entities: list[Entity]
    bundle: Path

    def place(self, flyte: Flyte, version: str) -> list[Entity]:
        root = sum_file(self.bundle).sha256
        uri = upload(flyte, self.bundle, project=PROJECT, domain=DOMAIN, root=root, name="code.tar.gz")
        placement = Placement(
            project=PROJECT, domain=DOMAIN, version=version, bundle_uri=uri, destination="."
        )
        return rewrite(self.entities, placement, LaunchSettings())


@pytest.fixture(scope="module")
def flyte(cluster: Cluster) -> Iterator[Flyte]:
    with connect(Config(platform=PlatformConfig(endpoint=cluster.endpoint, insecure=True))) as flyte:
        yield flyte


@pytest.fixture(scope="module")
def packaged(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Packaged:
    folder = tmp_path_factory.mktemp("smoked")
    (folder / "smoked.py").write_text(FLOWS)
    cluster.pyflyte("--pkgs", "smoked", "package", "--copy", "all", "-d", ".", "-f", "-o", "p.tgz",
                    "--image", cluster.default_image, cwd=folder)  # fmt: skip
    with tarfile.open(folder / "p.tgz") as archive:
        name = next(one for one in archive.getnames() if one.endswith(".tar.gz"))
        archive.extract(name, folder)
    return Packaged(entities=read_archive(folder / "p.tgz"), bundle=folder / name)


@pytest.fixture(scope="module")
def place(flyte: Flyte, packaged: Packaged) -> SmokePlace:
    counts = register_all(packaged.place(flyte, "smoked-1"), flyte)
    assert len(counts.created) == len(packaged.entities) == 4
    return SmokePlace(project=PROJECT, domain=DOMAIN, version="smoked-1", labels={"taxiway-target": "smoked"})


def test_smoke_tests_are_launched_side_by_side_and_each_is_judged(flyte: Flyte, place: SmokePlace) -> None:
    fine: dict[str, JsonValue] = {"options": {"rows": 4}, "names": ["a"]}
    tests = [
        SmokeTest(
            launch_plan="smoked.main", inputs=fine, expect={"o0": "== 2"}, no_regression={"o0": ">= -0.1"}
        ),
        SmokeTest(launch_plan="smoked.nightly", inputs=fine, expect={"o0": "> 9"}),
        SmokeTest(launch_plan="smoked.main", inputs={**fine, "names": []}),
        SmokeTest(launch_plan="smoked.main", inputs={**fine, "options": {"row": 4}}),
        SmokeTest(launch_plan="smoked.missing"),
    ]
    report = run_smoke(tests, flyte, place)
    assert report.verdict.status is Status.FAILED
    assert report.verdict.summary == "4 of 5 smoke tests failed."
    assert [result.phase for result in report.results] == ["SUCCEEDED", "SUCCEEDED", "FAILED", "", ""]
    assert report.results[0].status is Status.PASSED
    assert [result.values for result in report.results[:2]] == [{"o0": "2.0"}, {}]
    problems = [finding.problem for finding in report.verdict.findings]
    assert problems[0] == "o0 is 4.0, expected > 9"
    assert problems[1] == "ValueError: no names"
    assert "options has no field row; it has rate, rows." in problems[2]
    assert problems[3] == "The package has no launch plan smoked.missing (version smoked-1)."
    again = run_smoke(tests[:2], flyte, place)
    assert [one.execution for one in again.results] == [one.execution for one in report.results[:2]]
    assert all(one.seconds < 5 for one in again.results)


def test_a_test_over_its_time_is_terminated(flyte: Flyte, place: SmokePlace) -> None:
    inputs = {"options": {"rows": 4}, "names": ["a"], "factor": 300}
    test = SmokeTest(launch_plan="smoked.main", inputs=inputs, timeout="1s")
    (result,) = run_smoke([test], flyte, place).results
    assert (result.status, result.phase) == (Status.FAILED, "TIMED_OUT")
    identifier = WorkflowExecutionIdentifier(project=PROJECT, domain=DOMAIN, name=result.execution)
    ended = wait(
        lambda: get_execution(flyte, identifier),
        lambda one: one.closure.phase == WorkflowExecution.ABORTED,
        what="the abort",
        timeout_s=30,
    )
    assert "limit of 1s" in ended.closure.abort_metadata.cause


def test_no_smoke_tests_is_no_pass(flyte: Flyte, place: SmokePlace) -> None:
    report = run_smoke([], flyte, place)
    assert report.untested
    assert report.verdict.status is Status.SKIPPED


def test_the_diff_is_against_what_is_active(flyte: Flyte, packaged: Packaged, place: SmokePlace) -> None:
    own = compare_with_stage(packaged.entities, flyte, STAGE, version="smoked-1")
    assert own.note == "Nothing of this is registered in flytesnacks/development yet."
    assert {change.change for change in own.changes} == {Change.ADDED}
    same = compare_with_stage(packaged.entities, flyte, STAGE, version="smoked-2")
    assert "compared with the newest version, smoked-1" in same.note
    assert (same.changes, same.unchanged) == ([], 4)
    plan = Identifier(
        resource_type=ResourceType.LAUNCH_PLAN,
        project=PROJECT,
        domain=DOMAIN,
        name="smoked.nightly",
        version="smoked-1",
    )
    flyte.call("UpdateLaunchPlan", LaunchPlanUpdateRequest(id=plan, state=ACTIVE))
    changed = [one for one in packaged.entities if one.kind is not Kind.LAUNCH_PLAN]
    for entity in changed:
        copy = type(entity.message)()
        copy.CopyFrom(entity.message)
        del copy.template.interface.inputs.variables["factor"]
        changed[changed.index(entity)] = Entity(kind=entity.kind, message=copy)
    plans = [one for one in packaged.entities if one.name == "smoked.nightly"]
    diff = compare_with_stage([*changed, *plans], flyte, STAGE, version="smoked-2")
    assert diff.note == ""
    assert diff.unchanged == 1
    found = {(one.kind, one.name): (one.change, one.breaking, one.against) for one in diff.changes}
    gone = ["input factor is gone"]
    assert found == {
        (Kind.TASK, "smoked.train"): (Change.CHANGED, gone, "smoked-1"),
        (Kind.WORKFLOW, "smoked.main"): (Change.CHANGED, gone, "smoked-1"),
        (Kind.LAUNCH_PLAN, "smoked.main"): (Change.REMOVED, ["the launch plan is gone"], "smoked-1"),
    }


def test_a_stage_that_does_not_exist_has_nothing_to_compare_with(flyte: Flyte, packaged: Packaged) -> None:
    nowhere = Stage(name="production", project="nobody-made-it", domain="production")
    diff = compare_with_stage(packaged.entities, flyte, nowhere, version="smoked-1")
    assert "nobody-made-it/production" in diff.note
    assert len(diff.changes) == 4
    elsewhere = Stage(name="far", project=PROJECT, domain=DOMAIN, endpoint="dns:///flyte.example.com")
    assert "another Flyte" in compare_with_stage(packaged.entities, flyte, elsewhere, version="v").note
