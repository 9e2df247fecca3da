"""Launch-plan nodes: each creates an execution of its own and ends as that one ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flyteidl.core.execution_pb2 import ExecutionError, NodeExecution, WorkflowExecution

from scripts.sandbox.actions import CompleteNode, LaunchChild
from scripts.sandbox.nodes import ChildState, NodeState, Outcome, Place

if TYPE_CHECKING:
    from scripts.sandbox.transitions import Walk


class LaunchPlanNode:
    """Launches its child, and waits for it."""

    def advance(self, walk: Walk, place: Place, state: NodeState) -> None:
        """Launch the child, or end as it did."""
        if state.outcome is Outcome.FAILED:
            walk.fail_node(state, state.error or ExecutionError())
        elif state.phase == NodeExecution.QUEUED:
            if walk.take_slot():
                walk.actions.append(LaunchChild(place=place))
        else:
            self._settle(walk, state, walk.snapshot.children.get(state.child) or ChildState(phase=None))

    def _settle(self, walk: Walk, state: NodeState, child: ChildState) -> None:
        if child.phase == WorkflowExecution.SUCCEEDED:
            walk.actions.append(CompleteNode(unique_id=state.unique_id))
        elif child.phase == WorkflowExecution.FAILED:
            unknown = ExecutionError(code="LaunchPlanExecutionFailed", message="Unknown Error")
            walk.fail_node(state, child.error or unknown)
        elif child.phase == WorkflowExecution.ABORTED:
            walk.fail_node(state, _aborted(state))
        elif child.phase is None:
            gone = ExecutionError(
                code="NotFound",
                message=f"launch-plan not found: execution [{state.child}] is gone",
                kind=ExecutionError.SYSTEM,
            )
            walk.fail_node(state, gone)


def _aborted(state: NodeState) -> ExecutionError:
    message = (
        f"failed at Node[{state.node_id}]. RemoteChildWorkflowExecutionFailed: "
        f"launchplan [{state.child}] aborted, caused by: launchplan execution aborted"
    )
    return ExecutionError(
        code="RemoteChildWorkflowExecutionFailed", message=message, kind=ExecutionError.USER
    )
