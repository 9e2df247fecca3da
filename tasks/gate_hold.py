"""The gate of holds: a stage that somebody holds takes nothing."""

from __future__ import annotations

from tasks._enrolment import Enrolment
from tasks._people import shown_principal
from tasks.gates import Asked, GateState, GateVerdict
from tasks.hold import HoldState, find_hold


class HoldGate:
    """Waits while the stage is held, by `taxiway hold` or by a rollback."""

    name = "hold"

    def judge(self, asked: Asked) -> GateVerdict:
        """Find the newest hold of the stage: one list and one read."""
        found = find_hold(asked.home, asked.stage.name)
        return judge_hold(found, enrolment=asked.enrolment, stage=asked.stage.name)


def judge_hold(found: HoldState | None, *, enrolment: Enrolment, stage: str) -> GateVerdict:
    """Return the verdict on a stage that stands as `found` says."""
    if found is None:
        return GateVerdict(gate=HoldGate.name, state=GateState.OPEN, because="the stage is not held")
    who = shown_principal(found.principal, enrolment)
    act = {True: f"{found.flow} by", False: "let go by"}[found.held]
    evidence = [f"{found.at}: {act} {who} ({found.execution}): {found.reason}"]
    if not found.held:
        because = "the stage was let go"
        return GateVerdict(gate=HoldGate.name, state=GateState.OPEN, because=because, evidence=evidence)
    return GateVerdict(
        gate=HoldGate.name,
        state=GateState.WAITING,
        because=f"the stage is held: {found.reason}",
        evidence=evidence,
        opens=f"`taxiway unhold {enrolment.name} {stage} --reason ...`",
    )
