"""The data catalog: what cached tasks have made, and who is at work on what is missing.

Source: flytepropeller `nodes/catalog/datacatalog/datacatalog.go`. A reservation belongs to a node, or to an
item of an array node, until that is done; Flyte's expire instead, some time after their owner is gone.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from flyteidl.core.catalog_pb2 import CatalogMetadata
from flyteidl.core.identifier_pb2 import TaskExecutionIdentifier
from flyteidl.core.literals_pb2 import LiteralMap

from scripts.sandbox.cache_keys import CacheKey
from scripts.sandbox.database import Database
from scripts.sandbox.ids import ExecutionKey

NO_ITEM = -1


@dataclass(frozen=True, kw_only=True)
class Worker:
    """Who wants a result: a node, or one item of an array node."""

    key: ExecutionKey
    node_id: str
    item: int = NO_ITEM


@dataclass(frozen=True, kw_only=True)
class Hit:
    """A result that is there, and what clients are told of it."""

    outputs: LiteralMap
    metadata: CatalogMetadata


class Catalog:
    """Keeps results in the database."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def get(self, key: CacheKey) -> Hit | None:
        """Return the result of this key, if there is one."""
        row = self._db.row("get_artifact", **vars(key))
        if row is None:
            return None
        source = TaskExecutionIdentifier.FromString(row["source"])
        source.task_id.version = row["task_version"]
        metadata = _metadata(key, row["artifact_id"], source)
        return Hit(outputs=LiteralMap.FromString(row["outputs"]), metadata=metadata)

    def put(
        self, key: CacheKey, outputs: LiteralMap, source: TaskExecutionIdentifier, *, overwrite: bool
    ) -> CatalogMetadata:
        """Keep a result and return what clients are told of it.

        Of two results of one key the first stays, unless this one shall `overwrite` it.
        """
        values = {"outputs": outputs.SerializeToString(), "source": source.SerializeToString()}
        dataset = {field: getattr(key, field) for field in ("project", "domain", "name", "version")}
        with self._db.transaction():
            self._db.write("add_dataset", **dataset, task_version=source.task_id.version)
            known = self._db.row("get_artifact", **vars(key)) if overwrite else None
            if known is not None:
                self._db.write("overwrite_artifact", **vars(key), **values)
                return _metadata(key, known["artifact_id"], source)
            artifact_id = str(uuid.uuid4())
            self._db.write("add_artifact", **vars(key), artifact_id=artifact_id, **values)
            return _metadata(key, artifact_id)

    def reserve(self, key: CacheKey, worker: Worker) -> bool:
        """Reserve the making of a result; False, and noted as waiting, while somebody else has it."""
        owner = _owner(worker)
        with self._db.transaction():
            if self._db.row("reservation_of_others", **vars(key), **owner) is not None:
                self._db.write("wait_for_reservation", **vars(key), **owner)
                return False
            self._db.write("stop_waiting", **owner)
            self._db.write("reserve", **vars(key), **owner)
            return True

    def release(self, worker: Worker) -> None:
        """Give up what a worker has reserved or waits for; without an item, all that its node has."""
        item = None if worker.item == NO_ITEM else worker.item
        owner = {**_owner(worker), "item": item}
        with self._db.transaction():
            self._db.write("release_reservations", **owner)
            self._db.write("stop_waiting", **owner)

    def held_up(self, key: ExecutionKey) -> frozenset[tuple[str, int]]:
        """Return which nodes and items of an execution wait for what somebody else is at work on."""
        rows = self._db.rows("held_up", owner_project=key.project, owner_domain=key.domain, owner=key.name)
        return frozenset((row["node_id"], row["item"]) for row in rows)


def _owner(worker: Worker) -> dict[str, object]:
    key = worker.key
    return {
        "owner_project": key.project,
        "owner_domain": key.domain,
        "owner": key.name,
        "node_id": worker.node_id,
        "item": worker.item,
    }


def _metadata(
    key: CacheKey, artifact_id: str, source: TaskExecutionIdentifier | None = None
) -> CatalogMetadata:
    metadata = CatalogMetadata(dataset_id=key.dataset, source_task_execution=source)
    metadata.artifact_tag.artifact_id, metadata.artifact_tag.name = artifact_id, key.tag
    return metadata
