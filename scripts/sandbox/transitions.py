"""What happens next in an execution, decided from how it stands and what time it is; nothing is done here.

The workflow is walked as propeller walks it: a node begins when all before it have succeeded; when one
failed, the rest is ended at once, or goes on as far as it can, as the workflow's policy says. Nodes that
hold others are asked to advance, and walk what they hold. Source: flytepropeller
`controller/workflow/executor.go`, `controller/nodes/executor.go`, `controller/nodes/predicate.go`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from flyteidl.core.execution_pb2 import ExecutionError, NodeExecution, WorkflowExecution

from scripts.sandbox.actions import (
    AbortNode,
    Action,
    BeginExecution,
    EndExecution,
    FailExecution,
    FailNode,
    RetryNode,
    SkipNode,
    StartNode,
    TimeOutNode,
)
from scripts.sandbox.catalog import NO_ITEM
from scripts.sandbox.graph import END
from scripts.sandbox.node_kinds import COUNTED, KINDS, UNSUPPORTED
from scripts.sandbox.nodes import DONE, NodeState, Outcome, Place, Scope, Snapshot
from scripts.sandbox.retries import (
    Again,
    active_limit,
    after_failure,
    execution_limit,
    max_attempts,
    timeout_error,
)

FAILURE_REASON = "Some node execution failed, auto-abort."
ABORT_REASON = "Workflow aborted."
_RESERVATION_POLL = timedelta(seconds=0.5)
_NOT_STARTED = (WorkflowExecution.UNDEFINED, WorkflowExecution.QUEUED)


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What to do now, in order, and when to look again if nothing else happens before."""

    actions: tuple[Action, ...]
    look_again_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Status:
    """How a scope stands: `ended` without an error is success."""

    ended: bool = False
    error: ExecutionError | None = None


RUNNING, SUCCEEDED = Status(), Status(ended=True)


def decide(snapshot: Snapshot, now: datetime) -> Decision:
    """Return what is to be done in an execution that has not ended."""
    walk = Walk(snapshot, now)
    top = Scope(program=snapshot.program, graph=snapshot.program.primary, folder=snapshot.folder)
    if snapshot.phase == WorkflowExecution.ABORTING:
        walk.end_all(ABORT_REASON)
        walk.actions.append(EndExecution(phase=WorkflowExecution.ABORTED))
    elif snapshot.phase in _NOT_STARTED:
        walk.actions.append(BeginExecution(scope=top))
    elif snapshot.phase == WorkflowExecution.FAILING:
        walk.fail(top)
    else:
        walk.run(top)
    return Decision(actions=tuple(walk.actions), look_again_at=min(walk.deadlines, default=None))


@dataclass
class Walk:
    """One pass over an execution. Node kinds add actions to it and walk the scopes they hold."""

    snapshot: Snapshot
    now: datetime
    actions: list[Action] = field(default_factory=list)
    deadlines: list[datetime] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._running = sum(
            state.kind in COUNTED and state.phase == NodeExecution.RUNNING
            for state in self.snapshot.nodes.values()
        )

    def take_slot(self) -> bool:
        """Say whether one more task or launch plan may run, and count it if so."""
        most = self.snapshot.max_parallelism
        if most and self._running >= most:
            return False
        self._running += 1
        return True

    def held_up(self, unique_id: str, item: int = NO_ITEM) -> bool:
        """Say whether a node, or an item of one, waits for a cached result; if so, look again soon."""
        waits = (unique_id, item) in self.snapshot.held_up
        if waits:
            self.deadlines.append(self.now + _RESERVATION_POLL)
        return waits

    def run(self, top: Scope) -> None:
        """Advance a running execution."""
        status = self.scope(top)
        if status.error is not None:
            self.actions.append(FailExecution(error=status.error))
        elif status.ended:
            end = top.unique_id(END)
            self.actions.append(EndExecution(phase=WorkflowExecution.SUCCEEDED, end=end))

    def fail(self, top: Scope) -> None:
        """Bring a failing execution to its end: end what runs, then run the failure node if there is one."""
        status = self.failure_node(top, self.snapshot.error or ExecutionError())
        if status.ended:
            self.actions.append(EndExecution(phase=WorkflowExecution.FAILED, error=status.error))

    def scope(self, scope: Scope) -> Status:
        """Advance the nodes of a scope and say how it stands."""
        failed = self._failure(scope)
        if failed is not None and not self.snapshot.program.finishes_others:
            return failed
        all_ended = True
        for node_id in scope.graph.order:
            place = scope.place(scope.graph.nodes[node_id])
            all_ended = self.node(place) and all_ended
        if not all_ended:
            return RUNNING
        return failed or SUCCEEDED

    def _failure(self, scope: Scope) -> Status | None:
        """Return the failure of the last node that failed, in the order of the definition."""
        found = None
        for node_id in scope.graph.order:
            state = self.snapshot.nodes.get(scope.unique_id(node_id))
            if state is not None and (failure := state.failure) is not None:
                found = Status(ended=True, error=failure)
        return found

    def node(self, place: Place) -> bool:
        """Advance one node, and say whether it had ended before."""
        state = self.snapshot.nodes.get(place.unique_id)
        if state is None:
            self._start(place)
            return False
        if state.ended:
            return True
        self.advance(place, state)
        return False

    def _start(self, place: Place) -> None:
        before = [self.snapshot.nodes.get(place.scope.unique_id(node_id)) for node_id in self.upstream(place)]
        if any(state is None or not state.ended for state in before):
            return
        succeeded = all(state is not None and state.phase in DONE for state in before)
        self.actions.append(StartNode(place=place) if succeeded else SkipNode(place=place))

    def upstream(self, place: Place) -> list[str]:
        """Return what a node waits for; one inside a branch does not wait for the branch it is in."""
        names = place.scope.graph.upstream.get(place.node.id, ())
        if place.parent == place.scope.parent:
            return list(names)
        return [name for name in names if name in place.scope.graph.order and not self._holds(name, place)]

    def _holds(self, name: str, place: Place) -> bool:
        return place.scope.unique_id(name) == place.parent

    def advance(self, place: Place, state: NodeState) -> None:
        """Let a node that has begun go on: settle its attempt, mind its time limits, ask its kind."""
        if state.outcome is Outcome.RETRYABLE:
            self._retry(place, state, state.error or ExecutionError())
            return
        if state.outcome in (Outcome.NONE, Outcome.DYNAMIC) and self._out_of_time(place, state):
            return
        KINDS.get(state.kind, UNSUPPORTED).advance(self, place, state)

    def _retry(self, place: Place, state: NodeState, error: ExecutionError) -> None:
        task = None
        if place.node.HasField("task_node"):
            task = place.scope.program.task(place.node.task_node.reference_id)
        answer = after_failure(
            error,
            attempt=state.attempt,
            system_failures=state.system_failures,
            attempts=max_attempts(place.node, task),
        )
        if isinstance(answer, Again):
            self.actions.append(RetryNode(unique_id=state.unique_id, system=answer.system))
        else:
            self.fail_node(state, answer)

    def _out_of_time(self, place: Place, state: NodeState) -> bool:
        """Time a node or its attempt out, or note when that would be."""
        whole, attempt = active_limit(place.node), execution_limit(place.node)
        if whole is None or attempt is None:
            return False
        if state.queued_at is not None:
            if self.now >= state.queued_at + whole:
                self.end_below(state.unique_id, FAILURE_REASON)
                self.actions.append(TimeOutNode(unique_id=state.unique_id))
                return True
            self.deadlines.append(state.queued_at + whole)
        if state.attempt_at is not None:
            if self.now >= state.attempt_at + attempt:
                self.end_below(state.unique_id, FAILURE_REASON)
                self._retry(place, state, timeout_error(attempt))
                return True
            self.deadlines.append(state.attempt_at + attempt)
        return False

    def failure_node(self, scope: Scope, error: ExecutionError) -> Status:
        """Run what a scope has for its failure, after ending all that still runs in it."""
        node = scope.graph.failure_node
        place = None if node is None else scope.place(node)
        spared = "" if place is None else place.unique_id
        self.end_below(scope.parent, FAILURE_REASON, spared=spared)
        if place is None:
            return Status(ended=True, error=error)
        state = self.snapshot.nodes.get(place.unique_id)
        if state is None:
            self.actions.append(StartNode(place=place, failure=error))
            return RUNNING
        if not state.ended:
            self.advance(place, state)
            return RUNNING
        if state.phase == NodeExecution.TIMED_OUT:
            late = ExecutionError(code="TimedOut", message="FailureNode Timed-out", kind=ExecutionError.USER)
            return Status(ended=True, error=late)
        return Status(ended=True, error=state.failure or error)

    def fail_node(self, state: NodeState, error: ExecutionError) -> None:
        """Show a node as failed, after ending all that still runs in it."""
        self.end_below(state.unique_id, FAILURE_REASON)
        self.actions.append(FailNode(unique_id=state.unique_id, error=error))

    def end_below(self, unique_id: str, reason: str, *, spared: str = "") -> None:
        """End what runs inside a node ('' for all), but for the node `spared` and what is inside that."""
        for state in self.snapshot.nodes.values():
            if state.parent_id == unique_id and state.unique_id != spared:
                if not state.ended:
                    self.actions.append(AbortNode(unique_id=state.unique_id, reason=reason))
                self.end_below(state.unique_id, reason)

    def end_all(self, reason: str) -> None:
        """End everything that runs."""
        self.end_below("", reason)
