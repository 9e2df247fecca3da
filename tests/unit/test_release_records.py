"""What a release's steps add up to, and how that is shown."""

from __future__ import annotations

from typing import Any

import pytest

from tasks._types import Status, Verdict
from tasks._view import Tone
from tasks.carrying import Carried, StageOutcome
from tasks.promotion_records import PromotionStatus
from tasks.release_records import ReleaseReport, overall
from tasks.release_view import view_of
from tasks.releases import Released
from tasks.report_records import Broken, ExecutionName
from tests.unit import samples
from tests.unit.promotions import MANIFEST, SHA
from tests.unit.samples import FAILED, FINDING, PASSED, SKIPPED, prepared

MADE = Released(package=PASSED, admission=PASSED, verdict=PASSED)
WAITS = Verdict(status=Status.SKIPPED, summary="production waits for approval")


@pytest.mark.parametrize(
    ("first", "released", "carried", "status", "summary"),
    [
        pytest.param(PASSED, MADE, PASSED, Status.PASSED, PASSED.summary, id="all-passed"),
        pytest.param(PASSED, MADE, WAITS, Status.SKIPPED, WAITS.summary, id="a-stage-waits"),
        pytest.param(PASSED, MADE, FAILED, Status.FAILED, FAILED.summary, id="a-promotion-failed"),
        pytest.param(
            FAILED,
            Released(package=SKIPPED, admission=SKIPPED, verdict=SKIPPED),
            SKIPPED,
            Status.FAILED,
            FAILED.summary,
            id="could-not-be-prepared",
        ),
        pytest.param(
            PASSED,
            Released(package=PASSED, admission=FAILED, verdict=SKIPPED),
            SKIPPED,
            Status.FAILED,
            FAILED.summary,
            id="was-not-admitted",
        ),
        pytest.param(SKIPPED, MADE, PASSED, Status.PASSED, PASSED.summary, id="released-before"),
    ],
)
def test_overall_is_the_first_failure_or_how_far_it_got(
    first: Verdict, released: Released, carried: Verdict, status: Status, summary: str
) -> None:
    found = overall(prepared(first), released, Carried(verdict=carried))
    assert (found.status, found.summary) == (status, summary)
    assert found.findings == ([FINDING] if status is Status.FAILED else [])


def report(verdict: Verdict = PASSED, **changed: Any) -> ReleaseReport:
    values: dict[str, Any] = {
        "verdict": verdict,
        "target": "fraud",
        "repository": MANIFEST.revision.repository,
        "sha": SHA,
        "attempt": 1,
        "simulated": False,
        "execution": ExecutionName(project="taxiway", domain="production", name="release-fraud-1"),
    }
    return ReleaseReport(**{**values, **changed})


BROKEN = Broken(step="carry", code="TAXI:FlyteUnavailable", message="it did not answer")


@pytest.mark.parametrize(
    ("shown", "outcome", "tone"),
    [
        pytest.param(report(), "passed", Tone.GOOD, id="passed"),
        pytest.param(report(WAITS), "waiting", Tone.WARN, id="waiting"),
        pytest.param(report(FAILED), "failed", Tone.BAD, id="failed"),
        pytest.param(report(simulated=True), "simulated", Tone.GOOD, id="simulated"),
        pytest.param(report(FAILED, simulated=True), "failed", Tone.BAD, id="simulation-failed"),
        pytest.param(report(FAILED, broken=BROKEN), "broke off", Tone.BAD, id="broke-off"),
    ],
)
def test_outcome_is_one_word_with_a_tone(shown: ReleaseReport, outcome: str, tone: Tone) -> None:
    view = view_of(shown)
    assert (shown.outcome, view.tone) == (outcome, tone)
    assert view.headline == f"Release of fraud {SHA[:7]} {outcome}"


def test_view_shows_every_stage_and_what_it_is_made_of() -> None:
    stages = [
        StageOutcome(stage="dev", execution="a", phase="SUCCEEDED", status=PromotionStatus.PROMOTED),
        StageOutcome(stage="staging", execution="b", phase="SUCCEEDED", status=PromotionStatus.WAITING),
        StageOutcome(stage="production", execution="c", phase="ABORTED"),
    ]
    carried = Carried(verdict=WAITS, manifest=MANIFEST, stages=stages)
    view = view_of(report(WAITS, carried=carried, released=MADE, prepared=samples.prepared()))
    assert [section.title for section in view.sections] == ["Stages", "Package", "Admission", "Release"]
    assert view.sections[0].summary == "dev promoted → staging waiting → production aborted"
    tones = [row[1].tone for row in view.sections[0].tables[0].rows]
    assert tones == [Tone.GOOD, Tone.WARN, Tone.BAD]
    facts = {fact.label: fact.value.text for fact in view.facts}
    assert facts["Release manifest"] == MANIFEST.digest
    assert facts["Image"] == MANIFEST.image.reference
