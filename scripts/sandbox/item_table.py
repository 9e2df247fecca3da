"""The rows of the items of array nodes."""

from __future__ import annotations

from datetime import datetime

from scripts.sandbox import clock
from scripts.sandbox.array_items import ItemState
from scripts.sandbox.attempts import AttemptRef, ItemRef
from scripts.sandbox.database import Database
from scripts.sandbox.ids import ExecutionKey


class ItemTable:
    """Reads and writes items."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def add(self, key: ExecutionKey, node_id: str, node_attempt: int, size: int) -> None:
        """Add the items of an array node; all of them wait."""
        for index in range(size):
            self._db.write("insert_item", **_keys(key, ItemRef(node_id, node_attempt, index)))

    def states(self, key: ExecutionKey, node_id: str, node_attempt: int) -> tuple[ItemState, ...]:
        """Return the items of an array node in their order."""
        keys = _keys(key, ItemRef(node_id, node_attempt, 0))
        del keys["item"]
        return tuple(ItemState.from_row(row) for row in self._db.rows("array_items", **keys))

    def state(self, key: ExecutionKey, item: ItemRef) -> ItemState | None:
        """Return an item, if there is one."""
        row = self._db.row("get_item", **_keys(key, item))
        return None if row is None else ItemState.from_row(row)

    def write(self, key: ExecutionKey, item: ItemRef, state: ItemState) -> None:
        """Change an item into `state`."""
        self._db.write(
            "update_item",
            **_keys(key, item),
            phase=state.phase.value,
            attempt=state.attempt,
            system_failures=state.system_failures,
            attempt_at=_text(state.attempt_at),
            outcome=state.outcome.value,
            error=None if state.error is None else state.error.SerializeToString(),
        )

    def open(self) -> list[AttemptRef]:
        """Return the attempts of items that have not ended as far as is known."""
        found = []
        for row in self._db.rows("open_items"):
            key = ExecutionKey(row["project"], row["domain"], row["execution"])
            item = ItemRef(row["node_id"], row["node_attempt"], row["item"])
            found.append(AttemptRef.of_item(key, item, row["attempt"]))
        return found


def _keys(key: ExecutionKey, item: ItemRef) -> dict[str, object]:
    return {
        "project": key.project,
        "domain": key.domain,
        "execution": key.name,
        "node_id": item.node_id,
        "node_attempt": item.node_attempt,
        "item": item.index,
    }


def _text(at: datetime | None) -> str | None:
    return None if at is None else clock.to_text(at)
