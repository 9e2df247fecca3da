"""Which attempt a promotion by hand is."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from flyteidl.admin.launch_plan_pb2 import LaunchPlan

from scripts.enrolments import Enrolled
from scripts.promoting import home_of, next_attempt
from tasks._names import release_tag
from tasks.carrying import promotion_name
from tests.unit.promotions import ENROLMENT, OLDER, SHA, Ledger, plan_id

ENROLLED = Enrolled(enrolment=ENROLMENT, plan=LaunchPlan(id=plan_id("preview")))


@pytest.mark.parametrize(
    ("there", "expected"),
    [
        pytest.param({}, 1, id="never-tried"),
        pytest.param({1: "SUCCEEDED"}, 2, id="waited-or-went-through"),
        pytest.param({1: "FAILED", 2: "ABORTED"}, 3, id="failed-and-aborted"),
        pytest.param({1: "SUCCEEDED", 2: "RUNNING"}, 2, id="one-that-runs-is-attached-to"),
        pytest.param({2: "SUCCEEDED"}, 1, id="only-a-later-one-was-asked-for"),
    ],
)
def test_next_attempt_is_the_one_that_runs_else_the_first_that_is_free(
    there: Mapping[int, str], expected: int
) -> None:
    ledger = Ledger()
    for attempt, phase in there.items():
        name = promotion_name("fraud", ENROLMENT.repository, SHA, "production", attempt)
        ledger.add(name, "promote", phase=phase, tags=[release_tag("fraud", SHA)])
    for other in (
        promotion_name("fraud", ENROLMENT.repository, SHA, "staging", 1),
        promotion_name("fraud", ENROLMENT.repository, OLDER, "production", 1),
    ):
        ledger.add(other, "promote", tags=[release_tag("fraud", SHA)])
    home = home_of(ledger.flyte(), ENROLLED)
    assert next_attempt(home, ENROLLED, sha=SHA, stage="production") == expected
    assert ledger.calls == ["ListExecutions"]
