"""Map tasks: one node, one attempt of it, and an item for each element of its lists."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flyteidl.admin.common_pb2 import ObjectGetRequest
from flyteidl.admin.execution_pb2 import ExecutionTerminateRequest
from flyteidl.admin.task_execution_pb2 import TaskExecution as Attempt
from flyteidl.core.execution_pb2 import ExecutionError, NodeExecution, TaskExecution, WorkflowExecution
from flyteidl.core.identifier_pb2 import WORKFLOW, WorkflowExecutionIdentifier
from flyteidl.event.event_pb2 import ExternalResourceInfo

from tests.conformance.flyte import Flyte, python

Runs = Callable[..., WorkflowExecutionIdentifier]
LAUNCHES: dict[str, dict[str, object]] = {
    "maps.main": {},
    "maps.strict": {},
    "maps.tolerant": {},
    "more_maps.indices": {"xs": [7, 8]},
    "more_maps.retried": {"xs": [1, 2]},
    "more_maps.exhausted": {"xs": [1]},
    "more_maps.elsewhere": {"n": 2, "xs": [5]},
}


@pytest.fixture(scope="module", autouse=True)
def all_at_once(registered: Flyte, runs: Runs) -> None:
    for plan, inputs in LAUNCHES.items():
        runs(plan, **inputs)


def ended(flyte: Flyte, runs: Runs, plan: str) -> WorkflowExecutionIdentifier:
    id_ = runs(plan, **LAUNCHES[plan])
    flyte.ended(id_)
    return id_


def attempt(flyte: Flyte, id_: WorkflowExecutionIdentifier) -> Attempt:
    (only,) = flyte.attempts(flyte.nodes(id_)["n0"])
    return only


def items(flyte: Flyte, id_: WorkflowExecutionIdentifier) -> list[ExternalResourceInfo]:
    return list(attempt(flyte, id_).closure.metadata.external_resources)


def test_a_map_task_is_one_node_with_one_attempt(registered: Flyte, runs: Runs) -> None:
    id_ = ended(registered, runs, "maps.main")
    node = registered.nodes(id_)["n0"]
    assert (node.metadata.is_array, node.metadata.is_parent_node) == (True, False)
    assert registered.nodes(id_, "n0") == {}
    assert not node.closure.HasField("task_node_metadata")
    shown = attempt(registered, id_).closure
    assert (shown.phase, shown.task_type) == (TaskExecution.SUCCEEDED, "container_array")
    assert shown.metadata.plugin_identifier == "k8s-array"


def test_its_items_are_external_resources_with_logs(registered: Flyte, runs: Runs) -> None:
    id_ = ended(registered, runs, "maps.main")
    found = items(registered, id_)
    assert [item.external_id for item in found] == [f"{id_.name}-n0-0-n{i}-0" for i in range(3)]
    assert [(item.index, item.phase) for item in found] == [(i, TaskExecution.SUCCEEDED) for i in range(3)]
    assert all(log.name.endswith(f"-{item.index}") for item in found for log in item.logs)


def test_its_node_has_the_lists_as_inputs_and_as_outputs(registered: Flyte, runs: Runs) -> None:
    data = registered.node_data(registered.nodes(ended(registered, runs, "maps.main"))["n0"])
    assert (python(data.full_inputs, "x"), python(data.full_inputs, "by")) == ([1, 2, 3], 10)
    assert python(data.full_outputs, "o0") == [10, 20, 30]


def test_the_workflows_closure_has_the_task_that_is_mapped(registered: Flyte) -> None:
    workflow = registered.admin.GetWorkflow(ObjectGetRequest(id=registered.id(WORKFLOW, "maps.main")))
    compiled = workflow.closure.compiled_workflow
    (node,) = (node for node in compiled.primary.template.nodes if node.HasField("array_node"))
    assert (node.array_node.parallelism, list(node.array_node.bound_inputs)) == (2, ["by"])
    assert [task.template.id for task in compiled.tasks] == [node.array_node.node.task_node.reference_id]


def test_an_item_knows_its_index(registered: Flyte, runs: Runs) -> None:
    id_ = ended(registered, runs, "more_maps.indices")
    told = python(registered.outputs(id_), "o0")
    assert told == ["7 FLYTE_K8S_ARRAY_INDEX=0", "8 FLYTE_K8S_ARRAY_INDEX=1"]


def test_a_failure_names_the_item_and_nothing_else(registered: Flyte, runs: Runs) -> None:
    id_ = ended(registered, runs, "maps.strict")
    error = registered.execution(id_).closure.error
    assert (error.code, error.kind) == ("", ExecutionError.UNKNOWN)
    assert error.message.startswith("[1]: Trace:")
    assert error.message.endswith("ValueError: two is not welcome\n")
    assert attempt(registered, id_).closure.error.message == error.message
    assert items(registered, id_)[1].phase == TaskExecution.FAILED


def test_a_tolerated_failure_is_shown_and_leaves_nothing(registered: Flyte, runs: Runs) -> None:
    id_ = ended(registered, runs, "maps.tolerant")
    assert python(registered.outputs(id_), "o0") == [1, None, 3]
    phases = [item.phase for item in items(registered, id_)]
    assert phases == [TaskExecution.SUCCEEDED, TaskExecution.FAILED, TaskExecution.SUCCEEDED]


def test_each_item_has_attempts_of_its_own(registered: Flyte, runs: Runs) -> None:
    id_ = ended(registered, runs, "more_maps.retried")
    assert python(registered.outputs(id_), "o0") == [1, 0]
    assert [(i.index, i.retry_attempt) for i in items(registered, id_)] == [(0, 0), (0, 1), (1, 0)]


def test_an_item_without_attempts_left_says_so(registered: Flyte, runs: Runs) -> None:
    error = registered.execution(ended(registered, runs, "more_maps.exhausted")).closure.error
    assert error.code == ""
    assert error.message.startswith("[0]: [2/2] currentAttempt done. Last Error: USER::")


def test_in_dynamics_and_in_sub_workflows(registered: Flyte, runs: Runs) -> None:
    id_ = ended(registered, runs, "more_maps.elsewhere")
    outputs = registered.outputs(id_)
    assert (python(outputs, "o0"), python(outputs, "o1")) == ([0, 2], [10])
    inside = [n for parent in ("n0", "n1") for n in registered.nodes(id_, parent).values()]
    assert [node.metadata.is_array for node in inside] == [True, True]


def test_lists_of_different_lengths_are_refused(registered: Flyte) -> None:
    id_ = registered.launch("more_maps.pairs", {"xs": [1, 2], "ys": [1]})
    error = registered.ended(id_).closure.error
    assert (error.code, error.kind) == ("InvalidArrayLength", ExecutionError.USER)
    assert "input arrays have different lengths: expecting" in error.message


def test_empty_lists_give_an_empty_list(registered: Flyte) -> None:
    id_ = registered.launch("more_maps.pairs", {"xs": [], "ys": []})
    assert registered.ended(id_).closure.phase == WorkflowExecution.SUCCEEDED
    assert python(registered.outputs(id_), "o0") == []


def test_an_abort_ends_all_items(registered: Flyte) -> None:
    id_ = registered.launch("more_maps.long", {"xs": [1, 2]})

    def running() -> list[int]:
        nodes = registered.nodes(id_)
        attempts = registered.attempts(nodes["n0"]) if "n0" in nodes else []
        return [item.phase for a in attempts for item in a.closure.metadata.external_resources]

    registered.until(running, lambda phases: phases == [TaskExecution.RUNNING] * 2)
    registered.admin.TerminateExecution(ExecutionTerminateRequest(id=id_, cause="enough seen"))
    assert registered.ended(id_).closure.phase == WorkflowExecution.ABORTED
    registered.until(lambda: registered.nodes(id_)["n0"], lambda n: n.closure.phase == NodeExecution.ABORTED)
    registered.until(running, lambda phases: phases == [TaskExecution.ABORTED] * 2)
