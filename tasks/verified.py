"""Whether what a stage runs was verified there, by which promotion, and when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone

from flyteidl.admin.execution_pb2 import Execution

from tasks._errors import FlyteNotFound
from tasks._executions import ENDED, phase_of
from tasks._home import Home
from tasks._literals import to_value
from tasks._names import generation_name
from tasks._typed import Unreadable, value_of
from tasks.promotion_records import PromotionStatus
from tasks.stage_state import Activation, Cause, StageState

OUTPUT = "o0"
"""flytekit's name of a workflow's only output."""
_HOPS = 10
"""How many rollbacks of rollbacks are followed back to the promotion that they lead to."""


@dataclass(frozen=True, kw_only=True)
class Verified:
    """The promotion that verified what a stage runs, and since when it has been running there, verified."""

    promotion: str
    since: datetime


@dataclass(frozen=True, kw_only=True)
class NotVerified:
    """Why what a stage runs does not count as verified. `opens` is what would change that."""

    because: str
    opens: str


def find_verified(home: Home, state: StageState) -> Verified | NotVerified:
    """Say by which promotion a stage's last generation was verified: two reads, two more for each rollback.

    What a rollback went back to was verified by the promotion that brought it there; the time counts from
    the rollback.
    """
    stage = state.stage.name
    again = f"a promotion of it into {stage}"
    record = _promoted(home, state)
    if record is None or state.last is None or not record.asked_by:
        return NotVerified(because=f"no promotion brought what {stage} runs", opens=again)
    try:
        execution = home.execution(record.asked_by)
    except FlyteNotFound:
        return NotVerified(because=f"there is no execution {record.asked_by} any more", opens=again)
    phase = phase_of(execution)
    if phase not in ENDED:
        return NotVerified(
            because=f"promotion {record.asked_by} is {phase.lower()}", opens=f"the end of {record.asked_by}"
        )
    status = status_of(home, record.asked_by) if phase == "SUCCEEDED" else phase.lower()
    if status != PromotionStatus.PROMOTED.value:
        return NotVerified(
            because=f"promotion {record.asked_by} ended {status or 'without a report'}", opens=again
        )
    activated = datetime.fromtimestamp(state.last.at, timezone.utc)
    return Verified(promotion=record.asked_by, since=max(ended_at(execution), activated))


def status_of(home: Home, promotion: str) -> str:
    """Return the status that a promotion which SUCCEEDED reports; empty where its report cannot be read."""
    outputs = home.data(promotion).full_outputs
    report = to_value(outputs.literals[OUTPUT]) if OUTPUT in outputs.literals else None
    return str(report.get("status", "")) if isinstance(report, dict) else ""


def ended_at(execution: Execution) -> datetime:
    """Return when an execution ended."""
    ended: datetime = execution.closure.updated_at.ToDatetime(tzinfo=timezone.utc)
    return ended


def _promoted(home: Home, state: StageState) -> Activation | None:
    """Return the promotion's generation that the last one is, or goes back to; None where there is none."""
    record = state.record
    for _ in range(_HOPS):
        if record is None or record.cause is not Cause.ROLLBACK or record.back_to < 0:
            break
        name = generation_name(home.target, state.stage.name, record.back_to)
        try:
            record = value_of(home.data(name).full_inputs, "activation", Activation)
        except (FlyteNotFound, Unreadable):
            return None
    return record if record is not None and record.cause is Cause.PROMOTION else None
