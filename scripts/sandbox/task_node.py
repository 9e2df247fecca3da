"""Task nodes, and what a dynamic task turns into: a node that holds the workflow it wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flyteidl.core.execution_pb2 import ExecutionError, NodeExecution

from scripts.sandbox.actions import CacheOutputs, CompleteNode, ExpandDynamic, StartAttempt
from scripts.sandbox.cache_keys import is_cached
from scripts.sandbox.graph import END
from scripts.sandbox.nodes import NodeState, Outcome, Place

if TYPE_CHECKING:
    from scripts.sandbox.transitions import Walk


class TaskNode:
    """Starts attempts one after the other; walks what a dynamic attempt has made."""

    def advance(self, walk: Walk, place: Place, state: NodeState) -> None:
        """Start an attempt, or settle the one that has ended."""
        if state.phase == NodeExecution.DYNAMIC_RUNNING:
            self._advance_dynamic(walk, place, state)
        elif state.outcome is Outcome.SUCCEEDED:
            walk.actions.append(CompleteNode(unique_id=state.unique_id))
            self._keep_outputs(walk, place)
        elif state.outcome is Outcome.DYNAMIC:
            walk.actions.append(ExpandDynamic(place=place))
        elif state.outcome is Outcome.FAILED:
            walk.fail_node(state, state.error or ExecutionError())
        elif state.phase == NodeExecution.QUEUED and not walk.held_up(state.unique_id) and walk.take_slot():
            walk.actions.append(StartAttempt(place=place))

    def _advance_dynamic(self, walk: Walk, place: Place, state: NodeState) -> None:
        program = walk.snapshot.dynamics[state.unique_id]
        scope = place.scope.below(place, state, program, program.primary)
        status = walk.scope(scope)
        if status.error is not None:
            walk.fail_node(state, status.error)
        elif status.ended:
            has_outputs = bool(program.primary.template.outputs)
            source = scope.unique_id(END) if has_outputs else ""
            walk.actions.append(
                CompleteNode(unique_id=state.unique_id, source=source, has_outputs=has_outputs)
            )
            self._keep_outputs(walk, place)

    def _keep_outputs(self, walk: Walk, place: Place) -> None:
        if is_cached(place.scope.program.task(place.node.task_node.reference_id)):
            walk.actions.append(CacheOutputs(place=place))
