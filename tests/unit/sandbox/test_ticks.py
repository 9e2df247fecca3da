"""Which ticks of a schedule are due between two moments."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from flyteidl.admin.schedule_pb2 import DAY, HOUR, MINUTE, CronSchedule, FixedRate, Schedule
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.sandbox.cron import parse_cron
from scripts.sandbox.ticks import due, next_tick, read_schedule


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("expression", "after", "expected"),
    [
        ("* * * * *", "2026-03-01 12:00:00", "2026-03-01 12:01:00"),
        ("* * * * *", "2026-03-01 11:59:59.500", "2026-03-01 12:00:00"),
        ("*/15 0-6/2 * * *", "2026-03-01 06:45:00", "2026-03-02 00:00:00"),
        ("0 12 * * MON-FRI", "2026-03-06 12:00:00", "2026-03-09 12:00:00"),
        ("0 0 31 * *", "2026-03-31 00:00:00", "2026-05-31 00:00:00"),
        ("0 0 29 2 *", "2026-03-01 00:00:00", "2028-02-29 00:00:00"),
        ("0 0 13 * FRI", "2026-03-01 00:00:00", "2026-03-06 00:00:00"),
        ("0 0 */2 * SUN", "2026-03-02 00:00:00", "2026-03-03 00:00:00"),
        ("@daily", "2026-03-01 00:00:00", "2026-03-02 00:00:00"),
        ("@weekly", "2026-03-01 00:00:00", "2026-03-08 00:00:00"),
        ("@yearly", "2026-03-01 00:00:00", "2027-01-01 00:00:00"),
        ("@hourly", "2026-12-31 23:30:00", "2027-01-01 00:00:00"),
        ("@every 90s", "2026-03-01 00:00:00.900", "2026-03-01 00:01:30"),
        ("@every 1ms", "2026-03-01 00:00:00", "2026-03-01 00:00:01"),
        ("@every 1.9s", "2026-03-01 00:00:00", "2026-03-01 00:00:01"),
        ("TZ=Europe/Berlin 0 12 * * *", "2026-01-15 00:00:00", "2026-01-15 11:00:00"),
        ("CRON_TZ=Asia/Tokyo @daily", "2026-01-15 00:00:00", "2026-01-15 15:00:00"),
    ],
)
def test_the_next_tick(expression: str, after: str, expected: str) -> None:
    assert next_tick(parse_cron(expression), moment(after)) == moment(expected)


def test_a_day_that_never_comes_never_ticks() -> None:
    assert next_tick(parse_cron("0 0 30 2 *"), moment("2026-03-01")) is None


def test_an_hour_that_the_clock_leaves_out_does_not_tick() -> None:
    berlin = parse_cron("TZ=Europe/Berlin 30 2 * * *")
    ticks = list(due(berlin, moment("2026-03-28 12:00:00"), moment("2026-03-31 00:00:00")))
    assert ticks == [moment("2026-03-30 00:30:00")]


def test_an_hour_that_the_clock_repeats_ticks_twice() -> None:
    berlin = parse_cron("TZ=Europe/Berlin 30 2 * * *")
    ticks = list(due(berlin, moment("2026-10-24 12:00:00"), moment("2026-10-25 12:00:00")))
    assert ticks == [moment("2026-10-25 00:30:00"), moment("2026-10-25 01:30:00")]


def test_what_is_due_excludes_the_beginning_and_includes_the_end() -> None:
    ticks = list(due(parse_cron("* * * * *"), moment("2026-03-01 00:00:00"), moment("2026-03-01 00:02:00")))
    assert ticks == [moment("2026-03-01 00:01:00"), moment("2026-03-01 00:02:00")]


def test_a_rate_is_reckoned_from_its_activation() -> None:
    ticks = due(parse_cron("@every 20s"), moment("2026-03-01 00:00:07.300"), moment("2026-03-01 00:01:00"))
    assert [tick.second for tick in ticks] == [27, 47]


@settings(deadline=None)  # the machine may be busy
@given(
    expression=st.sampled_from(["* * * * *", "*/7 3 * * *", "@every 61s", "TZ=America/New_York */9 1 * * 0"]),
    first=st.integers(0, 40_000),
    second=st.integers(0, 40_000),
)
def test_cutting_an_interval_in_two_neither_loses_nor_doubles_a_tick(
    expression: str, first: int, second: int
) -> None:
    ticking, begin = parse_cron(expression), moment("2026-11-01 00:00:00").timestamp()
    start, middle, end = (
        datetime.fromtimestamp(begin + offset, timezone.utc) for offset in (0, first, first + second)
    )
    before = list(due(ticking, start, middle))
    assert before + list(due(ticking, before[-1] if before else start, end)) == list(due(ticking, start, end))


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (Schedule(rate=FixedRate(value=5, unit=MINUTE)), "2026-03-01 00:05:00"),
        (Schedule(rate=FixedRate(value=2, unit=HOUR)), "2026-03-01 02:00:00"),
        (Schedule(rate=FixedRate(value=1, unit=DAY)), "2026-03-02 00:00:00"),
        (Schedule(cron_schedule=CronSchedule(schedule="@hourly")), "2026-03-01 01:00:00"),
    ],
    ids=["minutes", "hours", "days", "cron"],
)
def test_a_schedule_is_a_cron_or_a_rate(schedule: Schedule, expected: str) -> None:
    ticking = read_schedule(schedule)
    assert ticking is not None
    assert next_tick(ticking, moment("2026-03-01 00:00:00")) == moment(expected)


@pytest.mark.parametrize(
    "schedule",
    [Schedule(), Schedule(rate=FixedRate(value=0, unit=MINUTE)), Schedule(cron_schedule=CronSchedule())],
    ids=["none", "a rate of nothing", "an empty cron"],
)
def test_a_schedule_of_nothing_never_ticks(schedule: Schedule) -> None:
    assert read_schedule(schedule) is None
