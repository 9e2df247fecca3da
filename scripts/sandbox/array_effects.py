"""What is done for array nodes: items are made and taken further, and what they gave is gathered.

Clients see one node and one attempt of it, whose external resources are the attempts of the items. Source:
flytepropeller `nodes/array/handler.go`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from flyteidl.core.execution_pb2 import ExecutionError, NodeExecution, TaskExecution
from flyteidl.core.literals_pb2 import LiteralMap

from scripts.sandbox import clock
from scripts.sandbox.actions import ItemStep, RetryItem, StartItem
from scripts.sandbox.array_items import BadArray, ItemState, Phase, array_size, gather
from scripts.sandbox.array_resources import resource_of
from scripts.sandbox.attempt_table import AttemptTable
from scripts.sandbox.attempts import AttemptRef, ItemRef
from scripts.sandbox.item_effects import Item, ItemEffects
from scripts.sandbox.item_table import ItemTable
from scripts.sandbox.node_table import NodeRecord, NodeTable
from scripts.sandbox.nodes import Outcome, Place
from scripts.sandbox.results import Result
from scripts.sandbox.rounds import Round
from scripts.sandbox.storage import INPUTS, OUTPUTS, Storage


class ArrayEffects:
    """Carries out what was decided about array nodes."""

    def __init__(
        self,
        *,
        storage: Storage,
        nodes: NodeTable,
        attempts: AttemptTable,
        items: ItemTable,
        effects: ItemEffects,
    ) -> None:
        self._storage = storage
        self._nodes = nodes
        self._attempts = attempts
        self._items = items
        self._effects = effects

    def enter(self, round_: Round, place: Place) -> None:
        """Make the items of a node, or fail it where its lists do not fit each other."""
        array = place.node.array_node
        with self._nodes.changing(round_.key, place.unique_id, round_.at) as record:
            if not array.node.HasField("task_node"):
                message = f"The sandbox maps tasks only; node {place.node.id} maps something else."
                record.settle(Outcome.FAILED, ExecutionError(code="Unsupported", message=message))
                return
            try:
                size = array_size(array, self._inputs(record))
            except BadArray as error:
                user = ExecutionError.USER
                broken = ExecutionError(code="InvalidArrayLength", message=str(error), kind=user)
                record.settle(Outcome.FAILED, broken)
                return
            record.show(NodeExecution.RUNNING, round_.at)
            record.attempt_at = clock.to_text(round_.at)
            self._add_items(round_, place, record, size)

    def _add_items(self, round_: Round, place: Place, record: NodeRecord, size: int) -> None:
        task = place.scope.program.task(place.node.array_node.node.task_node.reference_id)
        self._items.add(round_.key, place.unique_id, record.attempt, size)
        uri = self._storage.uri(f"{record.data_dir}/{INPUTS}")
        self._attempts.add_array(round_.key, place.unique_id, record.attempt, task, round_.at, uri)
        with self._attempts.changing(round_.key, place.unique_id, record.attempt, round_.at) as message:
            for index in range(size):
                ref = ItemRef(place.unique_id, record.attempt, index)
                resource_of(message, AttemptRef.of_item(round_.key, ref, 0))

    def step(self, round_: Round, place: Place, steps: Iterable[ItemStep]) -> None:
        """Take some items further."""
        with self._shown(round_, place) as items:
            for step in steps:
                item = items[step.index]
                if isinstance(step, StartItem):
                    self._effects.start(item)
                elif isinstance(step, RetryItem):
                    self._effects.retry(item, system=step.system)
                else:
                    self._effects.end(item, step.error)

    def complete(self, round_: Round, place: Place) -> None:
        """Gather what the items gave, and show the node as succeeded."""
        task = place.scope.program.task(place.node.array_node.node.task_node.reference_id)
        with self._nodes.changing(round_.key, place.unique_id, round_.at) as record:
            items = self._items.states(round_.key, place.unique_id, record.attempt)
            results = (self._result(record, item) for item in items)
            gathered = gather(results, task.interface.outputs.variables)
            uri = self._storage.write(f"{record.output_dir}/{OUTPUTS}", gathered)
            record.message.closure.output_uri = uri
            record.show(NodeExecution.SUCCEEDED, round_.at)
        self._attempts.end(
            round_.key, place.unique_id, record.attempt, TaskExecution.SUCCEEDED, round_.at, output_uri=uri
        )

    def end(self, round_: Round, unique_id: str, attempt: int, error: ExecutionError | None) -> None:
        """End the items of a node that run, and show what stands for them as failed or as aborted."""
        items = self._items.states(round_.key, unique_id, attempt)
        phase = TaskExecution.ABORTED if error is None else TaskExecution.FAILED
        if not self._attempts.end(round_.key, unique_id, attempt, phase, round_.at, error=error):
            return
        with self._attempts.changing(round_.key, unique_id, attempt, round_.at) as message:
            for item in items:
                ref = AttemptRef.of_item(round_.key, ItemRef(unique_id, attempt, item.index), item.attempt)
                if item.phase is Phase.RUNNING:
                    round_.kills.append(ref.pod)
                if item.phase is Phase.RUNNING or (item.phase is Phase.WAITING and item.attempt):
                    resource_of(message, ref).phase = TaskExecution.ABORTED
                    self._write(ref, replace(item, phase=Phase.ABORTED))

    def settle(self, ref: AttemptRef, result: Result) -> bool:
        """Note how an attempt of an item ended; False where that does not matter any more."""
        state = None if ref.item is None else self._items.state(ref.key, ref.item)
        if state is None or state.phase is not Phase.RUNNING or state.attempt != ref.attempt:
            return False
        outcome, error = result.outcome, result.error
        if outcome is Outcome.DYNAMIC:
            message = "The sandbox does not run dynamic tasks as items of an array node."
            outcome, error = Outcome.FAILED, ExecutionError(code="Unsupported", message=message)
        self._write(ref, replace(state, outcome=outcome, error=error))
        return True

    def _write(self, ref: AttemptRef, state: ItemState) -> None:
        if ref.item is not None:
            self._items.write(ref.key, ref.item, state)

    @contextmanager
    def _shown(self, round_: Round, place: Place) -> Iterator[list[Item]]:
        """Give the items of a node, and write back what is changed of their shared message."""
        record = self._nodes.read(round_.key, place.unique_id)
        inputs = self._inputs(record)
        with self._attempts.changing(round_.key, place.unique_id, record.attempt, round_.at) as message:
            yield [
                Item(
                    round_=round_,
                    place=place,
                    ref=ItemRef(place.unique_id, record.attempt, state.index),
                    state=state,
                    inputs=inputs,
                    message=message,
                )
                for state in self._items.states(round_.key, place.unique_id, record.attempt)
            ]

    def _inputs(self, record: NodeRecord) -> LiteralMap:
        return self._storage.read_or_empty(f"{record.data_dir}/{INPUTS}", LiteralMap)

    def _result(self, record: NodeRecord, item: ItemState) -> LiteralMap | None:
        if item.phase is not Phase.SUCCEEDED:
            return None
        path = f"{record.output_dir}/{item.index}/{item.attempt}/{OUTPUTS}"
        return self._storage.read_or_empty(path, LiteralMap)
