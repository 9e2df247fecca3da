"""The RPCs of AdminService about the nodes of executions and the attempts of their tasks."""

from __future__ import annotations

from flyteidl.admin.node_execution_pb2 import (
    DynamicNodeWorkflowResponse,
    GetDynamicNodeWorkflowRequest,
    NodeExecution,
    NodeExecutionForTaskListRequest,
    NodeExecutionGetDataRequest,
    NodeExecutionGetDataResponse,
    NodeExecutionGetRequest,
    NodeExecutionList,
    NodeExecutionListRequest,
)
from flyteidl.admin.task_execution_pb2 import (
    TaskExecution,
    TaskExecutionGetDataRequest,
    TaskExecutionGetDataResponse,
    TaskExecutionGetRequest,
    TaskExecutionList,
    TaskExecutionListRequest,
)

from scripts.sandbox.caller import Caller
from scripts.sandbox.database import Database
from scripts.sandbox.execution_lists import list_attempts, list_nodes
from scripts.sandbox.node_reads import NodeReads


class NodesApi:
    """Translates requests about nodes and attempts."""

    def __init__(self, db: Database, reads: NodeReads) -> None:
        self._db = db
        self._reads = reads

    def GetNodeExecution(self, request: NodeExecutionGetRequest, caller: Caller) -> NodeExecution:
        """Return a node."""
        return self._reads.node(request.id)

    def GetDynamicNodeWorkflow(
        self, request: GetDynamicNodeWorkflowRequest, caller: Caller
    ) -> DynamicNodeWorkflowResponse:
        """Return the workflow that a dynamic node made."""
        return self._reads.dynamic_workflow(request.id)

    def ListNodeExecutions(self, request: NodeExecutionListRequest, caller: Caller) -> NodeExecutionList:
        """List the nodes of an execution, or of a node."""
        return list_nodes(self._db, request)

    def ListNodeExecutionsForTask(
        self, request: NodeExecutionForTaskListRequest, caller: Caller
    ) -> NodeExecutionList:
        """List the nodes that a dynamic task made."""
        node = request.task_execution_id.node_execution_id
        return list_nodes(
            self._db,
            NodeExecutionListRequest(
                workflow_execution_id=node.execution_id,
                unique_parent_id=node.node_id,
                limit=request.limit,
                token=request.token,
                filters=request.filters,
                sort_by=request.sort_by if request.HasField("sort_by") else None,
            ),
        )

    def GetNodeExecutionData(
        self, request: NodeExecutionGetDataRequest, caller: Caller
    ) -> NodeExecutionGetDataResponse:
        """Return a node's inputs and outputs."""
        return self._reads.node_data(request.id)

    def GetTaskExecution(self, request: TaskExecutionGetRequest, caller: Caller) -> TaskExecution:
        """Return an attempt."""
        return self._reads.attempt(request.id)

    def ListTaskExecutions(self, request: TaskExecutionListRequest, caller: Caller) -> TaskExecutionList:
        """List the attempts of a node."""
        return list_attempts(self._db, request)

    def GetTaskExecutionData(
        self, request: TaskExecutionGetDataRequest, caller: Caller
    ) -> TaskExecutionGetDataResponse:
        """Return an attempt's inputs and outputs."""
        return self._reads.attempt_data(request.id)
