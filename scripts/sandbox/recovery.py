"""Recovered executions: what the nodes of the one before brought to an end is taken over, not run again.

Source: flytepropeller `nodes/executor.go` (attemptRecovery). Nodes are the same by their unique ids.
"""

from __future__ import annotations

from flyteidl.admin.execution_pb2 import Execution, ExecutionMetadata
from flyteidl.core.execution_pb2 import NodeExecution

from scripts.sandbox.database import Database
from scripts.sandbox.ids import ExecutionKey
from scripts.sandbox.node_table import NodeRecord, NodeTable
from scripts.sandbox.nodes import DONE, Kind, Outcome, Place
from scripts.sandbox.rounds import Round
from scripts.sandbox.storage import FUTURES, INPUTS, OUTPUTS, Storage


class Recovery:
    """Takes over the work of an earlier execution."""

    def __init__(self, db: Database, nodes: NodeTable, storage: Storage) -> None:
        self._db = db
        self._nodes = nodes
        self._storage = storage

    def take_over(self, round_: Round, place: Place) -> bool:
        """Begin a node with what it had come to before; False where it has to run as any other."""
        source = self._source(round_.key)
        if source is None or place.kind is Kind.END or not self._nodes.exists(source, place.unique_id):
            return False
        before = self._nodes.read(source, place.unique_id)
        if before.phase in DONE:
            self._recover(round_, place, before)
            return True
        if before.message.metadata.is_dynamic and before.message.closure.dynamic_job_spec_uri:
            return self._resume_dynamic(round_, place, before)
        return False

    def _source(self, key: ExecutionKey) -> ExecutionKey | None:
        row = self._db.row("get_execution", **vars(key))
        if row is None or row["mode"] != ExecutionMetadata.RECOVERED:
            return None
        source = Execution.FromString(row["message"]).spec.metadata.reference_execution
        return ExecutionKey(source.project, source.domain, source.name)

    def _recover(self, round_: Round, place: Place, before: NodeRecord) -> None:
        outputs = f"{place.data_dir}/0/{OUTPUTS}"
        self._storage.copy(f"{before.data_dir}/{INPUTS}", f"{place.data_dir}/{INPUTS}")
        self._storage.copy(f"{before.output_dir}/{OUTPUTS}", outputs)
        self._nodes.add(
            round_.key, place, NodeExecution.QUEUED, round_.at, output_uri=self._storage.uri(outputs)
        )
        with self._nodes.changing(round_.key, place.unique_id, round_.at) as record:
            closure = record.message.closure
            for field in ("task_node_metadata", "workflow_node_metadata"):
                if before.message.closure.HasField(field):
                    getattr(closure, field).CopyFrom(getattr(before.message.closure, field))
            closure.deck_uri = before.message.closure.deck_uri
            record.closure = before.closure
            record.show(NodeExecution.RECOVERED, round_.at)

    def _resume_dynamic(self, round_: Round, place: Place, before: NodeRecord) -> bool:
        """Keep what the dynamic task wrote, so that the nodes in it keep their ids."""
        folder = f"{place.data_dir}/0"
        if not self._storage.copy(f"{before.output_dir}/{FUTURES}", f"{folder}/{FUTURES}"):
            return False
        self._storage.copy(f"{before.data_dir}/{INPUTS}", f"{place.data_dir}/{INPUTS}")
        self._nodes.add(round_.key, place, NodeExecution.QUEUED, round_.at)
        with self._nodes.changing(round_.key, place.unique_id, round_.at) as record:
            record.show(NodeExecution.RUNNING, round_.at)
            record.settle(Outcome.DYNAMIC, None)
        return True
