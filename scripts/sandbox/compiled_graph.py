"""One workflow while it is compiled: its nodes, what is known of them, and the edges between them.

Source: propeller `compiler/builders.go`, `workflow_compiler.go`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from flyteidl.admin.launch_plan_pb2 import LaunchPlan
from flyteidl.core.compiler_pb2 import CompiledWorkflow
from flyteidl.core.identifier_pb2 import Identifier
from flyteidl.core.interface_pb2 import TypedInterface
from flyteidl.core.tasks_pb2 import TaskTemplate
from flyteidl.core.workflow_pb2 import BranchNode, Node

START, END = "start-node", "end-node"


class BuiltNode:
    """A node and what compilation finds out about it. `core` is the message that goes into the result."""

    def __init__(self, core: Node) -> None:
        self.core = core
        self.interface: TypedInterface | None = None
        self._inner: list[BuiltNode] | None = None

    @property
    def id(self) -> str:
        """The node's id, which a branch changes for the nodes in it."""
        return str(self.core.id)

    @property
    def inner(self) -> list[BuiltNode]:
        """The nodes of a branch's cases in order, or the one of an array; the same objects every time."""
        if self._inner is None:
            if self.core.HasField("array_node"):
                self._inner = [BuiltNode(self.core.array_node.node)]
            else:
                self._inner = [BuiltNode(node) for node in cases(self.core.branch_node)]
        return self._inner


def cases(branch: BranchNode) -> Iterable[Node]:
    """Return the nodes that a branch may take: case, others, else; those that are missing are left out."""
    blocks = [branch.if_else.case, *branch.if_else.other]
    nodes = [block.then_node for block in blocks if block.HasField("then_node")]
    return [*nodes, branch.if_else.else_node] if branch.if_else.HasField("else_node") else nodes


def key(id_: Identifier) -> bytes:
    """Return what two equal identifiers have in common."""
    return bytes(id_.SerializeToString(deterministic=True))


@dataclass(frozen=True, kw_only=True)
class Library:
    """All that the workflows of one compilation may refer to, by `key` of its identifier."""

    tasks: Mapping[bytes, TaskTemplate]
    launch_plans: Mapping[bytes, LaunchPlan]
    workflows: Mapping[bytes, CompiledWorkflow]
    open: set[bytes] = field(default_factory=set)
    """The sub-workflows that are being compiled; one of them within itself would never end."""


@dataclass(kw_only=True)
class Graph:
    """The graph of one workflow. `compiled` are those of its sub-workflows that need no second look."""

    workflow: CompiledWorkflow
    library: Library
    nodes: dict[str, BuiltNode] = field(default_factory=dict)
    upstream: dict[str, set[str]] = field(default_factory=dict)
    downstream: dict[str, set[str]] = field(default_factory=dict)
    compiled: set[bytes] = field(default_factory=set)

    def add_upstream(self, provider: str, dependent: str) -> None:
        """Let `dependent` wait for `provider`; an empty one is the start."""
        self.upstream.setdefault(dependent, set()).add(provider or START)

    def add_downstream(self, provider: str, dependent: str) -> None:
        """Let the end of `provider` start `dependent`; an empty provider is the start."""
        self.downstream.setdefault(provider or START, set()).add(dependent)

    def connect(self, provider: str, dependent: str) -> None:
        """Add the edge in both directions."""
        self.add_downstream(provider, dependent)
        self.add_upstream(provider, dependent)

    def write_connections(self) -> None:
        """Put the edges into the workflow, in order."""
        connections = self.workflow.connections
        connections.Clear()
        connections.SetInParent()
        for name, ids in self.upstream.items():
            connections.upstream[name].ids.extend(sorted(ids))
        for name, ids in self.downstream.items():
            connections.downstream[name].ids.extend(sorted(ids))

    def cycle(self) -> tuple[list[str], set[str]]:
        """Walk from the start; return the first cycle met (empty if there is none) and the nodes seen."""
        seen: set[str] = set()
        on_path: set[str] = set()
        waiting = [(START, iter(sorted(self.downstream.get(START, ()))))]
        seen.add(START)
        on_path.add(START)
        while waiting:
            name, following = waiting[-1]
            step = next(following, None)
            if step is None:
                waiting.pop()
                on_path.discard(name)
            elif step in on_path:
                return [*(entry for entry, _ in waiting), step], seen
            elif step not in seen:
                seen.add(step)
                on_path.add(step)
                waiting.append((step, iter(sorted(self.downstream.get(step, ())))))
        return [], seen
