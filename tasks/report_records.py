"""What a preview reports: the records of its steps, in one, with the verdict that they add up to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from tasks._types import Finding, Record, Status, Verdict
from tasks.bundle import CodeBundle
from tasks.image import ImageStep
from tasks.plan import Plan
from tasks.prepare import Prepared
from tasks.registration import Registered
from tasks.smoke import SmokeReport
from tasks.source import Commit


class ExecutionName(Record):
    """An execution, and where it can be looked at; `url` is empty where the platform has no console."""

    project: str
    domain: str
    name: str
    url: str = ""


class Timing(Record):
    """How long one step took. `seconds` is None where Flyte gives no believable time."""

    step: str
    part_of: str = ""
    phase: str
    seconds: float | None


class Broken(Record):
    """A step that broke off: a fault, which is not a verdict. The error is as Flyte has it."""

    step: str
    code: str
    message: str


class Report(Record):
    """One preview. What a verdict or a fault stopped is None.

    `sha` is what was asked for, whatever it is. `verdict` is passed, failed, or skipped where there was no
    smoke test to prove anything; where `broken` is there, nothing was found out.
    """

    kind: Literal["preview"] = "preview"
    verdict: Verdict
    target: str
    repository: str
    sha: str
    pull_request: int
    attempt: int
    execution: ExecutionName
    broken: Broken | None = None
    commit: Commit | None = None
    plan: Plan | None = None
    bundle: CodeBundle | None = None
    image: ImageStep | None = None
    registered: Registered | None = None
    smoke: SmokeReport | None = None
    timings: list[Timing] = []
    versions: dict[str, str] = {}

    @property
    def outcome(self) -> str:
        """One word for people: passed, failed, untested, or broke off."""
        if self.broken is not None:
            return "broke off"
        return {"passed": "passed", "failed": "failed", "skipped": "untested"}[self.verdict.status.value]

    @property
    def headline(self) -> str:
        """The report in one line."""
        request = f" (pull request {self.pull_request})" if self.pull_request else ""
        return f"Preview of {self.target} {self.sha[:7]}{request} {self.outcome}"

    @property
    def findings(self) -> list[Finding]:
        """What to do, from all steps."""
        return list(self.verdict.findings)


def overall(prepared: Verdict, registered: Registered, smoke: SmokeReport) -> Verdict:
    """Return the verdict that the steps' add up to: the first failed one, or how the smoke tests went.

    Without smoke tests nothing was proved, which is no pass: skipped.
    """
    steps = [prepared, registered.package, registered.admission, registered.verdict, smoke.verdict]
    findings = [finding for verdict in steps for finding in verdict.findings]
    failed = next((verdict for verdict in steps if verdict.status is Status.FAILED), None)
    decisive = failed or smoke.verdict
    return Verdict(status=decisive.status, summary=decisive.summary, findings=_unique(findings))


def report_of(
    *,
    prepared: Prepared,
    image: ImageStep | None,
    registered: Registered,
    smoke: SmokeReport,
    target: str,
    pull_request: int,
    attempt: int,
    execution: ExecutionName,
    timings: Sequence[Timing],
    versions: dict[str, str],
) -> Report:
    """Put the records of the steps together into the report of a preview that ran to its end."""
    verdict = overall(prepared.verdict, registered, smoke)
    notes = image.notes if image else []
    return Report(
        verdict=verdict.model_copy(update={"findings": _unique([*verdict.findings, *notes])}),
        target=target,
        repository=prepared.revision.repository,
        sha=prepared.revision.sha,
        pull_request=pull_request,
        attempt=attempt,
        execution=execution,
        commit=prepared.commit,
        plan=prepared.plan,
        bundle=prepared.bundle,
        image=image,
        registered=registered,
        smoke=smoke,
        timings=list(timings),
        versions=versions,
    )


def _unique(findings: Sequence[Finding]) -> list[Finding]:
    return [finding for index, finding in enumerate(findings) if finding not in findings[:index]]
