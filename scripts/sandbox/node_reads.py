"""Nodes and attempts of executions as clients read them, with their inputs and outputs.

Source: flyteadmin `node_execution_manager.go`, `task_execution_manager.go`, `common/flyte_url.go`.
"""

from __future__ import annotations

from flyteidl.admin.common_pb2 import FlyteURLs
from flyteidl.admin.node_execution_pb2 import (
    DynamicNodeWorkflowResponse,
    DynamicWorkflowNodeMetadata,
    NodeExecution,
    NodeExecutionGetDataResponse,
)
from flyteidl.admin.task_execution_pb2 import TaskExecution, TaskExecutionGetDataResponse
from flyteidl.core.compiler_pb2 import CompiledWorkflowClosure
from flyteidl.core.identifier_pb2 import NodeExecutionIdentifier, TaskExecutionIdentifier
from flyteidl.core.literals_pb2 import LiteralMap

from scripts.sandbox.database import Database
from scripts.sandbox.errors import NotFound
from scripts.sandbox.gotext import message_text
from scripts.sandbox.identifiers import check_present
from scripts.sandbox.storage import Storage


class NodeReads:
    """Reads nodes and attempts."""

    def __init__(self, db: Database, storage: Storage) -> None:
        self._db = db
        self._storage = storage

    def node(self, wanted: NodeExecutionIdentifier) -> NodeExecution:
        """Return a node that was reached.

        Raises:
            NotFound: there is none of this id.
        """
        return self._node(wanted)[0]

    def _node(self, wanted: NodeExecutionIdentifier) -> tuple[NodeExecution, bytes | None]:
        execution = wanted.execution_id
        check_present(
            node_id=wanted.node_id, project=execution.project, domain=execution.domain, name=execution.name
        )
        row = self._db.row(
            "get_node",
            project=execution.project,
            domain=execution.domain,
            execution=execution.name,
            node_id=wanted.node_id,
        )
        if row is None:
            raise NotFound(f"missing entity of type NodeExecution with identifier {message_text(wanted)}")
        return NodeExecution.FromString(row["message"]), row["closure"]

    def node_data(self, wanted: NodeExecutionIdentifier) -> NodeExecutionGetDataResponse:
        """Return a node's inputs and outputs, and the workflow that a dynamic made.

        Raises:
            NotFound: there is none of this id.
        """
        node, dynamic = self._node(wanted)
        response = NodeExecutionGetDataResponse(
            full_inputs=self._literals(node.input_uri), full_outputs=self._literals(node.closure.output_uri)
        )
        response.inputs.SetInParent()
        response.outputs.SetInParent()
        response.flyte_urls.CopyFrom(_urls(wanted, deck=bool(node.closure.deck_uri)))
        if dynamic is not None:
            closure = CompiledWorkflowClosure.FromString(dynamic)
            response.dynamic_workflow.CopyFrom(
                DynamicWorkflowNodeMetadata(
                    id=closure.primary.template.id,
                    compiled_workflow=closure,
                    dynamic_job_spec_uri=node.closure.dynamic_job_spec_uri,
                )
            )
        return response

    def dynamic_workflow(self, wanted: NodeExecutionIdentifier) -> DynamicNodeWorkflowResponse:
        """Return the workflow that a dynamic node made.

        Raises:
            NotFound: there is no such node, or it made none.
        """
        _, dynamic = self._node(wanted)
        if dynamic is None:
            raise NotFound("node does not contain dynamic workflow")
        return DynamicNodeWorkflowResponse(compiled_workflow=CompiledWorkflowClosure.FromString(dynamic))

    def attempt(self, wanted: TaskExecutionIdentifier) -> TaskExecution:
        """Return an attempt of a task.

        Raises:
            NotFound: there is none of this id.
        """
        node = wanted.node_execution_id
        row = self._db.row(
            "get_attempt",
            project=node.execution_id.project,
            domain=node.execution_id.domain,
            execution=node.execution_id.name,
            node_id=node.node_id,
            retry_attempt=wanted.retry_attempt,
        )
        task = wanted.task_id
        if row is None or (row["task_name"], row["task_version"]) != (task.name, task.version):
            raise NotFound(f"missing entity of type TaskExecution with identifier {message_text(wanted)}")
        return TaskExecution.FromString(row["message"])

    def attempt_data(self, wanted: TaskExecutionIdentifier) -> TaskExecutionGetDataResponse:
        """Return an attempt's inputs and outputs.

        Raises:
            NotFound: there is none of this id.
        """
        attempt = self.attempt(wanted)
        response = TaskExecutionGetDataResponse(
            full_inputs=self._literals(attempt.input_uri),
            full_outputs=self._literals(attempt.closure.output_uri),
        )
        response.inputs.SetInParent()
        response.outputs.SetInParent()
        response.flyte_urls.CopyFrom(_urls(wanted.node_execution_id, attempt=wanted.retry_attempt))
        return response

    def _literals(self, uri: str) -> LiteralMap:
        return self._storage.read_uri(uri, LiteralMap) if uri else LiteralMap()


def _urls(node: NodeExecutionIdentifier, *, attempt: int | None = None, deck: bool = False) -> FlyteURLs:
    execution = node.execution_id
    base = f"flyte://v1/{execution.project}/{execution.domain}/{execution.name}/{node.node_id}"
    if attempt is not None:
        base += f"/{attempt}"
    return FlyteURLs(inputs=f"{base}/i", outputs=f"{base}/o", deck=f"{base}/d" if deck else "")
