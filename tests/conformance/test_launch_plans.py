"""Launch plans: states, activation, fixed inputs, schedules."""

from __future__ import annotations

import pytest
from flyteidl.admin.common_pb2 import NamedEntityIdentifier, ObjectGetRequest
from flyteidl.admin.launch_plan_pb2 import (
    ACTIVE,
    INACTIVE,
    ActiveLaunchPlanListRequest,
    ActiveLaunchPlanRequest,
    LaunchPlanMetadata,
    LaunchPlanSpec,
    LaunchPlanUpdateRequest,
)
from flyteidl.admin.schedule_pb2 import CronSchedule, Schedule
from flyteidl.core.identifier_pb2 import LAUNCH_PLAN, WORKFLOW, Identifier
from flyteidl.core.interface_pb2 import Parameter, Variable
from flyteidl.core.literals_pb2 import Literal, Primitive, Scalar
from grpc import StatusCode

from tests.conformance.entities import (
    DATETIME,
    INTEGER,
    STRING,
    integer,
    launch_plan,
    simple,
    task,
    value,
    workflow,
)
from tests.conformance.entities import node as task_node
from tests.conformance.flyte import DOMAIN, Flyte, refused


@pytest.fixture(scope="module")
def wf(flyte: Flyte) -> Identifier:
    """A workflow that takes an integer `x` and a time `at`."""
    adder = task(flyte, "lp_adder", inputs={"x": INTEGER})
    flyte.admin.CreateTask(adder)
    nodes = [task_node("n0", adder.id, x=value(1))]
    request = workflow(flyte, "lp_wf", nodes=nodes, inputs={"x": INTEGER, "at": DATETIME})
    flyte.admin.CreateWorkflow(request)
    return request.id


def activate(flyte: Flyte, name: str, version: str, state: int = ACTIVE) -> None:
    id_ = flyte.id(LAUNCH_PLAN, name, version)
    flyte.admin.UpdateLaunchPlan(LaunchPlanUpdateRequest(id=id_, state=state))


def active(flyte: Flyte, name: str) -> str:
    """The active version by name, which must be the only one in the list of active ones, too."""
    id_ = NamedEntityIdentifier(project=flyte.project, domain=DOMAIN, name=name)
    got = flyte.admin.GetActiveLaunchPlan(ActiveLaunchPlanRequest(id=id_)).id.version
    listed = flyte.admin.ListActiveLaunchPlans(
        ActiveLaunchPlanListRequest(project=flyte.project, domain=DOMAIN, limit=100)
    )
    assert [plan.id.version for plan in listed.launch_plans if plan.id.name == name] == [got]
    return str(got)


def test_two_versions_are_never_active_together(flyte: Flyte, wf: Identifier) -> None:
    # One after the other; concurrent activations can leave two active on Flyte 1.16.
    for version in ("v1", "v2"):
        flyte.admin.CreateLaunchPlan(launch_plan(flyte, "switched", version, of=wf))
    for version in ("v1", "v2", "v1", "v1"):
        activate(flyte, "switched", version)
        assert active(flyte, "switched") == version


def test_a_new_launch_plan_is_inactive(flyte: Flyte, wf: Identifier) -> None:
    request = launch_plan(flyte, "new", of=wf)
    flyte.admin.CreateLaunchPlan(request)
    assert flyte.admin.GetLaunchPlan(ObjectGetRequest(id=request.id)).closure.state == INACTIVE
    id_ = NamedEntityIdentifier(project=flyte.project, domain=DOMAIN, name="new")
    text = f"No active launch plan could be found: {flyte.project}:{DOMAIN}:new"
    with refused(StatusCode.NOT_FOUND, text):
        flyte.admin.GetActiveLaunchPlan(ActiveLaunchPlanRequest(id=id_))


def test_an_active_launch_plan_can_be_switched_off(flyte: Flyte, wf: Identifier) -> None:
    flyte.admin.CreateLaunchPlan(launch_plan(flyte, "off", of=wf))
    activate(flyte, "off", "v1")
    activate(flyte, "off", "v1", INACTIVE)
    id_ = NamedEntityIdentifier(project=flyte.project, domain=DOMAIN, name="off")
    with refused(StatusCode.NOT_FOUND, "No active launch plan could be found"):
        flyte.admin.GetActiveLaunchPlan(ActiveLaunchPlanRequest(id=id_))


def test_a_launch_plan_cannot_be_activated_before_it_is_registered(flyte: Flyte) -> None:
    with refused(StatusCode.NOT_FOUND, "missing entity of type LAUNCH_PLAN with identifier"):
        activate(flyte, "absent", "v1")


def test_a_launch_plan_needs_its_workflow(flyte: Flyte) -> None:
    with refused(StatusCode.NOT_FOUND, "missing entity of type WORKFLOW with identifier"):
        flyte.admin.CreateLaunchPlan(launch_plan(flyte, "lost", of=flyte.id(WORKFLOW, "absent")))


def test_an_input_without_a_value_becomes_a_required_parameter(flyte: Flyte, wf: Identifier) -> None:
    request = launch_plan(flyte, "expects", of=wf)
    request.spec.fixed_inputs.literals["x"].CopyFrom(integer(1))
    flyte.admin.CreateLaunchPlan(request)
    closure = flyte.admin.GetLaunchPlan(ObjectGetRequest(id=request.id)).closure
    assert list(closure.expected_inputs.parameters) == ["at"]
    assert closure.expected_inputs.parameters["at"].required


@pytest.mark.parametrize(
    ("name", "literal", "text"),
    [
        ("zz", integer(1), "unexpected fixed_input zz"),
        (
            "x",
            Literal(scalar=Scalar(primitive=Primitive(string_value="1"))),
            "invalid fixed_input wrong type x",
        ),
    ],
    ids=["unknown", "mistyped"],
)
def test_a_fixed_input_must_fit_the_workflow(
    flyte: Flyte, wf: Identifier, name: str, literal: Literal, text: str
) -> None:
    request = launch_plan(flyte, "unfit", of=wf)
    request.spec.fixed_inputs.literals[name].CopyFrom(literal)
    with refused(StatusCode.INVALID_ARGUMENT, text):
        flyte.admin.CreateLaunchPlan(request)


def test_a_default_must_have_its_parameters_type(flyte: Flyte, wf: Identifier) -> None:
    request = launch_plan(flyte, "unfit_default", of=wf)
    parameter = Parameter(var=Variable(type=simple(STRING)), default=integer(1))
    request.spec.default_inputs.parameters["x"].CopyFrom(parameter)
    with refused(StatusCode.INVALID_ARGUMENT, "Type mismatch for Parameter x in default_inputs"):
        flyte.admin.CreateLaunchPlan(request)


def scheduled(cron: str, kickoff: str = "at") -> LaunchPlanSpec:
    schedule = Schedule(cron_schedule=CronSchedule(schedule=cron), kickoff_time_input_arg=kickoff)
    spec = LaunchPlanSpec(entity_metadata=LaunchPlanMetadata(schedule=schedule))
    spec.fixed_inputs.literals["x"].CopyFrom(integer(1))
    return spec


def create_scheduled(flyte: Flyte, wf: Identifier, spec: LaunchPlanSpec) -> None:
    request = launch_plan(flyte, "scheduled", f"v{abs(hash(spec.SerializeToString()))}", of=wf, spec=spec)
    flyte.admin.CreateLaunchPlan(request)


@pytest.mark.parametrize("cron", ["0 8 * * *", "*/5 8-16 * * MON-THU", "@daily", "@every 1h"])
def test_a_schedule_has_five_fields_or_a_descriptor(flyte: Flyte, wf: Identifier, cron: str) -> None:
    create_scheduled(flyte, wf, scheduled(cron))


@pytest.mark.parametrize(
    ("cron", "text"),
    [
        ("daily", "expected exactly 5 fields, found 1: [daily]"),
        ("0 0 8 * * *", "expected exactly 5 fields, found 6"),
        ("61 * * * *", "Invalid cron expression"),
    ],
)
def test_any_other_schedule_is_refused(flyte: Flyte, wf: Identifier, cron: str, text: str) -> None:
    with refused(StatusCode.INVALID_ARGUMENT, "Invalid cron expression", text):
        create_scheduled(flyte, wf, scheduled(cron))


def test_a_schedule_leaves_no_input_open(flyte: Flyte, wf: Identifier) -> None:
    spec = scheduled("0 8 * * *", kickoff="")
    text = "Cannot create a launch plan with a schedule if there is an unbound required input."
    with refused(StatusCode.INVALID_ARGUMENT, f"{text} [at] is required"):
        create_scheduled(flyte, wf, spec)


def test_the_kickoff_time_goes_to_an_open_input(flyte: Flyte, wf: Identifier) -> None:
    spec = scheduled("0 8 * * *", kickoff="zz")
    spec.fixed_inputs.literals["at"].scalar.primitive.datetime.seconds = 1
    text = "[zz] is not free or does not exist."
    with refused(StatusCode.INVALID_ARGUMENT, text):
        create_scheduled(flyte, wf, spec)


def test_the_kickoff_time_is_a_datetime(flyte: Flyte, wf: Identifier) -> None:
    spec = scheduled("0 8 * * *", kickoff="x")
    del spec.fixed_inputs.literals["x"]
    spec.fixed_inputs.literals["at"].scalar.primitive.datetime.seconds = 1
    with refused(StatusCode.INVALID_ARGUMENT, "KickoffTimeInputArg must reference a datetime input. [x]"):
        create_scheduled(flyte, wf, spec)


def test_a_launch_plan_has_at_most_sixteen_labels(flyte: Flyte, wf: Identifier) -> None:
    request = launch_plan(flyte, "labelled", of=wf)
    for i in range(17):
        request.spec.labels.values[f"l{i}"] = "x"
    with refused(StatusCode.INVALID_ARGUMENT, "labels map cannot exceed 16 entries"):
        flyte.admin.CreateLaunchPlan(request)
