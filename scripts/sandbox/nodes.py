"""What the engine knows of an execution while it decides: frozen, read from the database in one place."""

from __future__ import annotations

import enum
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from flyteidl.core.execution_pb2 import ExecutionError, NodeExecution
from flyteidl.core.workflow_pb2 import Node

from scripts.sandbox import clock
from scripts.sandbox.graph import END, START, Graph, Program
from scripts.sandbox.ids import ExecutionKey, unique_node_id

if TYPE_CHECKING:
    from scripts.sandbox.array_items import ItemState

ENDED = frozenset(
    {
        NodeExecution.SUCCEEDED,
        NodeExecution.FAILED,
        NodeExecution.ABORTED,
        NodeExecution.SKIPPED,
        NodeExecution.TIMED_OUT,
        NodeExecution.RECOVERED,
    }
)
DONE = frozenset({NodeExecution.SUCCEEDED, NodeExecution.RECOVERED})
TIMED_OUT = ExecutionError(code="Timeout", message="Timeout in node", kind=ExecutionError.USER)


class Kind(str, enum.Enum):
    """What a node is."""

    START = "start"
    END = "end"
    TASK = "task"
    WORKFLOW = "workflow"
    LAUNCH_PLAN = "launch plan"
    BRANCH = "branch"
    ARRAY = "array"
    GATE = "gate"


def kind_of(node: Node) -> Kind:
    """Say what a node of a workflow is."""
    if node.id in (START, END) and node.WhichOneof("target") is None:
        return Kind.START if node.id == START else Kind.END
    if node.HasField("workflow_node"):
        by_plan = node.workflow_node.HasField("launchplan_ref")
        return Kind.LAUNCH_PLAN if by_plan else Kind.WORKFLOW
    targets = {
        "task_node": Kind.TASK,
        "branch_node": Kind.BRANCH,
        "array_node": Kind.ARRAY,
        "gate_node": Kind.GATE,
    }
    return targets[node.WhichOneof("target")]


class Holder(Protocol):
    """A node as far as what it holds depends on it."""

    @property
    def attempt(self) -> int:
        """Its current attempt."""

    @property
    def output_dir(self) -> str:
        """The folder of what that attempt writes."""


class Outcome(str, enum.Enum):
    """How the current attempt of a node ended; `FAILING` is a node whose failure node has yet to end."""

    NONE = ""
    SUCCEEDED = "succeeded"
    DYNAMIC = "dynamic"
    RETRYABLE = "retryable"
    FAILED = "failed"
    FAILING = "failing"


@dataclass(frozen=True, kw_only=True)
class NodeState:
    """One node that was reached. `attempt` counts from 0, `data_dir` is relative to the storage's root."""

    unique_id: str
    node_id: str
    kind: Kind
    phase: NodeExecution.Phase
    data_dir: str
    parent_id: str = ""
    attempt: int = 0
    system_failures: int = 0
    queued_at: datetime | None = None
    attempt_at: datetime | None = None
    outcome: Outcome = Outcome.NONE
    error: ExecutionError | None = None
    choice: str = ""
    child: str = ""
    is_dynamic: bool = False

    @property
    def output_dir(self) -> str:
        """The folder of what the current attempt writes."""
        return f"{self.data_dir}/{self.attempt}"

    @property
    def ended(self) -> bool:
        """Whether nothing more happens to it."""
        return self.phase in ENDED

    @property
    def failure(self) -> ExecutionError | None:
        """What its end means to what holds it: None where it did not fail."""
        if self.phase == NodeExecution.TIMED_OUT:
            return TIMED_OUT
        if self.phase in (NodeExecution.FAILED, NodeExecution.ABORTED):
            return self.error or ExecutionError(code="UnknownError", kind=ExecutionError.UNKNOWN)
        return None

    @classmethod
    def from_row(cls, row: sqlite3.Row) -> NodeState:
        """Read a row of `node_states`."""
        return cls(
            unique_id=row["node_id"],
            node_id=row["spec_node_id"],
            kind=Kind(row["kind"]),
            phase=row["phase"],
            data_dir=row["data_dir"],
            parent_id=row["parent_id"],
            attempt=row["attempt"],
            system_failures=row["system_failures"],
            queued_at=_time(row, "queued_at"),
            attempt_at=_time(row, "attempt_at"),
            outcome=Outcome(row["outcome"]),
            error=ExecutionError.FromString(row["error"]) if row["error"] is not None else None,
            choice=row["choice"],
            child=row["child"],
            is_dynamic=bool(row["is_dynamic"]),
        )


def _time(row: sqlite3.Row, column: str) -> datetime | None:
    """Read a time that limits what runs; what has ended has no use for it, and reading it takes a while."""
    if row[column] is None or row["phase"] in ENDED:
        return None
    return clock.from_text(row[column])


@dataclass(frozen=True, kw_only=True)
class ChildState:
    """The execution that a launch-plan node launched. `phase` is None where it is gone."""

    phase: int | None
    error: ExecutionError | None = None


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """An execution at one moment: all that a decision may rest on."""

    key: ExecutionKey
    phase: int
    program: Program
    folder: str
    error: ExecutionError | None = None
    max_parallelism: int = 0
    nodes: Mapping[str, NodeState] = field(default_factory=dict)
    dynamics: Mapping[str, Program] = field(default_factory=dict)
    children: Mapping[str, ChildState] = field(default_factory=dict)
    items: Mapping[str, tuple[ItemState, ...]] = field(default_factory=dict)
    held_up: frozenset[tuple[str, int]] = frozenset()
    """Nodes, and items of array nodes (else -1), that wait while somebody else makes a cached result."""


@dataclass(frozen=True, kw_only=True)
class Scope:
    """A graph being run: the top-level workflow, a sub-workflow, or what a dynamic made.

    `parent` is the unique id of the node that holds it, '' at the top; `folder` is where its nodes' data
    lie. The names of nodes in bindings are those of `graph`.
    """

    program: Program
    graph: Graph
    folder: str
    parent: str = ""
    attempt: int = 0

    def unique_id(self, node_id: str) -> str:
        """Return the unique id of one of its nodes."""
        return unique_node_id(self.parent, self.attempt, node_id)

    def place(self, node: Node) -> Place:
        """Return where one of its nodes stands."""
        data_dir = f"{self.folder}/{node.id}" + ("" if self.parent else "/data")
        return Place(
            node=node,
            unique_id=self.unique_id(node.id),
            data_dir=data_dir,
            scope=self,
            parent=self.parent,
            parent_attempt=self.attempt,
        )

    def inside(self, branch: Place, state: NodeState, node: Node) -> Place:
        """Return where a node chosen by one of its branch nodes stands: named below the branch."""
        return Place(
            node=node,
            unique_id=unique_node_id(branch.unique_id, state.attempt, node.id),
            data_dir=f"{state.output_dir}/{node.id}",
            scope=self,
            parent=branch.unique_id,
            parent_attempt=state.attempt,
        )

    def below(self, place: Place, holder: Holder, program: Program, graph: Graph) -> Scope:
        """Return the scope that a node holds: its sub-workflow, or what it made dynamically."""
        return Scope(
            program=program,
            graph=graph,
            folder=holder.output_dir,
            parent=place.unique_id,
            attempt=holder.attempt,
        )


@dataclass(frozen=True, kw_only=True)
class Place:
    """A node in an execution: its definition, its id, its folder, and the scope its bindings refer to."""

    node: Node
    unique_id: str
    data_dir: str
    scope: Scope
    parent: str = ""
    parent_attempt: int = 0

    @property
    def kind(self) -> Kind:
        """What it is."""
        return kind_of(self.node)
