"""What a promotion leaves behind, and what its execution is annotated with, for whoever lists executions."""

from __future__ import annotations

import enum
from typing import Literal

from tasks._types import Finding, Record, Status, Verdict
from tasks.diff import EntityDiff
from tasks.gates import GateVerdict
from tasks.report_records import Broken, ExecutionName, Timing
from tasks.same_bytes import SameBytes
from tasks.smoke import SmokeReport


class PromotionStatus(str, enum.Enum):
    """How a promotion ended."""

    PROMOTED = "promoted"
    WAITING = "waiting"
    """A gate is closed that can open later; nothing was changed."""
    REFUSED = "refused"
    """A gate is closed for this release, whatever happens."""
    FAILED = "failed"
    ROLLED_BACK = "rolled-back"
    """It was activated, did not pass the verification, and the stage is as it was."""
    UNCHANGED = "unchanged"
    """The stage has this release already."""


class PromotionReport(Record):
    """One release, one stage: how it ended, and how its gates stood. `version` is the registered one.

    `manifest` and `policy` are digests. `before` and `after` are what was ACTIVE, by launch plan; `after`
    is empty where nothing was activated. `record` is the execution of the generation. What a verdict or a
    fault stopped is None.
    """

    kind: Literal["promotion"] = "promotion"
    stage: str
    sha: str
    version: str = ""
    status: PromotionStatus
    gates: list[GateVerdict] = []
    result_gates: list[GateVerdict] = []
    summary: str = ""
    findings: list[Finding] = []
    target: str = ""
    project: str = ""
    domain: str = ""
    attempt: int = 1
    execution: ExecutionName | None = None
    manifest: str = ""
    policy: str = ""
    stages: list[str] = []
    drift: list[str] = []
    generation: int = -1
    record: str = ""
    before: dict[str, list[str]] = {}
    after: dict[str, str] = {}
    created: int = 0
    existing: int = 0
    diff: EntityDiff | None = None
    same: SameBytes | None = None
    smoke: SmokeReport | None = None
    verification: SmokeReport | None = None
    rolled_back: str = ""
    broken: Broken | None = None
    timings: list[Timing] = []
    versions: dict[str, str] = {}

    @property
    def headline(self) -> str:
        """The report in one line."""
        return f"Promotion of {self.target} {self.sha[:7]} into {self.stage}: {self.outcome}"

    @property
    def verdict(self) -> Verdict:
        """The report as a verdict: skipped where it waits."""
        status = {
            PromotionStatus.PROMOTED: Status.PASSED,
            PromotionStatus.UNCHANGED: Status.PASSED,
            PromotionStatus.WAITING: Status.SKIPPED,
        }.get(self.status, Status.FAILED)
        return Verdict(status=status, summary=self.summary, findings=self.findings)

    @property
    def outcome(self) -> str:
        """One word for how it ended: its status, or that it broke off."""
        return "broke off" if self.broken is not None else self.status.value


_LONGEST = 200


def flow_notes(
    *, stage: str = "", sha: str = "", version: str = "", act: str = "", reason: str = ""
) -> dict[str, str]:
    """Return the annotations that a launcher gives an execution of promote, rollback, approve or hold.

    A list of executions holds neither inputs nor outputs; it does hold these. `act` tells the two sides of
    a flow apart: `approve` and `withdraw`, `hold` and `unhold`. What is empty is left out.
    """
    values = {"stage": stage, "sha": sha, "version": version, "act": act, "reason": reason[:_LONGEST]}
    return {f"taxiway/{name}": value for name, value in values.items() if value}
