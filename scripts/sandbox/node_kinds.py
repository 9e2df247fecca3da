"""The kinds of nodes, one module each behind one interface: how a node that has begun goes on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from scripts.sandbox.array_node import ArrayNode
from scripts.sandbox.branch_node import BranchNode
from scripts.sandbox.launch_plan_node import LaunchPlanNode
from scripts.sandbox.nodes import Kind, NodeState, Place
from scripts.sandbox.task_node import TaskNode
from scripts.sandbox.unsupported_node import UnsupportedNode
from scripts.sandbox.workflow_node import WorkflowNode

if TYPE_CHECKING:
    from scripts.sandbox.transitions import Walk

COUNTED = frozenset({Kind.TASK, Kind.LAUNCH_PLAN, Kind.ARRAY})


class NodeKind(Protocol):
    """One kind of node."""

    def advance(self, walk: Walk, place: Place, state: NodeState) -> None:
        """Add to `walk` what is next for a node that has begun and has not ended."""


KINDS: Mapping[Kind, NodeKind] = {
    Kind.TASK: TaskNode(),
    Kind.WORKFLOW: WorkflowNode(),
    Kind.LAUNCH_PLAN: LaunchPlanNode(),
    Kind.BRANCH: BranchNode(),
    Kind.ARRAY: ArrayNode(),
}
UNSUPPORTED: NodeKind = UnsupportedNode()
