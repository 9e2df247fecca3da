"""The rows of task executions: one for each attempt of each task."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from flyteidl.admin.task_execution_pb2 import TaskExecution as Message
from flyteidl.core.execution_pb2 import ExecutionError, TaskExecution, TaskLog
from flyteidl.core.tasks_pb2 import TaskTemplate

from scripts.sandbox import clock
from scripts.sandbox.database import Database
from scripts.sandbox.ids import ExecutionKey

LogUri = Callable[[str, str], str]
"""Gives for a namespace and a pod where its log is served."""
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
        message.closure.logs.append(user_log(log_uri))
        _explain(message, "task submitted to the sandbox", at)
        self._insert(key, message, at)

    def add_array(
        self, key: ExecutionKey, node_id: str, attempt: int, task: TaskTemplate, at: datetime, input_uri: str
    ) -> None:
        """Add the one attempt that stands for all items of an array node."""
        message = _message(key, node_id, attempt, task, at)
        message.input_uri = input_uri
        message.closure.task_type = "container_array"
        message.closure.metadata.plugin_identifier = "k8s-array"
        self._insert(key, message, at)

    def _insert(self, key: ExecutionKey, message: Message, at: datetime) -> None:
        task = message.id.task_id
        self._db.write(
            "insert_attempt",
            project=key.project,
            domain=key.domain,
            execution=key.name,
            node_id=message.id.node_execution_id.node_id,
            retry_attempt=message.id.retry_attempt,
            task_project=task.project,
            task_domain=task.domain,
            task_name=task.name,
            task_version=task.version,
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
        with self.changing(key, node_id, attempt, at) as message:
            closure = message.closure
            closure.phase = phase
            if output_uri:
                closure.output_uri = output_uri
            if error is not None:
                closure.error.CopyFrom(error)
            if started_at is not None:
                closure.started_at.CopyFrom(clock.to_timestamp(started_at))
            closure.duration.FromTimedelta(at - clock.from_timestamp(closure.started_at))
            if reason:
                _explain(message, reason, at)
        return True

    @contextmanager
    def changing(self, key: ExecutionKey, node_id: str, attempt: int, at: datetime) -> Iterator[Message]:
        """Read an attempt, and write it back with what was changed.

        Raises:
            LookupError: there is none.
        """
        row = self.row(key, node_id, attempt)
        if row is None:
            raise LookupError(f"{key} has no attempt {attempt} of {node_id}")
        message = Message.FromString(row["message"])
        yield message
        closure = message.closure
        closure.updated_at.CopyFrom(clock.to_timestamp(at))
        self._db.write(
            "update_attempt",
            project=key.project,
            domain=key.domain,
            execution=key.name,
            node_id=node_id,
            retry_attempt=attempt,
            phase=closure.phase,
            message=message.SerializeToString(),
            updated_at=clock.to_text(at),
            started_at=clock.to_text(clock.from_timestamp(closure.started_at)),
            duration_us=closure.duration.ToMicroseconds(),
        )

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
        """Return the attempts that have not ended as far as is known, without those of array nodes."""
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
    return message


def user_log(uri: str, suffix: str = "") -> TaskLog:
    """Return the link to what an attempt prints."""
    return TaskLog(uri=uri, name=f"Kubernetes Logs (User){suffix}", message_format=TaskLog.JSON)


def _explain(message: Message, reason: str, at: datetime) -> None:
    message.closure.reason = reason
    message.closure.reasons.add(message=reason, occurred_at=clock.to_timestamp(at))
