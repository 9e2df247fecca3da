"""Caching: what is not run again, under which key, and what clients are told of it."""

from __future__ import annotations

import pytest
from flyteidl.admin.execution_pb2 import ExecutionSpec
from flyteidl.admin.node_execution_pb2 import NodeExecution
from flyteidl.core.catalog_pb2 import CACHE_HIT, CACHE_POPULATED
from flyteidl.core.execution_pb2 import WorkflowExecution
from flyteidl.core.identifier_pb2 import DATASET, WorkflowExecutionIdentifier

from tests.conformance.flyte import DOMAIN, VERSION, Flyte, python


def run(flyte: Flyte, plan: str, **inputs: object) -> WorkflowExecutionIdentifier:
    id_ = flyte.launch(plan, inputs)
    succeeded(flyte, id_)
    return id_


def succeeded(flyte: Flyte, id_: WorkflowExecutionIdentifier) -> None:
    execution = flyte.ended(id_)
    assert execution.closure.phase == WorkflowExecution.SUCCEEDED, execution.closure.error


def node(flyte: Flyte, id_: WorkflowExecutionIdentifier, name: str = "n0") -> NodeExecution:
    return flyte.nodes(id_)[name]


@pytest.fixture(scope="module")
def first(registered: Flyte) -> WorkflowExecutionIdentifier:
    return run(registered, "caching.main")


@pytest.fixture(scope="module")
def second(registered: Flyte, first: WorkflowExecutionIdentifier) -> WorkflowExecutionIdentifier:
    return run(registered, "caching.main")


def test_an_equal_run_has_the_same_outputs(
    registered: Flyte, first: WorkflowExecutionIdentifier, second: WorkflowExecutionIdentifier
) -> None:
    assert registered.outputs(first) == registered.outputs(second)


def test_what_ran_is_shown_as_kept_under_flytes_key(
    registered: Flyte, first: WorkflowExecutionIdentifier
) -> None:
    made = node(registered, first).closure.task_node_metadata
    assert made.cache_status == CACHE_POPULATED
    key = made.catalog_key
    assert (key.dataset_id.resource_type, key.dataset_id.project) == (DATASET, registered.project)
    assert (key.dataset_id.domain, key.dataset_id.name) == (DOMAIN, "flyte_task-caching.cached")
    assert key.dataset_id.version == "1-BgPQX4Pd-0h9u3msO"
    assert key.artifact_tag.name == "flyte_cached-jJYYHCdEwO0EGAAzKJSnDfiTqN-1FWTIAIffcpVodss"
    assert not key.HasField("source_task_execution")


def test_a_hit_names_the_attempt_that_made_it_and_has_none_of_its_own(
    registered: Flyte, first: WorkflowExecutionIdentifier, second: WorkflowExecutionIdentifier
) -> None:
    for name in ("n0", "n1"):
        found = node(registered, second, name)
        taken, made = found.closure.task_node_metadata, node(registered, first, name).closure
        assert taken.cache_status == CACHE_HIT
        assert taken.catalog_key.artifact_tag == made.task_node_metadata.catalog_key.artifact_tag
        source = taken.catalog_key.source_task_execution
        assert source.node_execution_id.execution_id == first
        assert (source.node_execution_id.node_id, source.task_id.version) == (name, VERSION)
        assert registered.attempts(found) == []
        assert not found.closure.HasField("started_at")


def test_other_inputs_are_another_key(registered: Flyte, first: WorkflowExecutionIdentifier) -> None:
    assert registered.outputs(run(registered, "caching.main", x=2)) != registered.outputs(first)


def test_inputs_that_are_ignored_do_not_count(registered: Flyte) -> None:
    one, two = (run(registered, "caching.ignores", x=1, y=y) for y in (1, 2))
    assert registered.outputs(one) == registered.outputs(two)


def test_an_execution_may_overwrite_what_is_kept(registered: Flyte) -> None:
    before = run(registered, "caching.ignores", x=10, y=1)
    spec = ExecutionSpec(overwrite_cache=True)
    over = registered.launch("caching.ignores", {"x": 10, "y": 1}, spec=spec)
    succeeded(registered, over)
    assert registered.outputs(before) != registered.outputs(over)
    assert node(registered, over).closure.task_node_metadata.cache_status == CACHE_POPULATED
    assert registered.outputs(run(registered, "caching.ignores", x=10, y=1)) == registered.outputs(over)


def test_equal_calls_that_are_serialized_run_once(registered: Flyte) -> None:
    id_ = run(registered, "caching.twins", x=5)
    outputs = registered.outputs(id_)
    assert outputs.literals["o0"] == outputs.literals["o1"]
    nodes = registered.nodes(id_).values()
    assert sorted(len(registered.attempts(one)) for one in nodes) == [0, 1]


def test_items_of_a_map_task_are_cached_one_by_one(registered: Flyte) -> None:
    before, after = (run(registered, "caching.items", xs=xs) for xs in ([1, 2], [2, 3]))
    old, new = (python(registered.outputs(id_), "o0") for id_ in (before, after))
    assert isinstance(old, list)
    assert isinstance(new, list)
    assert old[1] == new[0] != new[1]
    (attempt,) = registered.attempts(node(registered, after))
    statuses = [item.cache_status for item in attempt.closure.metadata.external_resources]
    assert statuses == [CACHE_HIT, CACHE_POPULATED]
