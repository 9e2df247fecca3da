"""What runs: values, branches, sub-workflows, launch-plan nodes, dynamics, environment, secrets."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flyteidl.admin.common_pb2 import ObjectGetRequest
from flyteidl.admin.execution_pb2 import ExecutionMetadata, ExecutionSpec, WorkflowExecutionGetDataRequest
from flyteidl.admin.launch_plan_pb2 import LaunchPlanCreateRequest
from flyteidl.core.execution_pb2 import NodeExecution, WorkflowExecution
from flyteidl.core.identifier_pb2 import LAUNCH_PLAN, WorkflowExecutionIdentifier

from tests.conformance.flyte import DOMAIN, Flyte, python

Runs = Callable[..., WorkflowExecutionIdentifier]


@pytest.fixture(scope="module", autouse=True)
def all_at_once(registered: Flyte, runs: Runs) -> None:
    """Launch what the tests of this module wait for, so that they wait for the longest one only."""
    for plan in ("basic.main", "basic.fixed", "more.secret"):
        runs(plan)
    runs("basic.parent", values=[4])
    runs("dynamics.main", image=registered.other_image)


def succeeded(flyte: Flyte, id_: WorkflowExecutionIdentifier) -> None:
    execution = flyte.ended(id_)
    assert execution.closure.phase == WorkflowExecution.SUCCEEDED, execution.closure.error


def test_defaults_are_filled_in_and_outputs_come_back(registered: Flyte, runs: Runs) -> None:
    id_ = runs("basic.main")
    succeeded(registered, id_)
    data = registered.admin.GetExecutionData(WorkflowExecutionGetDataRequest(id=id_))
    assert python(data.full_inputs, "values") == [1, 2, 3]
    assert (python(data.full_outputs, "o0"), python(data.full_outputs, "o1")) == ("small 6", 2.0)


def test_fixed_inputs_reach_the_workflow(registered: Flyte, runs: Runs) -> None:
    succeeded(registered, runs("basic.fixed"))
    assert python(registered.outputs(runs("basic.fixed")), "o0") == "large 18"


def test_a_branch_that_is_not_taken_has_no_node(registered: Flyte, runs: Runs) -> None:
    id_ = runs("basic.main")
    succeeded(registered, id_)
    top = registered.nodes(id_)
    assert set(top) == {"n0", "n1"}
    assert top["n1"].metadata.is_parent_node
    (branch,) = registered.nodes(id_, "n1").values()
    (taken,) = registered.nodes(id_, branch.id.node_id).values()
    assert taken.closure.phase == NodeExecution.SUCCEEDED
    assert python(registered.node_data(taken).full_outputs, "o0") == "small 6"


def test_a_launch_plan_node_starts_a_child_execution(registered: Flyte, runs: Runs) -> None:
    id_ = runs("basic.parent", values=[4])
    succeeded(registered, id_)
    (node,) = registered.nodes(id_).values()
    child = node.closure.workflow_node_metadata.executionId
    assert child.name.startswith("f")
    assert child.name == _child_name(f"{id_.name}-{node.id.node_id}-0")
    execution = registered.execution(child)
    assert execution.spec.metadata.mode == ExecutionMetadata.CHILD_WORKFLOW
    assert execution.spec.metadata.parent_node_execution == node.id
    assert python(registered.outputs(id_), "o0") == "small 4"


def _child_name(joined: str) -> str:
    """Propeller's name for a child: base32 of the 64-bit FNV-1a, big-endian, in an alphabet of its own."""
    number = 0xCBF29CE484222325
    for byte in joined.encode():
        number = ((number ^ byte) * 0x100000001B3) % 2**64
    alphabet = "abcdefghijklmnopqrstuvwxyz123456"
    bits = f"{number:064b}".ljust(65, "0")
    return "f" + "".join(alphabet[int(bits[i : i + 5], 2)] for i in range(0, 65, 5))


@pytest.mark.other_image
def test_dynamics_nest_and_place_a_node_in_another_image(registered: Flyte, runs: Runs) -> None:
    id_ = runs("dynamics.main", image=registered.other_image)
    succeeded(registered, id_)
    outputs = registered.outputs(id_)
    assert [python(outputs, name) for name in ("o0", "o1", "o2")] == [[0, 2], 8, "other"]


def test_a_dynamic_shows_the_workflow_that_it_made(registered: Flyte, runs: Runs) -> None:
    id_ = runs("dynamics.main", image=registered.other_image)
    succeeded(registered, id_)
    (node,) = registered.nodes(id_).values()
    assert (node.metadata.is_dynamic, node.metadata.is_parent_node) == (True, True)
    made = registered.node_data(node).dynamic_workflow.compiled_workflow.primary.template
    ids = {made_node.id for made_node in made.nodes} - {"start-node", "end-node"}
    assert ids == {"dn0", "placed", "dn2"}
    children = registered.nodes(id_, node.id.node_id).values()
    assert {child.metadata.spec_node_id for child in children} == ids
    assert {child.closure.phase for child in children} == {NodeExecution.SUCCEEDED}


def test_flytekits_own_client_reads_it_all(registered: Flyte, runs: Runs) -> None:
    id_ = runs("basic.main")
    succeeded(registered, id_)
    remote = registered.remote()
    execution = remote.sync(
        remote.fetch_execution(project=id_.project, domain=id_.domain, name=id_.name), sync_nodes=True
    )
    assert execution.is_done
    assert execution.outputs["o0"] == "small 6"
    assert execution.node_executions["n0"].outputs["total"] == 6


def _configured(flyte: Flyte) -> str:
    """Register a launch plan with variables and limits of its own; flytekit's register has no flag for it."""
    plan = flyte.admin.GetLaunchPlan(ObjectGetRequest(id=flyte.id(LAUNCH_PLAN, "more.environment")))
    spec = plan.spec
    for key in ("CONF_BOTH", "CONF_PLAN"):
        spec.envs.values.add(key=key, value="plan")
    spec.max_parallelism = 3
    id_ = flyte.id(LAUNCH_PLAN, "more.configured")
    flyte.admin.CreateLaunchPlan(LaunchPlanCreateRequest(id=id_, spec=spec))
    return "more.configured"


def test_settings_are_merged_by_whole_fields(registered: Flyte) -> None:
    plan = _configured(registered)
    spec = ExecutionSpec()
    spec.envs.values.add(key="CONF_BOTH", value="execution")
    of_plan, of_execution = registered.launch(plan), registered.launch(plan, spec=spec)
    succeeded(registered, of_plan)
    succeeded(registered, of_execution)
    seen = python(registered.outputs(of_plan), "o0")
    assert isinstance(seen, dict)
    conf = {key: value for key, value in seen.items() if key.startswith("CONF_")}
    assert conf == {"CONF_TASK": "task", "CONF_BOTH": "plan", "CONF_PLAN": "plan"}
    seen = python(registered.outputs(of_execution), "o0")
    assert isinstance(seen, dict)
    conf = {key: value for key, value in seen.items() if key.startswith("CONF_")}
    assert conf == {"CONF_TASK": "task", "CONF_BOTH": "execution"}
    assert registered.execution(of_plan).spec.max_parallelism == 3
    expected = {
        "FLYTE_INTERNAL_EXECUTION_WORKFLOW": f"{registered.project}:{DOMAIN}:more.environment",
        "FLYTE_INTERNAL_EXECUTION_ID": of_execution.name,
        "FLYTE_INTERNAL_EXECUTION_PROJECT": registered.project,
        "FLYTE_INTERNAL_EXECUTION_DOMAIN": DOMAIN,
        "FLYTE_ATTEMPT_NUMBER": "0",
        "FLYTE_INTERNAL_TASK_NAME": "more.look",
        "FLYTE_INTERNAL_TASK_VERSION": "v1",
    }
    assert {key: seen.get(key) for key in expected} == expected


def test_a_secret_that_is_missing_does_not_keep_a_task_from_starting(registered: Flyte, runs: Runs) -> None:
    succeeded(registered, runs("more.secret"))
    assert python(registered.outputs(runs("more.secret")), "o0") == "no such secret"


@pytest.mark.sandbox_only
def test_a_secret_of_the_folder_reaches_its_task(registered: Flyte, runs: Runs) -> None:
    id_ = runs("more.secret_value")
    succeeded(registered, id_)
    assert python(registered.outputs(id_), "o0") == "hush"
