"""Whether there is another attempt: two budgets, counted apart."""

from datetime import timedelta

import pytest
from flyteidl.core.execution_pb2 import ExecutionError
from flyteidl.core.tasks_pb2 import TaskTemplate
from flyteidl.core.workflow_pb2 import Node

from scripts.sandbox.retries import (
    Again,
    active_limit,
    after_failure,
    execution_limit,
    max_attempts,
    timeout_error,
)

USER, SYSTEM, UNKNOWN = ExecutionError.USER, ExecutionError.SYSTEM, ExecutionError.UNKNOWN


@pytest.mark.parametrize(
    ("kind", "attempt", "system_failures", "attempts", "expected"),
    [
        pytest.param(USER, 0, 0, 1, "[1/1]", id="no retries"),
        pytest.param(USER, 0, 0, 2, Again(system=False), id="one is left"),
        pytest.param(USER, 1, 0, 2, "[2/2]", id="none is left"),
        pytest.param(USER, 2, 2, 2, Again(system=False), id="system failures do not count"),
        pytest.param(USER, 3, 2, 2, "[2/2]", id="until the user's own are used up"),
        pytest.param(UNKNOWN, 0, 0, 1, "[1/1]", id="of unknown kind: the user's budget"),
        pytest.param(SYSTEM, 0, 0, 1, Again(system=True), id="a system failure, whatever retries says"),
        pytest.param(SYSTEM, 2, 2, 1, Again(system=True), id="the third"),
        pytest.param(SYSTEM, 3, 3, 1, "[3/3]", id="the fourth is the last"),
    ],
)
def test_after_a_failure(
    kind: ExecutionError.ErrorKind, attempt: int, system_failures: int, attempts: int, expected: object
) -> None:
    error = ExecutionError(code="Code", message="why", kind=kind)
    answer = after_failure(error, attempt=attempt, system_failures=system_failures, attempts=attempts)
    if isinstance(expected, Again):
        assert answer == expected
        return
    assert isinstance(answer, ExecutionError)
    name = ExecutionError.ErrorKind.Name(kind)
    assert answer.message == f"{expected} currentAttempt done. Last Error: {name}::why"
    assert (answer.code, answer.kind) == ("RetriesExhausted|Code", USER)


@pytest.mark.parametrize(("node", "task", "attempts"), [(0, 0, 1), (0, 2, 3), (1, 2, 2)])
def test_a_nodes_own_retries_come_before_its_tasks(node: int, task: int, attempts: int) -> None:
    of_node, of_task = Node(), TaskTemplate()
    of_node.metadata.retries.retries = node
    of_task.metadata.retries.retries = task
    assert max_attempts(of_node, of_task) == attempts


def test_without_a_timeout_there_is_no_limit() -> None:
    assert (execution_limit(Node()), active_limit(Node())) == (None, None)


def test_all_attempts_together_have_twice_the_timeout() -> None:
    node = Node()
    node.metadata.timeout.FromTimedelta(timedelta(seconds=8))
    assert (execution_limit(node), active_limit(node)) == (timedelta(seconds=8), timedelta(seconds=16))


def test_a_timeout_is_the_users_error() -> None:
    error = timeout_error(timedelta(minutes=1, seconds=30))
    assert (error.code, error.kind) == ("TimeoutExpired", USER)
    assert error.message == "task execution timeout [1m30s] expired"
