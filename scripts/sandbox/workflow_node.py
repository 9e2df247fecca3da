"""Sub-workflow nodes: a workflow that runs inside a node, with a failure node of its own if it has one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flyteidl.core.execution_pb2 import ExecutionError, NodeExecution

from scripts.sandbox.actions import CompleteNode, EnterScope, HoldFailure
from scripts.sandbox.graph import END
from scripts.sandbox.nodes import NodeState, Outcome, Place

if TYPE_CHECKING:
    from scripts.sandbox.transitions import Walk


class WorkflowNode:
    """Walks its sub-workflow."""

    def advance(self, walk: Walk, place: Place, state: NodeState) -> None:
        """Enter the sub-workflow, go on in it, or bring its failure to an end."""
        program = place.scope.program
        graph = program.sub_workflow(place.node.workflow_node.sub_workflow_ref)
        scope = place.scope.below(place, state, program, graph)
        if state.phase == NodeExecution.QUEUED:
            walk.actions.append(EnterScope(scope=scope))
        elif state.outcome is Outcome.FAILING:
            failure = walk.failure_node(scope, state.error or ExecutionError())
            if failure.ended:
                walk.fail_node(state, failure.error or ExecutionError())
        else:
            status = walk.scope(scope)
            if status.error is not None:
                walk.actions.append(HoldFailure(unique_id=state.unique_id, error=status.error))
            elif status.ended:
                has_outputs = bool(graph.template.outputs)
                source = scope.unique_id(END) if has_outputs else ""
                walk.actions.append(
                    CompleteNode(unique_id=state.unique_id, source=source, has_outputs=has_outputs)
                )
