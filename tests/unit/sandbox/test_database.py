"""The sandbox's store: named statements, one writer, readers that do not wait."""

from __future__ import annotations

import gc
import threading
from pathlib import Path

import pytest

from scripts.sandbox.database import Database, named_statements


@pytest.fixture
def database(tmp_path: Path) -> Database:
    database = Database(tmp_path / "state" / "flyte.db")
    with database.transaction() as connection:
        connection.execute("CREATE TABLE things (name TEXT PRIMARY KEY)")
    return database


def names(database: Database) -> list[str]:
    return [row["name"] for row in database.query("SELECT name FROM things ORDER BY name", [])]


def add(database: Database, name: str) -> None:
    with database.transaction() as connection:
        connection.execute("INSERT INTO things VALUES (?)", [name])


def test_statements_are_split_by_name_without_their_descriptions() -> None:
    text = "-- name: one\n-- Says one.\n-- And more.\nSELECT 1;\n\n-- name: two\nSELECT\n    2;\n"
    assert named_statements(text) == {"one": "SELECT 1", "two": "SELECT\n    2"}


def test_a_transaction_that_raises_leaves_nothing(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), database.transaction():
        add(database, "a")
        raise ZeroDivisionError
    assert names(database) == []
    add(database, "b")
    assert names(database) == ["b"]


def test_a_nested_transaction_is_part_of_the_outer_one(database: Database) -> None:
    with database.transaction():
        with database.transaction():
            add(database, "a")
        elsewhere: list[str] = ["unread"]
        reader = threading.Thread(target=lambda: elsewhere.__setitem__(slice(None), names(database)))
        reader.start()
        reader.join()
        assert elsewhere == []
    assert names(database) == ["a"]


def test_writers_take_turns(database: Database) -> None:
    def write(thread: int) -> None:
        for number in range(20):
            add(database, f"{thread}-{number}")

    threads = [threading.Thread(target=write, args=[thread]) for thread in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(names(database)) == 160


def test_what_was_written_is_there_when_opened_again(database: Database, tmp_path: Path) -> None:
    add(database, "a")
    assert names(Database(tmp_path / "state" / "flyte.db")) == ["a"]


def test_a_thread_that_ends_closes_its_connection(database: Database) -> None:
    reader = threading.Thread(target=names, args=[database])
    reader.start()
    reader.join()
    del reader
    gc.collect()  # Python 3.13 warns here of a connection that nobody closed, and warnings are errors
