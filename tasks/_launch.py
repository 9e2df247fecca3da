"""Launch an execution under the name that follows from what is asked, or find the one that is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flyteidl.admin.common_pb2 import Annotations
from flyteidl.admin.execution_pb2 import (
    ExecutionCreateRequest,
    ExecutionMetadata,
    ExecutionSpec,
    WorkflowExecutionGetDataRequest,
)
from flyteidl.admin.launch_plan_pb2 import LaunchPlan
from flyteidl.core.identifier_pb2 import WorkflowExecutionIdentifier
from flyteidl.core.literals_pb2 import LiteralMap

from tasks._errors import FlyteExists, OtherInputs
from tasks._executions import get_execution
from tasks._flyte import Flyte


@dataclass(frozen=True, kw_only=True)
class Launched:
    """An execution, and whether it was there before."""

    id: WorkflowExecutionIdentifier
    attached: bool


def launch(
    flyte: Flyte,
    plan: LaunchPlan,
    *,
    name: str,
    inputs: LiteralMap,
    tags: Sequence[str] = (),
    annotations: Mapping[str, str] | None = None,
) -> Launched:
    """Launch exactly this version of a launch plan, or attach to the execution that has the name.

    Annotations come on top of the launch plan's own, since Flyte would take ours instead of the plan's.

    Raises:
        OtherInputs: an execution of that name has other inputs, fixed ones included.
        FlyteInvalid: Flyte refuses the inputs.
    """
    identifier = WorkflowExecutionIdentifier(project=plan.id.project, domain=plan.id.domain, name=name)
    spec = ExecutionSpec(
        launch_plan=plan.id, metadata=ExecutionMetadata(mode=ExecutionMetadata.MANUAL), tags=tags
    )
    if annotations:
        spec.annotations.CopyFrom(Annotations(values={**plan.spec.annotations.values, **annotations}))
    request = ExecutionCreateRequest(
        project=plan.id.project, domain=plan.id.domain, name=name, spec=spec, inputs=inputs
    )
    try:
        flyte.call("CreateExecution", request)
    except FlyteExists:
        _check_inputs(flyte, identifier, plan, inputs)
        return Launched(id=identifier, attached=True)
    return Launched(id=identifier, attached=False)


def differences(there: LiteralMap, wanted: LiteralMap) -> list[str]:
    """Return the names of inputs that an execution has otherwise than wanted."""
    names = set(there.literals) | set(wanted.literals)
    return sorted(name for name in names if there.literals.get(name) != wanted.literals.get(name))


def _wanted(plan: LaunchPlan, given: LiteralMap) -> LiteralMap:
    """Return all inputs that a launch has: the given, the fixed, and the plan's defaults for the rest."""
    wanted = LiteralMap()
    for name, parameter in plan.spec.default_inputs.parameters.items():
        if parameter.WhichOneof("behavior") == "default":
            wanted.literals[name].CopyFrom(parameter.default)
    for some in (given.literals, plan.spec.fixed_inputs.literals):
        for name, literal in some.items():
            wanted.literals[name].CopyFrom(literal)
    return wanted


def _check_inputs(
    flyte: Flyte, identifier: WorkflowExecutionIdentifier, plan: LaunchPlan, given: LiteralMap
) -> None:
    """Flyte ignores the inputs of a launch whose name exists already, so they are compared here."""
    execution = get_execution(flyte, identifier)
    data = flyte.call("GetExecutionData", WorkflowExecutionGetDataRequest(id=identifier))
    wrong = differences(data.full_inputs, _wanted(plan, given))
    if execution.spec.launch_plan.name != plan.id.name:
        wrong.append("launch plan")
    if wrong:
        raise OtherInputs(
            f"{identifier.name} was launched before, with another {', another '.join(wrong)}.",
            remedy="Ask for another run of the same with --attempt.",
        )
