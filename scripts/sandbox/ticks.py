"""When a schedule ticks: pure, from one moment to another.

Source: robfig/cron v3 `spec.go` and `constantdelay.go` (Next), flyteadmin
`scheduler/core/gocron_scheduler.go` (GetCatchUpTimes: each tick is reckoned from the one before, the first
from the activation).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone, tzinfo

from flyteidl.admin.schedule_pb2 import DAY, HOUR, MINUTE, Schedule

from scripts.sandbox.cron import Cron, Every, parse_cron

_UNIT_S = {MINUTE: 60, HOUR: 3600, DAY: 86_400}
_MAX_YEARS = 5
"""Where a cron names no day of the next years, such as 30 February, it never ticks."""


def read_schedule(schedule: Schedule) -> Cron | Every | None:
    """Return when `schedule` ticks; None where it never does: there is none, or its rate is nothing.

    Raises:
        BadCron: its cron is not valid.
    """
    if schedule.cron_schedule.schedule:
        return parse_cron(schedule.cron_schedule.schedule)
    seconds = schedule.rate.value * _UNIT_S.get(schedule.rate.unit, 0)
    return Every(seconds=seconds) if seconds else None


def due(ticking: Cron | Every, after: datetime, until: datetime) -> Iterator[datetime]:
    """Return the ticks later than `after` and not later than `until`, in their order."""
    tick = next_tick(ticking, after)
    while tick is not None and tick <= until:
        yield tick
        tick = next_tick(ticking, tick)


def next_tick(ticking: Cron | Every, after: datetime) -> datetime | None:
    """Return the first tick later than `after`, in UTC and on a whole second; None where there is none."""
    if isinstance(ticking, Every):
        whole = after.astimezone(timezone.utc).replace(microsecond=0)
        return whole + timedelta(seconds=ticking.seconds)
    return _next_minute(ticking, after)


def _next_minute(cron: Cron, after: datetime) -> datetime | None:
    """Skip what does not fit, the largest unit first.

    Days begin at the zone's midnight; hours and minutes pass as time does, so that an hour which the clock
    leaves out never ticks, and one which it repeats ticks twice.
    """
    at = after.astimezone(timezone.utc).replace(second=0, microsecond=0) + timedelta(minutes=1)
    last = at.astimezone(cron.zone).year + _MAX_YEARS
    while (local := at.astimezone(cron.zone)).year <= last:
        if local.month not in cron.months:
            following = local.date().replace(day=1) + timedelta(days=31)
            at = _midnight(following.replace(day=1), cron.zone)
        elif not _fits(cron, local.date()):
            at = _midnight(local.date() + timedelta(days=1), cron.zone)
        elif local.hour not in cron.hours:
            at += timedelta(minutes=60 - local.minute)
        elif local.minute not in cron.minutes:
            at += timedelta(minutes=1)
        else:
            return at
    return None


def _fits(cron: Cron, day: date) -> bool:
    by_day, by_weekday = day.day in cron.days, day.isoweekday() % 7 in cron.weekdays
    return by_day and by_weekday if cron.any_day or cron.any_weekday else by_day or by_weekday


def _midnight(day: date, zone: tzinfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(timezone.utc)
