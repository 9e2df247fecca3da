"""The folder that stands for a bucket."""

from pathlib import Path

import pytest
from flyteidl.core.literals_pb2 import LiteralMap

from scripts.sandbox.ids import ExecutionKey, shard
from scripts.sandbox.storage import NotStored, Storage
from tests.unit.sandbox.rig import literal

VALUE = LiteralMap(literals={"x": literal(1)})


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(tmp_path / "storage")


def test_it_is_laid_out_as_flyte_does(storage: Storage) -> None:
    key = ExecutionKey("p", "d", "x")
    assert storage.metadata(key) == "metadata/propeller/p-d-x"
    place = f"{shard('x-n0-0')}/x-n0-0"
    assert storage.raw_prefix("x-n0-0") == f"local://{storage.root}/data/{place}"
    assert storage.raw_prefix("x-n0-0", "s3://mine/") == f"s3://mine/{place}"


def test_both_schemes_mean_the_same_file(storage: Storage) -> None:
    storage.write("a/b.pb", VALUE)
    assert storage.path(storage.uri("a/b.pb")) == storage.path(storage.data_uri("a/b.pb"))
    assert storage.read_uri(storage.uri("a/b.pb"), LiteralMap) == VALUE


@pytest.mark.parametrize("uri", ["s3://bucket/x", "relative/path", ""])
def test_what_is_elsewhere_is_not_stored(storage: Storage, uri: str) -> None:
    with pytest.raises(NotStored):
        storage.path(uri)
    assert storage.read_uri(uri, LiteralMap) == LiteralMap()


def test_what_is_missing_is_said_or_empty(storage: Storage) -> None:
    with pytest.raises(NotStored, match="nothing is stored at file://"):
        storage.read("a", LiteralMap)
    assert storage.read_or_empty("a", LiteralMap) == LiteralMap()
    assert storage.size("a") is None
    assert not storage.copy("a", "b")


def test_a_write_leaves_nothing_but_the_object(storage: Storage) -> None:
    storage.write("a/b.pb", VALUE)
    storage.write("a/b.pb", LiteralMap())
    assert [path.name for path in (storage.root / "a").iterdir()] == ["b.pb"]
    assert storage.copy("a/b.pb", "c/d/e.pb")
    assert storage.size("c/d/e.pb") == 0
