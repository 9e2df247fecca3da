"""The rows of node executions: what clients see of a node, and what the engine decides by, kept in step."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from flyteidl.admin.node_execution_pb2 import NodeExecution as Message
from flyteidl.core.execution_pb2 import ExecutionError, NodeExecution

from scripts.sandbox import clock
from scripts.sandbox.database import Database
from scripts.sandbox.ids import ExecutionKey
from scripts.sandbox.nodes import ENDED, Kind, NodeState, Outcome, Place
from scripts.sandbox.storage import INPUTS, Storage


@dataclass
class NodeRecord:
    """A row being changed; `phase` is the engine's, the message's is set where clients shall see it."""

    message: Message
    data_dir: str
    phase: int
    attempt: int
    system_failures: int
    attempt_at: str | None
    outcome: str
    error: bytes | None
    choice: str
    child: str
    closure: bytes | None

    @property
    def output_dir(self) -> str:
        """The folder of what the current attempt writes."""
        return f"{self.data_dir}/{self.attempt}"

    def settle(self, outcome: Outcome, error: ExecutionError | None) -> None:
        """Note how the current attempt ended."""
        self.outcome = outcome.value
        self.error = None if error is None else error.SerializeToString()

    def show(self, phase: NodeExecution.Phase, at: datetime) -> None:
        """Enter a phase and show it to clients."""
        self.phase = phase
        closure = self.message.closure
        closure.phase = phase
        stamp = clock.to_timestamp(at)
        if phase == NodeExecution.RUNNING and not closure.HasField("started_at"):
            closure.started_at.CopyFrom(stamp)
        if phase in ENDED and closure.HasField("started_at"):
            closure.duration.FromTimedelta(at - clock.from_timestamp(closure.started_at))


class NodeTable:
    """Reads and writes node executions."""

    def __init__(self, db: Database, storage: Storage) -> None:
        self._db = db
        self._storage = storage

    def states(self, key: ExecutionKey) -> dict[str, NodeState]:
        """Return the nodes of an execution in the order in which they came to be."""
        rows = self._db.rows("node_states", project=key.project, domain=key.domain, execution=key.name)
        return {row["node_id"]: NodeState.from_row(row) for row in rows}

    def add(
        self,
        key: ExecutionKey,
        place: Place,
        phase: NodeExecution.Phase,
        at: datetime,
        *,
        output_uri: str = "",
    ) -> None:
        """Add a node in its first phase."""
        message = _message(key, place, phase, at)
        if output_uri:
            message.closure.output_uri = output_uri
        if place.kind is not Kind.START:
            message.input_uri = self._storage.uri(f"{place.data_dir}/{INPUTS}")
        self._db.write(
            "insert_node",
            project=key.project,
            domain=key.domain,
            execution=key.name,
            node_id=place.unique_id,
            parent_id=place.parent,
            spec_node_id=place.node.id,
            kind=place.kind.value,
            phase=phase,
            message=message.SerializeToString(),
            data_dir=place.data_dir,
            queued_at=clock.to_text(at),
            created_at=clock.to_text(at),
            updated_at=clock.to_text(at),
        )

    def exists(self, key: ExecutionKey, unique_id: str) -> bool:
        """Say whether a node was reached."""
        return self._row(key, unique_id) is not None

    def read(self, key: ExecutionKey, unique_id: str) -> NodeRecord:
        """Return the row of a node that was reached.

        Raises:
            LookupError: it was not.
        """
        row = self._row(key, unique_id)
        if row is None:
            raise LookupError(f"{key} has no node {unique_id}")
        return NodeRecord(
            message=Message.FromString(row["message"]),
            data_dir=row["data_dir"],
            phase=row["phase"],
            attempt=row["attempt"],
            system_failures=row["system_failures"],
            attempt_at=row["attempt_at"],
            outcome=row["outcome"],
            error=row["error"],
            choice=row["choice"],
            child=row["child"],
            closure=row["closure"],
        )

    def _row(self, key: ExecutionKey, unique_id: str) -> sqlite3.Row | None:
        return self._db.row(
            "get_node", project=key.project, domain=key.domain, execution=key.name, node_id=unique_id
        )

    @contextmanager
    def changing(self, key: ExecutionKey, unique_id: str, at: datetime) -> Iterator[NodeRecord]:
        """Read a row, and write it back with what was changed."""
        record = self.read(key, unique_id)
        yield record
        closure = record.message.closure
        closure.updated_at.CopyFrom(clock.to_timestamp(at))
        failed = closure.HasField("error")
        self._db.write(
            "update_node",
            project=key.project,
            domain=key.domain,
            execution=key.name,
            node_id=unique_id,
            phase=record.phase,
            message=record.message.SerializeToString(),
            attempt=record.attempt,
            system_failures=record.system_failures,
            attempt_at=record.attempt_at,
            outcome=record.outcome,
            error=record.error,
            choice=record.choice,
            child=record.child,
            closure=record.closure,
            error_kind=closure.error.kind if failed else None,
            error_code=closure.error.code if failed else None,
            updated_at=clock.to_text(at),
            started_at=_text(closure, "started_at"),
            duration_us=closure.duration.ToMicroseconds() if closure.HasField("duration") else None,
        )


def _message(key: ExecutionKey, place: Place, phase: NodeExecution.Phase, at: datetime) -> Message:
    message = Message()
    message.id.node_id = place.unique_id
    execution = message.id.execution_id
    execution.project, execution.domain, execution.name = key.project, key.domain, key.name
    message.metadata.spec_node_id = place.node.id
    message.metadata.is_parent_node = place.kind in (Kind.WORKFLOW, Kind.BRANCH)
    message.metadata.is_array = place.kind is Kind.ARRAY
    message.metadata.retry_group = str(place.parent_attempt) if place.parent else ""
    message.closure.phase = phase
    for stamp in (message.closure.created_at, message.closure.updated_at):
        stamp.CopyFrom(clock.to_timestamp(at))
    return message


def _text(closure: object, field: str) -> str | None:
    stamp = getattr(closure, field)
    return clock.to_text(clock.from_timestamp(stamp)) if closure.HasField(field) else None  # type: ignore[attr-defined]
