"""The RPCs of AdminService about executions."""

from __future__ import annotations

from flyteidl.admin.common_pb2 import ResourceListRequest
from flyteidl.admin.execution_pb2 import (
    Execution,
    ExecutionCreateRequest,
    ExecutionCreateResponse,
    ExecutionList,
    ExecutionRecoverRequest,
    ExecutionRelaunchRequest,
    ExecutionTerminateRequest,
    ExecutionTerminateResponse,
    ExecutionUpdateRequest,
    ExecutionUpdateResponse,
    WorkflowExecutionGetDataRequest,
    WorkflowExecutionGetDataResponse,
    WorkflowExecutionGetMetricsRequest,
    WorkflowExecutionGetMetricsResponse,
    WorkflowExecutionGetRequest,
)

from scripts.sandbox.caller import Caller
from scripts.sandbox.executions import Executions
from scripts.sandbox.spans import Spans


class ExecutionsApi:
    """Translates requests about executions."""

    def __init__(self, executions: Executions, spans: Spans) -> None:
        self._executions = executions
        self._spans = spans

    def CreateExecution(self, request: ExecutionCreateRequest, caller: Caller) -> ExecutionCreateResponse:
        """Launch an execution."""
        return ExecutionCreateResponse(id=self._executions.create(request, principal=caller.principal))

    def RelaunchExecution(self, request: ExecutionRelaunchRequest, caller: Caller) -> ExecutionCreateResponse:
        """Launch one again."""
        return ExecutionCreateResponse(id=self._executions.relaunch(request, principal=caller.principal))

    def RecoverExecution(self, request: ExecutionRecoverRequest, caller: Caller) -> ExecutionCreateResponse:
        """Launch one again, with what it had brought to an end taken over."""
        return ExecutionCreateResponse(id=self._executions.recover(request, principal=caller.principal))

    def GetExecution(self, request: WorkflowExecutionGetRequest, caller: Caller) -> Execution:
        """Return an execution."""
        return self._executions.get(request.id)

    def UpdateExecution(self, request: ExecutionUpdateRequest, caller: Caller) -> ExecutionUpdateResponse:
        """Archive an execution, or take it back."""
        self._executions.archive(request.id, request.state, principal=caller.principal)
        return ExecutionUpdateResponse()

    def GetExecutionData(
        self, request: WorkflowExecutionGetDataRequest, caller: Caller
    ) -> WorkflowExecutionGetDataResponse:
        """Return an execution's inputs and outputs."""
        return self._executions.data(request.id)

    def ListExecutions(self, request: ResourceListRequest, caller: Caller) -> ExecutionList:
        """List executions."""
        return self._executions.list(request)

    def TerminateExecution(
        self, request: ExecutionTerminateRequest, caller: Caller
    ) -> ExecutionTerminateResponse:
        """End an execution."""
        self._executions.terminate(request.id, request.cause, principal=caller.principal)
        return ExecutionTerminateResponse()

    def GetExecutionMetrics(
        self, request: WorkflowExecutionGetMetricsRequest, caller: Caller
    ) -> WorkflowExecutionGetMetricsResponse:
        """Return where an execution's time went."""
        execution = self._executions.get(request.id)
        return WorkflowExecutionGetMetricsResponse(span=self._spans.of(execution, request.depth))
