"""The schedules of launch plans in words, and what an activation does to them; all pure."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping

from flyteidl.admin.launch_plan_pb2 import LaunchPlanSpec
from flyteidl.admin.schedule_pb2 import FixedRateUnit, Schedule

from tasks._types import Record


class ScheduleChange(str, enum.Enum):
    """What happens to a schedule."""

    STARTS = "starts"
    STOPS = "stops"
    CHANGES = "changes"


class ScheduleEffect(Record):
    """One launch plan whose schedule is not what it was; empty text is no schedule."""

    launch_plan: str
    change: ScheduleChange
    before: str = ""
    after: str = ""


def schedule_of(spec: LaunchPlanSpec) -> str:
    """Return a launch plan's schedule in words, such as `0 3 * * *` or `every 2 hours`; empty for none."""
    schedule = spec.entity_metadata.schedule
    kind = schedule.WhichOneof("ScheduleExpression")
    if kind is None:
        return ""
    words = _words(schedule, kind)
    argument = schedule.kickoff_time_input_arg
    return f"{words}, time as {argument}" if argument else words


def schedule_effects(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[ScheduleEffect]:
    """Yield what changes between the schedules that run now and those that run then, by launch plan.

    A launch plan that is not ACTIVE, or has no schedule, is left out or has an empty text.
    """
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name, ""), after.get(name, "")
        if old != new:
            kind = ScheduleChange.CHANGES if old and new else ScheduleChange.STARTS
            change = kind if new else ScheduleChange.STOPS
            yield ScheduleEffect(launch_plan=name, change=change, before=old, after=new)


def _words(schedule: Schedule, kind: str) -> str:
    if kind == "rate":
        unit = FixedRateUnit.Name(schedule.rate.unit).lower()
        count = schedule.rate.value
        return f"every {unit}" if count == 1 else f"every {count} {unit}s"
    if kind == "cron_schedule":
        offset = schedule.cron_schedule.offset
        return f"{schedule.cron_schedule.schedule}{f' after {offset}' if offset else ''}"
    return str(schedule.cron_expression)
