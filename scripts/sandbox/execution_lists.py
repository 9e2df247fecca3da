"""Lists of executions, and of the nodes and attempts in them; errors in lists are cut short.

Source: flyteadmin `execution_manager.go` (ListExecutions), `node_execution_manager.go`,
`task_execution_manager.go`, `repositories/models`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from flyteidl.admin.common_pb2 import ResourceListRequest
from flyteidl.admin.execution_pb2 import Execution, ExecutionList
from flyteidl.admin.node_execution_pb2 import NodeExecution, NodeExecutionList, NodeExecutionListRequest
from flyteidl.admin.task_execution_pb2 import TaskExecution, TaskExecutionList, TaskExecutionListRequest
from flyteidl.core.execution_pb2 import ExecutionError, WorkflowExecution
from flyteidl.core.execution_pb2 import NodeExecution as CoreNode
from flyteidl.core.execution_pb2 import TaskExecution as CoreTask
from flyteidl.core.identifier_pb2 import WorkflowExecutionIdentifier

from scripts.sandbox.database import Database
from scripts.sandbox.errors import InvalidArgument
from scripts.sandbox.identifiers import check_present
from scripts.sandbox.lists import Page, Parse, Table, check_limit, integer, microseconds, moment, page

MAX_ERROR = 100


def _named(enumeration: object) -> Parse:
    """Return what reads the name of one of an enumeration's values; an unknown name matches nothing."""
    values: Mapping[str, int] = dict(enumeration.items())  # type: ignore[attr-defined]

    def parse(text: str) -> object:
        return values.get(text, -1)

    return parse


_TIMES: dict[str, Parse] = {
    "created_at": moment,
    "updated_at": moment,
    "started_at": moment,
    "duration": microseconds,
}
_EXECUTION_COLUMNS = {
    "execution_project": "executions.project",
    "execution_domain": "executions.domain",
    "execution_name": "executions.name",
    "phase": "executions.phase",
    "mode": "executions.mode",
    "state": "executions.state",
    "user": "executions.principal",
    "error_kind": "executions.error_kind",
    "error_code": "executions.error_code",
    "created_at": "executions.created_at",
    "updated_at": "executions.updated_at",
    "execution_created_at": "executions.created_at",
    "execution_updated_at": "executions.updated_at",
    "started_at": "executions.started_at",
    "duration": "executions.duration_us",
    "launch_plan.name": "executions.launch_plan",
    "launch_plan.version": "executions.version",
    "workflow.name": "executions.workflow",
    "workflow.version": "executions.version",
    "task.name": "executions.launch_plan",
    "task.version": "executions.version",
}
_EXECUTION_PARSERS: dict[str, Parse] = {
    **_TIMES,
    "execution_created_at": moment,
    "execution_updated_at": moment,
    "phase": _named(WorkflowExecution.Phase),
    "error_kind": _named(ExecutionError.ErrorKind),
    "mode": integer,
    "state": integer,
}
_EXECUTIONS = Table(
    entity="execution",
    source="executions",
    columns=_EXECUTION_COLUMNS,
    parsers=_EXECUTION_PARSERS,
    tie="executions.rowid",
)
_TAGGED = Table(
    entity="execution",
    source=(
        "executions JOIN execution_tags AS tag ON tag.project = executions.project "
        "AND tag.domain = executions.domain AND tag.execution = executions.name"
    ),
    columns={
        **_EXECUTION_COLUMNS,
        "admin_tag.name": "tag.key",
        "execution_tag.key": "tag.key",
        "execution_tag.value": "tag.value",
    },
    parsers=_EXECUTION_PARSERS,
    tie="executions.rowid",
)
_NODES = Table(
    entity="node_execution",
    source="node_executions",
    columns={
        "node_id": "node_id",
        "phase": "phase",
        "created_at": "created_at",
        "updated_at": "updated_at",
        "node_execution_created_at": "created_at",
        "node_execution_updated_at": "updated_at",
        "started_at": "started_at",
        "duration": "duration_us",
        "error_kind": "error_kind",
        "error_code": "error_code",
    },
    parsers={
        **_TIMES,
        "node_execution_created_at": moment,
        "node_execution_updated_at": moment,
        "phase": _named(CoreNode.Phase),
        "error_kind": _named(ExecutionError.ErrorKind),
    },
)
_ATTEMPTS = Table(
    entity="task_execution",
    source="task_executions",
    columns={
        "phase": "phase",
        "retry_attempt": "retry_attempt",
        "created_at": "created_at",
        "updated_at": "updated_at",
        "task_execution_created_at": "created_at",
        "task_execution_updated_at": "updated_at",
        "started_at": "started_at",
        "duration": "duration_us",
        "task.project": "task_project",
        "task.domain": "task_domain",
        "task.name": "task_name",
        "task.version": "task_version",
    },
    parsers={
        **_TIMES,
        "task_execution_created_at": moment,
        "task_execution_updated_at": moment,
        "phase": _named(CoreTask.Phase),
        "retry_attempt": integer,
    },
)

L = TypeVar("L", Execution, NodeExecution)


def list_executions(db: Database, request: ResourceListRequest) -> ExecutionList:
    """Return a page of executions; archived ones only where a filter names their state.

    Raises:
        InvalidArgument: a filter, the sort key, the limit or the token is not valid.
    """
    wanted = request.id
    check_present(project=wanted.project, domain=wanted.domain)
    check_limit(request.limit)
    where: dict[str, object] = {"executions.project": wanted.project, "executions.domain": wanted.domain}
    if wanted.name:
        where["executions.name"] = wanted.name
    if "(state," not in request.filters and "(execution.state," not in request.filters:
        where["executions.state"] = 0
    table = _TAGGED if "_tag." in request.filters else _EXECUTIONS
    found = _page(db, table, request, where, rpc="ListExecutions", select="executions.message")
    messages = [_short(Execution.FromString(row["message"])) for row in found.rows]
    return ExecutionList(executions=messages, token=found.token)


def list_nodes(db: Database, request: NodeExecutionListRequest) -> NodeExecutionList:
    """Return a page of an execution's nodes: those at the top, or those inside `unique_parent_id`.

    Raises:
        InvalidArgument: no execution is named; a filter, the sort key, the limit or the token is not valid.
    """
    execution = request.workflow_execution_id
    if not (execution.project and execution.domain and execution.name):
        raise InvalidArgument("missing execution_id")
    check_limit(request.limit)
    where = {**_in(execution), "parent_id": request.unique_parent_id}
    found = _page(db, _NODES, request, where, rpc="ListNodeExecutions")
    messages = [_short(NodeExecution.FromString(row["message"])) for row in found.rows]
    return NodeExecutionList(node_executions=messages, token=found.token)


def list_attempts(db: Database, request: TaskExecutionListRequest) -> TaskExecutionList:
    """Return a page of a node's attempts, with their errors in full.

    Raises:
        InvalidArgument: no node is named; a filter, the sort key, the limit or the token is not valid.
    """
    node = request.node_execution_id
    execution = node.execution_id
    check_present(
        node_id=node.node_id, project=execution.project, domain=execution.domain, name=execution.name
    )
    check_limit(request.limit)
    where = {**_in(execution), "node_id": node.node_id}
    found = _page(db, _ATTEMPTS, request, where, rpc="ListTaskExecutions")
    messages = [TaskExecution.FromString(row["message"]) for row in found.rows]
    return TaskExecutionList(task_executions=messages, token=found.token)


def _in(execution: WorkflowExecutionIdentifier) -> dict[str, object]:
    return {"project": execution.project, "domain": execution.domain, "execution": execution.name}


def _page(
    db: Database,
    table: Table,
    request: ResourceListRequest | NodeExecutionListRequest | TaskExecutionListRequest,
    where: Mapping[str, object],
    *,
    rpc: str,
    select: str = "message",
) -> Page:
    return page(
        db,
        table,
        select=select,
        where=where,
        filters=request.filters,
        sort=request.sort_by if request.HasField("sort_by") else None,
        limit=request.limit,
        token=request.token,
        rpc=rpc,
    )


def _short(message: L) -> L:
    """Cut the text of an error as lists do."""
    if message.closure.HasField("error"):
        message.closure.error.message = message.closure.error.message[:MAX_ERROR]
    return message
