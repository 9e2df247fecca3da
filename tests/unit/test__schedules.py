from __future__ import annotations

import pytest
from flyteidl.admin.launch_plan_pb2 import LaunchPlanSpec
from google.protobuf.text_format import Parse

from tasks._schedules import ScheduleChange, schedule_effects, schedule_of


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        ("", ""),
        ('cron_schedule { schedule: "0 3 * * *" }', "0 3 * * *"),
        (
            'cron_schedule { schedule: "@daily" offset: "PT1H" } kickoff_time_input_arg: "at"',
            "@daily after PT1H, time as at",
        ),
        ("rate { value: 2 unit: HOUR }", "every 2 hours"),
        ("rate { value: 1 unit: DAY }", "every day"),
        ('cron_expression: "0 3 * * ? *"', "0 3 * * ? *"),
    ],
    ids=["none", "cron", "cron with all", "rate", "rate of one", "deprecated"],
)
def test_a_schedule_in_words(schedule: str, words: str) -> None:
    spec = Parse(f"entity_metadata {{ schedule {{ {schedule} }} }}", LaunchPlanSpec())
    assert schedule_of(spec) == words


def test_what_starts_stops_and_changes_is_told_apart_and_the_rest_left_out() -> None:
    before = {"stops": "a", "changes": "a", "same": "a"}
    after = {"starts": "b", "changes": "b", "same": "a", "never": ""}
    assert [(one.launch_plan, one.change) for one in schedule_effects(before, after)] == [
        ("changes", ScheduleChange.CHANGES),
        ("starts", ScheduleChange.STARTS),
        ("stops", ScheduleChange.STOPS),
    ]
