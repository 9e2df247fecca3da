"""The rows of executions as the engine changes them: their phases, from RUNNING to the last."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from flyteidl.admin.execution_pb2 import Execution
from flyteidl.core.execution_pb2 import ExecutionError, WorkflowExecution
from flyteidl.core.literals_pb2 import LiteralMap

from scripts.sandbox import clock
from scripts.sandbox.database import Database
from scripts.sandbox.ids import ExecutionKey


class ExecutionRows:
    """Changes executions on the engine's behalf."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def begin(self, key: ExecutionKey, at: datetime) -> LiteralMap:
        """Show an execution RUNNING, and return its inputs."""
        with self._changing(key, at) as execution:
            execution.closure.phase = WorkflowExecution.RUNNING
            execution.closure.started_at.CopyFrom(clock.to_timestamp(at))
        row = self._db.row("get_execution", **vars(key))
        return LiteralMap.FromString(row["inputs"]) if row is not None else LiteralMap()

    def failing(self, key: ExecutionKey, error: ExecutionError, at: datetime) -> None:
        """Show an execution FAILING with this error."""
        with self._changing(key, at) as execution:
            execution.closure.phase = WorkflowExecution.FAILING
            execution.closure.error.CopyFrom(error)

    def end(
        self,
        key: ExecutionKey,
        phase: WorkflowExecution.Phase,
        at: datetime,
        *,
        error: ExecutionError | None = None,
        outputs: str = "",
    ) -> ExecutionKey | None:
        """Show how an execution ended, and return the one whose node launched it, if one did."""
        with self._changing(key, at) as execution:
            closure = execution.closure
            closure.phase = phase
            if error is not None:
                closure.error.CopyFrom(error)
            if outputs:
                closure.outputs.uri = outputs
            if closure.HasField("started_at"):
                closure.duration.FromTimedelta(at - clock.from_timestamp(closure.started_at))
        parent = execution.spec.metadata.parent_node_execution.execution_id
        return ExecutionKey(parent.project, parent.domain, parent.name) if parent.name else None

    def open(self) -> list[ExecutionKey]:
        """Return the executions that have not ended."""
        return [
            ExecutionKey(row["project"], row["domain"], row["name"])
            for row in self._db.rows("open_executions")
        ]

    @contextmanager
    def _changing(self, key: ExecutionKey, at: datetime) -> Iterator[Execution]:
        row = self._db.row("get_execution", **vars(key))
        if row is None:
            raise LookupError(f"there is no execution {key}")
        execution = Execution.FromString(row["message"])
        yield execution
        closure = execution.closure
        closure.updated_at.CopyFrom(clock.to_timestamp(at))
        failed = closure.HasField("error")
        started = closure.HasField("started_at")
        self._db.write(
            "update_execution",
            **vars(key),
            phase=closure.phase,
            message=execution.SerializeToString(),
            updated_at=clock.to_text(at),
            started_at=clock.to_text(clock.from_timestamp(closure.started_at)) if started else None,
            duration_us=closure.duration.ToMicroseconds() if closure.HasField("duration") else None,
            error_kind=closure.error.kind if failed else None,
            error_code=closure.error.code if failed else None,
        )
