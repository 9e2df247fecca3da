"""What a promotion leaves behind, and what its execution is annotated with, for whoever lists executions."""

from __future__ import annotations

import enum

from tasks._types import Record
from tasks.gates import GateVerdict


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
    """One release, one stage: how it ended, and how its gates stood. `version` is the registered one."""

    stage: str
    sha: str
    version: str = ""
    status: PromotionStatus
    gates: list[GateVerdict] = []


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
