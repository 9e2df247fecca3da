"""What Flyte says to a launch: names, inputs, labels."""

from __future__ import annotations

import pytest
from flyteidl.admin.execution_pb2 import ExecutionCreateRequest, ExecutionSpec, WorkflowExecutionGetRequest
from flyteidl.core.identifier_pb2 import LAUNCH_PLAN, WORKFLOW, Identifier, WorkflowExecutionIdentifier
from grpc import StatusCode

from tests.conformance.entities import (
    FLOAT,
    INTEGER,
    integer,
    launch_plan,
    node,
    output,
    task,
    workflow,
)
from tests.conformance.flyte import DOMAIN, Flyte, refused


@pytest.fixture(scope="module")
def plan(flyte: Flyte) -> str:
    """A launch plan that takes a float `f` and has fixed its `n`; it is never to run."""
    taker = task(flyte, "launched_task", inputs={"f": FLOAT, "n": INTEGER})
    flyte.admin.CreateTask(taker)
    bindings = {name: output("", name) for name in ("f", "n")}
    nodes = [node("n0", taker.id, **bindings)]
    wf = workflow(flyte, "launched_wf", nodes=nodes, inputs={"f": FLOAT, "n": INTEGER})
    flyte.admin.CreateWorkflow(wf)
    request = launch_plan(flyte, "launched", of=wf.id)
    request.spec.fixed_inputs.literals["n"].CopyFrom(integer(1))
    flyte.admin.CreateLaunchPlan(request)
    return "launched"


@pytest.mark.parametrize(
    ("inputs", "text"),
    [
        ({}, "expected_inputs f missing"),
        ({"f": 1.0, "zz": 1}, "invalid input zz"),
        ({"f": 1}, "invalid f input wrong type. Expected simple:FLOAT, but got simple:INTEGER"),
        ({"f": 1.0, "n": 2}, "invalid input n"),
    ],
    ids=["missing", "unknown", "an integer for a float", "a fixed input"],
)
def test_inputs_that_do_not_fit_are_refused(
    flyte: Flyte, plan: str, inputs: dict[str, object], text: str
) -> None:
    with refused(StatusCode.INVALID_ARGUMENT, text):
        flyte.launch(plan, inputs)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("1st", "invalid name format: 1st, does not match regex"),
        ("with_underscore", "invalid name format"),
        ("a" * 64, "size of name exceeded length 63"),
    ],
)
def test_an_execution_name_is_short_and_plain(flyte: Flyte, plan: str, name: str, text: str) -> None:
    with refused(StatusCode.INVALID_ARGUMENT, text):
        flyte.launch(plan, {"f": 1.0}, name=name)


def test_an_unknown_launch_plan_is_not_found(flyte: Flyte) -> None:
    with refused(StatusCode.NOT_FOUND, "missing entity of type LAUNCH_PLAN with identifier"):
        flyte.launch("absent")


def test_only_launch_plans_and_tasks_are_launched(flyte: Flyte) -> None:
    spec = ExecutionSpec(launch_plan=Identifier(project="p", domain="d", name="n", version="v"))
    spec.launch_plan.resource_type = WORKFLOW
    request = ExecutionCreateRequest(project=flyte.project, domain=DOMAIN, spec=spec)
    with refused(StatusCode.INVALID_ARGUMENT, "Invalid reference entity resource type"):
        flyte.admin.CreateExecution(request)


def test_a_launch_into_an_unknown_project_is_refused(flyte: Flyte) -> None:
    spec = ExecutionSpec(launch_plan=flyte.id(LAUNCH_PLAN, "launched"))
    request = ExecutionCreateRequest(project="no-such-project", domain=DOMAIN, spec=spec)
    text = "failed to validate that project [no-such-project] and domain [development] are registered"
    with refused(StatusCode.INVALID_ARGUMENT, text):
        flyte.admin.CreateExecution(request)


@pytest.mark.parametrize(
    ("labels", "text"),
    [
        ({f"l{i}": "x" for i in range(17)}, "labels map cannot exceed 16 entries"),
        ({"bad key": "x"}, "invalid label key [bad key]"),
        ({"key": "bad value"}, "invalid label value [bad value]"),
    ],
    ids=["too many", "key", "value"],
)
def test_labels_are_those_of_kubernetes(flyte: Flyte, plan: str, labels: dict[str, str], text: str) -> None:
    spec = ExecutionSpec()
    spec.labels.values.update(labels)
    with refused(StatusCode.INVALID_ARGUMENT, text):
        flyte.launch(plan, {"f": 1.0}, spec=spec)


def test_an_execution_that_never_was_is_not_found(flyte: Flyte) -> None:
    id_ = WorkflowExecutionIdentifier(project=flyte.project, domain=DOMAIN, name="absent")
    with refused(StatusCode.NOT_FOUND, "missing entity of type execution"):
        flyte.admin.GetExecution(WorkflowExecutionGetRequest(id=id_))
