"""Carries out what was decided about an execution: rows, stored messages, attempts to start and to end.

All of one decision happens in one transaction; what cannot be taken back (starting and ending processes,
waking other executions) is noted in the `Round` and done after it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from flyteidl.core.execution_pb2 import ExecutionError, NodeExecution
from flyteidl.core.literals_pb2 import LiteralMap
from flyteidl.core.types_pb2 import ERROR

from scripts.sandbox import actions
from scripts.sandbox.array_effects import ArrayEffects
from scripts.sandbox.bindings import BindingError, resolve
from scripts.sandbox.caching import Caching
from scripts.sandbox.conditions import BranchFailed, choose
from scripts.sandbox.execution_rows import ExecutionRows
from scripts.sandbox.graph import START
from scripts.sandbox.launching import Launching
from scripts.sandbox.node_table import NodeTable
from scripts.sandbox.nodes import Kind, Outcome, Place
from scripts.sandbox.recovery import Recovery
from scripts.sandbox.rounds import Round
from scripts.sandbox.storage import INPUTS, OUTPUTS, Storage
from scripts.sandbox.task_effects import TaskEffects

log = logging.getLogger(__name__)


class Effects:
    """Knows for every action how it is carried out."""

    def __init__(
        self,
        *,
        storage: Storage,
        nodes: NodeTable,
        executions: ExecutionRows,
        tasks: TaskEffects,
        arrays: ArrayEffects,
        caching: Caching,
        launching: Launching,
        recovery: Recovery,
    ) -> None:
        self._storage = storage
        self._nodes = nodes
        self._executions = executions
        self._tasks = tasks
        self._arrays = arrays
        self._caching = caching
        self._launching = launching
        self._recovery = recovery
        self._how: dict[type, Callable[[Round, Any], None]] = {
            actions.BeginExecution: self._begin,
            actions.FailExecution: self._fail_execution,
            actions.EndExecution: self._end_execution,
            actions.StartNode: self._start_node,
            actions.SkipNode: self._skip_node,
            actions.StartAttempt: self._start_attempt,
            actions.RetryNode: self._retry_node,
            actions.EnterScope: self._enter_scope,
            actions.ChooseBranch: self._choose,
            actions.ExpandDynamic: self._expand,
            actions.CacheOutputs: self._cache_outputs,
            actions.EnterArray: self._enter_array,
            actions.StepItems: self._step_items,
            actions.CompleteArray: self._complete_array,
            actions.LaunchChild: self._launch,
            actions.CompleteNode: self._complete,
            actions.FailNode: self._fail_node,
            actions.HoldFailure: self._hold_failure,
            actions.TimeOutNode: self._time_out,
            actions.AbortNode: self._abort,
        }

    def carry_out(self, round_: Round, action: actions.Action) -> None:
        """Do one thing that was decided."""
        log.debug("%s: %s", round_.key, type(action).__name__)
        self._how[type(action)](round_, action)

    def _begin(self, round_: Round, action: actions.BeginExecution) -> None:
        inputs = self._executions.begin(round_.key, round_.at)
        self._enter(round_, action.scope.place(action.scope.graph.nodes[START]), inputs)

    def _fail_execution(self, round_: Round, action: actions.FailExecution) -> None:
        self._executions.failing(round_.key, action.error, round_.at)

    def _end_execution(self, round_: Round, action: actions.EndExecution) -> None:
        outputs = ""
        if action.end:
            outputs = self._storage.uri(f"{self._nodes.read(round_.key, action.end).output_dir}/{OUTPUTS}")
        parent = self._executions.end(
            round_.key, action.phase, round_.at, error=action.error, outputs=outputs
        )
        if parent is not None:
            round_.wakes.append(parent)

    def _start_node(self, round_: Round, action: actions.StartNode) -> None:
        place = action.place
        if self._recovery.take_over(round_, place):
            return
        try:
            inputs = resolve(place.node.inputs, lambda node_id: self._outputs_of(round_, place, node_id))
        except BindingError as error:
            self._nodes.add(round_.key, place, NodeExecution.QUEUED, round_.at)
            message = f"failed at Node[{place.node.id}]. BindingResolutionError: {error}"
            broken = ExecutionError(
                code="BindingResolutionFailure", message=message, kind=ExecutionError.SYSTEM
            )
            self._fail_node(round_, actions.FailNode(unique_id=place.unique_id, error=broken))
            return
        if action.failure is not None:
            _tell_failure(inputs, place, action.failure)
        self._storage.write(f"{place.data_dir}/{INPUTS}", inputs)
        if place.kind is Kind.END:
            self._storage.write(f"{place.data_dir}/0/{OUTPUTS}", inputs)
            self._nodes.add(round_.key, place, NodeExecution.SUCCEEDED, round_.at)
        else:
            self._nodes.add(round_.key, place, NodeExecution.QUEUED, round_.at)
            if place.kind is Kind.TASK:
                self._caching.begin_node(round_, place)

    def _outputs_of(self, round_: Round, place: Place, node_id: str) -> LiteralMap:
        state = round_.snapshot.nodes.get(place.scope.unique_id(node_id))
        if state is None:
            raise BindingError(f"Undefined node [{node_id}] in Workflow")
        return self._storage.read_or_empty(f"{state.output_dir}/{OUTPUTS}", LiteralMap)

    def _skip_node(self, round_: Round, action: actions.SkipNode) -> None:
        self._nodes.add(round_.key, action.place, NodeExecution.SKIPPED, round_.at)

    def _enter_scope(self, round_: Round, action: actions.EnterScope) -> None:
        scope = action.scope
        with self._nodes.changing(round_.key, scope.parent, round_.at) as record:
            record.show(NodeExecution.RUNNING, round_.at)
            inputs = self._storage.read_or_empty(f"{record.data_dir}/{INPUTS}", LiteralMap)
        self._enter(round_, scope.place(scope.graph.nodes[START]), inputs)

    def _enter(self, round_: Round, start: Place, inputs: LiteralMap) -> None:
        folder = f"{start.data_dir}/0"
        uri = self._storage.write(f"{folder}/{OUTPUTS}", inputs)
        self._nodes.add(round_.key, start, NodeExecution.SUCCEEDED, round_.at, output_uri=uri)

    def _choose(self, round_: Round, action: actions.ChooseBranch) -> None:
        place = action.place
        inputs = self._storage.read_or_empty(f"{place.data_dir}/{INPUTS}", LiteralMap)
        with self._nodes.changing(round_.key, place.unique_id, round_.at) as record:
            try:
                record.choice = choose(place.node.branch_node, inputs)
            except BranchFailed as failed:
                record.settle(Outcome.FAILED, failed.error)
            record.show(NodeExecution.RUNNING, round_.at)

    def _start_attempt(self, round_: Round, action: actions.StartAttempt) -> None:
        self._tasks.start(round_, action.place)

    def _expand(self, round_: Round, action: actions.ExpandDynamic) -> None:
        self._tasks.expand(round_, action.place)

    def _retry_node(self, round_: Round, action: actions.RetryNode) -> None:
        self._tasks.retry(round_, action.unique_id, system=action.system)

    def _cache_outputs(self, round_: Round, action: actions.CacheOutputs) -> None:
        self._caching.keep_node(round_, action.place)

    def _enter_array(self, round_: Round, action: actions.EnterArray) -> None:
        self._arrays.enter(round_, action.place)

    def _step_items(self, round_: Round, action: actions.StepItems) -> None:
        self._arrays.step(round_, action.place, action.steps)

    def _complete_array(self, round_: Round, action: actions.CompleteArray) -> None:
        self._arrays.complete(round_, action.place)

    def _launch(self, round_: Round, action: actions.LaunchChild) -> None:
        self._launching.launch(round_, action.place)

    def _complete(self, round_: Round, action: actions.CompleteNode) -> None:
        with self._nodes.changing(round_.key, action.unique_id, round_.at) as record:
            outputs = f"{record.output_dir}/{OUTPUTS}"
            if action.source:
                source = self._nodes.read(round_.key, action.source)
                self._storage.copy(f"{source.output_dir}/{OUTPUTS}", outputs)
            if record.child:
                self._launching.copy_outputs(round_, record.child, outputs)
            if action.has_outputs:
                record.message.closure.output_uri = self._storage.uri(outputs)
            self._tasks.describe(round_, action.unique_id, record)
            record.show(NodeExecution.SUCCEEDED, round_.at)

    def _fail_node(self, round_: Round, action: actions.FailNode) -> None:
        self._tasks.end_attempt(round_, action.unique_id, action.error)
        with self._nodes.changing(round_.key, action.unique_id, round_.at) as record:
            record.settle(Outcome.FAILED, action.error)
            record.message.closure.error.CopyFrom(action.error)
            self._tasks.describe(round_, action.unique_id, record)
            record.show(NodeExecution.FAILED, round_.at)

    def _hold_failure(self, round_: Round, action: actions.HoldFailure) -> None:
        with self._nodes.changing(round_.key, action.unique_id, round_.at) as record:
            record.settle(Outcome.FAILING, action.error)

    def _time_out(self, round_: Round, action: actions.TimeOutNode) -> None:
        self._tasks.end_attempt(round_, action.unique_id)
        with self._nodes.changing(round_.key, action.unique_id, round_.at) as record:
            record.show(NodeExecution.TIMED_OUT, round_.at)

    def _abort(self, round_: Round, action: actions.AbortNode) -> None:
        self._tasks.end_attempt(round_, action.unique_id)
        with self._nodes.changing(round_.key, action.unique_id, round_.at) as record:
            if record.child:
                self._launching.end(round_, record.child, action.reason)
            error = ExecutionError(code="NodeAborted", message=action.reason)
            record.error = error.SerializeToString()
            record.message.closure.error.CopyFrom(error)
            record.show(NodeExecution.ABORTED, round_.at)


def _tell_failure(inputs: LiteralMap, place: Place, failure: ExecutionError) -> None:
    """Give a failure node the error, if it asks for one (propeller's ResolveErrorInputLiteralData)."""
    if "err" not in inputs.literals:
        return
    literal = inputs.literals["err"]
    literal.Clear()
    union = literal.scalar.union
    union.type.simple, union.type.structure.tag = ERROR, "FlyteError"
    union.value.scalar.error.message = failure.message
    union.value.scalar.error.failed_node_id = place.node.id
