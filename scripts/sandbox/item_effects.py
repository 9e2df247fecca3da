"""What is done for one item of an array node: its attempts are started, tried again and ended."""

from __future__ import annotations

from dataclasses import dataclass, replace

from flyteidl.admin.task_execution_pb2 import TaskExecution as Message
from flyteidl.core.catalog_pb2 import CACHE_HIT
from flyteidl.core.execution_pb2 import ExecutionError, TaskExecution
from flyteidl.core.literals_pb2 import LiteralMap

from scripts.sandbox.array_items import ItemState, Phase, item_inputs, item_task
from scripts.sandbox.array_resources import resource_of
from scripts.sandbox.attempt_table import LogUri, user_log
from scripts.sandbox.attempts import AttemptMaker, AttemptRef, ItemRef, Order
from scripts.sandbox.caching import Caching, Call, source_of
from scripts.sandbox.catalog import Hit, Worker
from scripts.sandbox.containers import NoContainer
from scripts.sandbox.item_table import ItemTable
from scripts.sandbox.nodes import Outcome, Place
from scripts.sandbox.results import unstartable
from scripts.sandbox.rounds import Round, Started
from scripts.sandbox.storage import INPUTS, OUTPUTS, Storage
from scripts.sandbox.templating import TemplateError


@dataclass(frozen=True, kw_only=True)
class Item:
    """One item as it stands; `message` is what clients see of all items, `inputs` are the whole node's."""

    round_: Round
    place: Place
    ref: ItemRef
    state: ItemState
    inputs: LiteralMap
    message: Message

    @property
    def attempt(self) -> AttemptRef:
        """Its current attempt."""
        return AttemptRef.of_item(self.round_.key, self.ref, self.state.attempt)

    @property
    def call(self) -> Call:
        """Its task, and of each list what it is given."""
        array = self.place.node.array_node
        return Call(
            task=item_task(self.place.scope.program.task(array.node.task_node.reference_id)),
            inputs=item_inputs(array, self.inputs, self.ref.index),
            worker=Worker(key=self.round_.key, node_id=self.ref.node_id, item=self.ref.index),
        )

    @property
    def order(self) -> Order:
        """What its current attempt is to run."""
        call = self.call
        return Order(
            ref=self.attempt,
            task=call.task,
            overrides=self.place.node.array_node.node.task_node.overrides,
            workflow=self.round_.snapshot.program.primary.template.id,
            config=self.round_.config,
            inputs=call.inputs,
            data_dir=self.place.data_dir,
        )


class ItemEffects:
    """Carries out what was decided about items."""

    def __init__(
        self, *, storage: Storage, items: ItemTable, maker: AttemptMaker, caching: Caching, log_uri: LogUri
    ) -> None:
        self._storage = storage
        self._items = items
        self._maker = maker
        self._caching = caching
        self._log_uri = log_uri

    def start(self, item: Item) -> None:
        """Start the current attempt, take its outputs from the catalog, or leave it waiting for them."""
        if item.state.attempt == 0:
            # propeller resolves an item's inputs to none, and stores that; the item reads the whole node's.
            self._storage.write(f"{item.place.data_dir}/{item.ref.index}/0/{INPUTS}", LiteralMap())
        call, order = item.call, item.order
        hit = self._caching.find(item.round_, call)
        if hit is not None:
            self._take(item, order, hit)
        elif self._caching.reserve(item.round_, call):
            self._run(item, order)

    def _take(self, item: Item, order: Order, hit: Hit) -> None:
        self._storage.write(f"{order.output_dir}/{OUTPUTS}", hit.outputs)
        resource_of(item.message, order.ref).cache_status = CACHE_HIT
        self._finish(item, Phase.SUCCEEDED, None)

    def _run(self, item: Item, order: Order) -> None:
        state = replace(item.state, phase=Phase.RUNNING, attempt_at=item.round_.at)
        resource = resource_of(item.message, order.ref)
        resource.phase = TaskExecution.RUNNING
        uri = self._log_uri(order.ref.namespace, order.ref.name)
        resource.logs.append(user_log(uri, f"-{item.ref.index}"))
        try:
            attempt = self._maker.make(order)
        except (NoContainer, TemplateError) as error:
            state = replace(state, outcome=Outcome.FAILED, error=unstartable(error))
        else:
            item.round_.starts.append(
                Started(ref=order.ref, attempt=attempt, task=order.task, output_dir=order.output_dir)
            )
        self._items.write(item.round_.key, item.ref, state)

    def retry(self, item: Item, *, system: bool) -> None:
        """Let an item wait for its next attempt."""
        self._stop(item)
        resource_of(item.message, item.attempt).phase = TaskExecution.FAILED
        again = ItemState(
            index=item.ref.index,
            attempt=item.state.attempt + 1,
            system_failures=item.state.system_failures + int(system),
        )
        self._items.write(item.round_.key, item.ref, again)

    def end(self, item: Item, error: ExecutionError | None) -> None:
        """Show an item as succeeded, its outputs kept if it is a cached one, or as failed."""
        self._stop(item)
        if error is None:
            call, order = item.call, item.order
            outputs = self._storage.read_or_empty(f"{order.output_dir}/{OUTPUTS}", LiteralMap)
            source = source_of(item.round_.key, call.task, f"n{item.ref.index}", item.state.attempt)
            kept = self._caching.keep(item.round_, call, outputs, source)
            resource_of(item.message, order.ref).cache_status = kept.cache_status
        self._finish(item, Phase.SUCCEEDED if error is None else Phase.FAILED, error)

    def _stop(self, item: Item) -> None:
        if item.state.phase is Phase.RUNNING and item.state.outcome is Outcome.NONE:
            item.round_.kills.append(item.attempt.pod)

    def _finish(self, item: Item, phase: Phase, error: ExecutionError | None) -> None:
        self._caching.release(item.call.worker)
        succeeded = phase is Phase.SUCCEEDED
        shown = TaskExecution.SUCCEEDED if succeeded else TaskExecution.FAILED
        resource_of(item.message, item.attempt).phase = shown
        self._items.write(item.round_.key, item.ref, replace(item.state, phase=phase, error=error))
