"""What flyteadmin checks in a launch plan, in its order and words.

Source: flyteadmin `manager/impl/validation/launch_plan_validator.go`, `validation.go`,
`notifications_validator.go`.
"""

from __future__ import annotations

from collections.abc import Iterable

from flyteidl.admin.common_pb2 import Notification
from flyteidl.admin.launch_plan_pb2 import LaunchPlanSpec
from flyteidl.admin.schedule_pb2 import Schedule
from flyteidl.core.execution_pb2 import WorkflowExecution
from flyteidl.core.interface_pb2 import Parameter, ParameterMap, VariableMap
from flyteidl.core.literals_pb2 import Literal, LiteralMap
from flyteidl.core.types_pb2 import DATETIME

from scripts.sandbox.cron import BadCron, parse_cron
from scripts.sandbox.errors import InvalidArgument
from scripts.sandbox.gotext import message_text
from scripts.sandbox.labels import check_labels
from scripts.sandbox.literals import castable, named_type

_TERMINAL = (
    WorkflowExecution.SUCCEEDED,
    WorkflowExecution.FAILED,
    WorkflowExecution.ABORTED,
    WorkflowExecution.TIMED_OUT,
)
_EARLIEST_S, _LATEST_S = -62135596800, 253402300799


def check_plan(spec: LaunchPlanSpec, wanted: VariableMap) -> ParameterMap:
    """Check a launch plan of a workflow with the inputs `wanted`; return the inputs that stay free.

    Raises:
        InvalidArgument: the first thing that flyteadmin would complain about.
    """
    check_labels(spec.labels)
    check_literals(spec.fixed_inputs, "fixed_inputs")
    _check_parameters(spec.default_inputs, "default_inputs")
    expected = _expected_inputs(wanted, spec.fixed_inputs, spec.default_inputs)
    _check_schedule(spec.entity_metadata.schedule, expected)
    _check_notifications(spec.entity_metadata.notifications)
    if spec.entity_metadata.HasField("launch_conditions"):
        found = message_text(spec.entity_metadata.launch_conditions)
        raise InvalidArgument(f"Launch condition must be empty, found {found}")
    return expected


def check_literals(literals: LiteralMap, field: str) -> None:
    """Check that every literal has a name and a value, and that times are times.

    Raises:
        InvalidArgument: one does not.
    """
    for name, literal in sorted(literals.literals.items()):
        if not name:
            raise InvalidArgument(f"missing key in {field}")
        if literal.WhichOneof("value") is None:
            raise InvalidArgument(f"missing valid literal in {field} {name}")
        if literal.scalar.primitive.HasField("datetime"):
            _check_time(literal)


def _check_parameters(parameters: ParameterMap, field: str) -> None:
    for name, parameter in sorted(parameters.parameters.items()):
        if parameter.HasField("artifact_query"):
            raise InvalidArgument(f"artifact mode not enabled but query found {field} {name}")
        if not name:
            raise InvalidArgument(f"missing key in {field}")
        if not parameter.var.HasField("type"):
            raise InvalidArgument(
                f"The Variable component of the Parameter {name} in {field} either is missing, "
                "or has a missing Type"
            )
        if not parameter.HasField("default") and not parameter.required:
            raise InvalidArgument(
                f"Invalid variable {name} in {field} - variable has neither default, nor is required. "
                "One must be specified"
            )
        if parameter.HasField("default"):
            _check_default(name, parameter, field)


def _check_default(name: str, parameter: Parameter, field: str) -> None:
    kind = named_type(name, parameter.default)
    if not castable(kind, parameter.var.type):
        raise InvalidArgument(
            f"Type mismatch for Parameter {name} in {field} has type {message_text(parameter.var.type)}, "
            f"expected {message_text(kind)}"
        )
    if parameter.var.type.simple == DATETIME:
        _check_time(parameter.default)


def _check_time(literal: Literal) -> None:
    stamp = literal.scalar.primitive.datetime
    where = f"timestamp ({message_text(stamp)})"
    if stamp.seconds < _EARLIEST_S:
        raise InvalidArgument(f"proto: {where} before 0001-01-01")
    if stamp.seconds > _LATEST_S:
        raise InvalidArgument(f"proto: {where} after 9999-12-31")
    if not 0 <= stamp.nanos < 1_000_000_000:
        raise InvalidArgument(f"proto: {where} has out-of-range nanos")


def _expected_inputs(wanted: VariableMap, fixed: LiteralMap, defaults: ParameterMap) -> ParameterMap:
    """Return defaults, and as required what is neither defaulted nor fixed."""
    expected = ParameterMap()
    if not wanted.variables:
        for field, given in (("default", defaults.parameters), ("fixed", fixed.literals)):
            if given:
                raise InvalidArgument(
                    f"invalid launch plan {field} inputs, expected none but found {len(given)}"
                )
        return expected
    _check_defaults(wanted, defaults)
    _check_fixed(wanted, fixed)
    for name, variable in wanted.variables.items():
        if name in defaults.parameters:
            expected.parameters[name].CopyFrom(defaults.parameters[name])
        elif name not in fixed.literals:
            free = expected.parameters[name]
            free.var.type.CopyFrom(variable.type)
            free.var.description = variable.description
            free.required = True
    return expected


def _check_defaults(wanted: VariableMap, defaults: ParameterMap) -> None:
    for name, parameter in sorted(defaults.parameters.items()):
        if name not in wanted.variables:
            raise InvalidArgument(f"unexpected default_input {name}")
        kind = wanted.variables[name].type
        if not castable(parameter.var.type, kind):
            raise InvalidArgument(
                f"invalid default_input wrong type {name}, expected {message_text(parameter.var.type)}, "
                f"got {message_text(kind)} instead"
            )


def _check_fixed(wanted: VariableMap, fixed: LiteralMap) -> None:
    for name, literal in sorted(fixed.literals.items()):
        if name not in wanted.variables:
            raise InvalidArgument(f"unexpected fixed_input {name}")
        kind, given = wanted.variables[name].type, named_type(name, literal)
        if not castable(given, kind):
            raise InvalidArgument(
                f"invalid fixed_input wrong type {name}, expected {message_text(kind)}, "
                f"got {message_text(given)} instead"
            )


def _check_schedule(schedule: Schedule, expected: ParameterMap) -> None:
    kind = schedule.WhichOneof("ScheduleExpression")
    if kind is None or (kind == "cron_expression" and not schedule.cron_expression):
        return
    kickoff = schedule.kickoff_time_input_arg
    for name, parameter in sorted(expected.parameters.items()):
        if parameter.required and name != kickoff:
            raise InvalidArgument(
                "Cannot create a launch plan with a schedule if there is an unbound required input. "
                f"[{name}] is required"
            )
    if kickoff and kickoff not in expected.parameters:
        raise InvalidArgument(
            "Cannot create a schedule with a KickoffTimeInputArg that does not point to a free input. "
            f"[{kickoff}] is not free or does not exist."
        )
    if kickoff and expected.parameters[kickoff].var.type.simple != DATETIME:
        found = message_text(expected.parameters[kickoff].var.type)
        raise InvalidArgument(
            f"KickoffTimeInputArg must reference a datetime input. [{kickoff}] is a [{found}]"
        )
    if expression := schedule.cron_expression or schedule.cron_schedule.schedule:
        try:
            parse_cron(expression)
        except BadCron as error:
            raise InvalidArgument(f"Invalid cron expression: {error}") from error


def check_can_tick(schedule: Schedule) -> None:
    """Check that the scheduler knows this kind of schedule, which flyteadmin does not ask before activation.

    Raises:
        InvalidArgument: it is the deprecated `cron_expression`.
    """
    if schedule.cron_expression:
        raise InvalidArgument(
            "failed adding schedule for unknown schedule expression type cron_expression"
            f" [{schedule.cron_expression}]"
        )


def _check_notifications(notifications: Iterable[Notification]) -> None:
    for notification in notifications:
        kind = notification.WhichOneof("type")
        if kind is None:
            raise InvalidArgument("invalid value for notification type")
        recipients = getattr(notification, kind).recipients_email
        if not recipients:
            raise InvalidArgument("missing recipients")
        if not all(recipients):
            raise InvalidArgument("missing recipient")
        if any(phase not in _TERMINAL for phase in notification.phases):
            raise InvalidArgument("invalid value for phase")
