"""Schedules of a sandbox as its users run it: ticks that are waited for, and a restart in between."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from flyteidl.admin.common_pb2 import ResourceListRequest, Sort
from flyteidl.admin.execution_pb2 import Execution, ExecutionMetadata
from flyteidl.admin.launch_plan_pb2 import ACTIVE, LaunchPlanUpdateRequest
from flyteidl.admin.schedule_pb2 import CronSchedule
from flyteidl.service.admin_pb2_grpc import AdminServiceStub

from tests import running
from tests.running import Sandbox
from tests.unit.sandbox.registry import plan_request, task_node, task_request, workflow_request

PROJECT, DOMAIN, PERIOD_S = "flytesnacks", "development", 2


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Sandbox]:
    """A sandbox with a launch plan that is active and ticks every two seconds."""
    with running.sandbox(tmp_path / "state") as started:
        with grpc.insecure_channel(started.endpoint) as channel:
            activate(AdminServiceStub(channel))
        yield started


def activate(admin: AdminServiceStub) -> None:
    """Register and activate the plan by hand: flytekit takes no `@every`, and Flyte does."""
    task, workflow, plan = task_request(), workflow_request(task_node("n0")), plan_request("ticking")
    schedule = CronSchedule(schedule=f"@every {PERIOD_S}s")
    plan.spec.entity_metadata.schedule.cron_schedule.CopyFrom(schedule)
    plan.spec.fixed_inputs.literals["a"].scalar.primitive.integer = 1
    task.spec.template.container.image = "registry.example.com/absent:1"
    node = workflow.spec.template.nodes[0].task_node.reference_id
    for id_ in (task.id, task.spec.template.id, workflow.id, plan.id, plan.spec.workflow_id, node):
        id_.project = PROJECT
    admin.CreateTask(task)
    admin.CreateWorkflow(workflow)
    admin.CreateLaunchPlan(plan)
    admin.UpdateLaunchPlan(LaunchPlanUpdateRequest(id=plan.id, state=ACTIVE))


def ticked(sandbox: Sandbox) -> list[Execution]:
    request = ResourceListRequest(limit=100, sort_by=Sort(key="created_at", direction=Sort.ASCENDING))
    request.id.project, request.id.domain = PROJECT, DOMAIN
    request.filters = f"eq(launch_plan.name,ticking)+eq(mode,{ExecutionMetadata.SCHEDULED})"
    with grpc.insecure_channel(sandbox.endpoint) as channel:
        return list(AdminServiceStub(channel).ListExecutions(request).executions)


def wait_for(sandbox: Sandbox, count: int) -> list[Execution]:
    deadline = time.monotonic() + 30
    while len(found := ticked(sandbox)) < count:
        assert time.monotonic() < deadline, f"{len(found)} ticks in 30 s"
        time.sleep(0.1)
    return found


def test_ticks_come_in_time_and_those_missed_are_caught_up(own: Sandbox) -> None:
    before = wait_for(own, 2)
    for execution in before:
        late = execution.closure.created_at.ToMicroseconds()
        late -= execution.spec.metadata.scheduled_at.ToMicroseconds()
        assert 0 <= late < 1_000_000
    own.stop()
    time.sleep(3 * PERIOD_S)
    own.start()
    after = wait_for(own, len(before) + 4)
    seconds = [execution.spec.metadata.scheduled_at.seconds for execution in after]
    assert seconds == list(range(seconds[0], seconds[0] + PERIOD_S * len(seconds), PERIOD_S))
    assert len({execution.id.name for execution in after}) == len(after)
