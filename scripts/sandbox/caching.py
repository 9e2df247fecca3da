"""What the engine does with the data catalog: results are taken from it, kept in it, and waited for.

Source: flytepropeller `nodes/executor.go` (handleNotYetStartedNode, handleQueuedOrRunningNode),
`nodes/cache.go`.
"""

from __future__ import annotations

from dataclasses import dataclass

from flyteidl.admin.node_execution_pb2 import TaskNodeMetadata
from flyteidl.core.catalog_pb2 import CACHE_DISABLED, CACHE_HIT, CACHE_MISS, CACHE_POPULATED, CACHE_SKIPPED
from flyteidl.core.execution_pb2 import NodeExecution
from flyteidl.core.identifier_pb2 import TaskExecutionIdentifier
from flyteidl.core.literals_pb2 import LiteralMap
from flyteidl.core.tasks_pb2 import TaskTemplate

from scripts.sandbox.cache_keys import cache_key, is_cached, is_serialized
from scripts.sandbox.catalog import Catalog, Hit, Worker
from scripts.sandbox.ids import ExecutionKey
from scripts.sandbox.node_table import NodeRecord, NodeTable
from scripts.sandbox.nodes import Place
from scripts.sandbox.rounds import Round
from scripts.sandbox.storage import INPUTS, OUTPUTS, Storage


@dataclass(frozen=True, kw_only=True)
class Call:
    """A task with the inputs that it is given, and who wants its outputs."""

    task: TaskTemplate
    inputs: LiteralMap
    worker: Worker


class Caching:
    """Serves nodes and the items of array nodes."""

    def __init__(self, catalog: Catalog, nodes: NodeTable, storage: Storage) -> None:
        self._catalog = catalog
        self._nodes = nodes
        self._storage = storage

    def find(self, round_: Round, call: Call) -> Hit | None:
        """Return the outputs of an equal call, unless there are none or they shall not be used."""
        if not is_cached(call.task) or round_.config.overwrite_cache:
            return None
        return self._catalog.get(cache_key(call.task, call.inputs))

    def reserve(self, round_: Round, call: Call) -> bool:
        """Say whether a call may run now; False while an equal one runs and both are to be serialized."""
        if not is_serialized(call.task) or round_.config.overwrite_cache:
            return True
        return self._catalog.reserve(cache_key(call.task, call.inputs), call.worker)

    def keep(
        self, round_: Round, call: Call, outputs: LiteralMap, source: TaskExecutionIdentifier
    ) -> TaskNodeMetadata:
        """Keep the outputs of a call that has run; a task that declares none has nothing to keep."""
        self._catalog.release(call.worker)
        if not is_cached(call.task) or not call.task.interface.outputs.variables:
            return TaskNodeMetadata(cache_status=CACHE_DISABLED)
        key = cache_key(call.task, call.inputs)
        metadata = self._catalog.put(key, outputs, source, overwrite=round_.config.overwrite_cache)
        return TaskNodeMetadata(cache_status=CACHE_POPULATED, catalog_key=metadata)

    def release(self, worker: Worker) -> None:
        """Give up what a worker has reserved or waits for; a node gives up what its items have, too."""
        self._catalog.release(worker)

    def begin_node(self, round_: Round, place: Place) -> None:
        """Look a new task node up; where its outputs are there, it has succeeded without an attempt."""
        if not is_cached(_task(place)):
            return
        hit = self.find(round_, self._call(round_, place))
        with self._nodes.changing(round_.key, place.unique_id, round_.at) as record:
            status = CACHE_SKIPPED if round_.config.overwrite_cache else CACHE_MISS
            record.message.closure.task_node_metadata.cache_status = status
            if hit is not None:
                self._take(round_, record, hit)

    def admit_node(self, round_: Round, place: Place, record: NodeRecord) -> bool:
        """Say whether a task node may start an attempt; where its outputs have come, it has succeeded."""
        if not is_serialized(_task(place)):
            return True
        call = self._call(round_, place)
        hit = self.find(round_, call)
        if hit is not None:
            self._catalog.release(call.worker)
            self._take(round_, record, hit)
            return False
        return self.reserve(round_, call)

    def keep_node(self, round_: Round, place: Place) -> None:
        """Keep the outputs of a task node that has succeeded."""
        call = self._call(round_, place)
        with self._nodes.changing(round_.key, place.unique_id, round_.at) as record:
            outputs = self._storage.read_or_empty(f"{record.output_dir}/{OUTPUTS}", LiteralMap)
            source = source_of(round_.key, call.task, place.node.id, record.attempt)
            kept = self.keep(round_, call, outputs, source)
            metadata = record.message.closure.task_node_metadata
            metadata.cache_status = kept.cache_status
            if kept.HasField("catalog_key"):
                metadata.catalog_key.CopyFrom(kept.catalog_key)

    def _call(self, round_: Round, place: Place) -> Call:
        return Call(
            task=_task(place),
            inputs=self._storage.read_or_empty(f"{place.data_dir}/{INPUTS}", LiteralMap),
            worker=Worker(key=round_.key, node_id=place.unique_id),
        )

    def _take(self, round_: Round, record: NodeRecord, hit: Hit) -> None:
        closure = record.message.closure
        closure.output_uri = self._storage.write(f"{record.output_dir}/{OUTPUTS}", hit.outputs)
        closure.task_node_metadata.cache_status = CACHE_HIT
        closure.task_node_metadata.catalog_key.CopyFrom(hit.metadata)
        record.show(NodeExecution.SUCCEEDED, round_.at)


def _task(place: Place) -> TaskTemplate:
    return place.scope.program.task(place.node.task_node.reference_id)


def source_of(key: ExecutionKey, task: TaskTemplate, node_id: str, attempt: int) -> TaskExecutionIdentifier:
    """Return which attempt made a result; its node has the id that it has in its workflow."""
    source = TaskExecutionIdentifier(task_id=task.id, retry_attempt=attempt)
    node = source.node_execution_id
    node.node_id = node_id
    node.execution_id.project, node.execution_id.domain = key.project, key.domain
    node.execution_id.name = key.name
    return source
