"""Where the time of an execution went: a span for it, for each of its nodes, for each of their attempts.

Inside them stand the operations that the rows tell apart, under flyteadmin's names
(`manager/impl/metrics_manager.go`): how long something was set up, and how long a task ran.
"""

from __future__ import annotations

from typing import TypeAlias

from flyteidl.admin.execution_pb2 import Execution, ExecutionClosure
from flyteidl.admin.node_execution_pb2 import NodeExecution, NodeExecutionClosure
from flyteidl.admin.task_execution_pb2 import TaskExecution, TaskExecutionClosure
from flyteidl.core.metrics_pb2 import Span
from google.protobuf.timestamp_pb2 import Timestamp

from scripts.sandbox.database import Database

Closure: TypeAlias = ExecutionClosure | NodeExecutionClosure | TaskExecutionClosure


class Spans:
    """Makes spans of what the rows of an execution say."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def of(self, execution: Execution, depth: int) -> Span:
        """Return the span of an execution; `depth` 1 is it alone, 0 or less is all of it."""
        span = _span(execution.closure)
        span.workflow_id.CopyFrom(execution.id)
        if depth != 1:
            span.spans.extend(_setup("WORKFLOW_SETUP", execution.closure))
            span.spans.extend(self._nodes(execution, "", depth - 1))
        return span

    def _nodes(self, execution: Execution, parent: str, depth: int) -> list[Span]:
        id_ = execution.id
        rows = self._db.rows(
            "nodes_below", project=id_.project, domain=id_.domain, execution=id_.name, parent_id=parent
        )
        return [self._node(execution, NodeExecution.FromString(row["message"]), depth) for row in rows]

    def _node(self, execution: Execution, node: NodeExecution, depth: int) -> Span:
        span = _span(node.closure)
        span.node_id.CopyFrom(node.id)
        if depth != 1:
            span.spans.extend(_setup("NODE_SETUP", node.closure))
            span.spans.extend(self._attempts(execution, node.id.node_id))
            span.spans.extend(self._nodes(execution, node.id.node_id, depth - 1))
        return span

    def _attempts(self, execution: Execution, node_id: str) -> list[Span]:
        id_ = execution.id
        rows = self._db.rows(
            "attempts_of_node", project=id_.project, domain=id_.domain, execution=id_.name, node_id=node_id
        )
        return [_attempt(TaskExecution.FromString(row["message"])) for row in rows]


def _attempt(attempt: TaskExecution) -> Span:
    closure = attempt.closure
    span = _span(closure)
    span.task_id.CopyFrom(attempt.id)
    span.spans.extend(_setup("TASK_SETUP", closure))
    span.spans.append(_operation("TASK_RUNTIME", closure.started_at, closure.updated_at))
    return span


def _span(closure: Closure) -> Span:
    return Span(start_time=closure.created_at, end_time=closure.updated_at)


def _setup(name: str, closure: Closure) -> list[Span]:
    """Return the time before something began, if it did begin."""
    if not closure.HasField("started_at"):
        return []
    return [_operation(name, closure.created_at, closure.started_at)]


def _operation(name: str, start: Timestamp, end: Timestamp) -> Span:
    return Span(operation_id=name, start_time=start, end_time=end)
