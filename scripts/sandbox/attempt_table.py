"""The rows of task executions: one for each attempt of each task."""

from __future__ import annotations

import sqlite3
from datetime import datetime

from flyteidl.admin.task_execution_pb2 import TaskExecution as Message
from flyteidl.core.execution_pb2 import ExecutionError, TaskExecution, TaskLog
from flyteidl.core.tasks_pb2 import TaskTemplate

from scripts.sandbox import clock
from scripts.sandbox.database import Database
from scripts.sandbox.ids import ExecutionKey

ENDED = frozenset({TaskExecution.SUCCEEDED, TaskExecution.ABORTED, TaskExecution.FAILED})


class AttemptTable:
    """Reads and writes task executions."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def add(
        self,
        key: ExecutionKey,
        node_id: str,
        attempt: int,
        task: TaskTemplate,
        at: datetime,
        *,
        name: str,
        input_uri: str,
        log_uri: str,
    ) -> None:
        """Add an attempt that is about to run; `name` is its pod's."""
        message = _message(key, node_id, attempt, task, at)
        message.input_uri = input_uri
        message.closure.metadata.generated_name = name
        message.closure.metadata.plugin_identifier = "container"
        message.closure.logs.append(
            TaskLog(uri=log_uri, name="Kubernetes Logs (User)", message_format=TaskLog.JSON)
        )
        self._db.write(
            "insert_attempt",
            project=key.project,
            domain=key.domain,
            execution=key.name,
            node_id=node_id,
            retry_attempt=attempt,
            task_project=task.id.project,
            task_domain=task.id.domain,
            task_name=task.id.name,
            task_version=task.id.version,
            phase=message.closure.phase,
            message=message.SerializeToString(),
            created_at=clock.to_text(at),
            updated_at=clock.to_text(at),
        )

    def end(
        self,
        key: ExecutionKey,
        node_id: str,
        attempt: int,
        phase: TaskExecution.Phase,
        at: datetime,
        *,
        started_at: datetime | None = None,
        error: ExecutionError | None = None,
        output_uri: str = "",
        reason: str = "",
    ) -> bool:
        """Show how an attempt ended; False where that was known before, or there is no such attempt."""
        row = self.row(key, node_id, attempt)
        if row is None or row["phase"] in ENDED:
            return False
        message = Message.FromString(row["message"])
        closure = message.closure
        closure.phase = phase
        if output_uri:
            closure.output_uri = output_uri
        if error is not None:
            closure.error.CopyFrom(error)
        if started_at is not None:
            closure.started_at.CopyFrom(clock.to_timestamp(started_at))
        closure.duration.FromTimedelta(at - clock.from_timestamp(closure.started_at))
        closure.updated_at.CopyFrom(clock.to_timestamp(at))
        if reason:
            _explain(message, reason, at)
        self._db.write(
            "update_attempt",
            project=key.project,
            domain=key.domain,
            execution=key.name,
            node_id=node_id,
            retry_attempt=attempt,
            phase=phase,
            message=message.SerializeToString(),
            updated_at=clock.to_text(at),
            started_at=clock.to_text(clock.from_timestamp(closure.started_at)),
            duration_us=closure.duration.ToMicroseconds(),
        )
        return True

    def row(self, key: ExecutionKey, node_id: str, attempt: int) -> sqlite3.Row | None:
        """Return the row of an attempt, if there is one."""
        return self._db.row(
            "get_attempt",
            project=key.project,
            domain=key.domain,
            execution=key.name,
            node_id=node_id,
            retry_attempt=attempt,
        )

    def open(self) -> list[tuple[ExecutionKey, str, int]]:
        """Return the attempts that have not ended as far as is known."""
        return [
            (
                ExecutionKey(row["project"], row["domain"], row["execution"]),
                row["node_id"],
                row["retry_attempt"],
            )
            for row in self._db.rows("open_attempts")
        ]


def _message(key: ExecutionKey, node_id: str, attempt: int, task: TaskTemplate, at: datetime) -> Message:
    message = Message()
    message.id.task_id.CopyFrom(task.id)
    message.id.retry_attempt = attempt
    node = message.id.node_execution_id
    node.node_id = node_id
    execution = node.execution_id
    execution.project, execution.domain, execution.name = key.project, key.domain, key.name
    closure = message.closure
    closure.phase, closure.task_type, closure.event_version = TaskExecution.RUNNING, task.type, 1
    for stamp in (closure.created_at, closure.updated_at, closure.started_at):
        stamp.CopyFrom(clock.to_timestamp(at))
    _explain(message, "task submitted to the sandbox", at)
    return message


def _explain(message: Message, reason: str, at: datetime) -> None:
    message.closure.reason = reason
    message.closure.reasons.add(message=reason, occurred_at=clock.to_timestamp(at))
