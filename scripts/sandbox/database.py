"""SQLite in WAL mode: many readers, one writer at a time, every statement by its name in `sql/*.sql`."""

from __future__ import annotations

import re
import sqlite3
import threading
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_SQL = Path(__file__).with_name("sql")
_NAMED = re.compile(r"^-- name: (\w+)\n(?:-- .*\n)*", re.MULTILINE)


def named_statements(text: str) -> dict[str, str]:
    """Split SQL text into its statements, each headed by `-- name: NAME` and lines that describe it."""
    parts = _NAMED.split(text)[1:]
    return {name: body.strip().rstrip(";") for name, body in zip(parts[::2], parts[1::2], strict=True)}


class _Connection(sqlite3.Connection):
    """Closes itself when its thread is gone; Python 3.13 warns of a connection that nobody closes."""

    def __del__(self) -> None:
        self.close()


class Database:
    """One SQLite file. Threads read through connections of their own; writes take turns.

    Statements are named: `rows("list_tasks", project="p")` runs the one headed `-- name: list_tasks`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        # Python 3.13 warns of connections that nobody closed, so they do not outlive their database.
        self._closing = weakref.finalize(self, _close, self._connections)
        self._writer = threading.RLock()
        self._statements: dict[str, str] = {}
        for file in sorted(_SQL.glob("*.sql")):
            if file.name != "schema.sql":
                self._statements |= named_statements(file.read_text())
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._writer:
            self._connection().executescript((_SQL / "schema.sql").read_text())

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = sqlite3.connect(
                self._path,
                timeout=30,
                isolation_level=None,
                check_same_thread=False,  # whichever thread collects it closes it
                factory=_Connection,
            )
            connection.row_factory = sqlite3.Row
            for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
                connection.execute(f"PRAGMA {pragma}")
            self._local.connection = connection
            self._connections.append(connection)
        return connection

    def close(self) -> None:
        """Close all connections; nothing may be asked afterwards. A database that is let go closes too."""
        self._closing()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Everything inside is written together or not at all. Nests: the outermost one commits."""
        with self._writer:
            connection = self._connection()
            if connection.in_transaction:
                yield connection
                return
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    def rows(self, statement: str, /, **values: object) -> list[sqlite3.Row]:
        """Run a named statement that reads, and return its rows."""
        return self._connection().execute(self._statements[statement], values).fetchall()

    def row(self, statement: str, /, **values: object) -> sqlite3.Row | None:
        """Run a named statement that reads, and return its first row, if it has one."""
        row: sqlite3.Row | None = self._connection().execute(self._statements[statement], values).fetchone()
        return row

    def write(self, statement: str, /, **values: object) -> int:
        """Run a named statement that writes, and return how many rows it touched."""
        with self.transaction() as connection:
            return connection.execute(self._statements[statement], values).rowcount

    def query(self, sql: str, values: Mapping[str, Any] | Sequence[Any]) -> list[sqlite3.Row]:
        """Run a statement that was put together from checked parts; for list filters only."""
        return self._connection().execute(sql, values).fetchall()


def _close(connections: list[sqlite3.Connection]) -> None:
    for connection in connections:
        connection.close()
