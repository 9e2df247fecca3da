"""Simulations of the fixture's package on a real Flyte: what they find, and that they write nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flyteidl.admin.matchable_resource_pb2 import MatchingAttributes, TaskResourceAttributes, TaskResourceSpec
from flyteidl.admin.project_domain_attributes_pb2 import (
    ProjectDomainAttributes,
    ProjectDomainAttributesUpdateRequest,
)
from flyteidl.admin.project_pb2 import Project
from flyteidl.admin.version_pb2 import GetVersionRequest
from flyteidl.core.tasks_pb2 import Resources
from flytekit.configuration import Config, PlatformConfig

from tasks._entities import Entity, Kind
from tasks._errors import FlyteUnavailable
from tasks._flyte import Flyte, connect
from tasks._home import Home
from tasks._schedules import ScheduleChange
from tasks._types import Status
from tasks.diff import Change
from tasks.gates import GateState, GateVerdict
from tasks.policy import SmokeTest, Stage
from tasks.simulation import simulate
from tasks.simulation_records import Simulation
from tasks.stage_state import StageState, read_stage
from tests.fixtures.target import Target, build_target
from tests.integration.packaged import activate, flyte_of, make_project, packaged, register
from tests.running import Cluster

STAGES = [
    Stage(name=name, project="simulated", domain=name, activate=["fraud.nightly"], labels={"team": name})
    for name in ("development", "staging", "production")
]
DEVELOPMENT = STAGES[0]
WAITING = GateVerdict(gate="soak", state=GateState.WAITING, because="verified an hour ago", opens="tomorrow")


class Recorder:
    """Opens connections that write down the name of every call made through them."""

    def __init__(self, flyte: Flyte) -> None:
        self._lock = threading.Lock()
        self._flyte = flyte
        self.calls: list[str] = []

    def recorded(self) -> Flyte:
        return replace(self._flyte, rpcs={name: self._noted(name) for name in self._flyte.rpcs})

    @contextmanager
    def open(self, stage: Stage) -> Iterator[Flyte]:
        yield self.recorded()

    def _noted(self, name: str) -> Any:
        def call(request: Any, timeout: float) -> Any:
            with self._lock:
                self.calls.append(name)
            return self._flyte.rpcs[name](request, timeout=timeout)

        return call


@pytest.fixture(scope="module")
def flyte(cluster: Cluster) -> Iterator[Flyte]:
    with flyte_of(cluster) as connection:
        make_project(connection, "simulated")
        yield connection


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Target:
    return build_target(tmp_path_factory.mktemp("target") / "fraud.git")


@pytest.fixture(scope="module")
def package(target: Target, tmp_path_factory: pytest.TempPathFactory) -> list[Entity]:
    return packaged(target, tmp_path_factory.mktemp("main"))


def run(recorder: Recorder, stages: list[Stage], package: list[Entity], version: str = "v1") -> Simulation:
    def state(stage: Stage, flyte: Flyte) -> StageState:
        home = Home(flyte=flyte, project="taxiway", domain="production", target="simulated")
        return read_stage(home, flyte, stage)

    return simulate(
        stages,
        package,
        version=lambda stage, flyte: version,
        open_flyte=recorder.open,
        state=state,
        gates=lambda stage, flyte, state: [WAITING],
    )


def test_every_call_is_a_read_and_every_stage_is_new(flyte: Flyte, package: list[Entity]) -> None:
    recorder = Recorder(flyte)
    found = run(recorder, STAGES, package)
    assert recorder.calls
    assert [name for name in recorder.calls if not name.startswith(("Get", "List"))] == []
    assert len(recorder.calls) <= 12 * len(STAGES)
    assert found.verdict.status is Status.PASSED, found.verdict
    assert [one.stage for one in found.stages] == ["development", "staging", "production"]
    for one in found.stages:
        assert (len(one.new), one.existing, one.different) == (len(package), [], [])
        assert one.activated == {"fraud.nightly": ""}
        assert [(it.change, it.after) for it in one.schedules] == [
            (ScheduleChange.STARTS, "15 2 * * *, time as kickoff")
        ]
        assert one.gates == [WAITING]
        assert one.diff is not None and one.diff.note == "Nothing of this is registered here yet."


def test_what_is_there_already_is_told_from_what_is_new_and_what_is_different(
    flyte: Flyte, package: list[Entity]
) -> None:
    stage = DEVELOPMENT.model_copy(update={"domain": "staging"})
    register(flyte, [one for one in package if one.name != "fraud.nightly"], stage, "there")
    recorder = Recorder(flyte)
    found = run(recorder, [stage], package, "there").stages[0]
    assert [one.name for one in found.new] == ["fraud.nightly"]
    assert len(found.existing) == len(package) - 1
    assert found.verdict.passed
    other = stage.model_copy(update={"labels": {"team": "another"}})
    found = run(recorder, [other], package, "there").stages[0]
    plans = [one.name for one in package if one.kind is Kind.LAUNCH_PLAN and one.name != "fraud.nightly"]
    assert sorted(one.name for one in found.different) == sorted(plans)
    assert found.verdict.status is Status.FAILED
    assert "team" in found.verdict.findings[0].problem
    assert {name[:3] for name in recorder.calls} <= {"Get", "Lis"}


def test_a_new_version_is_compared_with_what_is_active(
    flyte: Flyte, package: list[Entity], target: Target, tmp_path: Path
) -> None:
    stage = Stage(name="live", project="simulated", domain="production", activate=["fraud.quick"])
    register(flyte, package, stage, "old")
    activate(flyte, stage, "fraud.nightly", "old")
    activate(flyte, stage, "fraud.quick", "old")
    changed = packaged(target, tmp_path, "breaking-interface")
    keeping = stage.model_copy(update={"activate": ["fraud.nightly", "fraud.quick"]})
    found = run(Recorder(flyte), [keeping], changed, "new").stages[0]
    assert found.activated == {"fraud.nightly": "old", "fraud.quick": "old"}
    assert found.deactivated == {}
    assert found.schedules == []
    assert found.diff is not None and found.diff.note == ""
    assert found.diff.breaking
    again = run(Recorder(flyte), [keeping], package, "old").stages[0]
    assert (again.activated, again.kept) == ({}, ["fraud.nightly", "fraud.quick"])
    assert again.diff is not None and again.diff.changes == []
    assert len(again.existing) == len(package)


def archived(flyte: Flyte) -> None:
    make_project(flyte, "archived")
    flyte.call("UpdateProject", Project(id="archived", name="archived", state=Project.ARCHIVED))


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"project": "nowhere"}, "The project nowhere does not exist"),
        ({"project": "archived"}, "The project archived is archived"),
        ({"domain": "moon"}, "has no domain moon"),
        ({"activate": ["fraud.gone"]}, "The package holds no launch plan fraud.gone"),
        ({"smoke": [SmokeTest(launch_plan="fraud.lost")]}, "The package holds no launch plan fraud.lost"),
        ({"verify": "fraud.absent"}, "The package holds no launch plan fraud.absent"),
    ],
    ids=["no project", "archived project", "no domain", "nothing to activate", "no smoke test", "no check"],
)
def test_what_is_missing_fails_the_simulation(
    flyte: Flyte, package: list[Entity], changed: dict[str, Any], problem: str
) -> None:
    archived(flyte)
    recorder = Recorder(flyte)
    found = run(recorder, [DEVELOPMENT, DEVELOPMENT.model_copy(update=changed)], package)
    assert found.verdict.status is Status.FAILED
    [finding] = found.verdict.findings
    assert problem in finding.problem
    assert found.stages[0].verdict.passed
    assert {name[:3] for name in recorder.calls} <= {"Get", "Lis"}


def test_a_task_above_the_limits_of_the_place_fails_the_simulation(
    flyte: Flyte, package: list[Entity]
) -> None:
    make_project(flyte, "small")
    limits = TaskResourceAttributes(limits=TaskResourceSpec(cpu="1", memory="500Mi"))
    attributes = ProjectDomainAttributes(
        project="small",
        domain="development",
        matching_attributes=MatchingAttributes(task_resource_attributes=limits),
    )
    flyte.call("UpdateProjectDomainAttributes", ProjectDomainAttributesUpdateRequest(attributes=attributes))
    task = next(one for one in package if one.kind is Kind.TASK)
    large = Entity(kind=Kind.TASK, message=type(task.message)())
    large.message.CopyFrom(task.message)
    large.message.template.container.resources.Clear()
    large.message.template.container.resources.requests.add(name=Resources.MEMORY, value="1Gi")
    stage = DEVELOPMENT.model_copy(update={"project": "small"})
    rest = [one for one in package if one is not task]
    found = run(Recorder(flyte), [stage], [large, *rest])
    problems = [finding.problem for finding in found.verdict.findings]
    assert "It asks for 1Gi of memory; small/development allows 500Mi." in problems


def test_another_flyte_that_does_not_answer_is_a_finding_and_our_own_is_a_fault(
    flyte: Flyte, package: list[Entity]
) -> None:
    far = DEVELOPMENT.model_copy(update={"endpoint": "127.0.0.1:1"})
    recorder = Recorder(flyte)

    def open_flyte(stage: Stage) -> AbstractContextManager[Flyte]:
        if stage is not far:
            return recorder.open(stage)
        return connect(Config(platform=PlatformConfig(endpoint="127.0.0.1:1", insecure=True)), patience_s=0.2)

    def no_state(stage: Stage, flyte: Flyte) -> StageState:
        return StageState(stage=stage, active={})

    def version(stage: Stage, flyte: Flyte) -> str:
        flyte.call("GetVersion", GetVersionRequest())
        return "v1"

    def once(stages: list[Stage]) -> Simulation:
        return simulate(
            stages,
            package,
            version=version,
            open_flyte=open_flyte,
            state=no_state,
            gates=lambda stage, flyte, state: [],
        )

    found = once([DEVELOPMENT, far])
    [finding] = found.verdict.findings
    assert finding.where == "stage development: endpoint"
    assert found.stages[1].endpoint == "127.0.0.1:1" and found.stages[0].verdict.passed
    assert Change.ADDED in {one.change for one in found.stages[0].diff.changes}  # type: ignore[union-attr]
    far = far.model_copy(update={"endpoint": ""})
    with pytest.raises(FlyteUnavailable):
        once([far])
