"""What Flyte says to a registration: new, the same again, different, invalid."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flyteidl.admin.common_pb2 import ObjectGetRequest
from flyteidl.admin.project_pb2 import Project, ProjectGetRequest, ProjectRegisterRequest
from flyteidl.admin.task_pb2 import TaskCreateRequest
from flyteidl.core.identifier_pb2 import LAUNCH_PLAN, TASK, WORKFLOW
from flyteidl.core.tasks_pb2 import Resources
from google.protobuf.message import Message
from grpc import StatusCode

from tests.conformance.entities import FLOAT, INTEGER, launch_plan, node, output, task, value, workflow
from tests.conformance.flyte import DOMAIN, Flyte, refused


@pytest.fixture(scope="module")
def adder(flyte: Flyte) -> TaskCreateRequest:
    """A task that takes and gives an integer."""
    request = task(flyte, "adder", inputs={"x": INTEGER}, outputs={"y": INTEGER})
    flyte.admin.CreateTask(request)
    return request


def test_registering_the_same_task_again_says_already_exists(flyte: Flyte) -> None:
    request = task(flyte, "same")
    flyte.admin.CreateTask(request)
    with refused(StatusCode.ALREADY_EXISTS, "task with identical structure already exists"):
        flyte.admin.CreateTask(request)


def test_another_task_under_the_same_version_is_refused(flyte: Flyte) -> None:
    flyte.admin.CreateTask(task(flyte, "changed"))
    text = "task with different structure already exists. (Please register a new version of the task)"
    with refused(StatusCode.INVALID_ARGUMENT, text):
        flyte.admin.CreateTask(task(flyte, "changed", args=["false"]))
    flyte.admin.CreateTask(task(flyte, "changed", "v2", args=["false"]))


def test_a_workflow_the_same_again_and_a_different_one(flyte: Flyte, adder: TaskCreateRequest) -> None:
    request = workflow(flyte, "same_wf", nodes=[node("n0", adder.id, x=value(1))])
    flyte.admin.CreateWorkflow(request)
    with refused(StatusCode.ALREADY_EXISTS, "workflow with identical structure already exists"):
        flyte.admin.CreateWorkflow(request)
    other = workflow(flyte, "same_wf", nodes=[node("n0", adder.id, x=value(2))])
    with refused(StatusCode.INVALID_ARGUMENT, "workflow with different structure already exists."):
        flyte.admin.CreateWorkflow(other)


def test_a_launch_plan_the_same_again_and_a_different_one(flyte: Flyte, adder: TaskCreateRequest) -> None:
    made = workflow(flyte, "planned_wf", nodes=[node("n0", adder.id, x=value(1))])
    flyte.admin.CreateWorkflow(made)
    flyte.admin.CreateLaunchPlan(launch_plan(flyte, "same_lp", of=made.id))
    with refused(StatusCode.ALREADY_EXISTS, "launch plan with identical structure already exists"):
        flyte.admin.CreateLaunchPlan(launch_plan(flyte, "same_lp", of=made.id))
    other = launch_plan(flyte, "same_lp", of=made.id)
    other.spec.max_parallelism = 7
    with refused(StatusCode.INVALID_ARGUMENT, "launch plan with different structure already exists."):
        flyte.admin.CreateLaunchPlan(other)


def without(path: str, value: object = "") -> Callable[[TaskCreateRequest], None]:
    """Set a field of the request, and of its template where both have it."""

    def change(request: TaskCreateRequest) -> None:
        *parents, leaf = path.split(".")
        place: Message = request
        for parent in parents:
            place = getattr(place, parent)
        if value == "":
            place.ClearField(leaf)
        else:
            setattr(place, leaf, value)

    return change


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (without("id.project"), "missing project"),
        (without("id.domain"), "missing domain"),
        (without("id.name"), "missing name"),
        (without("id.version"), "missing version"),
        (without("id.resource_type", WORKFLOW), "unexpected resource type workflow for identifier"),
        (without("spec"), "missing spec"),
        (without("spec.template.type"), "missing type"),
        (without("spec.template.metadata"), "missing metadata"),
        (without("spec.template.metadata.runtime.version"), "missing runtime version"),
        (without("spec.template.interface"), "missing typed interface"),
        (without("spec.template.container.image"), "missing image"),
        (without("id.project", "no-such-project"), "failed to validate that project [no-such-project]"),
        (without("id.domain", "nowhere"), "domain [nowhere] is unrecognized by system"),
    ],
    ids=lambda part: part if isinstance(part, str) else "",
)
def test_a_task_without_its_parts_is_refused(
    flyte: Flyte, change: Callable[[TaskCreateRequest], None], text: str
) -> None:
    request = task(flyte, "incomplete")
    change(request)
    with refused(StatusCode.INVALID_ARGUMENT, text):
        flyte.admin.CreateTask(request)


def test_names_and_versions_may_hold_anything(flyte: Flyte) -> None:
    request = task(flyte, "a/b: c ü", f"v/1 {'x' * 3000}")
    flyte.admin.CreateTask(request)
    assert flyte.admin.GetTask(ObjectGetRequest(id=request.id)).id == request.id


def entry(amount: str) -> list[Resources.ResourceEntry]:
    return [Resources.ResourceEntry(name=Resources.MEMORY, value=amount)]


def test_a_request_beyond_the_platforms_limit_is_refused(flyte: Flyte) -> None:
    resources = Resources(requests=entry("900Ti"))
    text = "Requested MEMORY default [900Ti] is greater than current limit set in the platform configuration"
    with refused(StatusCode.INVALID_ARGUMENT, text):
        flyte.admin.CreateTask(task(flyte, "greedy", resources=resources))


def test_a_request_beyond_its_own_limit_is_refused(flyte: Flyte) -> None:
    resources = Resources(requests=entry("200Mi"), limits=entry("100Mi"))
    text = "Requested MEMORY default [200Mi] is greater than the limit [100Mi]"
    with refused(StatusCode.INVALID_ARGUMENT, text):
        flyte.admin.CreateTask(task(flyte, "contradictory", resources=resources))


def test_a_limit_without_a_request_is_not_checked(flyte: Flyte) -> None:
    flyte.admin.CreateTask(task(flyte, "unchecked", resources=Resources(limits=entry("900Ti"))))


def test_what_is_not_registered_is_not_found(flyte: Flyte) -> None:
    getters = {
        TASK: flyte.admin.GetTask,
        WORKFLOW: flyte.admin.GetWorkflow,
        LAUNCH_PLAN: flyte.admin.GetLaunchPlan,
    }
    for (kind, get), word in zip(getters.items(), ("TASK", "WORKFLOW", "LAUNCH_PLAN"), strict=True):
        with refused(StatusCode.NOT_FOUND, f"missing entity of type {word} with identifier"):
            get(ObjectGetRequest(id=flyte.id(kind, "absent")))


def test_a_workflow_whose_task_is_missing_does_not_compile(flyte: Flyte) -> None:
    request = workflow(flyte, "lacking", nodes=[node("n0", flyte.id(TASK, "absent"))])
    with refused(StatusCode.INVALID_ARGUMENT, "failed to compile workflow for"):
        flyte.admin.CreateWorkflow(request)


def test_a_workflow_with_an_unbound_input_does_not_compile(flyte: Flyte, adder: TaskCreateRequest) -> None:
    request = workflow(flyte, "unbound", nodes=[node("n0", adder.id)])
    with refused(StatusCode.INVALID_ARGUMENT, "failed to compile workflow for", "Parameter not bound [x]"):
        flyte.admin.CreateWorkflow(request)


def test_an_integer_is_no_float_to_the_compiler(flyte: Flyte, adder: TaskCreateRequest) -> None:
    halver = task(flyte, "halver", inputs={"f": FLOAT})
    flyte.admin.CreateTask(halver)
    nodes = [node("n0", adder.id, x=value(1)), node("n1", halver.id, f=output("n0", "y"))]
    with refused(StatusCode.INVALID_ARGUMENT, "failed to compile workflow for", "MismatchingTypes"):
        flyte.admin.CreateWorkflow(workflow(flyte, "mistyped", nodes=nodes))


def test_a_workflow_with_a_cycle_does_not_compile(flyte: Flyte, adder: TaskCreateRequest) -> None:
    nodes = [node("n0", adder.id, x=output("n1", "y")), node("n1", adder.id, x=output("n0", "y"))]
    with refused(StatusCode.INVALID_ARGUMENT, "failed to compile workflow for"):
        flyte.admin.CreateWorkflow(workflow(flyte, "cycle", nodes=nodes))


def test_a_workflow_may_have_a_hundred_nodes(flyte: Flyte, adder: TaskCreateRequest) -> None:
    nodes = [node(f"n{i}", adder.id, x=value(i)) for i in range(101)]
    flyte.admin.CreateWorkflow(workflow(flyte, "hundred", nodes=nodes[:100]))
    with refused(StatusCode.INVALID_ARGUMENT, "number of nodes in workflow", "exceeds limit (101 > 100)"):
        flyte.admin.CreateWorkflow(workflow(flyte, "more", nodes=nodes))


@pytest.mark.parametrize(
    ("project", "text"),
    [
        (Project(id="Upper_Case", name="n"), "invalid project id [Upper_Case]"),
        (Project(id="long-name", name="n" * 65), "project_name cannot exceed 64 characters"),
    ],
    ids=["id", "name"],
)
def test_a_project_needs_a_dns_label_and_a_short_name(flyte: Flyte, project: Project, text: str) -> None:
    with refused(StatusCode.INVALID_ARGUMENT, text):
        flyte.admin.RegisterProject(ProjectRegisterRequest(project=project))


def test_a_project_registered_twice_already_exists(flyte: Flyte) -> None:
    request = ProjectRegisterRequest(project=Project(id=flyte.project, name=flyte.project))
    with refused(StatusCode.ALREADY_EXISTS):
        flyte.admin.RegisterProject(request)
    project = flyte.admin.GetProject(ProjectGetRequest(id=flyte.project))
    assert DOMAIN in [domain.id for domain in project.domains]
