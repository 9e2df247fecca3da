from __future__ import annotations

import pytest

from tasks._executions import Step
from tasks._types import Status
from tasks.report import broken_of, broken_step, is_reported, last_message, masked, run_again, timings_of
from tasks.report_records import Broken, ExecutionName, Report
from tests.unit import samples

WHOLE = Step(node="image-and-package", id="n1", phase="FAILED", error_code="Bad", error_message="the whole")
PART = Step(
    node="package", id="n1-0-dn0", parent="n1", phase="FAILED", error_code="Oom", error_message="a part"
)
DONE = Step(node="prepare", id="n0", phase="SUCCEEDED", seconds=1)
NAMED = ExecutionName(project="taxiway", domain="production", name="x")


def broken(*steps: Step, message: str = "", sha: str = samples.SHA, attempt: int = 1) -> Report:
    found, verdict = broken_of(steps, message=message, remedy=run_again(attempt))
    return Report(
        verdict=verdict,
        target="fraud",
        repository="https://git.example/fraud",
        sha=sha,
        pull_request=1,
        attempt=attempt,
        execution=NAMED,
        broken=found,
    )


def test_a_part_is_what_broke_off_and_not_its_whole() -> None:
    assert broken_step([DONE, WHOLE, PART]) == PART
    assert broken_step([DONE, WHOLE]) == WHOLE
    assert broken_step([DONE]) is None


def test_a_failed_verdict_counts_as_reported() -> None:
    assert is_reported([DONE, Step(node="report", phase="FAILED", error_code="TAXI:VerdictFailed")])
    assert not is_reported([DONE, WHOLE])


def test_broken_report_keeps_the_original_error() -> None:
    assert broken(DONE, PART).broken == Broken(step="package", code="Oom", message="a part")


def test_broken_report_has_the_executions_error_where_no_step_has_one() -> None:
    kept = broken(message="the platform is gone").broken
    assert kept is not None and kept.message == "the platform is gone"


def test_broken_report_of_what_is_no_sha_is_a_report() -> None:
    assert broken(sha="--upload-pack=x").sha == "--upload-pack=x"


def test_broken_report_says_which_attempt_comes_next() -> None:
    assert "--attempt 3" in broken(PART, attempt=2).findings[0].remedy


def test_message_is_what_stands_after_the_traceback() -> None:
    text = "Trace:\n\n    File x\n    E: y\nMessage:\n\n    UnknownRevision: no such\n      commit"
    assert last_message(text) == "UnknownRevision: no such commit"
    assert last_message("plain") == "plain"


def test_steps_that_have_not_begun_have_no_timing() -> None:
    assert [one.step for one in timings_of([DONE, Step(node="smoke", phase="QUEUED")])] == ["prepare"]


@pytest.mark.parametrize(
    ("report", "status", "outcome"),
    [
        pytest.param(samples.report(), Status.PASSED, "passed", id="all-passed"),
        pytest.param(
            samples.report(tested=samples.smoke(samples.FAILED)), Status.FAILED, "failed", id="smoke"
        ),
        pytest.param(
            samples.report(
                samples.FAILED,
                done=samples.registered(package=samples.SKIPPED, admission=samples.SKIPPED, diff=None),
                tested=samples.smoke(samples.SKIPPED),
            ),
            Status.FAILED,
            "failed",
            id="policy",
        ),
        pytest.param(
            samples.report(tested=samples.smoke(samples.UNTESTED)), Status.SKIPPED, "untested", id="no-tests"
        ),
    ],
)
def test_verdict_adds_up(report: Report, status: Status, outcome: str) -> None:
    assert (report.verdict.status, report.outcome) == (status, outcome)


def test_findings_of_all_steps_are_told_once() -> None:
    report = samples.report(samples.FAILED, tested=samples.smoke(samples.FAILED))
    assert report.findings == [samples.FINDING]


def test_credentials_in_urls_are_masked_wherever_they_stand() -> None:
    verdict = samples.FAILED.model_copy(update={"summary": "fetch https://me:token@git.example/x failed"})
    report = masked(samples.report(verdict))
    assert "token" not in report.model_dump_json()
    assert "https://***@git.example/x" in report.verdict.summary
