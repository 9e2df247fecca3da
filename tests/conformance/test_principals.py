"""Who launched, ended and archived: what the platform says of a caller, never what the caller says.

The sandbox believes a header; another Flyte asks its identity provider, which no test can stand in for.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flyteidl.admin.common_pb2 import ResourceListRequest, Sort
from flyteidl.admin.execution_pb2 import (
    EXECUTION_ARCHIVED,
    Execution,
    ExecutionCreateRequest,
    ExecutionRecoverRequest,
    ExecutionRelaunchRequest,
    ExecutionTerminateRequest,
    ExecutionUpdateRequest,
)
from flyteidl.admin.project_pb2 import Project, ProjectRegisterRequest
from flyteidl.core.identifier_pb2 import LAUNCH_PLAN, WorkflowExecutionIdentifier
from flyteidl.core.workflow_pb2 import Node, WorkflowNode

from tests import running
from tests.conformance.entities import launch_plan, workflow, workflow_of_nothing
from tests.conformance.flyte import DOMAIN, Flyte

pytestmark = pytest.mark.sandbox_only

ADA, EVE = [("x-forwarded-user", "ada")], [("x-forwarded-user", "eve")]
PARENT, CHILD, SLEEPS = "principal_parent", "principal_child", "principal_sleeps"


@pytest.fixture(scope="module")
def flyte(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flyte]:
    """A sandbox that believes `X-Forwarded-User`, with a launch plan that launches another one."""
    state = tmp_path_factory.mktemp("principals") / "state"
    with running.sandbox(state, "--principal-header", "X-Forwarded-User") as sandbox:
        image = sandbox.default_image
        made = Flyte.at(sandbox.endpoint, task_image=image, other_image=image, wait_s=60)
        made.admin.RegisterProject(ProjectRegisterRequest(project=Project(id=made.project, name="p")))
        register(made)
        yield made


def register(flyte: Flyte) -> None:
    child = launch_plan(flyte, CHILD, of=workflow_of_nothing(flyte, "principal_wf"))
    flyte.admin.CreateLaunchPlan(child)
    sleeps = workflow_of_nothing(flyte, "principal_sleeps_wf", args=("sleep", "600"))
    flyte.admin.CreateLaunchPlan(launch_plan(flyte, SLEEPS, of=sleeps))
    nodes = [Node(id="n0", workflow_node=WorkflowNode(launchplan_ref=child.id))]
    parent = workflow(flyte, PARENT, nodes=nodes)
    flyte.admin.CreateWorkflow(parent)
    flyte.admin.CreateLaunchPlan(launch_plan(flyte, PARENT, of=parent.id))


def launch(
    flyte: Flyte, plan: str, metadata: list[tuple[str, str]], claimed: str = ""
) -> WorkflowExecutionIdentifier:
    request = ExecutionCreateRequest(project=flyte.project, domain=DOMAIN)
    request.spec.launch_plan.CopyFrom(flyte.id(LAUNCH_PLAN, plan))
    request.spec.metadata.principal = claimed
    return flyte.admin.CreateExecution(request, metadata=metadata).id


def principal(execution: Execution) -> str:
    return str(execution.spec.metadata.principal)


def test_the_header_is_the_principal_and_a_claim_is_not(flyte: Flyte) -> None:
    launched = flyte.execution(launch(flyte, CHILD, ADA, claimed="root"))
    assert principal(launched) == "ada"
    assert launched.closure.state_change_details.principal == "ada"


def test_without_the_header_there_is_no_principal(flyte: Flyte) -> None:
    assert principal(flyte.execution(launch(flyte, CHILD, [], claimed="root"))) == ""


def test_a_child_takes_its_parents_principal(flyte: Flyte) -> None:
    parent = launch(flyte, PARENT, ADA)
    flyte.ended(parent)
    node = flyte.nodes(parent)["n0"]
    child = node.closure.workflow_node_metadata.executionId
    assert principal(flyte.execution(child)) == "ada"


def test_whoever_launches_again_is_the_principal(flyte: Flyte) -> None:
    first = launch(flyte, CHILD, ADA)
    flyte.ended(first)
    relaunched = flyte.admin.RelaunchExecution(ExecutionRelaunchRequest(id=first), metadata=EVE).id
    recovered = flyte.admin.RecoverExecution(ExecutionRecoverRequest(id=first), metadata=EVE).id
    assert [principal(flyte.execution(id_)) for id_ in (relaunched, recovered)] == ["eve", "eve"]


def test_an_abort_names_who_aborted(flyte: Flyte) -> None:
    id_ = launch(flyte, SLEEPS, ADA)
    flyte.admin.TerminateExecution(ExecutionTerminateRequest(id=id_, cause="enough"), metadata=EVE)
    aborted = flyte.ended(id_)
    assert aborted.closure.abort_metadata.principal == "eve"
    assert principal(aborted) == "ada"


def test_a_change_of_state_names_who_changed_it(flyte: Flyte) -> None:
    id_ = launch(flyte, CHILD, ADA)
    flyte.ended(id_)
    request = ExecutionUpdateRequest(id=id_, state=EXECUTION_ARCHIVED)
    flyte.admin.UpdateExecution(request, metadata=EVE)
    assert flyte.execution(id_).closure.state_change_details.principal == "eve"


def test_executions_are_listed_by_their_user(flyte: Flyte) -> None:
    mine = launch(flyte, CHILD, [("x-forwarded-user", "grace")])
    request = ResourceListRequest(filters="eq(user,grace)", limit=10, sort_by=Sort(key="created_at"))
    request.id.project, request.id.domain = flyte.project, DOMAIN
    assert [found.id for found in flyte.admin.ListExecutions(request).executions] == [mine]


def test_two_different_values_are_nobody(flyte: Flyte) -> None:
    assert principal(flyte.execution(launch(flyte, CHILD, ADA + EVE))) == ""
