"""What happened to a target, newest first: read off Flyte's list of executions, in few calls."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone

from flyteidl.admin.execution_pb2 import Execution, WorkflowExecutionGetDataResponse
from flyteidl.core.literals_pb2 import LiteralMap

from tasks._enrolment import Enrolment
from tasks._executions import phase_of
from tasks._home import Home
from tasks._names import stage_tag
from tasks._typed import Unreadable, value_of
from tasks._types import Record
from tasks.gates import GateState
from tasks.promotion_records import PromotionReport, PromotionStatus
from tasks.stage_state import Activation

FLOWS = ("promote", "activate", "rollback", "approve", "hold", "nightly")
"""The flows whose executions are a target's history."""
OUTPUT = "o0"
"""What flytekit calls a workflow's only output."""
NOBODY = "-"
_AT_ONCE = 8
_WITHOUT_STAGE = {"nightly"}
_WORDS = {
    ("promote", ""): "promotion",
    ("activate", "promotion"): "activation",
    ("activate", "adoption"): "adoption",
    ("activate", "rollback"): "rollback",
    ("approve", "withdraw"): "approval withdrawn",
    ("approve", ""): "approval",
    ("hold", "unhold"): "let go",
    ("hold", ""): "hold",
}


class Event(Record):
    """One execution of a target's flows. `at` is ISO 8601; `outcome` is how it ended, or how it stands.

    `who` is the name that the identity map has for Flyte's principal, else that, else `-`. Empty text is
    what the execution is not about, or does not say.
    """

    at: str
    what: str
    stage: str = ""
    sha: str = ""
    version: str = ""
    generation: int = -1
    who: str = NOBODY
    outcome: str
    reason: str = ""
    execution: str


def read_history(home: Home, enrolment: Enrolment, *, stage: str = "", limit: int = 20) -> list[Event]:
    """Return the newest `limit` events, those of one stage if it is given.

    Calls: one list for every 100 events; and one read for each event that is a promotion that SUCCEEDED,
    or that was launched without annotations.
    """
    tag = stage_tag(home.target, stage) if stage else ""
    listed = list(home.executions(FLOWS, tag=tag, limit=limit))

    def one(execution: Execution) -> Event:
        data = home.data(execution.id.name) if needs_data(execution, home.target) else None
        return event_of(execution, enrolment, data)

    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        return list(pool.map(one, listed))


def needs_data(execution: Execution, target: str) -> bool:
    """Whether a list does not say enough of an execution: how it ended, or which stage it is about."""
    flow = flow_of(execution)
    if flow == "promote" and phase_of(execution) == "SUCCEEDED":
        return True
    return flow not in _WITHOUT_STAGE and not stage_of(execution, target)


def event_of(
    execution: Execution, enrolment: Enrolment, data: WorkflowExecutionGetDataResponse | None
) -> Event:
    """Return what an execution says of itself, by its annotations, else by its inputs and outputs."""
    notes = {key.partition("/")[2]: text for key, text in execution.spec.annotations.values.items()}
    given = {**_inputs(data.full_inputs if data else LiteralMap()), **notes}
    flow = flow_of(execution)
    act = given.get("cause", "") if flow == "activate" else given.get("act", "")
    return Event(
        at=moment_of(execution),
        what=_WORDS.get((flow, act), _WORDS.get((flow, ""), flow)),
        stage=given.get("stage", "") or stage_of(execution, enrolment.name),
        sha=given.get("sha", ""),
        version=given.get("version", ""),
        generation=int(given["generation"]) if given.get("generation", "").isdecimal() else -1,
        who=who(execution, enrolment),
        outcome=outcome_of(execution, data),
        reason=given.get("reason", ""),
        execution=execution.id.name,
    )


def outcome_of(execution: Execution, data: WorkflowExecutionGetDataResponse | None) -> str:
    """Return how an execution ended in few words; a promotion's comes from its report, if it left one."""
    phase = phase_of(execution)
    if phase == "SUCCEEDED" and data is not None and flow_of(execution) == "promote":
        report = report_of(data)
        return _of_report(report) if report else "succeeded"
    code = execution.closure.error.code
    return f"{phase.lower()} ({code})" if phase == "FAILED" and code else phase.lower()


def report_of(data: WorkflowExecutionGetDataResponse) -> PromotionReport | None:
    """Return the report of a promotion; None where it left none that can be read."""
    try:
        return value_of(data.full_outputs, OUTPUT, PromotionReport)
    except Unreadable:
        return None


def waits_for(report: PromotionReport) -> list[str]:
    """Return what a promotion waits for: each gate that can open later, and when it opens, or by what act."""
    waiting = [gate for gate in report.gates if gate.state is GateState.WAITING]
    return [f"{gate.gate}: {gate.opens or gate.because}" for gate in waiting]


def flow_of(execution: Execution) -> str:
    """Return the flow that an execution is of, by the name of its launch plan."""
    parts = str(execution.spec.launch_plan.name).split(".")
    return parts[1] if len(parts) > 1 else ""


def stage_of(execution: Execution, target: str) -> str:
    """Return the stage that an execution is about, by its annotations or tags; empty if they do not say."""
    noted = str(execution.spec.annotations.values.get("taxiway/stage", ""))
    prefix = stage_tag(target, "")
    return noted or next((tag[len(prefix) :] for tag in execution.spec.tags if tag.startswith(prefix)), "")


def moment_of(execution: Execution) -> str:
    """Return when an execution was launched, as ISO 8601 in UTC, to the second."""
    return iso(execution.closure.created_at.ToMilliseconds() / 1000)


def iso(seconds: float) -> str:
    """Return seconds since the epoch as ISO 8601 in UTC, to the second."""
    return datetime.fromtimestamp(seconds, tz=timezone.utc).isoformat(timespec="seconds")


def who(execution: Execution, enrolment: Enrolment) -> str:
    """Return who launched an execution: a name of the identity map, Flyte's principal, or `-`."""
    principal = execution.spec.metadata.principal
    known = enrolment.identities.get(principal)
    return known.name if known else str(principal or NOBODY)


def _of_report(report: PromotionReport) -> str:
    if report.status is not PromotionStatus.WAITING:
        return str(report.status.value)
    return f"waiting ({'; '.join(waits_for(report))})" if report.gates else "waiting"


def _inputs(inputs: LiteralMap) -> dict[str, str]:
    """Return what annotations would say, from the inputs of an execution that was launched without them."""
    try:
        activation = value_of(inputs, "activation", Activation)
    except Unreadable:
        found = {name: _text(inputs, name) for name in ("stage", "sha", "reason")}
        acts: Sequence[tuple[str, str]] = (("hold", "unhold"), ("approve", "withdraw"))
        found["act"] = next((act for name, act in acts if _is_false(inputs, name)), "")
        return {name: text for name, text in found.items() if text}
    values = activation.model_dump(mode="json")
    return {name: str(values[name]) for name in ("stage", "sha", "version", "generation", "cause", "reason")}


def _text(inputs: LiteralMap, name: str) -> str:
    return str(inputs.literals[name].scalar.primitive.string_value) if name in inputs.literals else ""


def _is_false(inputs: LiteralMap, name: str) -> bool:
    return name in inputs.literals and inputs.literals[name].scalar.primitive.boolean is False
