"""Schedules that fire. Flyte's scheduler looks for activations every 30 s, and cron knows whole minutes."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from flyteidl.admin.common_pb2 import ResourceListRequest, Sort
from flyteidl.admin.execution_pb2 import Execution, ExecutionMetadata, WorkflowExecutionGetDataRequest
from flyteidl.admin.launch_plan_pb2 import (
    ACTIVE,
    INACTIVE,
    LaunchPlanMetadata,
    LaunchPlanSpec,
    LaunchPlanUpdateRequest,
)
from flyteidl.admin.schedule_pb2 import CronSchedule, Schedule
from flyteidl.core.identifier_pb2 import LAUNCH_PLAN, Identifier

from tests.conformance.entities import DATETIME, launch_plan, workflow_of_nothing
from tests.conformance.flyte import DOMAIN, Flyte

NAME = "ticking"


@pytest.fixture
def ticking(registered: Flyte) -> Iterator[Identifier]:
    """A launch plan that is active and is launched every minute, until the test has ended."""
    flyte = registered
    wf = workflow_of_nothing(flyte, "ticking_wf", {"at": DATETIME})
    schedule = Schedule(cron_schedule=CronSchedule(schedule="* * * * *"), kickoff_time_input_arg="at")
    spec = LaunchPlanSpec(entity_metadata=LaunchPlanMetadata(schedule=schedule))
    request = launch_plan(flyte, NAME, of=wf, spec=spec)
    flyte.admin.CreateLaunchPlan(request)
    flyte.admin.UpdateLaunchPlan(LaunchPlanUpdateRequest(id=request.id, state=ACTIVE))
    yield request.id
    flyte.admin.UpdateLaunchPlan(LaunchPlanUpdateRequest(id=request.id, state=INACTIVE))


def scheduled(flyte: Flyte) -> list[Execution]:
    """Return what the schedule has launched, the earliest first."""
    request = ResourceListRequest(limit=10, sort_by=Sort(key="created_at", direction=Sort.ASCENDING))
    request.id.project, request.id.domain = flyte.project, DOMAIN
    request.filters = f"eq(launch_plan.name,{NAME})+eq(mode,{ExecutionMetadata.SCHEDULED})"
    return list(flyte.admin.ListExecutions(request).executions)


@pytest.mark.slow
def test_an_active_launch_plan_is_launched_at_its_time(registered: Flyte, ticking: Identifier) -> None:
    first = registered.until(lambda: scheduled(registered), bool)[0]
    at = first.spec.metadata.scheduled_at
    assert re.fullmatch("f[0-9a-f]{19}", first.id.name)
    assert first.spec.launch_plan == Identifier(
        resource_type=LAUNCH_PLAN,
        project=ticking.project,
        domain=ticking.domain,
        name=NAME,
        version=ticking.version,
    )
    assert first.spec.metadata.principal == ""
    assert (at.seconds % 60, at.nanos) == (0, 0)
    assert 0 <= first.closure.created_at.seconds - at.seconds < 30
    data = registered.admin.GetExecutionData(WorkflowExecutionGetDataRequest(id=first.id))
    assert data.full_inputs.literals["at"].scalar.primitive.datetime == at
