"""A target's nights on a Flyte, as far as they go where nothing was released yet."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

import pytest

from tasks._executions import phase_of
from tasks._launch import launch
from tasks._typed import literals, value_of
from tasks.due import night_of
from tasks.nightly import NightlyReport
from tests.integration.staged import Stage, stage
from tests.running import Cluster


@pytest.fixture(scope="module")
def target(cluster: Cluster) -> Iterator[Stage]:
    cluster.install()
    cluster.taxiway("enroll", "https://git.example.com/risk/nights", "--name", "nights", "--create-projects",
                    "--nightly", "0 2 * * *")  # fmt: skip
    with stage(cluster, target="nights", project="nights") as made:
        yield made


def report_of(target: Stage, name: str, kickoff: datetime) -> NightlyReport:
    home = target.home
    launched = launch(home.flyte, home.plan("nightly"), name=name, inputs=literals({"kickoff": kickoff}))
    ended = home.end_of(launched.id.name, timeout_s=90)
    assert phase_of(ended) == "SUCCEEDED", ended.closure.error.message
    return value_of(home.data(name).full_outputs, "o0", NightlyReport)


def test_schedule_sets_the_kickoff(target: Stage) -> None:
    schedule = target.home.plan("nightly").spec.entity_metadata.schedule
    assert schedule.cron_schedule.schedule == "0 2 * * *"
    assert schedule.kickoff_time_input_arg == "kickoff"


def test_one_night_is_done_once_and_a_missed_one_is_left_to_the_last(target: Stage) -> None:
    tonight = datetime.now(timezone.utc)
    first = report_of(target, "night-1", tonight)
    assert (first.night, first.skipped) == (night_of(tonight), "nothing was ever promoted")
    assert report_of(target, "night-2", tonight).skipped == "night-1 does it"
    missed = report_of(target, "night-3", tonight - timedelta(days=3))
    assert missed.skipped.startswith("it was missed, and ")
