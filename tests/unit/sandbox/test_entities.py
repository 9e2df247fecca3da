from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from flyteidl.admin.launch_plan_pb2 import ACTIVE, INACTIVE, LaunchPlanCreateRequest
from flyteidl.admin.project_pb2 import Project
from flyteidl.admin.task_pb2 import TaskCreateRequest
from flyteidl.admin.workflow_pb2 import CreateWorkflowFailureReason, WorkflowCreateRequest
from flyteidl.core.identifier_pb2 import LAUNCH_PLAN, TASK, WORKFLOW, Identifier
from flyteidl.core.types_pb2 import STRING
from google.protobuf.json_format import MessageToDict, ParseDict

from scripts.sandbox.errors import AlreadyExists, InvalidArgument, NotFound
from tests.unit.sandbox.registry import (
    Registry,
    identifier,
    plan_request,
    registry,
    task_node,
    task_request,
    workflow_request,
)

RECORDED = Path(__file__).with_name("recorded") / "registrations.jsonl"
TIMES = ("created_at", "updated_at")


@pytest.fixture
def there(tmp_path: Path) -> Registry:
    return registry(tmp_path)


@pytest.fixture
def filled(there: Registry) -> Registry:
    there.entities.register_task(task_request())
    there.entities.register_workflow(workflow_request())
    there.entities.register_launch_plan(plan_request())
    return there


def without_times(answer: Any) -> Any:
    if isinstance(answer, dict):
        return {key: without_times(value) for key, value in answer.items() if key not in TIMES}
    return [without_times(value) for value in answer] if isinstance(answer, list) else answer


def test_registered_entities_read_back_as_from_a_recorded_flyte(there: Registry) -> None:
    there.projects.ensure("recorded")
    entities = there.entities
    register = {
        "CreateTask": lambda r: entities.register_task(ParseDict(r, TaskCreateRequest())),
        "CreateWorkflow": lambda r: entities.register_workflow(ParseDict(r, WorkflowCreateRequest())),
        "CreateLaunchPlan": lambda r: entities.register_launch_plan(ParseDict(r, LaunchPlanCreateRequest())),
    }
    read = {"GetWorkflow": entities.workflow, "GetLaunchPlan": entities.launch_plan}
    compared = 0
    for call in map(json.loads, RECORDED.read_text().splitlines()):
        if call["rpc"] in register:
            register[call["rpc"]](call["request"])
            continue
        answer = read[call["rpc"]](ParseDict(call["request"]["id"], Identifier()))
        got = MessageToDict(answer, preserving_proto_field_name=True)
        assert without_times(got) == without_times(call["response"])
        compared += 1
    assert compared > 8


def test_the_same_task_again_is_identical(filled: Registry) -> None:
    with pytest.raises(AlreadyExists, match=r"^task with identical structure already exists$"):
        filled.entities.register_task(task_request())


def test_another_task_of_the_same_version_shows_what_differs(filled: Registry) -> None:
    request = task_request()
    request.spec.template.container.image = "image:2"
    with pytest.raises(InvalidArgument) as refused:
        filled.entities.register_task(request)
    assert refused.value.message == (
        "t task with different structure already exists. (Please register a new version of the task):\n"
        "/template/Target/Container/image:\n\t- image:1 \n\t+ image:2"
    )


def test_the_same_workflow_again_is_identical_and_says_so_in_its_details(filled: Registry) -> None:
    with pytest.raises(AlreadyExists, match="workflow with identical structure") as refused:
        filled.entities.register_workflow(workflow_request())
    assert isinstance(refused.value.detail, CreateWorkflowFailureReason)
    assert refused.value.detail.exists_identical_structure.id.name == "w"


def test_another_workflow_of_the_same_version_shows_all_of_the_new_one(filled: Registry) -> None:
    with pytest.raises(InvalidArgument, match="w workflow with different structure") as refused:
        filled.entities.register_workflow(
            workflow_request(task_node("n0"), task_node("n1", a="n0.o0"), output="n1.o0")
        )
    assert "/primary/template/nodes:\n\t- <nil> \n\t+ [map[" in refused.value.message


def test_another_launch_plan_of_the_same_version_shows_what_differs(filled: Registry) -> None:
    with pytest.raises(InvalidArgument, match="w launch plan with different structure"):
        filled.entities.register_launch_plan(plan_request(fixed={"a": 1}))
    with pytest.raises(AlreadyExists, match=r"^launch plan with identical structure already exists$"):
        filled.entities.register_launch_plan(plan_request())


def test_a_workflow_without_its_task_does_not_compile(there: Registry) -> None:
    with pytest.raises(InvalidArgument) as refused:
        there.entities.register_workflow(workflow_request())
    assert refused.value.message == (
        'failed to compile workflow for [resource_type:WORKFLOW project:"p" domain:"development" name:"w" '
        'version:"v1"] with err: missing entity of type TASK with identifier project:"p" '
        'domain:"development" name:"t" version:"v1"'
    )


def test_a_launch_plan_without_its_workflow_is_not_found(there: Registry) -> None:
    with pytest.raises(NotFound, match='missing entity of type WORKFLOW with identifier project:"p"'):
        there.entities.register_launch_plan(plan_request())


@pytest.mark.parametrize(("count", "accepted"), [(100, True), (101, False)])
def test_a_workflow_may_have_a_hundred_nodes(there: Registry, count: int, accepted: bool) -> None:
    there.entities.register_task(task_request())
    nodes = [task_node(f"n{number}") for number in range(count)]
    request = workflow_request(*nodes)
    if accepted:
        there.entities.register_workflow(request)
        return
    with pytest.raises(InvalidArgument, match=r"number of nodes in workflow .* exceeds limit \(101 > 100\)"):
        there.entities.register_workflow(request)


def test_nothing_is_registered_in_an_archived_project(filled: Registry) -> None:
    filled.projects.update(Project(id="p", state=Project.ARCHIVED))
    with pytest.raises(InvalidArgument, match=r"^project \[p\] is not active$") as refused:
        filled.entities.register_task(task_request(version="v2"))
    assert refused.value.detail is not None
    filled.entities.update_launch_plan(identifier(LAUNCH_PLAN, "w"), ACTIVE)


def test_a_launch_plan_is_inactive_until_it_is_activated(filled: Registry) -> None:
    with pytest.raises(NotFound, match=r"^No active launch plan could be found: p:development:w$"):
        filled.entities.active_launch_plan("p", "development", "w")
    filled.entities.update_launch_plan(identifier(LAUNCH_PLAN, "w"), ACTIVE)
    assert filled.entities.active_launch_plan("p", "development", "w").id.version == "v1"
    filled.entities.update_launch_plan(identifier(LAUNCH_PLAN, "w"), INACTIVE)
    assert filled.entities.launch_plan(identifier(LAUNCH_PLAN, "w")).closure.state == INACTIVE


def test_activation_deactivates_the_version_before(filled: Registry) -> None:
    filled.entities.register_launch_plan(plan_request(version="v2", fixed={"a": 1}))
    for version in ("v1", "v2"):
        filled.entities.update_launch_plan(identifier(LAUNCH_PLAN, "w", version), ACTIVE)
    assert filled.entities.active_launch_plan("p", "development", "w").id.version == "v2"
    assert filled.entities.launch_plan(identifier(LAUNCH_PLAN, "w")).closure.state == INACTIVE


def test_activation_without_a_version_takes_the_first_that_was_registered(filled: Registry) -> None:
    filled.entities.register_launch_plan(plan_request(version="a-later-one", fixed={"a": 1}))
    filled.entities.update_launch_plan(identifier(LAUNCH_PLAN, "w", ""), ACTIVE)
    assert filled.entities.active_launch_plan("p", "development", "w").id.version == "v1"


def test_concurrent_activations_leave_one_active(filled: Registry) -> None:
    versions = ["v1"]
    for number in range(2, 6):
        filled.entities.register_launch_plan(plan_request(version=f"v{number}", fixed={"a": number}))
        versions.append(f"v{number}")
    ids = [identifier(LAUNCH_PLAN, "w", version) for version in versions * 4]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda id_: filled.entities.update_launch_plan(id_, ACTIVE), ids))
    states = [filled.entities.launch_plan(identifier(LAUNCH_PLAN, "w", v)).closure.state for v in versions]
    assert states.count(ACTIVE) == 1


def test_concurrent_equal_registrations_make_one_row(there: Registry) -> None:
    def register(_: int) -> bool:
        try:
            there.entities.register_task(task_request())
        except AlreadyExists:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(register, range(16))) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(lambda r: r.id.Clear(), "missing id", id="no id"),
        pytest.param(
            lambda r: setattr(r.id, "resource_type", WORKFLOW),
            "unexpected resource type workflow for identifier [resource_type:WORKFLOW",
            id="wrong type",
        ),
        pytest.param(lambda r: setattr(r.id, "version", ""), "missing version", id="no version"),
        pytest.param(
            lambda r: setattr(r.id, "project", "q"),
            "failed to validate that project [q] and domain [development] are registered, "
            "err: [project [q] not found]",
            id="unknown project",
        ),
        pytest.param(
            lambda r: setattr(r.id, "domain", "d"),
            "domain [d] is unrecognized by system",
            id="unknown domain",
        ),
        pytest.param(lambda r: r.spec.ClearField("template"), "missing spec", id="no template"),
        pytest.param(
            lambda r: r.spec.template.container.ClearField("args"),
            "task failed compilation with Collected Errors: 1\n\tError 0: Code: ValueRequired, "
            "Node Id: container, Description: Value required [command].\n",
            id="no command",
        ),
    ],
)
def test_a_task_that_is_not_valid_is_refused(there: Registry, change: Any, message: str) -> None:
    request = task_request()
    change(request)
    with pytest.raises(InvalidArgument) as refused:
        there.entities.register_task(request)
    assert refused.value.message.startswith(message)


def test_a_missing_entity_is_named(there: Registry) -> None:
    with pytest.raises(NotFound) as missing:
        there.entities.task(identifier(TASK, "x"))
    assert missing.value.message == (
        'missing entity of type TASK with identifier project:"p" domain:"development" name:"x" version:"v1"'
    )


def test_a_workflow_with_a_mistyped_input_does_not_compile(there: Registry) -> None:
    there.entities.register_task(task_request())
    request = workflow_request()
    request.spec.template.interface.inputs.variables["a"].type.simple = STRING
    with pytest.raises(InvalidArgument) as refused:
        there.entities.register_workflow(request)
    assert (
        "Code: MismatchingTypes, Node Id: n0, Description: The output variable 'a' has type [simple:STRING], "
        "but it's assigned to the input variable 'a' which has type type [simple:INTEGER]."
    ) in refused.value.message
