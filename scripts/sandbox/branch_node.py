"""Branch nodes: conditions choose one node, which then runs inside the branch node."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flyteidl.core.execution_pb2 import ExecutionError

from scripts.sandbox.actions import ChooseBranch, CompleteNode
from scripts.sandbox.nodes import NodeState, Outcome, Place

if TYPE_CHECKING:
    from scripts.sandbox.transitions import Walk


class BranchNode:
    """Runs the node that its conditions chose; the others never come to be."""

    def advance(self, walk: Walk, place: Place, state: NodeState) -> None:
        """Choose, or go on with what was chosen; its outputs become the branch's."""
        if state.outcome is Outcome.FAILED:
            walk.fail_node(state, state.error or ExecutionError())
            return
        if not state.choice:
            walk.actions.append(ChooseBranch(place=place))
            return
        chosen = place.scope.inside(place, state, place.scope.graph.nodes[state.choice])
        if not walk.node(chosen):
            return
        inner = walk.snapshot.nodes[chosen.unique_id]
        error = inner.failure
        if error is not None:
            walk.fail_node(state, error)
        else:
            walk.actions.append(CompleteNode(unique_id=state.unique_id, source=chosen.unique_id))
