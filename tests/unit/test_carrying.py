"""How far a release is carried, and under which names."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from flyteidl.core.execution_pb2 import ExecutionError

from tasks._errors import FlyteExists
from tasks._home import Home
from tasks._types import Status
from tasks.carrying import StageOutcome, carry_on, ended_before, outcome_of, promote_and_wait, promotion_name
from tasks.promotion_records import PromotionReport, PromotionStatus
from tests.unit.promotions import ENROLMENT, NEWER, NOW, SHA, Ledger

STAGES = ["development", "staging", "production"]
PROMOTED, WAITING = PromotionStatus.PROMOTED, PromotionStatus.WAITING


@pytest.mark.parametrize(
    ("ends", "status", "asked", "summary"),
    [
        pytest.param([PROMOTED] * 3, Status.PASSED, 3, "promoted into development, staging, production"),
        pytest.param([PromotionStatus.UNCHANGED, PROMOTED, PROMOTED], Status.PASSED, 3, "promoted into"),
        pytest.param([PROMOTED, WAITING], Status.SKIPPED, 2, "staging it is so"),
        pytest.param([PromotionStatus.REFUSED], Status.FAILED, 1, "development: it is so"),
        pytest.param([PROMOTED, PromotionStatus.FAILED], Status.FAILED, 2, "staging: it is so"),
        pytest.param([PROMOTED, PromotionStatus.ROLLED_BACK], Status.FAILED, 2, "staging: it is so"),
        pytest.param([None], Status.FAILED, 1, "development: it is so"),
    ],
    ids=["all", "one-had-it", "one-waits", "refused", "failed", "rolled-back", "broke-off"],
)
def test_a_release_goes_on_for_as_long_as_it_is_promoted(
    ends: list[PromotionStatus | None], status: Status, asked: int, summary: str
) -> None:
    left = iter(ends)

    def promote(stage: str) -> StageOutcome:
        return StageOutcome(
            stage=stage, execution="x", phase="SUCCEEDED", status=next(left), summary="it is so"
        )

    carried = carry_on(STAGES, promote)
    assert (carried.verdict.status, len(carried.stages)) == (status, asked)
    assert carried.verdict.summary.startswith(summary)


def test_every_promotion_that_differs_has_its_own_name() -> None:
    repository = ENROLMENT.repository
    names = [
        promotion_name("fraud", repository, SHA, "staging", 1),
        promotion_name("fraud", repository, SHA, "production", 1),
        promotion_name("fraud", repository, SHA, "staging", 2),
        promotion_name("fraud", repository, NEWER, "staging", 1),
        promotion_name("fraud", repository, SHA, "staging", 1, ["nightly"]),
        promotion_name("other", repository, SHA, "staging", 1),
    ]
    assert len(set(names)) == len(names)
    assert names[0] == promotion_name("fraud", repository, SHA, "staging", 1)


def test_a_promotion_that_reported_is_read_from_its_report() -> None:
    ledger = Ledger()
    report = PromotionReport(stage="staging", sha=SHA, status=WAITING, summary="waits for soak")
    execution = ledger.add("promote-1", "promote", outputs={"o0": report})
    found = outcome_of(_home(ledger), "staging", execution)
    assert (found.status, found.summary, found.phase) == (WAITING, "waits for soak", "SUCCEEDED")


def test_a_promotion_that_failed_is_read_from_its_error() -> None:
    ledger = Ledger()
    execution = ledger.add("promote-1", "promote", phase="FAILED")
    execution.closure.error.CopyFrom(
        ExecutionError(message="Traceback\n  a line\nTAXI:PolicyInvalid: mend it")
    )
    found = outcome_of(_home(ledger), "staging", execution)
    assert (found.status, found.summary) == (None, "TAXI:PolicyInvalid: mend it")


def test_a_promotion_that_was_aborted_is_read_from_its_cause() -> None:
    ledger = Ledger()
    execution = ledger.add("promote-1", "promote", phase="ABORTED")
    execution.closure.abort_metadata.cause = "by hand"
    assert outcome_of(_home(ledger), "staging", execution).summary == "by hand"


def _home(ledger: Ledger) -> Home:
    return Home(flyte=ledger.flyte(), project="taxiway", domain="production", target="fraud")


MORNING = NOW - timedelta(hours=4)


@pytest.mark.parametrize(
    ("phase", "moment", "expected"),
    [
        pytest.param("SUCCEEDED", NOW, True, id="ended-before"),
        pytest.param("SUCCEEDED", MORNING, False, id="ended-after"),
        pytest.param("ABORTED", NOW, True, id="aborted-before"),
        pytest.param("RUNNING", NOW, False, id="still-runs"),
        pytest.param("SUCCEEDED", None, False, id="no-such-moment"),
    ],
)
def test_whether_a_promotion_had_ended_by_then(phase: str, moment: datetime | None, expected: bool) -> None:
    execution = Ledger().add("promote-1", "promote", at=NOW - timedelta(hours=2), phase=phase)
    assert ended_before(execution, moment) is expected


@pytest.mark.parametrize(
    ("since", "attempt"),
    [
        pytest.param(NOW, 2, id="one-from-before-is-not-taken-up"),
        pytest.param(MORNING, 1, id="its-own-is-found-again"),
        pytest.param(None, 1, id="without-a-moment-any-is"),
    ],
)
def test_a_release_takes_no_answer_from_before_it_began(since: datetime | None, attempt: int) -> None:
    ledger = Ledger()
    waited = PromotionReport(stage="staging", sha=SHA, status=WAITING, summary="waits for soak")
    promoted = PromotionReport(stage="staging", sha=SHA, status=PROMOTED, summary="is active")
    inputs = {"sha": SHA, "stage": "staging"}
    first, second = (promotion_name("fraud", ENROLMENT.repository, SHA, "staging", n) for n in (1, 2))
    ledger.add(
        first,
        "promote",
        at=NOW - timedelta(hours=2),
        inputs={**inputs, "attempt": 1},
        outputs={"o0": waited},
    )

    def create(request: Any, timeout: float) -> None:
        if request.name in ledger.executions:
            raise FlyteExists("It is there.", remedy="", status="ALREADY_EXISTS", details="")
        ledger.add(request.name, "promote", outputs={"o0": promoted})

    home = _home(ledger)
    home = replace(home, flyte=replace(home.flyte, rpcs={**home.flyte.rpcs, "CreateExecution": create}))
    found = promote_and_wait(home, ENROLMENT, sha=SHA, stage="staging", attempt=1, since=since)
    assert found.execution == (first, second)[attempt - 1]
    assert found.status is (WAITING, PROMOTED)[attempt - 1]
