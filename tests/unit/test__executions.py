from __future__ import annotations

import pytest
from flyteidl.admin.node_execution_pb2 import NodeExecution
from flyteidl.core.execution_pb2 import NodeExecution as NodePhase

from tasks._executions import step_of

NOW = 1_000_100.0


def node(
    phase: str, *, started: int = 1_000_000, updated: int = 0, duration: float | None = None
) -> NodeExecution:
    made = NodeExecution()
    made.id.node_id = "n0"
    made.closure.phase = NodePhase.Phase.Value(phase)
    made.closure.started_at.seconds = started
    made.closure.updated_at.seconds = updated
    if duration is not None:
        made.closure.duration.FromMilliseconds(int(duration * 1000))
    return made


@pytest.mark.parametrize(
    ("execution", "seconds"),
    [
        pytest.param(node("SUCCEEDED", duration=2.5), 2.5, id="as-flyte-says"),
        pytest.param(node("SUCCEEDED", duration=-2, updated=1_000_007), 7, id="negative"),
        pytest.param(node("FAILED", duration=-2, updated=999_000), None, id="ended-before-it-began"),
        pytest.param(node("SUCCEEDED", duration=1e8), None, id="years"),
        pytest.param(node("SUCCEEDED", started=0, duration=2), None, id="never-started"),
        pytest.param(node("RUNNING"), 100, id="still-running"),
        pytest.param(node("RUNNING", started=2_000_000), None, id="clock-ahead"),
    ],
)
def test_times_that_cannot_be_true_are_left_out(execution: NodeExecution, seconds: float | None) -> None:
    assert step_of(execution, now=NOW).seconds == seconds


def test_step_goes_by_its_name_in_the_workflow() -> None:
    execution = node("RUNNING")
    execution.id.node_id = "n1-0-dn0"
    execution.metadata.spec_node_id = "dn0"
    step = step_of(execution, now=NOW, parent="n1")
    assert (step.node, step.id, step.parent) == ("dn0", "n1-0-dn0", "n1")
