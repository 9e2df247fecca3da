"""Compiled workflows, indexed for the engine: which node waits for which, which task a node runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from flyteidl.core.compiler_pb2 import CompiledWorkflow, CompiledWorkflowClosure
from flyteidl.core.identifier_pb2 import Identifier
from flyteidl.core.tasks_pb2 import TaskTemplate
from flyteidl.core.workflow_pb2 import Node, WorkflowMetadata, WorkflowTemplate

START, END = "start-node", "end-node"


def inner_nodes(branch: Node) -> Iterator[Node]:
    """Return the nodes that a branch node chooses from, without those of branches inside it."""
    block = branch.branch_node.if_else
    yield block.case.then_node
    for other in block.other:
        yield other.then_node
    if block.HasField("else_node"):
        yield block.else_node


def _with_inner(nodes: Iterator[Node]) -> Iterator[Node]:
    for node in nodes:
        yield node
        if node.HasField("branch_node"):
            yield from _with_inner(inner_nodes(node))


@dataclass(frozen=True, kw_only=True)
class Graph:
    """One workflow's nodes. `order` leaves out those inside branches; `nodes` has them all."""

    template: WorkflowTemplate
    order: tuple[str, ...]
    nodes: Mapping[str, Node]
    upstream: Mapping[str, tuple[str, ...]]

    @property
    def failure_node(self) -> Node | None:
        """The node that runs when the workflow fails, if it has one."""
        return self.template.failure_node if self.template.HasField("failure_node") else None


def graph_of(workflow: CompiledWorkflow) -> Graph:
    """Index a compiled workflow."""
    template = workflow.template
    return Graph(
        template=template,
        order=tuple(node.id for node in template.nodes),
        nodes={node.id: node for node in _with_inner(iter(template.nodes))},
        upstream={name: tuple(ids.ids) for name, ids in workflow.connections.upstream.items()},
    )


class Program:
    """A compiled closure: the workflow that runs, with the sub-workflows and tasks that it refers to."""

    def __init__(self, closure: CompiledWorkflowClosure) -> None:
        self._closure = closure
        self.primary = graph_of(closure.primary)

    @cached_property
    def _workflows(self) -> dict[bytes, Graph]:
        return {_key(flow.template.id): graph_of(flow) for flow in self._closure.sub_workflows}

    @cached_property
    def _tasks(self) -> dict[bytes, TaskTemplate]:
        return {_key(task.template.id): task.template for task in self._closure.tasks}

    def sub_workflow(self, wanted: Identifier) -> Graph:
        """Return a sub-workflow; the compiler saw to it that it is there."""
        return self._workflows[_key(wanted)]

    def task(self, wanted: Identifier) -> TaskTemplate:
        """Return the template of a task; the compiler saw to it that it is there."""
        return self._tasks[_key(wanted)]

    @property
    def finishes_others(self) -> bool:
        """Whether a failure lets all go on that does not depend on it."""
        policy = self.primary.template.metadata.on_failure
        return bool(policy == WorkflowMetadata.FAIL_AFTER_EXECUTABLE_NODES_COMPLETE)


def _key(wanted: Identifier) -> bytes:
    return f"{wanted.project}\0{wanted.domain}\0{wanted.name}\0{wanted.version}".encode()
