"""Executions: launched, read, listed, ended and launched again, as flyteadmin does it.

What happens inside a running execution is the engine's business; this module writes the row that the
engine picks up, and wakes it. Source: flyteadmin `manager/impl/execution_manager.go`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from flyteidl.admin.common_pb2 import ResourceListRequest
from flyteidl.admin.event_pb2 import EventFailureReason
from flyteidl.admin.execution_pb2 import (
    Execution,
    ExecutionCreateRequest,
    ExecutionList,
    ExecutionMetadata,
    ExecutionRecoverRequest,
    ExecutionRelaunchRequest,
    ExecutionState,
    WorkflowExecutionGetDataResponse,
)
from flyteidl.admin.launch_plan_pb2 import CONCURRENCY_LIMIT_BEHAVIOR_SKIP
from flyteidl.core.execution_pb2 import WorkflowExecution
from flyteidl.core.identifier_pb2 import WorkflowExecutionIdentifier
from flyteidl.core.literals_pb2 import LiteralMap

from scripts.sandbox import clock
from scripts.sandbox.attributes import Attributes
from scripts.sandbox.database import Database
from scripts.sandbox.entities import Entities
from scripts.sandbox.errors import AlreadyExists, FailedPrecondition, NotFound
from scripts.sandbox.execution_config import merged_config
from scripts.sandbox.execution_inputs import full_inputs
from scripts.sandbox.execution_lists import list_executions
from scripts.sandbox.execution_request import check_request
from scripts.sandbox.gotext import message_text
from scripts.sandbox.identifiers import check_present
from scripts.sandbox.ids import ExecutionKey, random_execution_name
from scripts.sandbox.launches import Launched, resolve_launch
from scripts.sandbox.projects import Projects
from scripts.sandbox.storage import Storage

Phase = WorkflowExecution.Phase
TERMINAL = frozenset(
    {
        WorkflowExecution.SUCCEEDED,
        WorkflowExecution.FAILED,
        WorkflowExecution.ABORTED,
        WorkflowExecution.TIMED_OUT,
    }
)
_ACTIVE = (WorkflowExecution.QUEUED, WorkflowExecution.RUNNING)
_DUPLICATE = (
    'value with matching already exists (duplicate key value violates unique constraint "executions_pkey")'
)


class Executions:
    """The executions of a sandbox. `wake` is called whenever the engine has something new to look at."""

    def __init__(
        self, db: Database, entities: Entities, projects: Projects, attributes: Attributes, storage: Storage
    ) -> None:
        self._db = db
        self._entities = entities
        self._projects = projects
        self._attributes = attributes
        self._storage = storage
        self.wake: Callable[[ExecutionKey], None] = lambda key: None

    def create(self, request: ExecutionCreateRequest, *, principal: str = "") -> WorkflowExecutionIdentifier:
        """Launch what `request` names and return the execution's id; what it says of its caller is not read.

        Raises:
            InvalidArgument: the request or its inputs are not valid.
            NotFound: the launch plan or the task does not exist.
            AlreadyExists: an execution of this name exists, or the launch plan runs as often as it may.
        """
        wanted = ExecutionCreateRequest()
        wanted.CopyFrom(request)
        if not wanted.inputs.literals:
            wanted.inputs.CopyFrom(wanted.spec.inputs)
        check_request(wanted, self._projects)
        launched = resolve_launch(self._entities, wanted.spec)
        inputs = full_inputs(wanted.inputs, launched.plan)
        wanted.name = wanted.name or random_execution_name()
        wanted.spec.metadata.principal = principal
        self._inherit(wanted)
        self._check_concurrency(launched)
        self._insert(wanted, launched, inputs)
        self.wake(ExecutionKey(wanted.project, wanted.domain, wanted.name))
        return WorkflowExecutionIdentifier(project=wanted.project, domain=wanted.domain, name=wanted.name)

    def _inherit(self, wanted: ExecutionCreateRequest) -> None:
        """Take the principal and the depth of nesting from the execution whose node launches this one."""
        metadata = wanted.spec.metadata
        if metadata.HasField("parent_node_execution"):
            parent = self.get(metadata.parent_node_execution.execution_id).spec.metadata
            metadata.principal, metadata.nesting = parent.principal, parent.nesting + 1

    def _check_concurrency(self, launched: Launched) -> None:
        if not launched.plan.spec.HasField("concurrency_policy"):
            return
        policy, plan = launched.plan.spec.concurrency_policy, launched.plan.id
        row = self._db.row(
            "count_active_executions",
            project=plan.project,
            domain=plan.domain,
            launch_plan=plan.name,
            queued=_ACTIVE[0],
            running=_ACTIVE[1],
        )
        active = row["active"] if row else 0
        if active >= policy.max and policy.behavior == CONCURRENCY_LIMIT_BEHAVIOR_SKIP:
            raise AlreadyExists(
                f"concurrency limit ({policy.max}) reached for launch plan {plan.name}; skipping execution"
            )

    def _insert(self, wanted: ExecutionCreateRequest, launched: Launched, inputs: LiteralMap) -> None:
        execution, config = self._new(wanted, launched)
        try:
            with self._db.transaction():
                self._insert_row(execution, launched, wanted, inputs, config)
                self._insert_tags(execution)
        except sqlite3.IntegrityError as error:
            raise AlreadyExists(_DUPLICATE) from error

    def _insert_row(
        self,
        execution: Execution,
        launched: Launched,
        wanted: ExecutionCreateRequest,
        inputs: LiteralMap,
        config: bytes,
    ) -> None:
        metadata = execution.spec.metadata
        parent = metadata.parent_node_execution
        self._db.write(
            "insert_execution",
            project=wanted.project,
            domain=wanted.domain,
            name=wanted.name,
            launch_plan=execution.spec.launch_plan.name,
            workflow=launched.workflow.id.name,
            version=execution.spec.launch_plan.version,
            phase=execution.closure.phase,
            mode=metadata.mode,
            principal=metadata.principal,
            message=execution.SerializeToString(),
            closure=launched.workflow.closure.compiled_workflow.SerializeToString(),
            inputs=inputs.SerializeToString(),
            user_inputs=wanted.inputs.SerializeToString(),
            config=config,
            parent_node=parent.node_id or None,
            parent_name=parent.execution_id.name or None,
            at=clock.to_text(clock.from_timestamp(execution.closure.created_at)),
        )

    def _insert_tags(self, execution: Execution) -> None:
        """Keep labels and tags as flyteadmin does, in one table: a label is found by its key as a tag is."""
        id_ = execution.id
        for key, value in {
            *execution.spec.labels.values.items(),
            *((tag, "") for tag in execution.spec.tags),
        }:
            self._db.write(
                "insert_execution_tag",
                project=id_.project,
                domain=id_.domain,
                execution=id_.name,
                key=key,
                value=value,
            )

    def _new(self, wanted: ExecutionCreateRequest, launched: Launched) -> tuple[Execution, bytes]:
        """Return the execution as it is first seen, and its merged settings."""
        plan = None if launched.is_task else launched.plan.spec
        stored = self._attributes.workflow_execution_config(
            wanted.project, wanted.domain, launched.plan.spec.workflow_id.name if plan is not None else ""
        )
        config = merged_config(wanted.spec, plan, stored)
        execution = Execution(spec=wanted.spec)
        execution.id.project, execution.id.domain, execution.id.name = (
            wanted.project,
            wanted.domain,
            wanted.name,
        )
        spec, closure = execution.spec, execution.closure
        spec.ClearField("inputs")
        spec.metadata.system_metadata.namespace = f"{wanted.project}-{wanted.domain}"
        spec.security_context.CopyFrom(config.security_context)
        if not launched.is_task:
            spec.max_parallelism = config.max_parallelism
        at = clock.to_timestamp(clock.now())
        for stamp in (closure.created_at, closure.updated_at, closure.state_change_details.occurred_at):
            stamp.CopyFrom(at)
        closure.state_change_details.principal = spec.metadata.principal
        closure.workflow_id.CopyFrom(launched.workflow.id)
        notifications = launched.plan.spec.entity_metadata.notifications
        if spec.notifications.notifications:
            notifications = spec.notifications.notifications
        if spec.WhichOneof("notification_overrides") != "disable_all" or not spec.disable_all:
            closure.notifications.extend(notifications)
        return execution, config.SerializeToString()

    def get(self, wanted: WorkflowExecutionIdentifier) -> Execution:
        """Return an execution as it stands.

        Raises:
            InvalidArgument: the id lacks a field.
            NotFound: there is no such execution.
        """
        return Execution.FromString(self._row(wanted)["message"])

    def _row(self, wanted: WorkflowExecutionIdentifier) -> sqlite3.Row:
        check_present(project=wanted.project, domain=wanted.domain, name=wanted.name)
        row = self._db.row("get_execution", project=wanted.project, domain=wanted.domain, name=wanted.name)
        if row is None:
            raise NotFound(f"missing entity of type execution with identifier {message_text(wanted)}")
        return row

    def data(self, wanted: WorkflowExecutionIdentifier) -> WorkflowExecutionGetDataResponse:
        """Return the inputs and outputs of an execution, all inline.

        Raises:
            NotFound: there is no such execution.
        """
        row = self._row(wanted)
        closure = Execution.FromString(row["message"]).closure
        response = WorkflowExecutionGetDataResponse(full_inputs=LiteralMap.FromString(row["inputs"]))
        response.inputs.SetInParent()
        response.outputs.SetInParent()
        response.full_outputs.SetInParent()
        if closure.outputs.uri:
            response.full_outputs.CopyFrom(self._storage.read_uri(closure.outputs.uri, LiteralMap))
        return response

    def list(self, request: ResourceListRequest) -> ExecutionList:
        """Return one page of the executions that the request asks for.

        Raises:
            InvalidArgument: a filter, a sort key, the limit or the token is not valid.
        """
        return list_executions(self._db, request)

    def terminate(self, wanted: WorkflowExecutionIdentifier, cause: str, *, principal: str = "") -> None:
        """Have the engine end an execution; a second time only replaces the cause.

        Raises:
            NotFound: there is no such execution.
            FailedPrecondition: it has ended already.
        """
        with self._db.transaction():
            row = self._row(wanted)
            if row["phase"] in TERMINAL:
                reason = EventFailureReason()
                reason.already_in_terminal_state.current_phase = Phase.Name(row["phase"])
                raise FailedPrecondition(
                    "Cannot abort an already terminated workflow execution", detail=reason
                )
            execution = Execution.FromString(row["message"])
            execution.closure.abort_metadata.cause = cause
            execution.closure.abort_metadata.principal = principal
            execution.closure.phase = WorkflowExecution.ABORTING
            self._db.write(
                "abort_execution",
                project=wanted.project,
                domain=wanted.domain,
                name=wanted.name,
                phase=WorkflowExecution.ABORTING,
                message=execution.SerializeToString(),
            )
        self.wake(ExecutionKey(wanted.project, wanted.domain, wanted.name))

    def archive(
        self, wanted: WorkflowExecutionIdentifier, state: ExecutionState.ValueType, *, principal: str = ""
    ) -> None:
        """Set whether an execution is shown in lists.

        Raises:
            NotFound: there is no such execution.
        """
        with self._db.transaction():
            execution = self.get(wanted)
            change = execution.closure.state_change_details
            change.state = state
            change.principal = principal
            change.occurred_at.CopyFrom(clock.to_timestamp(clock.now()))
            self._db.write(
                "archive_execution",
                project=wanted.project,
                domain=wanted.domain,
                name=wanted.name,
                state=state,
                message=execution.SerializeToString(),
            )

    def relaunch(
        self, request: ExecutionRelaunchRequest, *, principal: str = ""
    ) -> WorkflowExecutionIdentifier:
        """Launch an execution's plan again with the same settings and inputs.

        Raises:
            NotFound: there is no such execution.
        """
        again = self._again(request.id, request.name, ExecutionMetadata.RELAUNCH)
        again.spec.overwrite_cache = request.overwrite_cache
        return self.create(again, principal=principal)

    def recover(
        self, request: ExecutionRecoverRequest, *, principal: str = ""
    ) -> WorkflowExecutionIdentifier:
        """Launch an execution again; the engine takes over what its nodes have brought to an end.

        Raises:
            NotFound: there is no such execution.
        """
        again = self._again(request.id, request.name, ExecutionMetadata.RECOVERED)
        if request.metadata.HasField("parent_node_execution"):
            again.spec.metadata.parent_node_execution.CopyFrom(request.metadata.parent_node_execution)
        return self.create(again, principal=principal)

    def _again(
        self, wanted: WorkflowExecutionIdentifier, name: str, mode: ExecutionMetadata.ExecutionMode
    ) -> ExecutionCreateRequest:
        row = self._row(wanted)
        request = ExecutionCreateRequest(
            project=wanted.project,
            domain=wanted.domain,
            name=name,
            spec=Execution.FromString(row["message"]).spec,
            inputs=LiteralMap.FromString(row["user_inputs"]),
        )
        request.spec.metadata.mode = mode
        request.spec.metadata.reference_execution.CopyFrom(wanted)
        return request
