"""The scheduler with a clock that is passed in: what is launched when, by which version, under which name."""

# mypy: disable-error-code=no-any-return

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from flyteidl.admin.common_pb2 import ResourceListRequest, Sort
from flyteidl.admin.execution_pb2 import Execution, ExecutionMetadata
from flyteidl.admin.launch_plan_pb2 import ACTIVE, INACTIVE, LaunchPlanCreateRequest
from flyteidl.admin.project_pb2 import Project
from flyteidl.admin.schedule_pb2 import MINUTE, CronSchedule, FixedRate, Schedule
from flyteidl.core.identifier_pb2 import LAUNCH_PLAN, WORKFLOW, Identifier
from flytekit import task, workflow

from scripts.sandbox import clock, entities
from scripts.sandbox.errors import InvalidArgument
from scripts.sandbox.schedule_table import ScheduleTable, Tick
from scripts.sandbox.scheduler import Scheduler, launch_request, pause_s
from tests.unit.sandbox.rig import DOMAIN, PROJECT, VERSION, Rig, succeed

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=timezone.utc)
CRON = Schedule(cron_schedule=CronSchedule(schedule="* * * * *"))
WITH_KICKOFF = Schedule(cron_schedule=CronSchedule(schedule="* * * * *"), kickoff_time_input_arg="at")
RATE = Schedule(rate=FixedRate(value=1, unit=MINUTE))


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


@task
def report(at: datetime) -> int:
    return 1


@workflow
def nightly(at: datetime = datetime(2000, 1, 1)) -> int:
    return report(at=at)


@workflow
def strict(at: datetime) -> int:
    return report(at=at)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path, {"report": [succeed(o0=1)]})
    made.register(nightly, strict)
    yield made
    made.close()


@pytest.fixture
def scheduler(rig: Rig) -> Scheduler:
    return Scheduler(ScheduleTable(rig.db), rig.executions)


def plan(rig: Rig, schedule: Schedule, version: str = "v1", *, of: str = nightly.name) -> Identifier:
    """Register a launch plan with this schedule."""
    id_ = Identifier(resource_type=LAUNCH_PLAN, project=PROJECT, domain=DOMAIN, name="plan", version=version)
    request = LaunchPlanCreateRequest(id=id_)
    place = {"project": PROJECT, "domain": DOMAIN, "name": of, "version": VERSION}
    request.spec.workflow_id.CopyFrom(Identifier(resource_type=WORKFLOW, **place))
    default = rig.entities.launch_plan(Identifier(resource_type=LAUNCH_PLAN, **place))
    request.spec.default_inputs.CopyFrom(default.spec.default_inputs)
    request.spec.entity_metadata.schedule.CopyFrom(schedule)
    rig.entities.register_launch_plan(request)
    return id_


def set_state(rig: Rig, id_: Identifier, state: int, at: datetime) -> None:
    """Update a launch plan as if it were `at`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(entities, "now", lambda: at)
        rig.entities.update_launch_plan(id_, state)


def launched(rig: Rig) -> list[Execution]:
    """Return what schedules have launched, the earliest time first."""
    request = ResourceListRequest(limit=1000, filters=f"eq(mode,{ExecutionMetadata.SCHEDULED})")
    request.id.project, request.id.domain = PROJECT, DOMAIN
    request.sort_by.CopyFrom(Sort(key="created_at", direction=Sort.ASCENDING))
    return list(rig.executions.list(request).executions)


def ticks(rig: Rig) -> list[tuple[str, float]]:
    """Return the version and the scheduled time, in seconds after noon, of each launch in its order."""
    return [
        (
            execution.spec.launch_plan.version,
            (clock.from_timestamp(execution.spec.metadata.scheduled_at) - NOON).total_seconds(),
        )
        for execution in launched(rig)
    ]


def test_an_active_plan_is_launched_at_its_times(rig: Rig, scheduler: Scheduler) -> None:
    set_state(rig, plan(rig, CRON), ACTIVE, NOON)
    assert scheduler.fire_due(after(59.9)) == after(60)
    assert ticks(rig) == []
    assert scheduler.fire_due(after(60)) == after(120)
    assert scheduler.fire_due(after(61)) == after(120)
    assert ticks(rig) == [("v1", 60)]


def test_a_scheduled_execution_names_its_time_and_nobody(rig: Rig, scheduler: Scheduler) -> None:
    set_state(rig, plan(rig, WITH_KICKOFF), ACTIVE, NOON)
    scheduler.fire_due(after(60))
    (execution,) = launched(rig)
    assert re.fullmatch("f[0-9a-f]{19}", execution.id.name)
    assert execution.spec.metadata.mode == ExecutionMetadata.SCHEDULED
    assert execution.spec.metadata.principal == ""
    inputs = rig.executions.data(execution.id).full_inputs.literals
    assert clock.from_timestamp(inputs["at"].scalar.primitive.datetime) == after(60)


def test_the_same_tick_always_has_the_same_name() -> None:
    tick = Tick(project="p", domain="d", name="n", version="v", at=NOON, kickoff="")
    again = Tick(project="p", domain="d", name="n", version="v", at=NOON, kickoff="at")
    other = Tick(project="p", domain="d", name="n", version="w", at=NOON, kickoff="")
    assert launch_request(tick).name == launch_request(again).name != launch_request(other).name


def test_a_tick_that_was_launched_before_is_left_alone(
    rig: Rig, scheduler: Scheduler, caplog: pytest.LogCaptureFixture
) -> None:
    id_ = plan(rig, CRON)
    set_state(rig, id_, ACTIVE, NOON)
    named = {"project": PROJECT, "domain": DOMAIN, "name": "plan", "version": "v1"}
    rig.executions.create(launch_request(Tick(**named, at=after(60), kickoff="")))
    scheduler.fire_due(after(60))
    assert ticks(rig) == [("v1", 60)]
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_plan_without_a_schedule_or_without_activation_is_not_launched(
    rig: Rig, scheduler: Scheduler
) -> None:
    plan(rig, CRON)
    set_state(rig, plan(rig, Schedule(), "none"), ACTIVE, NOON)
    assert scheduler.fire_due(after(600)) is None
    assert ticks(rig) == []


def test_a_plan_that_is_switched_off_stops(rig: Rig, scheduler: Scheduler) -> None:
    id_ = plan(rig, CRON)
    set_state(rig, id_, ACTIVE, NOON)
    set_state(rig, id_, INACTIVE, after(61))
    assert scheduler.fire_due(after(300)) is None
    assert ticks(rig) == [("v1", 60)]


def test_switching_off_another_version_changes_nothing(rig: Rig, scheduler: Scheduler) -> None:
    set_state(rig, plan(rig, CRON), ACTIVE, NOON)
    set_state(rig, plan(rig, CRON, "v2"), INACTIVE, after(30))
    scheduler.fire_due(after(60))
    assert ticks(rig) == [("v1", 60)]


def test_each_tick_is_launched_once_by_the_version_that_is_active_then(
    rig: Rig, scheduler: Scheduler
) -> None:
    versions = [plan(rig, CRON, version) for version in ("v0", "v1", "v2")]
    set_state(rig, versions[0], ACTIVE, NOON)
    # Also right on a tick, and without the scheduler having looked in between.
    for number, seconds in ((1, 59.9), (2, 60), (1, 60.1), (0, 150), (2, 180)):
        set_state(rig, versions[number], ACTIVE, after(seconds))
    scheduler.fire_due(after(240))
    assert ticks(rig) == [("v1", 60), ("v1", 120), ("v0", 180), ("v2", 240)]


def test_a_version_that_is_activated_once_more_keeps_its_rhythm(rig: Rig, scheduler: Scheduler) -> None:
    id_ = plan(rig, RATE)
    set_state(rig, id_, ACTIVE, NOON)
    set_state(rig, id_, ACTIVE, after(50))
    scheduler.fire_due(after(60))
    assert ticks(rig) == [("v1", 60)]


def test_what_was_missed_is_caught_up_in_order(rig: Rig, scheduler: Scheduler) -> None:
    set_state(rig, plan(rig, CRON), ACTIVE, NOON)
    scheduler.fire_due(after(60))
    Scheduler(ScheduleTable(rig.db), rig.executions).fire_due(after(245))
    assert ticks(rig) == [("v1", 60), ("v1", 120), ("v1", 180), ("v1", 240)]


def test_a_tick_that_was_queued_but_not_launched_is_launched_by_the_next_start(
    rig: Rig, scheduler: Scheduler
) -> None:
    set_state(rig, plan(rig, CRON), ACTIVE, NOON)
    scheduler.stop()
    scheduler.fire_due(after(60))
    assert ticks(rig) == []
    Scheduler(ScheduleTable(rig.db), rig.executions).fire_due(after(61))
    assert ticks(rig) == [("v1", 60)]


def test_a_rate_with_a_kickoff_input_launches_nothing_and_says_so(
    rig: Rig, scheduler: Scheduler, caplog: pytest.LogCaptureFixture
) -> None:
    rate = Schedule(rate=FixedRate(value=1, unit=MINUTE), kickoff_time_input_arg="at")
    set_state(rig, plan(rig, rate, of=strict.name), ACTIVE, NOON)
    scheduler.fire_due(after(60))
    assert ticks(rig) == []
    assert "launched nothing: expected_inputs at missing" in caplog.text
    assert scheduler.fire_due(after(61)) == after(120)


def test_a_refusal_does_not_keep_others_from_being_launched(
    rig: Rig, scheduler: Scheduler, caplog: pytest.LogCaptureFixture
) -> None:
    set_state(rig, plan(rig, CRON), ACTIVE, NOON)
    archived = Project(id=PROJECT, state=Project.ARCHIVED)
    rig.projects.update(archived)
    scheduler.fire_due(after(60))
    rig.projects.update(Project(id=PROJECT, state=Project.ACTIVE))
    scheduler.fire_due(after(120))
    assert "is not active" in caplog.text
    assert ticks(rig) == [("v1", 120)]


def test_a_deprecated_cron_expression_cannot_be_activated(rig: Rig) -> None:
    id_ = plan(rig, Schedule(cron_expression="0 1 * * *"))
    with pytest.raises(InvalidArgument, match="unknown schedule expression type"):
        rig.entities.update_launch_plan(id_, ACTIVE)
    assert rig.entities.launch_plan(id_).closure.state == INACTIVE


def test_a_rate_of_nothing_never_fires(rig: Rig, scheduler: Scheduler) -> None:
    set_state(rig, plan(rig, Schedule(rate=FixedRate(unit=MINUTE))), ACTIVE, NOON)
    assert scheduler.fire_due(after(600)) is None
    assert ticks(rig) == []


def test_a_plan_that_was_active_before_there_was_a_scheduler_begins_now(
    rig: Rig, scheduler: Scheduler
) -> None:
    set_state(rig, plan(rig, CRON), ACTIVE, NOON)
    with rig.db.transaction() as connection:
        connection.execute("DELETE FROM schedules")
    table = ScheduleTable(rig.db)
    table.adopt(after(600))
    table.adopt(after(630))
    scheduler.fire_due(after(660))
    assert ticks(rig) == [("v1", 660)]


def test_an_activation_wakes_the_running_scheduler(rig: Rig) -> None:
    times = iter([NOON, NOON])
    woken = Scheduler(ScheduleTable(rig.db), rig.executions, now=lambda: next(times, after(60)))
    rig.entities.wake = woken.wake
    woken.start()
    id_ = plan(rig, CRON)
    set_state(rig, id_, ACTIVE, NOON)
    rig.until(lambda: ticks(rig) == [("v1", 60)])
    woken.stop()


def test_the_scheduler_goes_on_after_a_failure(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    class Breaks(ScheduleTable):
        def queue_due(self, now: datetime) -> datetime | None:
            raise LookupError("a bug")

    broken = Scheduler(Breaks(rig.db), rig.executions)
    broken.start()
    rig.until(lambda: "the scheduler failed and goes on" in caplog.text)
    broken.stop()


@pytest.mark.parametrize(
    ("upcoming", "expected"),
    [(None, 30), (after(5), 5), (after(100), 30), (after(-1), 0)],
    ids=["nothing to do", "soon", "far away", "overdue"],
)
def test_the_pause_ends_with_the_next_tick_and_is_never_long(
    upcoming: datetime | None, expected: float
) -> None:
    assert pause_s(upcoming, NOON) == expected
