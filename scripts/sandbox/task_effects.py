"""What is done for task nodes: attempts are started, retried, ended; what a dynamic wrote is compiled."""

from __future__ import annotations

from flyteidl.core.compiler_pb2 import CompiledWorkflowClosure
from flyteidl.core.execution_pb2 import ExecutionError, NodeExecution, TaskExecution
from flyteidl.core.literals_pb2 import LiteralMap

from scripts.sandbox import clock
from scripts.sandbox.array_effects import ArrayEffects
from scripts.sandbox.attempt_table import AttemptTable, LogUri
from scripts.sandbox.attempts import AttemptMaker, AttemptRef, Order
from scripts.sandbox.caching import Caching
from scripts.sandbox.catalog import Worker
from scripts.sandbox.containers import NoContainer
from scripts.sandbox.dynamics import DynamicBroken, Dynamics
from scripts.sandbox.graph import START, Program
from scripts.sandbox.node_table import NodeRecord, NodeTable
from scripts.sandbox.nodes import Outcome, Place
from scripts.sandbox.results import Result, unstartable
from scripts.sandbox.rounds import Round, Started
from scripts.sandbox.runtime import Exit
from scripts.sandbox.storage import DECK, FUTURES, INPUTS, OUTPUTS, Storage
from scripts.sandbox.templating import TemplateError


class TaskEffects:
    """Starts and ends attempts."""

    def __init__(
        self,
        *,
        storage: Storage,
        nodes: NodeTable,
        attempts: AttemptTable,
        maker: AttemptMaker,
        dynamics: Dynamics,
        arrays: ArrayEffects,
        caching: Caching,
        log_uri: LogUri,
    ) -> None:
        self._storage = storage
        self._nodes = nodes
        self._attempts = attempts
        self._maker = maker
        self._dynamics = dynamics
        self._arrays = arrays
        self._caching = caching
        self._log_uri = log_uri

    def start(self, round_: Round, place: Place) -> None:
        """Start the current attempt of a node, or fail the node if there is no way to.

        A node that waits while an equal call is made elsewhere stays as it is.
        """
        with self._nodes.changing(round_.key, place.unique_id, round_.at) as record:
            if not self._caching.admit_node(round_, place, record):
                return
            order = self._order(round_, place, record)
            task = order.task
            record.show(NodeExecution.RUNNING, round_.at)
            record.attempt_at = clock.to_text(round_.at)
            if task.metadata.generates_deck.value:
                record.message.closure.deck_uri = self._storage.uri(f"{record.output_dir}/{DECK}")
            self._attempts.add(
                round_.key,
                place.unique_id,
                record.attempt,
                task,
                round_.at,
                name=order.ref.name,
                input_uri=self._storage.uri(f"{record.data_dir}/{INPUTS}"),
                log_uri=self._log_uri(order.ref.namespace, order.ref.name),
            )
            try:
                attempt = self._maker.make(order)
            except (NoContainer, TemplateError) as error:
                broken = unstartable(error)
                self._show_failed(order.ref, round_, broken)
                record.settle(Outcome.FAILED, broken)
            else:
                round_.starts.append(
                    Started(ref=order.ref, attempt=attempt, task=task, output_dir=order.output_dir)
                )

    def _order(self, round_: Round, place: Place, record: NodeRecord) -> Order:
        return Order(
            ref=AttemptRef(key=round_.key, node_id=place.unique_id, attempt=record.attempt),
            task=place.scope.program.task(place.node.task_node.reference_id),
            overrides=place.node.task_node.overrides,
            workflow=round_.snapshot.program.primary.template.id,
            config=round_.config,
            inputs=self._storage.read_or_empty(f"{record.data_dir}/{INPUTS}", LiteralMap),
            data_dir=record.data_dir,
        )

    def _show_failed(self, ref: AttemptRef, round_: Round, error: ExecutionError) -> None:
        self._attempts.end(ref.key, ref.node_id, ref.attempt, TaskExecution.FAILED, round_.at, error=error)

    def settle(self, ref: AttemptRef, ended: Exit, result: Result) -> bool:
        """Note how an attempt ended; False where that does not matter any more."""
        if ref.item is not None:
            return self._arrays.settle(ref, result)
        if not self._nodes.exists(ref.key, ref.node_id):
            return False
        succeeded = result.error is None
        record = self._nodes.read(ref.key, ref.node_id)
        output_uri = self._storage.uri(f"{record.output_dir}/{OUTPUTS}") if succeeded else ""
        if record.attempt != ref.attempt or not self._attempts.end(
            ref.key,
            ref.node_id,
            ref.attempt,
            TaskExecution.SUCCEEDED if succeeded else TaskExecution.FAILED,
            max(ended.ended_at, ended.started_at),
            started_at=ended.started_at,
            error=result.error,
            output_uri=output_uri,
            reason=ended.reason.value,
        ):
            return False
        with self._nodes.changing(ref.key, ref.node_id, clock.now()) as changed:
            changed.settle(result.outcome, result.error)
        return True

    def retry(self, round_: Round, unique_id: str, *, system: bool) -> None:
        """Give a node its next attempt, after ending the one that runs if one does."""
        self.end_attempt(round_, unique_id)
        with self._nodes.changing(round_.key, unique_id, round_.at) as record:
            record.attempt += 1
            record.system_failures += int(system)
            record.attempt_at, record.closure = None, None
            record.settle(Outcome.NONE, None)
            record.phase = NodeExecution.QUEUED

    def end_attempt(self, round_: Round, unique_id: str, error: ExecutionError | None = None) -> None:
        """End the attempt of a node that runs, if one does, and show it as aborted.

        That of an array node runs until its node ends; if it fails, it is shown as failed with the error.
        """
        record = self._nodes.read(round_.key, unique_id)
        attempt = record.attempt
        self._caching.release(Worker(key=round_.key, node_id=unique_id))
        if record.message.metadata.is_array:
            self._arrays.end(round_, unique_id, attempt, error)
        elif self._attempts.end(round_.key, unique_id, attempt, TaskExecution.ABORTED, round_.at):
            round_.kills.append(AttemptRef(key=round_.key, node_id=unique_id, attempt=attempt).pod)

    def expand(self, round_: Round, place: Place) -> None:
        """Compile what a dynamic task wrote and begin it, or fail the node if it does not compile."""
        with self._nodes.changing(round_.key, place.unique_id, round_.at) as record:
            task = place.scope.program.task(place.node.task_node.reference_id)
            try:
                closure = self._dynamics.compile(place, record.output_dir, task, round_.key)
            except DynamicBroken as error:
                record.closure = None
                broken = ExecutionError(
                    code="DynamicWorkflowBuildFailed", message=str(error), kind=ExecutionError.USER
                )
                record.settle(Outcome.FAILED, broken)
                return
            self._show_dynamic(record, closure, round_)
        program = Program(closure)
        scope = place.scope.below(place, record, program, program.primary)
        start = scope.place(program.primary.nodes[START])
        uri = self._storage.uri(f"{start.data_dir}/0/{OUTPUTS}")
        self._nodes.add(round_.key, start, NodeExecution.SUCCEEDED, round_.at, output_uri=uri)

    def _show_dynamic(self, record: NodeRecord, closure: CompiledWorkflowClosure, round_: Round) -> None:
        record.closure = closure.SerializeToString()
        message = record.message
        message.metadata.is_dynamic = message.metadata.is_parent_node = True
        message.closure.dynamic_job_spec_uri = self._storage.uri(f"{record.output_dir}/{FUTURES}")
        message.closure.task_node_metadata.SetInParent()
        record.show(NodeExecution.DYNAMIC_RUNNING, round_.at)

    def describe(self, round_: Round, unique_id: str, record: NodeRecord) -> None:
        """Add what clients are told of a task node once it has ended: checkpoints, and its deck if any."""
        row = self._attempts.row(round_.key, unique_id, record.attempt)
        if row is None or record.message.metadata.is_array:
            return
        closure = record.message.closure
        ref = AttemptRef(key=round_.key, node_id=unique_id, attempt=record.attempt)
        if not record.message.metadata.is_dynamic:
            closure.task_node_metadata.checkpoint_uri = self._maker.checkpoints(ref, round_.config)
        deck = f"{record.output_dir}/{DECK}"
        written = self._storage.size(deck) is not None
        closure.deck_uri = self._storage.uri(deck) if written else ""
