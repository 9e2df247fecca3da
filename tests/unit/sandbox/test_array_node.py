"""What is decided about an array node, from snapshots put together by hand."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flyteidl.core.execution_pb2 import ExecutionError, NodeExecution
from flyteidl.core.workflow_pb2 import Node

from scripts.sandbox.actions import (
    Action,
    CompleteArray,
    EndItem,
    EnterArray,
    FailNode,
    ItemStep,
    RetryItem,
    StartItem,
    StepItems,
)
from scripts.sandbox.array_items import ItemState, Phase
from scripts.sandbox.array_node import AT_ONCE
from scripts.sandbox.nodes import Kind, NodeState, Outcome
from scripts.sandbox.transitions import Decision
from tests.unit.sandbox.test_transitions import (
    BOOM,
    NODE_RUNNING,
    NOW,
    QUEUED,
    START,
    SYSTEM,
    decided,
    program,
    state,
    task_node,
    workflow,
)

WAITING, RUNNING, SUCCEEDED, FAILED = Phase.WAITING, Phase.RUNNING, Phase.SUCCEEDED, Phase.FAILED


def array(*, parallelism: int = 0, retries: int = 0, timeout: float = 0, ratio: float = 1) -> Node:
    node = Node(id="n0")
    node.array_node.node.CopyFrom(task_node("inner", retries=retries, timeout=timeout))
    node.array_node.parallelism = parallelism
    node.array_node.min_success_ratio = ratio
    return node


def items(*phases: Phase) -> tuple[ItemState, ...]:
    return tuple(ItemState(index=index, phase=phase) for index, phase in enumerate(phases))


def ended(index: int, outcome: Outcome, error: ExecutionError | None = None, attempt: int = 0) -> ItemState:
    return ItemState(index=index, phase=RUNNING, outcome=outcome, error=error, attempt=attempt)


def decide(node: Node, *states: ItemState, held_up: frozenset[tuple[str, int]] = frozenset()) -> Decision:
    running = state("n0", NODE_RUNNING, kind=Kind.ARRAY)
    made = program(workflow([node]))
    return decided(made, START, running, items={"n0": states}, held_up=held_up)


def steps(decision: Decision) -> list[ItemStep]:
    return [step for action in decision.actions if isinstance(action, StepItems) for step in action.steps]


def kinds(decision: Decision) -> list[type[Action]]:
    return [type(action) for action in decision.actions]


def queued() -> NodeState:
    return state("n0", QUEUED, kind=Kind.ARRAY)


def test_a_queued_node_is_entered_when_there_is_room() -> None:
    made = program(workflow([array()]))
    assert kinds(decided(made, START, queued())) == [EnterArray]
    other = state("n1", NODE_RUNNING)
    assert kinds(decided(made, START, other, queued(), max_parallelism=1)) == []


def test_items_start_up_to_the_nodes_parallelism_in_their_order() -> None:
    node = array(parallelism=2)
    assert steps(decide(node, *items(WAITING, WAITING, WAITING))) == [StartItem(index=0), StartItem(index=1)]
    assert steps(decide(node, *items(SUCCEEDED, RUNNING, WAITING, WAITING))) == [StartItem(index=2)]
    assert steps(decide(node, *items(RUNNING, RUNNING, WAITING))) == []
    many = items(*[WAITING] * (AT_ONCE + 1))
    assert len(steps(decide(array(), *many))) == AT_ONCE


def test_an_item_that_waits_for_a_cached_result_is_looked_at_again_soon() -> None:
    decision = decide(array(), *items(WAITING, WAITING), held_up=frozenset({("n0", 0)}))
    assert steps(decision) == [StartItem(index=1)]
    assert decision.look_again_at is not None
    assert NOW < decision.look_again_at <= NOW + timedelta(seconds=1)


def test_the_node_is_complete_with_its_last_item() -> None:
    decision = decide(array(), *items(SUCCEEDED), ended(1, Outcome.SUCCEEDED))
    assert kinds(decision) == [StepItems, CompleteArray]
    assert steps(decision) == [EndItem(index=1)]
    assert kinds(decide(array())) == [CompleteArray]


@pytest.mark.parametrize(
    ("item", "step"),
    [
        (ended(0, Outcome.RETRYABLE, BOOM), RetryItem(index=0, system=False)),
        (ended(0, Outcome.RETRYABLE, SYSTEM), RetryItem(index=0, system=True)),
        (ended(0, Outcome.FAILED, BOOM), EndItem(index=0, error=BOOM)),
    ],
    ids=["its own error", "the system's error", "for good"],
)
def test_what_becomes_of_an_item_that_failed(item: ItemState, step: ItemStep) -> None:
    assert steps(decide(array(retries=1, ratio=0), item)) == [step]


def test_an_item_fails_when_its_retries_are_used_up() -> None:
    (step,) = steps(decide(array(retries=1, ratio=0), ended(0, Outcome.RETRYABLE, BOOM, attempt=1)))
    assert isinstance(step, EndItem)
    assert step.error is not None
    assert step.error.code == "RetriesExhausted|USER:X"


def test_too_many_failures_fail_the_node_and_start_nothing_more() -> None:
    decision = decide(array(parallelism=2), ended(0, Outcome.FAILED, BOOM), *items(RUNNING, WAITING)[1:])
    assert steps(decision) == [EndItem(index=0, error=BOOM)]
    (failure,) = (action for action in decision.actions if isinstance(action, FailNode))
    assert failure.error == ExecutionError(message="[0]: boom\n")


def test_failures_that_are_tolerated_let_the_others_go_on() -> None:
    half = array(ratio=0.5)
    running = ItemState(index=1, phase=RUNNING)
    assert kinds(decide(half, ended(0, Outcome.FAILED, BOOM), running)) == [StepItems]
    assert kinds(decide(half, *items(FAILED), ended(1, Outcome.SUCCEEDED))) == [StepItems, CompleteArray]
    assert kinds(decide(half, *items(FAILED), ended(1, Outcome.FAILED, BOOM))) == [StepItems, FailNode]


def test_an_item_has_the_time_that_the_inner_node_gives() -> None:
    def began(seconds: float) -> ItemState:
        return ItemState(index=0, phase=RUNNING, attempt_at=NOW - timedelta(seconds=seconds))

    in_time = decide(array(timeout=20), began(5))
    assert (in_time.actions, in_time.look_again_at) == ((), NOW + timedelta(seconds=15))
    assert steps(decide(array(timeout=20, retries=1), began(21))) == [RetryItem(index=0, system=False)]
    (late,) = steps(decide(array(timeout=20), began(21)))
    assert isinstance(late, EndItem)
    assert late.error is not None
    assert late.error.code == "RetriesExhausted|TimeoutExpired"


def test_a_node_that_could_not_be_entered_fails() -> None:
    broken = state("n0", QUEUED, kind=Kind.ARRAY, outcome=Outcome.FAILED, error=BOOM)
    decision = decided(program(workflow([array()])), START, broken)
    assert decision.actions == (FailNode(unique_id="n0", error=BOOM),)
    assert broken.phase == NodeExecution.QUEUED
