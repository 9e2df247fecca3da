"""What a release reports: how it was made, what it was going to do, and how far it got."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from tasks._types import Finding, Record, Status, Verdict
from tasks.carrying import Carried
from tasks.image import ImageStep
from tasks.prepare import Prepared
from tasks.releases import Released
from tasks.report_records import Broken, ExecutionName, Timing


class ReleaseReport(Record):
    """One release, from its commit to the last stage that it got into. What was stopped is None."""

    kind: Literal["release"] = "release"
    verdict: Verdict
    target: str
    repository: str
    sha: str
    attempt: int
    simulated: bool
    execution: ExecutionName
    prepared: Prepared | None = None
    image: ImageStep | None = None
    released: Released | None = None
    carried: Carried | None = None
    broken: Broken | None = None
    timings: list[Timing] = []
    versions: dict[str, str] = {}

    @property
    def outcome(self) -> str:
        """One word for people: passed, failed, waiting, or broke off."""
        if self.broken is not None:
            return "broke off"
        if self.simulated and self.verdict.passed:
            return "simulated"
        return {"passed": "passed", "failed": "failed", "skipped": "waiting"}[self.verdict.status.value]

    @property
    def headline(self) -> str:
        """The report in one line."""
        return f"Release of {self.target} {self.sha[:7]} {self.outcome}"

    @property
    def findings(self) -> list[Finding]:
        """What to do, from all steps."""
        return list(self.verdict.findings)


def overall(
    prepared: Prepared, released: Released, carried: Carried, *, notes: Sequence[Finding] = ()
) -> Verdict:
    """Return the verdict that the steps' add up to: the first failed one, or how far the release got.

    `notes` are to be known, and change nothing.
    """
    steps = [prepared.verdict, released.package, released.admission, released.verdict, carried.verdict]
    failed = next((verdict for verdict in steps if verdict.status is Status.FAILED), None)
    decisive = failed or carried.verdict
    findings = [finding for verdict in steps for finding in verdict.findings]
    return Verdict(status=decisive.status, summary=decisive.summary, findings=[*findings, *notes])
