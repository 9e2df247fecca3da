"""A hold: a stage that takes no promotion until somebody lets it go, with the reason and who.

Holding and letting go are executions of `taxiway.hold.<target>`; a rollback holds its stage, too. The newest
one that SUCCEEDED is how the stage stands. Unlike an approval, a hold outlives the version of Taxiway that
took it: enrolling a target again lets nothing go.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timezone

from flyteidl.admin.execution_pb2 import Execution
from flyteidl.core.literals_pb2 import LiteralMap
from flytekit import Resources, task
from flytekit.configuration import Config
from pydantic import TypeAdapter, ValidationError

from tasks import _values as v
from tasks._enrolment import Enrolment
from tasks._errors import BadUsage
from tasks._executions import get_execution
from tasks._flyte import connect
from tasks._home import Home
from tasks._names import plan_name, stage_tag
from tasks._own import own_execution
from tasks._settings import read_settings
from tasks._typed import Unreadable, value_of
from tasks._types import Record
from tasks.stage_state import Activation

_STAGE = TypeAdapter(v.TargetName)
_LONGEST = 1000
_LOOKED_AT = 500
"""How many executions are looked through for the newest one of a stage: five lists."""


class Hold(Record):
    """A stage held, or where `hold` is false let go. `principal` and `person` as in an approval."""

    target: str
    stage: str
    hold: bool
    reason: str
    principal: str
    person: str
    at: str
    execution: str


@dataclass(frozen=True, kw_only=True)
class HoldState:
    """How a stage stands, by the newest hold, release from it, or rollback. `at` is ISO 8601."""

    held: bool
    reason: str
    principal: str
    at: str
    execution: str
    flow: str


def find_hold(home: Home, stage: str) -> HoldState | None:
    """Return how a stage stands; None where it was never held. One list, and one read, as a rule.

    An execution that was launched without tags counts as well as any, so it is told by its inputs.
    """
    for execution in home.executions(("hold", "rollback"), phases=("SUCCEEDED",), limit=_LOOKED_AT):
        if _of_another_stage(execution, home.target, stage) or not _own_plan(execution, home):
            continue
        found = hold_state(execution, home.data(execution.id.name).full_inputs, stage)
        if found is not None:
            return found
    return None


def hold_state(execution: Execution, inputs: LiteralMap, stage: str) -> HoldState | None:
    """Read how an execution leaves a stage; None where it is about another one, or of no known form."""
    flow = str(execution.spec.launch_plan.name).split(".")[1]
    try:
        if "stage" not in inputs.literals:
            activation = value_of(inputs, "activation", Activation)
            about, held, reason = activation.stage, True, activation.reason
        else:
            about, reason = value_of(inputs, "stage", str), value_of(inputs, "reason", str)
            held = flow != "hold" or value_of(inputs, "hold", bool)
    except Unreadable:
        return None
    if about != stage:
        return None
    return HoldState(
        held=held,
        reason=reason,
        principal=execution.spec.metadata.principal,
        at=_created(execution),
        execution=execution.id.name,
        flow=flow,
    )


def _own_plan(execution: Execution, home: Home) -> bool:
    """Whether it ran the launch plan of Taxiway's own project, and not one of that name from elsewhere."""
    plan = execution.spec.launch_plan
    names = {plan_name(flow, home.target) for flow in ("hold", "rollback")}
    return (plan.project, plan.domain) == (home.project, home.domain) and plan.name in names


def _of_another_stage(execution: Execution, target: str, stage: str) -> bool:
    tags = [tag for tag in execution.spec.tags if tag.startswith(stage_tag(target, ""))]
    return bool(tags) and stage_tag(target, stage) not in tags


def checked(*, stage: str, reason: str) -> None:
    """Check that a hold is of something that can be a stage, and has a reason.

    Raises:
        BadUsage: it is not, or has none.
    """
    try:
        _STAGE.validate_python(stage)
    except ValidationError as error:
        raise BadUsage(
            f"{stage!r} cannot be the name of a stage.", remedy="Give the name that the policy has."
        ) from error
    if not reason.strip() or len(reason) > _LONGEST:
        raise BadUsage(
            f"A reason of {len(reason.strip())} characters is none that can be kept.",
            remedy=f"Say why, in 1 to {_LONGEST} characters.",
        )


def hold_of(execution: Execution, enrolment: Enrolment, *, stage: str, reason: str, hold: bool) -> Hold:
    """Return the record of a hold, by what Flyte knows of the execution that sets it."""
    principal = execution.spec.metadata.principal
    known = enrolment.identities.get(principal)
    return Hold(
        target=enrolment.name,
        stage=stage,
        hold=hold,
        reason=reason,
        principal=principal,
        person=known.name if known else "",
        at=_created(execution),
        execution=execution.id.name,
    )


def _created(execution: Execution) -> str:
    created = execution.closure.created_at.ToDatetime(tzinfo=timezone.utc)
    return str(created.isoformat(timespec="seconds"))


@task(requests=Resources(cpu="100m", mem="250Mi"), limits=Resources(cpu="1", mem="500Mi"), retries=2)
def record_hold(enrolment: Enrolment, stage: str, reason: str, hold: bool) -> Hold:
    """Record who holds a stage, or lets it go, and why; fails without a reason."""
    checked(stage=stage, reason=reason)
    settings = read_settings(os.environ)
    with connect(
        Config.auto(), timeout_s=settings.rpc_timeout_s, patience_s=settings.rpc_patience_s
    ) as flyte:
        execution = get_execution(flyte, own_execution())
    return hold_of(execution, enrolment, stage=stage, reason=reason, hold=hold)
