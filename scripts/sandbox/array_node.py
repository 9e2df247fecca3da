"""Array nodes (map tasks): one task that runs once for each item of the lists it is given.

Source: flytepropeller `nodes/array/handler.go`, `array/utils.go` (inferParallelism).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flyteidl.core.execution_pb2 import ExecutionError, NodeExecution
from flyteidl.core.workflow_pb2 import ArrayNode as Definition

from scripts.sandbox.actions import (
    CompleteArray,
    EndItem,
    EnterArray,
    ItemStep,
    RetryItem,
    StartItem,
    StepItems,
)
from scripts.sandbox.array_items import ItemState, Phase, failure_of, needed_successes
from scripts.sandbox.nodes import NodeState, Outcome, Place
from scripts.sandbox.retries import Again, after_failure, execution_limit, max_attempts, timeout_error

if TYPE_CHECKING:
    from scripts.sandbox.transitions import Walk

AT_ONCE = 25
"""How many items run at once where the node does not say. Flyte starts all and lets their pods wait for room
on a node; what runs here runs on one machine."""


class ArrayNode:
    """Starts items, lets each have its attempts, and ends when enough or too few can succeed."""

    def advance(self, walk: Walk, place: Place, state: NodeState) -> None:
        """Make items of the lists, or take the items that there are further."""
        if state.outcome is Outcome.FAILED:
            walk.fail_node(state, state.error or ExecutionError())
        elif state.phase == NodeExecution.QUEUED:
            if walk.take_slot():
                walk.actions.append(EnterArray(place=place))
        else:
            _advance_items(walk, place, state)


def _advance_items(walk: Walk, place: Place, state: NodeState) -> None:
    items = walk.snapshot.items.get(state.unique_id, ())
    ends = [step for item in items if (step := _end(walk, place, item)) is not None]
    errors = {step.index: step.error for step in ends if isinstance(step, EndItem) and step.error is not None}
    over = sum(item.over for item in items) + sum(isinstance(step, EndItem) for step in ends)
    failed = sum(item.phase is Phase.FAILED for item in items) + len(errors)
    is_lost = len(items) - failed < needed_successes(place.node.array_node, len(items))
    starts = [] if is_lost else _starts(walk, place, state, items, {step.index for step in ends})
    if ends or starts:
        walk.actions.append(StepItems(place=place, steps=(*ends, *starts)))
    if is_lost:
        walk.fail_node(state, failure_of(errors) if errors else _never_enough())
    elif over == len(items):
        walk.actions.append(CompleteArray(place=place))


def _never_enough() -> ExecutionError:
    """Return what Flyte says where more successes are asked for than there are items."""
    return ExecutionError(code="ArrayNodeFailing", message="Unknown reason", kind=ExecutionError.UNKNOWN)


def _end(walk: Walk, place: Place, item: ItemState) -> ItemStep | None:
    """Return what becomes of an item whose attempt has ended or takes too long; None where it goes on."""
    if item.phase is not Phase.RUNNING:
        return None
    if item.outcome is Outcome.SUCCEEDED:
        return EndItem(index=item.index)
    if item.outcome is Outcome.FAILED:
        return EndItem(index=item.index, error=item.error or ExecutionError())
    if item.outcome is Outcome.RETRYABLE:
        return _after(place, item, item.error or ExecutionError())
    limit = execution_limit(place.node.array_node.node)
    if limit is None or item.attempt_at is None:
        return None
    if walk.now >= item.attempt_at + limit:
        return _after(place, item, timeout_error(limit))
    walk.deadlines.append(item.attempt_at + limit)
    return None


def _after(place: Place, item: ItemState, error: ExecutionError) -> ItemStep:
    node = place.node.array_node.node
    answer = after_failure(
        error,
        attempt=item.attempt,
        system_failures=item.system_failures,
        attempts=max_attempts(node, place.scope.program.task(node.task_node.reference_id)),
    )
    if isinstance(answer, Again):
        return RetryItem(index=item.index, system=answer.system)
    return EndItem(index=item.index, error=answer)


def _starts(
    walk: Walk, place: Place, state: NodeState, items: tuple[ItemState, ...], stepping: set[int]
) -> list[ItemStep]:
    """Return which items begin: of those that are not over, the first ones that there is room for."""
    alive = [item for item in items if not item.over][: _room(place.node.array_node)]
    waiting = [item.index for item in alive if item.phase is Phase.WAITING and item.index not in stepping]
    free = [index for index in waiting if not walk.held_up(state.unique_id, index)]
    return [StartItem(index=index) for index in free]


def _room(node: Definition) -> int:
    return int(node.parallelism) or AT_ONCE
