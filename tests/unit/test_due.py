from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from tasks.due import Sight, due, later_night, night_of
from tasks.nightly import left_alone
from tests.unit.test_going_back import BACK_TO_A, A, B, history

NOW = datetime(2026, 3, 2, 2, 0, tzinfo=timezone.utc)
NEW, OLD = "b" * 40, "a" * 40
FIRST = Sight(stage="development", runs=NEW, verified=NOW - timedelta(hours=30))
SECOND = Sight(stage="staging", soak_s=24 * 3600, runs=OLD, verified=NOW - timedelta(hours=40))
THIRD = Sight(stage="production", soak_s=24 * 3600, runs="c" * 40)


def test_last_stage_comes_first_and_no_release_goes_two_stages() -> None:
    found = due([FIRST, SECOND, THIRD], NOW)
    assert [(one.stage, one.sha) for one in found] == [("production", OLD), ("staging", NEW)]


@pytest.mark.parametrize(
    ("before", "into", "because"),
    [
        pytest.param(replace(FIRST, runs=""), SECOND, "runs no release", id="nothing-there"),
        pytest.param(Sight(stage="qa", lost="no answer"), SECOND, "qa cannot be looked", id="lost-before"),
        pytest.param(FIRST, Sight(stage="qa", lost="no answer"), "qa cannot be looked", id="lost"),
        pytest.param(FIRST, replace(SECOND, runs=NEW), "already", id="has-it"),
        pytest.param(
            replace(FIRST, verified=None, unverified="it failed"), SECOND, "it failed", id="not-verified"
        ),
        pytest.param(replace(FIRST, verified=NOW), SECOND, "until 2026-03-03T02:00:00Z", id="not-soaked"),
        pytest.param(FIRST, replace(SECOND, held="audit"), "held: audit", id="held"),
        pytest.param(FIRST, replace(SECOND, left_alone={NEW: "bad"}), "left alone: bad", id="left-alone"),
    ],
)
def test_stage_without_a_candidate_says_why(before: Sight, into: Sight, because: str) -> None:
    (found,) = due([before, into], NOW)
    assert found.sha == "" and because in found.because


def test_soaked_to_the_second_is_soaked() -> None:
    (found,) = due([replace(FIRST, verified=NOW - timedelta(hours=24)), SECOND], NOW)
    assert found.sha == NEW


def test_one_stage_has_nothing_due() -> None:
    assert due([FIRST], NOW) == []


@pytest.mark.parametrize(
    ("cron", "kickoff", "expected"),
    [
        pytest.param("0 2 * * *", NOW, None, id="tonight"),
        pytest.param("0 2 * * *", NOW - timedelta(days=1), NOW, id="last-night"),
        pytest.param("0 2 * * *", NOW - timedelta(days=3), NOW - timedelta(days=2), id="days-ago"),
        pytest.param("", NOW - timedelta(days=3), None, id="no-schedule"),
    ],
)
def test_of_missed_nights_the_last_is_done(cron: str, kickoff: datetime, expected: datetime | None) -> None:
    assert later_night(cron, kickoff, NOW + timedelta(minutes=1)) == expected


def test_night_is_its_scheduled_minute() -> None:
    assert night_of(NOW + timedelta(seconds=3)) == night_of(NOW) == "2026-03-02T02:00Z"


def test_releases_that_did_not_work_are_left_alone() -> None:
    found = left_alone(history(A, B, BACK_TO_A), {"c": "promote-1"})
    assert found == {"c": "promotion promote-1 failed", B.sha: "it was rolled back from generation 2"}


def test_stage_that_cannot_be_looked_at_stops_no_other() -> None:
    lost = Sight(stage="archive", lost="no answer")
    found = due([FIRST, SECOND, lost], NOW)
    assert [(one.stage, one.sha) for one in found] == [("archive", ""), ("staging", NEW)]
