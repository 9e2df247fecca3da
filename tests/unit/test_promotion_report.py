"""How a promotion ended, by what its steps left."""

from __future__ import annotations

import pytest

from tasks._types import Verdict
from tasks._view import Tone
from tasks.gates import GateState, GateVerdict
from tasks.manifest import StoredManifest
from tasks.promotion import Entered
from tasks.promotion_records import PromotionReport, PromotionStatus
from tasks.promotion_report import report_of, status_of
from tasks.promotion_view import gates_section, view_of
from tasks.proving import Proved
from tasks.report_records import Broken
from tasks.switching import Switched
from tests.unit.promotions import ENROLMENT, MANIFEST, SHA, stage
from tests.unit.samples import DIGEST, FAILED, FINDING, PASSED, SKIPPED

OPEN = GateVerdict(gate="hold", state=GateState.OPEN, because="it is not held", evidence=["looked"])
WAITS = GateVerdict(gate="soak", state=GateState.WAITING, because="it is new", opens="tomorrow")
CLOSED = GateVerdict(gate="stale", state=GateState.CLOSED, because="it is older")


def entered(verdict: Verdict = PASSED) -> Entered:
    return Entered(
        verdict=verdict,
        sha=SHA,
        attempt=2,
        manifest=MANIFEST,
        stored=StoredManifest(uri="s3://bucket/manifest.json", digest=MANIFEST.digest),
        policy=DIGEST,
        stage=stage(),
        gates=[OPEN],
        stages=["development", "production"],
    )


@pytest.mark.parametrize(
    ("first", "second", "third", "expected"),
    [
        pytest.param(PASSED, PASSED, Switched(verdict=PASSED), "promoted", id="all-passed"),
        pytest.param(
            PASSED, PASSED, Switched(verdict=PASSED, unchanged=True), "unchanged", id="was-there-before"
        ),
        pytest.param(SKIPPED, SKIPPED, Switched(verdict=SKIPPED), "waiting", id="a-gate-waits"),
        pytest.param(FAILED, SKIPPED, Switched(verdict=SKIPPED), "refused", id="a-gate-refuses"),
        pytest.param(PASSED, FAILED, Switched(verdict=SKIPPED), "failed", id="smoke-tests-failed"),
        pytest.param(PASSED, SKIPPED, Switched(verdict=SKIPPED), "waiting", id="a-gate-closed-since"),
        pytest.param(PASSED, PASSED, Switched(verdict=SKIPPED), "waiting", id="a-gate-closed-at-last"),
        pytest.param(PASSED, PASSED, Switched(verdict=FAILED), "failed", id="verification-failed"),
        pytest.param(
            PASSED, PASSED, Switched(verdict=FAILED, rolled_back="x"), "rolled-back", id="and-backed-out"
        ),
    ],
)
def test_status_is_that_of_the_first_step_that_did_not_pass(
    first: Verdict, second: Verdict, third: Switched, expected: str
) -> None:
    assert status_of(entered(first), Proved(verdict=second), third).value == expected


def test_report_is_put_together_from_the_steps() -> None:
    proved = Proved(verdict=PASSED, version="v1", created=9, gates=[OPEN, WAITS])
    switched = Switched(verdict=FAILED, generation=4, execution="g4", rolled_back="g5")
    report = report_of(ENROLMENT, entered(), proved, switched)
    assert (report.status, report.summary) == (PromotionStatus.ROLLED_BACK, FAILED.summary)
    assert report.findings == [FINDING]
    assert report.gates == [OPEN, WAITS], "the gates as they stood the second time"
    assert (report.manifest, report.generation, report.record) == (MANIFEST.digest, 4, "g4")


def test_whom_it_waited_for_is_kept_where_gates_were_asked_again() -> None:
    turn = GateVerdict(gate="queue", state=GateState.OPEN, because="its turn", evidence=["waited for it"])
    first = entered().model_copy(update={"gates": [turn, WAITS]})
    report = report_of(ENROLMENT, first, Proved(verdict=PASSED, gates=[OPEN]), Switched(verdict=PASSED))
    assert report.gates == [turn, OPEN]


def test_gates_of_the_entry_are_shown_where_they_were_not_asked_again() -> None:
    report = report_of(ENROLMENT, entered(SKIPPED), Proved(verdict=SKIPPED), Switched(verdict=SKIPPED))
    assert report.gates == [OPEN]
    assert report.after == {}


@pytest.mark.parametrize(
    ("gates", "tone", "summary"),
    [
        pytest.param([OPEN], Tone.GOOD, "1 of 1 are open.", id="open"),
        pytest.param([OPEN, WAITS], Tone.WARN, "1 of 2 are open.", id="waits"),
        pytest.param([WAITS, CLOSED], Tone.BAD, "0 of 2 are open.", id="closed"),
    ],
)
def test_gates_have_the_tone_of_the_worst(gates: list[GateVerdict], tone: Tone, summary: str) -> None:
    section = gates_section("Entry gates", gates)
    assert (section.tone, section.summary) == (tone, summary)
    assert len(section.tables[0].rows) == len(gates)


@pytest.mark.parametrize(
    ("status", "tone"),
    [
        ("promoted", Tone.GOOD),
        ("unchanged", Tone.GOOD),
        ("waiting", Tone.WARN),
        ("refused", Tone.BAD),
        ("failed", Tone.BAD),
        ("rolled-back", Tone.BAD),
    ],
)
def test_view_has_the_tone_of_how_it_ended(status: str, tone: Tone) -> None:
    report = PromotionReport(
        target="fraud", stage="production", sha=SHA, status=PromotionStatus(status), stages=["production"]
    )
    view = view_of(report)
    assert view.tone is tone
    assert view.headline == f"Promotion of fraud {SHA[:7]} into production: {status}"
    assert [section.title for section in view.sections] == ["Pipeline"]


def test_view_shows_what_was_active_and_what_is() -> None:
    report = PromotionReport(
        stage="production",
        sha=SHA,
        status=PromotionStatus.PROMOTED,
        drift=["p: v0 is ACTIVE, and v1 should be"],
        generation=3,
        before={"p": ["v0", "v1"], "old": ["v1"]},
        after={"p": "v2", "new": "v2"},
    )
    sections = {section.title: section for section in view_of(report).sections}
    rows = [[cell.text for cell in row] for row in sections["Activation"].tables[0].rows]
    assert rows == [["new", "none", "v2"], ["old", "v1", "none"], ["p", "v0 and v1", "v2"]]
    assert "The stage was not as its last record says" in sections


def test_view_of_one_that_broke_off_shows_the_error() -> None:
    report = PromotionReport(
        stage="production",
        sha=SHA,
        status=PromotionStatus.FAILED,
        broken=Broken(step="switch", code="TAXI:FlyteUnavailable", message="it did not answer"),
    )
    view = view_of(report)
    assert view.tone is Tone.BAD and report.outcome == "broke off"
    assert view.sections[0].title == "The step switch broke off"
