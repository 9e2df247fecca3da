"""How executions end badly: codes, attempts, failure nodes, decks, aborts."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import grpc
import pytest
from flyteidl.admin.execution_pb2 import Execution, ExecutionTerminateRequest
from flyteidl.admin.signal_pb2 import SignalSetRequest
from flyteidl.core.execution_pb2 import ExecutionError, NodeExecution, TaskExecution, WorkflowExecution
from flyteidl.core.identifier_pb2 import SignalIdentifier, WorkflowExecutionIdentifier
from flyteidl.service.dataproxy_pb2 import (
    ARTIFACT_TYPE_DECK,
    CreateDownloadLinkRequest,
    CreateDownloadLinkResponse,
)
from grpc import StatusCode

from tests.conformance.entities import integer
from tests.conformance.flyte import Flyte, refused

Runs = Callable[..., WorkflowExecutionIdentifier]
PLANS = [f"failures.{name}" for name in ("exhausts", "process_exits", "handled", "finishes_others")]
PLANS += [f"more.{name}" for name in ("own_code", "process_killed", "handler_fails", "unknown_image")]


@pytest.fixture(scope="module", autouse=True)
def all_at_once(registered: Flyte, runs: Runs) -> None:
    runs("more.deck", seconds=20)
    runs("failures.times_out")
    for plan in PLANS:
        runs(plan)


def failed(flyte: Flyte, id_: WorkflowExecutionIdentifier) -> ExecutionError:
    execution: Execution = flyte.ended(id_)
    assert execution.closure.phase == WorkflowExecution.FAILED
    return execution.closure.error


def count(flyte: Flyte, id_: WorkflowExecutionIdentifier, node: str = "n0") -> int:
    return len(flyte.attempts(flyte.nodes(id_)[node]))


def test_a_deck_can_be_read_while_its_task_runs_and_after_it_failed(registered: Flyte, runs: Runs) -> None:
    id_ = runs("more.deck", seconds=20)

    def link() -> CreateDownloadLinkResponse | None:
        nodes = registered.nodes(id_)
        if "n0" not in nodes or not nodes["n0"].closure.deck_uri:
            return None
        request = CreateDownloadLinkRequest(
            artifact_type=ARTIFACT_TYPE_DECK, node_execution_id=nodes["n0"].id
        )
        try:
            return registered.data_proxy.CreateDownloadLink(request)
        except grpc.RpcError:
            return None

    assert registered.until(link, bool)
    assert registered.execution(id_).closure.phase == WorkflowExecution.RUNNING
    assert failed(registered, id_).code == "USER:RuntimeError"
    assert registered.nodes(id_)["n0"].closure.deck_uri.endswith("/deck.html")
    assert link()


def test_an_exception_is_not_retried(registered: Flyte, runs: Runs) -> None:
    id_ = runs("failures.handled")
    error = failed(registered, id_)
    assert (error.code, error.kind) == ("USER:RuntimeError", ExecutionError.USER)
    assert "ValueError: a plain user error" in error.message
    assert count(registered, id_) == 1


def test_an_exceptions_own_code_becomes_the_executions(registered: Flyte, runs: Runs) -> None:
    id_ = runs("more.own_code")
    assert failed(registered, id_).code == "CONF:Refused"
    assert count(registered, id_) == 1


def test_a_recoverable_exception_is_retried_until_the_budget_is_spent(registered: Flyte, runs: Runs) -> None:
    id_ = runs("failures.exhausts")
    error = failed(registered, id_)
    assert error.code == "RetriesExhausted|USER:Recoverable"
    assert error.message.startswith("[2/2] currentAttempt done. Last Error: USER::")
    attempts = registered.attempts(registered.nodes(id_)["n0"])
    assert [attempt.id.retry_attempt for attempt in attempts] == [0, 1]
    assert {attempt.closure.phase for attempt in attempts} == {TaskExecution.FAILED}


def test_an_exit_code_is_retried(registered: Flyte, runs: Runs) -> None:
    id_ = runs("failures.process_exits")
    # A container that is gone before the kubelet has looked is taken for one that the system interrupted.
    assert (failed(registered, id_).code, count(registered, id_)) in (
        ("RetriesExhausted|Error", 2),
        ("RetriesExhausted|Interrupted", 4),
    )


def test_a_killed_process_counts_as_the_systems_fault(registered: Flyte, runs: Runs) -> None:
    id_ = runs("more.process_killed")
    assert failed(registered, id_).code.startswith("RetriesExhausted|")
    assert count(registered, id_) == 4


def test_the_time_of_all_attempts_together_is_twice_the_timeout(registered: Flyte, runs: Runs) -> None:
    id_ = runs("failures.times_out")
    error = failed(registered, id_)
    assert (error.code, error.message) == ("Timeout", "Timeout in node")
    assert registered.nodes(id_)["n0"].closure.phase == NodeExecution.TIMED_OUT


def test_a_failure_node_runs_and_the_error_stays(registered: Flyte, runs: Runs) -> None:
    id_ = runs("failures.handled")
    assert failed(registered, id_).code == "USER:RuntimeError"
    nodes = registered.nodes(id_)
    # It succeeds only if it was given the error, with its own id as that of the failed node.
    assert nodes["fn0"].closure.phase == NodeExecution.SUCCEEDED
    assert nodes["n0"].closure.phase == NodeExecution.FAILED


def test_a_failure_node_that_fails_replaces_the_error(registered: Flyte, runs: Runs) -> None:
    error = failed(registered, runs("more.handler_fails"))
    assert error.code == "USER:RuntimeError"
    assert "KeyError" in error.message


def test_independent_nodes_may_finish_first(registered: Flyte, runs: Runs) -> None:
    id_ = runs("failures.finishes_others")
    assert failed(registered, id_).code == "USER:RuntimeError"
    nodes = registered.nodes(id_)
    assert {name: node.closure.phase for name, node in nodes.items()} == {
        "n0": NodeExecution.FAILED,
        "n1": NodeExecution.SUCCEEDED,
    }
    assert count(registered, id_, "n1") == 3


def terminate(flyte: Flyte, id_: WorkflowExecutionIdentifier, cause: str) -> None:
    flyte.admin.TerminateExecution(ExecutionTerminateRequest(id=id_, cause=cause))


def running(flyte: Flyte, id_: WorkflowExecutionIdentifier) -> NodeExecution:
    nodes = flyte.until(
        lambda: flyte.nodes(id_),
        lambda seen: bool(seen) and seen["n0"].closure.phase == NodeExecution.RUNNING,
    )
    return nodes["n0"]


def test_an_abort_ends_the_execution_without_its_failure_node(registered: Flyte) -> None:
    id_ = registered.launch("more.aborted")
    running(registered, id_)
    terminate(registered, id_, "enough seen")
    execution = registered.ended(id_)
    assert execution.closure.phase == WorkflowExecution.ABORTED
    assert execution.closure.abort_metadata.cause == "enough seen"
    assert "fn0" not in registered.nodes(id_)
    with refused(StatusCode.FAILED_PRECONDITION, "Cannot abort an already terminated workflow execution"):
        terminate(registered, id_, "again")


def test_an_abort_takes_the_children_along(registered: Flyte) -> None:
    id_ = registered.launch("more.child_sleeps")
    node = running(registered, id_)
    child = node.closure.workflow_node_metadata.executionId
    running(registered, child)
    terminate(registered, id_, "enough seen")
    assert registered.ended(id_).closure.phase == WorkflowExecution.ABORTED
    assert registered.ended(child).closure.phase == WorkflowExecution.ABORTED


def test_a_signal_is_refused_before_somebody_waits_for_it(registered: Flyte, runs: Runs) -> None:
    id_ = SignalIdentifier(signal_id="approve", execution_id=runs("failures.handled"))
    with refused(StatusCode.INVALID_ARGUMENT, "failed to validate that signal", "exists"):
        registered.signals.SetSignal(SignalSetRequest(id=id_, value=integer(1)))


def test_the_name_of_an_ended_execution_is_still_taken(registered: Flyte) -> None:
    name = f"again-{uuid.uuid4().hex[:8]}"
    registered.ended(registered.launch("raw.no_output", name=name))
    with refused(StatusCode.ALREADY_EXISTS):
        registered.launch("raw.no_output", name=name)


@pytest.mark.sandbox_only
def test_an_unknown_image_is_named_with_what_can_be_done(
    registered: Flyte, runs: Runs, request: pytest.FixtureRequest
) -> None:
    """A process needs the command that adds it; an engine says why it cannot be pulled."""
    error = failed(registered, runs("more.unknown_image"))
    if request.config.getoption("--runtime") == "docker":
        assert 'Back-off pulling image "registry.example.com/absent:1": ' in error.message
        return
    assert "no image 'registry.example.com/absent:1' on this machine" in error.message
    assert "taxiway image add registry.example.com/absent:1 --prefix DIR" in error.message
