"""Whether a failed attempt is followed by another, and how long one may take.

Source: flytepropeller `nodes/executor.go` (isEligibleForRetry, execute), `transformers/k8s/node.go`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from flyteidl.core.execution_pb2 import ExecutionError
from flyteidl.core.tasks_pb2 import TaskTemplate
from flyteidl.core.workflow_pb2 import Node
from google.protobuf.duration_pb2 import Duration

from scripts.sandbox.gotext import duration_text

SYSTEM_RETRIES = 3


@dataclass(frozen=True, kw_only=True)
class Again:
    """There is another attempt; `system` says that it counts against the system's budget."""

    system: bool


def max_attempts(node: Node, task: TaskTemplate | None) -> int:
    """Return how many attempts a node has for errors of its own: the node's retries, else the task's."""
    own = node.metadata.retries.retries
    return 1 + (own or (task.metadata.retries.retries if task is not None else 0))


def after_failure(
    error: ExecutionError, *, attempt: int, system_failures: int, attempts: int
) -> Again | ExecutionError:
    """Return `Again`, or the error with which the node ends; `attempt` counts from 0."""
    if error.kind == ExecutionError.SYSTEM:
        current, most = system_failures, SYSTEM_RETRIES
    else:
        current, most = attempt + 1 - system_failures, attempts
    if current < most:
        return Again(system=error.kind == ExecutionError.SYSTEM)
    kind = ExecutionError.ErrorKind.Name(error.kind)
    return ExecutionError(
        code=f"RetriesExhausted|{error.code}",
        message=f"[{current}/{most}] currentAttempt done. Last Error: {kind}::{error.message}",
        kind=ExecutionError.USER,
    )


def execution_limit(node: Node) -> timedelta | None:
    """Return how long one attempt may take, None for no limit."""
    limit = node.metadata.timeout.ToTimedelta()
    return limit if limit > timedelta() else None


def active_limit(node: Node) -> timedelta | None:
    """Return how long all attempts together may take, waiting included: twice as long as one."""
    limit = execution_limit(node)
    return None if limit is None else 2 * limit


def timeout_error(limit: timedelta) -> ExecutionError:
    """Return the error of an attempt that took longer than `limit`."""
    length = Duration()
    length.FromTimedelta(limit)
    return ExecutionError(
        code="TimeoutExpired",
        message=f"task execution timeout [{duration_text(length)}] expired",
        kind=ExecutionError.USER,
    )
