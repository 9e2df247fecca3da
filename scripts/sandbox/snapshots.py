"""Reads an execution as the engine sees it; what never changes is parsed once and kept."""

from __future__ import annotations

from flyteidl.admin.execution_pb2 import Execution
from flyteidl.admin.matchable_resource_pb2 import WorkflowExecutionConfig
from flyteidl.core.compiler_pb2 import CompiledWorkflowClosure

from scripts.sandbox.catalog import Catalog
from scripts.sandbox.database import Database
from scripts.sandbox.graph import Program
from scripts.sandbox.ids import ExecutionKey
from scripts.sandbox.item_table import ItemTable
from scripts.sandbox.node_table import NodeTable
from scripts.sandbox.nodes import ChildState, Kind, NodeState, Snapshot
from scripts.sandbox.storage import Storage


class Snapshots:
    """Makes snapshots of executions. For the engine's thread alone."""

    def __init__(self, db: Database, nodes: NodeTable, storage: Storage) -> None:
        self._db = db
        self._nodes = nodes
        self._items = ItemTable(db)
        self._catalog = Catalog(db)
        self._storage = storage
        self._fixed: dict[ExecutionKey, tuple[Program, WorkflowExecutionConfig]] = {}
        self._dynamics: dict[tuple[ExecutionKey, str, int], Program] = {}

    def read(self, key: ExecutionKey) -> tuple[Snapshot, WorkflowExecutionConfig] | None:
        """Return an execution as it stands, with its settings; None where there is none."""
        row = self._db.row("get_execution", **vars(key))
        if row is None:
            return None
        if key not in self._fixed:
            program = Program(CompiledWorkflowClosure.FromString(row["closure"]))
            self._fixed[key] = program, WorkflowExecutionConfig.FromString(row["config"])
        program, config = self._fixed[key]
        closure = Execution.FromString(row["message"]).closure
        nodes = self._nodes.states(key)
        alive = [state for state in nodes.values() if not state.ended]
        snapshot = Snapshot(
            key=key,
            phase=row["phase"],
            program=program,
            folder=self._storage.metadata(key),
            error=closure.error if closure.HasField("error") else None,
            max_parallelism=config.max_parallelism,
            nodes=nodes,
            dynamics={one.unique_id: self._dynamic(key, one) for one in alive if one.is_dynamic},
            children={one.child: self._child(key, one.child) for one in alive if one.child},
            items={
                one.unique_id: self._items.states(key, one.unique_id, one.attempt)
                for one in alive
                if one.kind is Kind.ARRAY
            },
            held_up=self._catalog.held_up(key),
        )
        return snapshot, config

    def forget(self, key: ExecutionKey) -> None:
        """Let go of what is kept of an execution that has ended."""
        self._fixed.pop(key, None)
        for known in [known for known in self._dynamics if known[0] == key]:
            del self._dynamics[known]

    def _dynamic(self, key: ExecutionKey, state: NodeState) -> Program:
        known = key, state.unique_id, state.attempt
        if known not in self._dynamics:
            row = self._db.row(
                "dynamic_closure",
                project=key.project,
                domain=key.domain,
                execution=key.name,
                node_id=state.unique_id,
            )
            closure = CompiledWorkflowClosure.FromString(row["closure"] if row is not None else b"")
            self._dynamics[known] = Program(closure)
        return self._dynamics[known]

    def _child(self, key: ExecutionKey, name: str) -> ChildState:
        row = self._db.row("get_execution", project=key.project, domain=key.domain, name=name)
        if row is None:
            return ChildState(phase=None)
        closure = Execution.FromString(row["message"]).closure
        return ChildState(phase=row["phase"], error=closure.error if closure.HasField("error") else None)
