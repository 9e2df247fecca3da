"""Caching in the engine with a scripted runtime: what runs again, and what clients are told."""

# mypy: disable-error-code=no-any-return

import threading

from flyteidl.admin.execution_pb2 import Execution
from flyteidl.admin.node_execution_pb2 import TaskNodeMetadata
from flyteidl.core.catalog_pb2 import CatalogCacheStatus
from flyteidl.core.execution_pb2 import NodeExecution, TaskExecution
from flytekit import Cache, dynamic, map_task, task, workflow

from tests.unit.sandbox.rig import Call, Make, Rig, futures, makes, raises, succeed

Status = CatalogCacheStatus


@task(cache=Cache(version="1"))
def cached(x: int) -> int:
    return x


@task(cache=Cache(version="1", ignored_inputs=("y",)))
def careless(x: int, y: int) -> int:
    return x


@task(cache=Cache(version="1", serialize=True))
def serialized(x: int) -> int:
    return x


@task(cache=Cache(version="1"))
def silent(x: int) -> None:
    return None


@workflow
def once(x: int) -> int:
    return cached(x=x)


@workflow
def nested(x: int) -> int:
    return once(x=x)


@workflow
def ignores(x: int, y: int) -> int:
    return careless(x=x, y=y)


@workflow
def in_turn(x: int) -> int:
    return serialized(x=x)


@workflow
def twins(x: int) -> tuple[int, int]:
    return serialized(x=x), serialized(x=x)


@workflow
def silently(x: int) -> None:
    silent(x=x)


@workflow
def maps(xs: list[int]) -> list[int]:
    return map_task(cached)(x=xs)


@workflow
def maps_in_turn(xs: list[int]) -> list[int]:
    return map_task(serialized)(x=xs)


@dynamic(cache=Cache(version="1"))
def spreads(n: int) -> list[int]:
    return [cached(x=i) for i in range(n)]


@workflow
def dynamics(n: int) -> list[int]:
    return spreads(n=n)


def counting() -> list:  # type: ignore[type-arg]
    """Attempts that give 100, 101 and so on, whatever they are asked."""
    numbers = iter(range(100, 200))
    return [succeed(o0=lambda call: next(numbers))]


def told(rig: Rig, execution: Execution, node: str = "n0") -> TaskNodeMetadata:
    return rig.nodes(execution)[node].closure.task_node_metadata


def test_an_equal_call_is_not_made_again(make: Make) -> None:
    rig = make(cached=counting())
    first, second, other = (rig.run(once, x=x) for x in (1, 1, 2))
    assert [rig.outputs(e)["o0"] for e in (first, second, other)] == [100, 100, 101]
    made, taken = told(rig, first), told(rig, second)
    assert (made.cache_status, taken.cache_status) == (Status.CACHE_POPULATED, Status.CACHE_HIT)
    assert made.catalog_key.artifact_tag == taken.catalog_key.artifact_tag
    assert made.catalog_key.dataset_id.name.startswith("flyte_task-")
    assert (made.checkpoint_uri != "", taken.checkpoint_uri) == (True, "")
    source = taken.catalog_key.source_task_execution
    assert not made.catalog_key.HasField("source_task_execution")
    assert source.node_execution_id.execution_id == first.id
    assert (source.node_execution_id.node_id, source.task_id.version) == ("n0", "v1")


def test_a_hit_has_no_attempt_and_never_began(make: Make) -> None:
    rig = make(cached=counting())
    rig.run(once, x=1)
    again = rig.run(once, x=1)
    node = rig.nodes(again)["n0"]
    assert node.closure.phase == NodeExecution.SUCCEEDED
    assert not node.closure.HasField("started_at")
    assert rig.attempts(again, "n0") == []
    assert node.closure.output_uri.endswith(f"{again.id.name}/n0/data/0/outputs.pb")


def test_a_miss_is_shown_while_the_task_runs(make: Make) -> None:
    go_on = threading.Event()

    def wait(call: Call) -> object:
        return go_on.wait(10)

    rig = make(cached=[succeed(o0=wait)])
    rig.register(once)
    name = rig.launch(once, x=1)
    rig.until(lambda: len(rig.runtime.ran) == 1)
    assert told(rig, rig.get(name)).cache_status == Status.CACHE_MISS
    go_on.set()
    rig.wait(name)


def test_what_failed_is_not_kept(make: Make) -> None:
    rig = make(cached=[raises()])
    rig.run(once, x=1)
    rig.runtime.script = {"cached": counting()}
    assert rig.outputs(rig.run(once, x=1)) == {"o0": 100}


def test_a_result_serves_other_places_of_the_same_task(make: Make) -> None:
    rig = make(cached=counting())
    rig.run(once, x=1)
    assert rig.outputs(rig.run(nested, x=1)) == {"o0": 100}


def test_inputs_that_are_ignored_do_not_count(make: Make) -> None:
    rig = make(careless=counting())
    assert rig.outputs(rig.run(ignores, x=1, y=1)) == rig.outputs(rig.run(ignores, x=1, y=2))
    assert rig.outputs(rig.run(ignores, x=2, y=1)) == {"o0": 101}


def test_an_execution_may_overwrite_what_is_kept(make: Make) -> None:
    rig = make(cached=counting())
    first = rig.run(once, x=1)
    request = rig.request(once, x=1)
    request.spec.overwrite_cache = True
    second = rig.wait(rig.executions.create(request).name)
    assert rig.outputs(second) == {"o0": 101}
    kept = told(rig, second)
    assert kept.cache_status == Status.CACHE_POPULATED
    assert kept.catalog_key.artifact_tag == told(rig, first).catalog_key.artifact_tag
    assert kept.catalog_key.source_task_execution.node_execution_id.execution_id == second.id
    third = rig.run(once, x=1)
    assert rig.outputs(third) == {"o0": 101}
    source = told(rig, third).catalog_key.source_task_execution
    assert source.node_execution_id.execution_id == second.id


def test_an_execution_that_overwrites_is_shown_as_skipping(make: Make) -> None:
    rig = make(cached=[raises()])
    rig.register(once)
    request = rig.request(once, x=1)
    request.spec.overwrite_cache = True
    execution = rig.wait(rig.executions.create(request).name)
    assert told(rig, execution).cache_status == Status.CACHE_SKIPPED


def test_a_task_without_outputs_is_run_every_time(make: Make) -> None:
    rig = make(silent=[succeed()])
    first, second = rig.run(silently, x=1), rig.run(silently, x=1)
    assert len(rig.runtime.ran) == 2
    assert told(rig, first).cache_status == told(rig, second).cache_status == Status.CACHE_DISABLED


def test_equal_calls_that_are_serialized_wait_for_the_first(make: Make) -> None:
    def slowly(call: Call) -> object:
        call.stopped.wait(0.2)
        return 7

    rig = make(serialized=[succeed(o0=slowly)])
    execution = rig.run(twins, x=1)
    assert rig.outputs(execution) == {"o0": 7, "o1": 7}
    assert len(rig.runtime.ran) == 1
    statuses = sorted(told(rig, execution, node).cache_status for node in ("n0", "n1"))
    assert statuses == [Status.CACHE_HIT, Status.CACHE_POPULATED]


def test_when_the_first_fails_the_next_one_runs(make: Make) -> None:
    entered, go_on = threading.Event(), threading.Event()

    def fail_late(call: Call) -> object:
        entered.set()
        assert go_on.wait(10)
        return raises()(call)

    rig = make(serialized=[fail_late])
    rig.register(in_turn)
    first = rig.launch(in_turn, x=1)
    assert entered.wait(10)
    second = rig.launch(in_turn, x=1)
    rig.until(lambda: "n0" in rig.nodes(rig.get(second)))
    assert rig.nodes(rig.get(second))["n0"].closure.phase == NodeExecution.QUEUED
    rig.runtime.script = {"serialized": counting()}
    go_on.set()
    rig.wait(first)
    assert rig.outputs(rig.wait(second)) == {"o0": 100}


def test_what_is_terminated_lets_others_go_on(make: Make) -> None:
    entered = threading.Event()

    def hang(call: Call) -> object:
        entered.set()
        call.stopped.wait(30)
        return 0

    rig = make(serialized=[succeed(o0=hang)])
    rig.register(in_turn)
    first = rig.launch(in_turn, x=1)
    assert entered.wait(10)
    second = rig.launch(in_turn, x=1)
    rig.runtime.script = {"serialized": counting()}
    rig.executions.terminate(rig.id(first), "")
    assert rig.outputs(rig.wait(second)) == {"o0": 100}


def test_items_are_cached_one_by_one(make: Make) -> None:
    rig = make(cached=counting())
    first = rig.run(maps, xs=[1, 2])
    second = rig.run(maps, xs=[2, 3])
    assert len(rig.runtime.ran) == 3
    assert rig.outputs(second)["o0"] == [rig.outputs(first)["o0"][1], 102]  # type: ignore[index]
    (attempt,) = rig.attempts(second, "n0")
    hit, made = attempt.closure.metadata.external_resources
    assert (hit.phase, hit.cache_status) == (TaskExecution.SUCCEEDED, Status.CACHE_HIT)
    assert list(hit.logs) == []
    assert (made.phase, made.cache_status) == (TaskExecution.SUCCEEDED, Status.CACHE_POPULATED)


def test_equal_items_that_are_serialized_run_once(make: Make) -> None:
    rig = make(serialized=counting())
    assert rig.outputs(rig.run(maps_in_turn, xs=[1, 1, 1])) == {"o0": [100, 100, 100]}
    assert len(rig.runtime.ran) == 1


def test_a_dynamic_is_kept_as_a_whole(make: Make) -> None:
    rig = make(spreads=[makes(futures(spreads, n=2))], cached=counting())
    rig.register(once)
    first, second = rig.run(dynamics, n=2), rig.run(dynamics, n=2)
    assert rig.outputs(first) == rig.outputs(second)
    assert len(rig.runtime.ran) == 3
    assert told(rig, second).cache_status == Status.CACHE_HIT
