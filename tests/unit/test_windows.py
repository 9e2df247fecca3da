from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timezone

import pytest

from tasks.windows import Calendar, parse

BERLIN = "Europe/Berlin"


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc)


def calendar(
    windows: Sequence[str] = (), frozen: Sequence[str] = (), days: Mapping[str, bool] | None = None
) -> Calendar:
    return Calendar(
        windows=[parse(text) for text in windows],
        frozen=[parse(text) for text in frozen],
        days={date.fromisoformat(day): allowed for day, allowed in (days or {}).items()},
    )


# 2026-03-02 is a Monday; clocks in Berlin go forward on 2026-03-29 and back on 2026-10-25.
@pytest.mark.parametrize(
    ("window", "at", "inside"),
    [
        pytest.param("Mon-Thu 08:00-16:00 UTC", "2026-03-02T08:00", True, id="first-minute"),
        pytest.param("Mon-Thu 08:00-16:00 UTC", "2026-03-02T07:59:59", False, id="second-before"),
        pytest.param("Mon-Thu 08:00-16:00 UTC", "2026-03-02T16:00", False, id="end-is-outside"),
        pytest.param("Mon-Thu 08:00-16:00 UTC", "2026-03-06T10:00", False, id="other-day"),
        pytest.param("Mon,Fri-Sat 08:00-16:00 UTC", "2026-03-06T10:00", True, id="list-of-days"),
        pytest.param("Fri-Mon 08:00-16:00 UTC", "2026-03-02T10:00", True, id="days-over-the-week's-end"),
        pytest.param("Fri-Mon 08:00-16:00 UTC", "2026-03-03T10:00", False, id="not-the-days-between"),
        pytest.param("Mon 22:00-04:00 UTC", "2026-03-03T03:59", True, id="after-midnight"),
        pytest.param("Mon 22:00-04:00 UTC", "2026-03-02T03:59", False, id="not-the-night-before"),
        pytest.param("Sun 00:00-24:00 UTC", "2026-03-08T23:59", True, id="whole-day"),
        pytest.param(f"Mon 08:00-09:00 {BERLIN}", "2026-03-02T07:30", True, id="winter-time"),
        pytest.param(f"Mon 08:00-09:00 {BERLIN}", "2026-07-06T06:30", True, id="summer-time"),
        pytest.param(f"Mon 08:00-09:00 {BERLIN}", "2026-07-06T07:30", False, id="not-winter's-in-summer"),
        pytest.param(f"Sun 02:30-05:00 {BERLIN}", "2026-03-29T01:00", True, id="begins-in-the-hour-left-out"),
        pytest.param(f"Sun 02:00-02:30 {BERLIN}", "2026-10-25T00:15", True, id="first-of-the-hour-twice"),
        pytest.param(f"Sun 02:00-02:30 {BERLIN}", "2026-10-25T01:15", True, id="second-of-the-hour-twice"),
        pytest.param(f"Sun 02:00-02:30 {BERLIN}", "2026-10-25T00:45", False, id="between-both"),
    ],
)
def test_window_is_read_as_a_clock_on_the_wall(window: str, at: str, inside: bool) -> None:
    assert parse(window).holds(utc(at)) is inside


@pytest.mark.parametrize(
    ("text", "because"),
    [
        pytest.param("Mon 08:00-09:00 Europe/Atlantis", "no time zone", id="unknown-zone"),
        pytest.param("Mon 08:00-09:00 Europe", "no time zone", id="folder-of-zones"),
        pytest.param("Mon 08:00-08:00 UTC", "ends when it begins", id="empty"),
        pytest.param("Mon 24:00-08:00 UTC", "ends when it begins", id="begins-at-24"),
        pytest.param("whenever", "no window", id="no-window"),
    ],
)
def test_window_that_cannot_be_is_refused(text: str, because: str) -> None:
    with pytest.raises(ValueError, match=because):
        parse(text)


WORKDAYS = ["Mon-Fri 08:00-16:00 UTC"]


@pytest.mark.parametrize(
    ("made", "at", "allowed", "because"),
    [
        pytest.param(calendar(), "2026-03-07T03:00", True, "no window is set", id="nothing-set"),
        pytest.param(calendar(WORKDAYS), "2026-03-07T10:00", False, "outside of Mon-Fri", id="outside"),
        pytest.param(
            calendar(WORKDAYS, ["Mon 09:00-12:00 UTC"]), "2026-03-02T10:00", False, "frozen: Mon", id="frozen"
        ),
        pytest.param(
            calendar(WORKDAYS, days={"2026-03-02": False}), "2026-03-02T10:00", False, "closed", id="holiday"
        ),
        pytest.param(
            calendar(WORKDAYS, ["Sat 00:00-24:00 UTC"], {"2026-03-07": True}),
            "2026-03-07T23:00",
            True,
            "open all day",
            id="open-day-goes-before-frozen",
        ),
        pytest.param(
            calendar([f"Mon-Sun 00:00-24:00 {BERLIN}"], days={"2026-03-02": False}),
            "2026-03-01T23:30",
            False,
            "2026-03-02 is closed",
            id="day-of-the-window's-zone",
        ),
    ],
)
def test_frozen_goes_before_windows_and_days_before_both(
    made: Calendar, at: str, allowed: bool, because: str
) -> None:
    found = made.standing(utc(at))
    assert (found.allowed, because in found.because) == (allowed, True), found


@pytest.mark.parametrize(
    ("made", "after", "opens"),
    [
        pytest.param(calendar(WORKDAYS), "2026-03-02T07:00", "2026-03-02T08:00", id="same-day"),
        pytest.param(calendar(WORKDAYS), "2026-03-06T16:00", "2026-03-09T08:00", id="over-the-weekend"),
        pytest.param(
            calendar(WORKDAYS, days={"2026-03-09": False, "2026-03-10": False}),
            "2026-03-06T16:00",
            "2026-03-11T08:00",
            id="over-holidays",
        ),
        pytest.param(
            calendar(WORKDAYS, days={"2026-03-07": True}),
            "2026-03-06T16:00",
            "2026-03-07T00:00",
            id="open-day",
        ),
        pytest.param(
            calendar(frozen=["Fri 12:00-24:00 UTC"]), "2026-03-06T13:00", "2026-03-07T00:00", id="thaw"
        ),
        pytest.param(
            calendar([f"Sun 02:30-05:00 {BERLIN}"]),
            "2026-03-28T12:00",
            "2026-03-29T01:00",
            id="clocks-forward",
        ),
        pytest.param(
            calendar([f"Sun 02:00-02:30 {BERLIN}"]), "2026-10-25T00:40", "2026-10-25T01:00", id="clocks-back"
        ),
        pytest.param(
            calendar([f"Mon 08:00-09:00 {BERLIN}"]),
            "2026-03-24T12:00",
            "2026-03-30T06:00",
            id="summer-begins",
        ),
        pytest.param(
            calendar(["Tue 20:00-21:00 America/Los_Angeles", "Wed 09:00-10:00 Asia/Tokyo"]),
            "2026-03-02T12:00",
            "2026-03-04T00:00",
            id="earliest-of-two-zones",
        ),
        pytest.param(
            calendar(frozen=["Mon-Sun 00:00-24:00 UTC"], days={"2026-12-24": True}),
            "2026-03-02T12:00",
            "2026-12-24T00:00",
            id="months-ahead",
        ),
    ],
)
def test_next_opening_is_computed(made: Calendar, after: str, opens: str) -> None:
    assert made.next_opening(utc(after)) == utc(opens)


def test_search_ends_where_nothing_ever_opens() -> None:
    began = time.monotonic()
    assert calendar(frozen=["Mon-Sun 00:00-24:00 UTC"]).next_opening(utc("2026-03-02T12:00")) is None
    assert time.monotonic() - began < 5
