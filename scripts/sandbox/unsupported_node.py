"""Nodes that Flyte can run and the sandbox cannot yet: they fail, and say so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flyteidl.core.execution_pb2 import ExecutionError

from scripts.sandbox.nodes import NodeState, Place

if TYPE_CHECKING:
    from scripts.sandbox.transitions import Walk


class UnsupportedNode:
    """Fails as soon as it is reached."""

    def advance(self, walk: Walk, place: Place, state: NodeState) -> None:
        """Fail with a sentence that names the kind of node."""
        message = f"The sandbox does not run {state.kind.value} nodes yet; node {place.node.id} is one."
        walk.fail_node(state, ExecutionError(code="Unsupported", message=message, kind=ExecutionError.SYSTEM))
