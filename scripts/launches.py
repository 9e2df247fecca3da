"""Launch a target's preview, or find the execution that already does exactly this."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flyteidl.admin.execution_pb2 import (
    ExecutionCreateRequest,
    ExecutionMetadata,
    ExecutionSpec,
    WorkflowExecutionGetDataRequest,
)
from flyteidl.core.identifier_pb2 import WorkflowExecutionIdentifier
from flyteidl.core.literals_pb2 import Literal, LiteralMap, Primitive, Scalar

from scripts.enrolments import Enrolled
from tasks._errors import FlyteExists, OtherInputs
from tasks._executions import get_execution
from tasks._flyte import Flyte
from tasks._names import execution_name


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a caller asks a preview for. A `pull_request` of 0 is none."""

    sha: str
    pull_request: int = 0
    attempt: int = 1

    @property
    def inputs(self) -> dict[str, str | int]:
        """The inputs of the launch, by name."""
        return {"sha": self.sha, "pull_request": self.pull_request, "attempt": self.attempt}


@dataclass(frozen=True, kw_only=True)
class Launched:
    """An execution, and whether it was there before."""

    id: WorkflowExecutionIdentifier
    attached: bool


def launch(flyte: Flyte, enrolled: Enrolled, asked: Asked) -> Launched:
    """Launch the target's ACTIVE plan under the name that follows from what is asked.

    Raises:
        OtherInputs: an execution of that name has other inputs, fixed ones included.
        FlyteInvalid: Flyte refuses the inputs.
    """
    plan, enrolment = enrolled.plan, enrolled.enrolment
    name = execution_name(
        "preview",
        target=enrolment.name,
        repository=enrolment.repository,
        sha=asked.sha,
        pull_request=asked.pull_request,
        attempt=asked.attempt,
    )
    identifier = WorkflowExecutionIdentifier(project=plan.id.project, domain=plan.id.domain, name=name)
    request = ExecutionCreateRequest(
        project=plan.id.project,
        domain=plan.id.domain,
        name=name,
        spec=ExecutionSpec(launch_plan=plan.id, metadata=ExecutionMetadata(mode=ExecutionMetadata.MANUAL)),
        inputs=literals(asked.inputs),
    )
    try:
        flyte.call("CreateExecution", request)
    except FlyteExists:
        _check_inputs(flyte, identifier, plan_name=plan.id.name, wanted=_wanted(enrolled, request.inputs))
        return Launched(id=identifier, attached=True)
    return Launched(id=identifier, attached=False)


def literals(values: Mapping[str, str | int]) -> LiteralMap:
    """Return texts and whole numbers as Flyte's literals."""
    made = {}
    for name, value in values.items():
        primitive = Primitive(integer=value) if isinstance(value, int) else Primitive(string_value=str(value))
        made[name] = Literal(scalar=Scalar(primitive=primitive))
    return LiteralMap(literals=made)


def differences(there: LiteralMap, wanted: LiteralMap) -> list[str]:
    """Return the names of inputs that an execution has otherwise than wanted."""
    names = set(there.literals) | set(wanted.literals)
    return sorted(name for name in names if there.literals.get(name) != wanted.literals.get(name))


def _wanted(enrolled: Enrolled, given: LiteralMap) -> LiteralMap:
    wanted = LiteralMap()
    wanted.CopyFrom(given)
    for name, literal in enrolled.plan.spec.fixed_inputs.literals.items():
        wanted.literals[name].CopyFrom(literal)
    return wanted


def _check_inputs(
    flyte: Flyte, identifier: WorkflowExecutionIdentifier, *, plan_name: str, wanted: LiteralMap
) -> None:
    """Flyte ignores the inputs of a launch whose name exists already, so they are compared here."""
    execution = get_execution(flyte, identifier)
    data = flyte.call("GetExecutionData", WorkflowExecutionGetDataRequest(id=identifier))
    wrong = differences(data.full_inputs, wanted)
    if execution.spec.launch_plan.name != plan_name:
        wrong.append("launch plan")
    if wrong:
        raise OtherInputs(
            f"{identifier.name} was launched before, with another {', another '.join(wrong)}.",
            remedy="Ask for another run of the same with --attempt.",
        )
