"""Records of steps as a preview leaves them, for tests of what reads them."""

from __future__ import annotations

from flytekit.types.file import FlyteFile

from tasks._builder import Action
from tasks._entities import Kind
from tasks._types import Finding, Image, Revision, Status, Verdict
from tasks.bundle import CodeBundle
from tasks.diff import Change as EntityChanged
from tasks.diff import EntityChange, EntityDiff
from tasks.image import ImageStep
from tasks.plan import Change, ChangedPath, Plan, Reuse
from tasks.prepare import Prepared
from tasks.registration import EntityName, Registered
from tasks.report_records import ExecutionName, Report, Timing, report_of
from tasks.smoke import Comparison, SmokeReport, SmokeResult
from tasks.source import Base, Commit

SHA = "4f0c1d2e3b5a69788796a5b4c3d2e1f001122334"
DIGEST = "sha256:" + "ab" * 32
IMAGE = Image(reference=f"localhost:30000/fraud/previews@{DIGEST}", fingerprint=DIGEST)
PASSED = Verdict(status=Status.PASSED, summary="as it should be")
SKIPPED = Verdict(status=Status.SKIPPED, summary="an earlier step stopped it")
FINDING = Finding(where="smoke fraud.train", problem="accuracy is 0.41", remedy="Find out why it fell.")
FAILED = Verdict(status=Status.FAILED, summary="1 of 2 smoke tests failed", findings=[FINDING])

UNTESTED = Verdict(
    status=Status.SKIPPED,
    summary="no smoke test",
    findings=[Finding(where="stage.smoke", problem="There is no smoke test.", remedy="Add one.")],
)


def prepared(verdict: Verdict = PASSED) -> Prepared:
    return Prepared(
        verdict=verdict,
        revision=Revision(repository="https://git.example.com/risk/fraud", sha=SHA),
        commit=Commit(
            sha=SHA, author="Ada Example", authored_at="2026-01-05T09:00:00Z", subject="Weigh the amount more"
        ),
        protected="b" * 40,
        plan=Plan(
            change=Change.CODE,
            base=Base(sha="b" * 40, because="where it left main"),
            changed=[
                ChangedPath(path="src/fraud/rules.py", change=Change.CODE),
                ChangedPath(path="README.md", change=Change.NOTHING),
            ],
            changed_count=2,
            fingerprint=DIGEST,
            ingredients={"file:requirements.lock": "c" * 40, "platform": "linux/amd64", "python": "3.11.7"},
            repository="localhost:30000/fraud/previews",
            decision=Reuse(image=IMAGE, because="it has this fingerprint"),
        ),
        bundle=CodeBundle(
            file=FlyteFile("s3://bucket/code.tar.gz"),
            digest=DIGEST,
            md5="0" * 32,
            size_bytes=20_480,
            entries=9,
        ),
    )


def image_step() -> ImageStep:
    return ImageStep(
        image=IMAGE, action=Action.REUSED, because="it has this fingerprint", seconds=0.1, size_bytes=0
    )


def registered(**changed: object) -> Registered:
    breaking = EntityChange(
        kind=Kind.WORKFLOW,
        name="fraud.workflows.train",
        change=EntityChanged.CHANGED,
        against="v1",
        details=["input rows: INTEGER → FLOAT", "node n1 runs fraud.tasks.fit"],
        breaking=["input rows: INTEGER → FLOAT"],
    )
    added = EntityChange(kind=Kind.TASK, name="fraud.tasks.explain", change=EntityChanged.ADDED)
    values = {
        "package": PASSED,
        "admission": PASSED,
        "verdict": PASSED,
        "project": "fraud-previews",
        "domain": "development",
        "version": f"{SHA}-pr12-abababab",
        "created": [EntityName(kind=Kind.TASK, name="fraud.tasks.explain")],
        "existing": [EntityName(kind=Kind.TASK, name="fraud.tasks.fit")],
        "diff": EntityDiff(project="fraud", domain="development", changes=[breaking, added], unchanged=8),
        "seconds": 0.7,
    }
    return Registered.model_validate({**values, **changed})


def smoke(verdict: Verdict = PASSED) -> SmokeReport:
    good = SmokeResult(
        name="train",
        launch_plan="fraud.workflows.train",
        status=Status.PASSED,
        execution="smoke-train-0123456789",
        project="fraud-previews",
        domain="development",
        url="https://flyte.example.com/console/x",
        phase="SUCCEEDED",
        seconds=6.1,
        comparisons=[Comparison(output="accuracy", expected=">= 0.5", actual="0.91", passed=True)],
    )
    bad = SmokeResult(
        name="nightly",
        launch_plan="fraud.launch_plans.nightly",
        status=Status.FAILED,
        execution="smoke-nightly-0123456789",
        project="fraud-previews",
        domain="development",
        phase="FAILED",
        seconds=4.2,
        error="Traceback (most recent call last):\n  File fraud/tasks.py, line 3\nValueError: <b>no rows</b>",
    )
    return SmokeReport(verdict=verdict, results=[good, bad] if verdict.status is Status.FAILED else [good])


def report(
    first: Verdict = PASSED, *, done: Registered | None = None, tested: SmokeReport | None = None
) -> Report:
    return report_of(
        prepared=prepared(first),
        image=image_step(),
        registered=done or registered(),
        smoke=tested or smoke(),
        target="fraud",
        pull_request=12,
        attempt=1,
        execution=ExecutionName(
            project="taxiway", domain="production", name="preview-fraud-4f0c1d2-0123456789"
        ),
        timings=[
            Timing(step="prepare", phase="SUCCEEDED", seconds=2.9),
            Timing(step="image-and-package", phase="SUCCEEDED", seconds=6.5),
            Timing(step="package", part_of="image-and-package", phase="SUCCEEDED", seconds=None),
            Timing(step="report", phase="RUNNING", seconds=0.8),
        ],
        versions={"taxiway": "0.1.0", "flytekit": "1.16.31"},
    )
