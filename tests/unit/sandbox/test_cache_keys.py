"""Keys of cached results: equal to those that a Flyte 1.16.8 gave to the same tasks."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest
from flyteidl.core.literals_pb2 import Literal, LiteralMap
from flyteidl.core.tasks_pb2 import TaskTemplate
from flyteidl.core.types_pb2 import FLOAT, INTEGER

from scripts.sandbox.cache_keys import cache_key, inputs_hash, is_cached, is_serialized
from scripts.sandbox.object_hash import Json, json_hash
from tests.unit.sandbox.rig import literal


def template() -> TaskTemplate:
    task = TaskTemplate()
    task.id.project, task.id.domain, task.id.name = "p", "d", "caching.cached"
    task.metadata.discoverable, task.metadata.discovery_version = True, "1"
    task.interface.inputs.variables["x"].type.simple = INTEGER
    task.interface.outputs.variables["o0"].type.simple = FLOAT
    return task


def inputs(**values: object) -> LiteralMap:
    return LiteralMap(literals={name: literal(value) for name, value in values.items()})


def test_a_key_is_the_one_that_flyte_gives() -> None:
    key = cache_key(template(), inputs(x=1))
    assert (key.name, key.version) == ("flyte_task-caching.cached", "1-BgPQX4Pd-0h9u3msO")
    assert key.tag == "flyte_cached-jJYYHCdEwO0EGAAzKJSnDfiTqN-1FWTIAIffcpVodss"


def described(task: TaskTemplate) -> None:
    task.interface.inputs.variables["x"].description = "an x"
    task.interface.inputs.variables["x"].type.metadata["title"] = "X"
    task.interface.outputs.variables["o0"].type.annotation.annotations["who"] = "me"


def rebuilt(task: TaskTemplate) -> None:
    task.id.version, task.container.image = "v9", "another:1"


def blank(task: TaskTemplate) -> None:
    task.metadata.discovery_version = " 1 "


@pytest.mark.parametrize("change", [described, rebuilt, blank])
def test_what_does_not_count_for_a_key(change: Callable[[TaskTemplate], None]) -> None:
    task = template()
    change(task)
    assert cache_key(task, inputs(x=1)) == cache_key(template(), inputs(x=1))


def renamed(task: TaskTemplate) -> None:
    task.id.name = "other"


def newer(task: TaskTemplate) -> None:
    task.metadata.discovery_version = "2"


def widened(task: TaskTemplate) -> None:
    task.interface.inputs.variables["y"].type.simple = INTEGER


def listed(task: TaskTemplate) -> None:
    task.interface.outputs.variables["o0"].type.collection_type.simple = FLOAT


def marked(task: TaskTemplate) -> None:
    annotations = task.interface.outputs.variables["o0"].type.annotation.annotations
    annotations["cache-key-metadata"] = {"shape": "1"}


@pytest.mark.parametrize("change", [renamed, newer, widened, listed, marked])
def test_what_counts_for_a_key(change: Callable[[TaskTemplate], None]) -> None:
    task = template()
    change(task)
    assert cache_key(task, inputs(x=1)) != cache_key(template(), inputs(x=1))


def test_metadata_inside_of_types_does_not_count() -> None:
    plain, told = template(), template()
    for task in (plain, told):
        union = task.interface.inputs.variables["x"].type.union_type
        union.variants.add().map_value_type.collection_type.simple = INTEGER
    inner = told.interface.inputs.variables["x"].type.union_type.variants[0].map_value_type
    inner.collection_type.metadata["a"] = "b"
    assert cache_key(plain, inputs(x=1)) == cache_key(told, inputs(x=1))


def test_inputs_that_are_ignored_do_not_count() -> None:
    task = template()
    task.metadata.cache_ignore_input_vars.append("y")
    assert cache_key(task, inputs(x=1, y=2)).tag == cache_key(template(), inputs(x=1)).tag


def test_a_literals_own_hash_stands_for_it() -> None:
    def hashed(value: int) -> Literal:
        made = literal(value)
        made.hash = "same"
        return made

    def of(one: Literal) -> str:
        nested = Literal()
        nested.map.literals["k"].collection.literals.append(one)
        return inputs_hash(LiteralMap(literals={"x": nested}))

    assert of(hashed(1)) == of(hashed(2)) != of(literal(1))


@pytest.mark.parametrize(
    ("cacheable", "serializable", "expected"),
    [(False, True, (False, False)), (True, False, (True, False)), (True, True, (True, True))],
)
def test_serializing_takes_caching(cacheable: bool, serializable: bool, expected: tuple[bool, bool]) -> None:
    task = template()
    task.metadata.discoverable, task.metadata.cache_serializable = cacheable, serializable
    assert (is_cached(task), is_serialized(task)) == expected


# Values of objecthash's own tests (benlaurie/objecthash, common_json.test).
@pytest.mark.parametrize(
    ("value", "digest"),
    [
        ([], "acac86c0e609ca906f632b0e2dacccb2b77d22b0621f20ebece1a4835b93f6f0"),
        (["foo"], "268bc27d4974d9d576222e4cdbb8f7c6bd6791894098645a19eeca9c102d0964"),
        ([123], "2e72db006266ed9cdaa353aa22b9213e8a3c69c838349437c06896b1b34cee36"),
        ({}, "18ac3e7343f016890c510e93f935261169d9e3f565436429830faf0934f4f8e4"),
        ({"foo": "bar"}, "7ef5237c3027d6c58100afadf37796b3d351025cf28038280147d42fdc53b960"),
        ([True, None, False], None),
        ([1.5, -0.5, 0], None),
    ],
    ids=str,
)
def test_json_hashes_are_objecthashs(value: Json, digest: str | None) -> None:
    made = json_hash(value)
    assert len(base64.b64encode(made)) == 44
    assert digest is None or made.hex() == digest


def test_numbers_count_by_their_value_and_sign() -> None:
    assert json_hash(1) == json_hash(1.0) != json_hash(-1)
    assert json_hash(0.5) != json_hash(1) != json_hash(True)
