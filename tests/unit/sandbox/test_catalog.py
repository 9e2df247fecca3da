"""The data catalog: one result for each key, and one worker at a time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from flyteidl.core.identifier_pb2 import DATASET, TaskExecutionIdentifier
from flyteidl.core.literals_pb2 import LiteralMap

from scripts.sandbox.cache_keys import CacheKey
from scripts.sandbox.catalog import Catalog, Worker
from scripts.sandbox.database import Database
from scripts.sandbox.ids import ExecutionKey
from tests.unit.sandbox.rig import literal, plain

KEY = CacheKey(project="p", domain="d", name="flyte_task-t", version="1-a-b", tag="flyte_cached-x")
ONE, TWO = (Worker(key=ExecutionKey("p", "d", name), node_id="n0") for name in ("one", "two"))


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    db = Database(tmp_path / "flyte.db")
    for name in ("one", "two"):
        db.write(
            "insert_execution",
            project="p",
            domain="d",
            name=name,
            launch_plan="l",
            workflow="w",
            version="v",
            phase=2,
            mode=0,
            principal="",
            message=b"",
            closure=b"",
            inputs=b"",
            user_inputs=b"",
            config=b"",
            parent_node=None,
            parent_name=None,
            at="2026-01-02T00:00:00Z",
        )
    return Catalog(db)


def source(version: str) -> TaskExecutionIdentifier:
    made = TaskExecutionIdentifier(retry_attempt=1)
    made.task_id.version = version
    return made


def put(catalog: Catalog, value: int, *, version: str = "v1", overwrite: bool = False) -> str:
    outputs = LiteralMap(literals={"o0": literal(value)})
    metadata = catalog.put(KEY, outputs, source(version), overwrite=overwrite)
    return str(metadata.artifact_tag.artifact_id)


def value(catalog: Catalog) -> object:
    hit = catalog.get(KEY)
    return None if hit is None else plain(hit.outputs.literals["o0"])


def test_what_was_put_is_found_under_its_key_alone(catalog: Catalog) -> None:
    assert catalog.get(KEY) is None
    artifact = put(catalog, 1)
    hit = catalog.get(KEY)
    assert hit is not None
    assert (value(catalog), hit.metadata.artifact_tag.artifact_id) == (1, artifact)
    assert hit.metadata.dataset_id.resource_type == DATASET
    assert catalog.get(replace(KEY, tag="flyte_cached-y")) is None
    assert catalog.get(replace(KEY, version="2-a-b")) is None


def test_of_two_results_the_first_stays(catalog: Catalog) -> None:
    assert put(catalog, 1) != put(catalog, 2)
    assert value(catalog) == 1


def test_overwriting_keeps_the_artifacts_id(catalog: Catalog) -> None:
    assert put(catalog, 1) == put(catalog, 2, overwrite=True)
    assert value(catalog) == 2


def test_overwriting_nothing_puts_it_there(catalog: Catalog) -> None:
    put(catalog, 1, overwrite=True)
    assert value(catalog) == 1


def test_the_source_has_the_version_that_first_used_the_data_set(catalog: Catalog) -> None:
    put(catalog, 1, version="v1")
    put(catalog, 2, version="v2", overwrite=True)
    hit = catalog.get(KEY)
    assert hit is not None
    found = hit.metadata.source_task_execution
    assert (found.task_id.version, found.retry_attempt) == ("v1", 1)


def test_a_reservation_keeps_others_out_until_it_is_released(catalog: Catalog) -> None:
    assert catalog.reserve(KEY, ONE)
    assert catalog.reserve(KEY, ONE)
    assert not catalog.reserve(KEY, TWO)
    assert catalog.held_up(TWO.key) == {("n0", -1)}
    assert catalog.held_up(ONE.key) == frozenset()
    catalog.release(ONE)
    assert catalog.held_up(TWO.key) == frozenset()
    assert catalog.reserve(KEY, TWO)


def test_releasing_a_node_releases_its_items(catalog: Catalog) -> None:
    first, second = replace(ONE, item=0), replace(ONE, item=1)
    assert catalog.reserve(KEY, first)
    assert not catalog.reserve(KEY, second)
    assert catalog.held_up(ONE.key) == {("n0", 1)}
    catalog.release(ONE)
    assert catalog.held_up(ONE.key) == frozenset()
    assert catalog.reserve(KEY, TWO)
