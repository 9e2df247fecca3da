"""The inputs that an execution really has: the caller's, the launch plan's defaults and its fixed ones.

Source: flyteadmin `CheckAndFetchInputsForExecution`.
"""

from __future__ import annotations

from flyteidl.admin.launch_plan_pb2 import LaunchPlan
from flyteidl.core.literals_pb2 import LiteralMap

from scripts.sandbox.errors import InvalidArgument
from scripts.sandbox.gotext import message_text
from scripts.sandbox.literals import castable, literal_type


def full_inputs(given: LiteralMap, plan: LaunchPlan) -> LiteralMap:
    """Return `given` with defaults and fixed inputs added.

    Raises:
        InvalidArgument: one is missing, unknown, fixed, or of another type than the launch plan expects.
    """
    expected = plan.closure.expected_inputs.parameters
    for name in sorted(given.literals):
        if name not in expected:
            raise InvalidArgument(f"invalid input {name}")
    inputs = LiteralMap()
    inputs.CopyFrom(given)
    for name, parameter in sorted(expected.items()):
        if name not in given.literals:
            if parameter.required:
                raise InvalidArgument(f"expected_inputs {name} missing")
            inputs.literals[name].CopyFrom(parameter.default)
            continue
        kind = literal_type(given.literals[name])
        if not castable(kind, parameter.var.type):
            raise InvalidArgument(
                f"invalid {name} input wrong type. Expected {message_text(parameter.var.type)}, "
                f"but got {message_text(kind)}"
            )
    for name, literal in plan.spec.fixed_inputs.literals.items():
        inputs.literals[name].CopyFrom(literal)
    return inputs
