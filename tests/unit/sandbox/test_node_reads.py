"""Nodes and attempts as clients read them, and where their time went."""

# mypy: disable-error-code=no-any-return
import typing
from collections.abc import Iterator

import pytest
from flyteidl.admin.execution_pb2 import Execution
from flyteidl.core.identifier_pb2 import NodeExecutionIdentifier, TaskExecutionIdentifier
from flytekit import task, workflow

from scripts.sandbox.errors import InvalidArgument, NotFound
from scripts.sandbox.spans import Spans
from tests.unit.sandbox.rig import Rig, literal, raises, succeed


@task(retries=1)
def double(x: int) -> int:
    return x


@workflow
def inner(x: int) -> int:
    return double(x=x)


@workflow
def main(x: int) -> int:
    return inner(x=x)


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    steps = [raises(recoverable=True), succeed(o0=lambda call: 2 * typing.cast("int", call.value("x")))]
    made = Rig(tmp_path_factory.mktemp("reads"), {"double": steps})
    yield made
    made.close()


@pytest.fixture(scope="module")
def execution(rig: Rig) -> Execution:
    return rig.run(main, x=2)


def node(execution: Execution, node_id: str) -> NodeExecutionIdentifier:
    return NodeExecutionIdentifier(execution_id=execution.id, node_id=node_id)


def attempt(rig: Rig, execution: Execution, number: int) -> TaskExecutionIdentifier:
    return rig.attempts(execution, "n0-0-n0")[number].id


def test_a_nodes_data_stand_inline_beside_their_flyte_urls(rig: Rig, execution: Execution) -> None:
    data = rig.reads.node_data(node(execution, "n0-0-n0"))
    base = f"flyte://v1/flytesnacks/development/{execution.id.name}/n0-0-n0"
    assert data.full_inputs.literals["x"] == literal(2)
    assert data.full_outputs.literals["o0"] == literal(4)
    assert (data.flyte_urls.inputs, data.flyte_urls.outputs, data.flyte_urls.deck) == (
        f"{base}/i",
        f"{base}/o",
        "",
    )
    assert data.HasField("inputs")
    assert not data.HasField("dynamic_workflow")


@pytest.mark.parametrize(("number", "outputs"), [(0, {}), (1, {"o0": literal(4)})])
def test_every_attempt_has_data_of_its_own(
    rig: Rig, execution: Execution, number: int, outputs: dict[str, object]
) -> None:
    data = rig.reads.attempt_data(attempt(rig, execution, number))
    assert dict(data.full_outputs.literals) == outputs
    assert data.flyte_urls.inputs.endswith(f"/n0-0-n0/{number}/i")


def test_an_attempt_says_where_its_log_is_and_what_its_pod_is_called(rig: Rig, execution: Execution) -> None:
    closure = rig.reads.attempt(attempt(rig, execution, 1)).closure
    pod = f"{execution.id.name}-n0-0-n0-1"
    assert closure.logs[0].uri == f"http://logs/flytesnacks-development/{pod}"
    assert (closure.metadata.generated_name, closure.metadata.plugin_identifier) == (pod, "container")
    assert (closure.event_version, closure.task_type) == (1, "python-task")


def test_what_was_not_reached_is_not_found(rig: Rig, execution: Execution) -> None:
    with pytest.raises(NotFound, match="missing entity of type NodeExecution with identifier"):
        rig.reads.node(node(execution, "n7"))
    gone = attempt(rig, execution, 0)
    gone.retry_attempt = 7
    with pytest.raises(NotFound, match="missing entity of type TaskExecution with identifier"):
        rig.reads.attempt(gone)
    with pytest.raises(NotFound, match="node does not contain dynamic workflow"):
        rig.reads.dynamic_workflow(node(execution, "n0"))
    with pytest.raises(InvalidArgument, match="missing node_id"):
        rig.reads.node(node(execution, ""))


def test_spans_follow_the_nesting_of_nodes(rig: Rig, execution: Execution) -> None:
    span = Spans(rig.db).of(execution, 0)
    assert span.workflow_id == execution.id
    nodes = {one.node_id.node_id: one for one in span.spans if one.HasField("node_id")}
    assert list(nodes) == ["start-node", "n0", "end-node"]
    inside = {one.node_id.node_id: one for one in nodes["n0"].spans if one.HasField("node_id")}
    attempts = [one for one in inside["n0-0-n0"].spans if one.HasField("task_id")]
    assert [one.task_id.retry_attempt for one in attempts] == [0, 1]
    assert [one.operation_id for one in attempts[0].spans] == ["TASK_SETUP", "TASK_RUNTIME"]


def test_spans_end_at_the_depth_that_was_asked_for(rig: Rig, execution: Execution) -> None:
    assert not Spans(rig.db).of(execution, 1).spans
    shallow = Spans(rig.db).of(execution, 2).spans
    assert all(not one.spans for one in shallow)
