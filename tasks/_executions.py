"""What Flyte says about one execution: its phase, its steps in order, and how long each took.

Times come from node executions and may be nonsense on a real platform (a duration of -2 s was seen), so
they are read with care: a step without a believable time has none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone

from flyteidl.admin.execution_pb2 import Execution, WorkflowExecutionGetRequest
from flyteidl.admin.node_execution_pb2 import (
    NodeExecution,
    NodeExecutionGetRequest,
    NodeExecutionListRequest,
)
from flyteidl.core.execution_pb2 import NodeExecution as NodePhase
from flyteidl.core.execution_pb2 import WorkflowExecution as WorkflowPhase
from flyteidl.core.identifier_pb2 import NodeExecutionIdentifier, WorkflowExecutionIdentifier
from google.protobuf.timestamp_pb2 import Timestamp

from tasks._flyte import Flyte

_BOUNDS = frozenset({"start-node", "end-node"})
_LONGEST_S = 30 * 24 * 3600
_YEAR_9999 = int(datetime(9999, 1, 1, tzinfo=timezone.utc).timestamp())
ENDED = frozenset({"SUCCEEDED", "FAILED", "ABORTED", "TIMED_OUT"})
"""Phases of an execution after which nothing changes."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One node of an execution: a step, or with a `parent` a part of one."""

    node: str
    """Its name in the workflow."""
    id: str = ""
    """Its name in the execution, which differs from `node` for a part of a step."""
    parent: str = ""
    phase: str
    seconds: float | None = None
    started: float = 0
    """Seconds since the epoch; 0 where Flyte does not say."""
    error_code: str = ""
    error_message: str = ""
    deck_uri: str = ""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """An execution and its steps as they were at one moment."""

    id: WorkflowExecutionIdentifier
    phase: str
    steps: Sequence[Step]
    error_code: str = ""
    error_message: str = ""
    launch_plan: str = ""
    abort_cause: str = ""

    @property
    def ended(self) -> bool:
        """Whether nothing of this can change any more."""
        return self.phase in ENDED


def phase_of(execution: Execution) -> str:
    """Return the name of an execution's phase."""
    return str(WorkflowPhase.Phase.Name(execution.closure.phase))


def get_execution(flyte: Flyte, identifier: WorkflowExecutionIdentifier) -> Execution:
    """Return an execution as Flyte has it.

    Raises:
        FlyteNotFound: there is none of this name.
    """
    execution: Execution = flyte.call("GetExecution", WorkflowExecutionGetRequest(id=identifier))
    return execution


def progress(flyte: Flyte, identifier: WorkflowExecutionIdentifier, *, now: float) -> Progress:
    """Fetch an execution and its steps. `now`, in seconds since the epoch, times what still runs."""
    execution = get_execution(flyte, identifier)
    return Progress(
        id=identifier,
        phase=phase_of(execution),
        steps=steps(flyte, identifier, now=now),
        error_code=execution.closure.error.code,
        error_message=execution.closure.error.message,
        launch_plan=execution.spec.launch_plan.name,
        abort_cause=execution.closure.abort_metadata.cause,
    )


def steps(flyte: Flyte, identifier: WorkflowExecutionIdentifier, *, now: float) -> list[Step]:
    """Return the steps of an execution in the order in which they began, each followed by its parts."""
    result: list[Step] = []
    for node in _ordered(_nodes(flyte, NodeExecutionListRequest(workflow_execution_id=identifier))):
        result.append(step_of(node, now=now))
        if node.metadata.is_parent_node:
            parts = NodeExecutionListRequest(
                workflow_execution_id=identifier, unique_parent_id=node.id.node_id
            )
            result += [
                step_of(part, now=now, parent=node.id.node_id) for part in _ordered(_nodes(flyte, parts))
            ]
    return result


def with_whole_error(flyte: Flyte, identifier: WorkflowExecutionIdentifier, step: Step) -> Step:
    """Return a step with its error in full, which Flyte cuts to 100 bytes in lists."""
    request = NodeExecutionGetRequest(id=NodeExecutionIdentifier(node_id=step.id, execution_id=identifier))
    error = flyte.call("GetNodeExecution", request).closure.error
    return replace(step, error_code=error.code, error_message=error.message)


def step_of(node: NodeExecution, *, now: float, parent: str = "") -> Step:
    """Read one node execution; a time that cannot be true is left out."""
    closure = node.closure
    phase = NodePhase.Phase.Name(closure.phase)
    started = _epoch(closure.started_at) or _epoch(closure.created_at)
    ended = phase in {"SUCCEEDED", "FAILED", "ABORTED", "TIMED_OUT", "SKIPPED", "RECOVERED"}
    seconds = closure.duration.ToMilliseconds() / 1000 if ended else now - started
    if ended and seconds <= 0:
        seconds = _epoch(closure.updated_at) - started
    return Step(
        node=node.metadata.spec_node_id or node.id.node_id,
        id=node.id.node_id,
        parent=parent,
        phase=phase,
        seconds=round(seconds, 3) if started and 0 <= seconds < _LONGEST_S else None,
        started=started,
        error_code=closure.error.code,
        error_message=closure.error.message,
        deck_uri=closure.deck_uri,
    )


def _nodes(flyte: Flyte, request: NodeExecutionListRequest) -> Iterator[NodeExecution]:
    for node in flyte.pages("ListNodeExecutions", request, "node_executions"):
        if node.id.node_id not in _BOUNDS and node.metadata.spec_node_id not in _BOUNDS:
            yield node


def _ordered(nodes: Iterator[NodeExecution]) -> list[NodeExecution]:
    return sorted(nodes, key=lambda node: (_epoch(node.closure.created_at), node.id.node_id))


def _epoch(moment: Timestamp) -> float:
    if moment.seconds <= 0:
        return 0
    return moment.ToDatetime(tzinfo=timezone.utc).timestamp() if moment.seconds < _YEAR_9999 else 0
