"""Array nodes in the engine with a scripted runtime: items, their attempts, and what clients then see."""

# mypy: disable-error-code=no-any-return

import functools
import typing
from collections.abc import Callable
from datetime import timedelta

import pytest
from flyteidl.core.execution_pb2 import ExecutionError, NodeExecution, TaskExecution
from flytekit import dynamic, map_task, task, workflow

from scripts.sandbox.array_node import AT_ONCE
from scripts.sandbox.runtime import Exit, Reason
from tests.unit.sandbox.rig import (
    Call,
    Make,
    ends,
    exits,
    futures,
    hangs,
    makes,
    phase,
    raises,
    succeed,
)


@task
def one(x: int) -> int:
    return x


@task
def add(x: int, y: int) -> int:
    return x + y


@task(retries=1)
def patient(x: int) -> int:
    return x


@task(timeout=timedelta(seconds=0.2))
def slow(x: int) -> int:
    return x


@task
def silent(x: int) -> None:
    return None


@workflow
def maps(xs: list[int]) -> list[int]:
    return map_task(one)(x=xs)


@workflow
def nested(xs: list[int]) -> list[int]:
    return maps(xs=xs)


@workflow
def pairs(xs: list[int], ys: list[int]) -> list[int]:
    return map_task(add)(x=xs, y=ys)


@workflow
def bound(xs: list[int], y: int) -> list[int]:
    return map_task(functools.partial(add, y=y))(x=xs)


@workflow
def narrow(xs: list[int]) -> list[int]:
    return map_task(one, concurrency=2)(x=xs)


@workflow
def half(xs: list[int]) -> list[int | None]:
    return map_task(one, min_success_ratio=0.5)(x=xs)


@workflow
def at_least_one(xs: list[int]) -> list[int | None]:
    # The ratio, 1 unless said otherwise, would win: both are in one `oneof`.
    return map_task(one, min_successes=1, min_success_ratio=None)(x=xs)


@workflow
def patiently(xs: list[int]) -> list[int]:
    return map_task(patient)(x=xs)


@workflow
def timed(xs: list[int]) -> list[int]:
    return map_task(slow)(x=xs)


@workflow
def silently(xs: list[int]) -> None:
    map_task(silent)(x=xs)


@workflow
def two_maps(xs: list[int]) -> tuple[list[int], list[int]]:
    return map_task(one)(x=xs), map_task(patient)(x=xs)


@dynamic
def spreads(n: int) -> list[int]:
    return map_task(one)(x=list(range(n)))


@workflow
def dynamics(n: int) -> list[int]:
    return spreads(n=n)


def its_own(call: Call) -> object:
    return call.item("x")


ECHO = [succeed(o0=its_own)]
PHASE = TaskExecution.Phase


def only(index: int, step: typing.Callable[[Call], Exit]) -> typing.Callable[[Call], Exit]:
    """One item does this, the others give what they got."""
    return lambda call: step(call) if call.index == index else ECHO[0](call)


def test_one_node_runs_an_item_for_each_element(make: Make) -> None:
    rig = make(one=ECHO)
    execution = rig.run(maps, xs=[5, 6, 7])
    assert rig.outputs(execution) == {"o0": [5, 6, 7]}
    node = rig.nodes(execution)["n0"]
    assert (node.metadata.is_array, node.metadata.is_parent_node) == (True, False)
    assert rig.nodes(execution, "n0") == {}
    (attempt,) = rig.attempts(execution, "n0")
    assert (attempt.closure.phase, attempt.closure.task_type) == (PHASE.SUCCEEDED, "container_array")
    assert attempt.closure.metadata.plugin_identifier == "k8s-array"
    resources = attempt.closure.metadata.external_resources
    name = execution.id.name
    assert [r.external_id for r in resources] == [f"{name}-n0-0-n{i}-0" for i in range(3)]
    assert [(r.index, r.phase) for r in resources] == [(i, PHASE.SUCCEEDED) for i in range(3)]
    assert [log.name for r in resources for log in r.logs] == [
        f"Kubernetes Logs (User)-{i}" for i in range(3)
    ]
    assert resources[1].logs[0].uri.endswith(f"/flytesnacks-development/{name}-n0-0-n1-0")


def test_an_item_is_told_which_one_it_is_and_reads_all_inputs(make: Make) -> None:
    calls: dict[int, Call] = {}

    def remember(call: Call) -> object:
        calls[call.index] = call
        return call.item("x")

    rig = make(add=[succeed(o0=remember)])
    rig.run(bound, xs=[1, 2], y=9)
    environment = dict(calls[1].attempt.environment)
    assert environment[environment["BATCH_JOB_ARRAY_INDEX_VAR_NAME"]] == "1"
    assert calls[1].value("y") == 9
    assert str(calls[1].folder).endswith("/n0/data/0/1/0")


def test_no_more_items_run_at_once_than_the_node_or_the_machine_allows(make: Make) -> None:
    def after(count: int) -> Callable[[Call], object]:
        """Have an item end once so many have begun."""

        def item(call: Call) -> object:
            rig.until(lambda: len(rig.runtime.ran) >= count)
            return call.item("x")

        return item

    rig = make(one=[succeed(o0=after(2))])
    rig.run(narrow, xs=list(range(6)))
    assert rig.runtime.most_at_once == 2
    rig = make(one=[succeed(o0=after(AT_ONCE))])
    execution = rig.run(maps, xs=list(range(AT_ONCE + 5)))
    assert rig.runtime.most_at_once == AT_ONCE
    assert rig.outputs(execution) == {"o0": list(range(AT_ONCE + 5))}


def test_an_array_node_counts_as_one_against_the_executions_limit(make: Make) -> None:
    rig = make(one=[hangs], patient=[hangs])
    rig.register(two_maps)
    request = rig.request(two_maps, xs=[1, 2])
    request.spec.max_parallelism = 1
    name = rig.executions.create(request).name
    rig.until(lambda: len(rig.runtime.ran) == 2)
    nodes = rig.nodes(rig.get(name))
    assert nodes["n0"].closure.phase == NodeExecution.RUNNING
    assert nodes["n1"].closure.phase == NodeExecution.QUEUED
    rig.executions.terminate(rig.id(name), "")


def test_a_failure_ends_the_other_items_and_has_neither_code_nor_kind(make: Make) -> None:
    def after_the_others(call: Call) -> Exit:
        rig.until(lambda: len(rig.runtime.ran) == 3)
        return raises(message="Trace: boom")(call)

    rig = make(one=[lambda call: after_the_others(call) if call.index == 1 else hangs(call)])
    execution = rig.run(maps, xs=[1, 2, 3])
    error = execution.closure.error
    assert (phase(execution), error.message) == ("FAILED", "[1]: Trace: boom\n")
    assert (error.code, error.kind) == ("", ExecutionError.UNKNOWN)
    assert rig.nodes(execution)["n0"].closure.error == error
    (attempt,) = rig.attempts(execution, "n0")
    assert (attempt.closure.phase, attempt.closure.error) == (PHASE.FAILED, error)
    shown = [r.phase for r in attempt.closure.metadata.external_resources]
    assert shown == [PHASE.ABORTED, PHASE.FAILED, PHASE.ABORTED]


def test_items_that_never_began_stay_undefined(make: Make) -> None:
    rig = make(one=[raises()])
    execution = rig.run(narrow, xs=[1, 2, 3, 4])
    (attempt,) = rig.attempts(execution, "n0")
    assert [r.phase for r in attempt.closure.metadata.external_resources][2:] == [PHASE.UNDEFINED] * 2
    assert len(rig.runtime.ran) == 2


@pytest.mark.parametrize("entity", [half, at_least_one])
def test_tolerated_failures_become_none(make: Make, entity: typing.Any) -> None:
    rig = make(one=[only(1, raises())])
    assert rig.outputs(rig.run(entity, xs=[1, 2, 3])) == {"o0": [1, None, 3]}


def test_more_failures_than_are_tolerated_fail_the_node(make: Make) -> None:
    rig = make(one=[lambda call: ECHO[0](call) if call.index == 0 else raises()(call)])
    assert phase(rig.run(half, xs=[1, 2, 3])) == "FAILED"


def test_more_successes_than_there_are_items_are_never_reached(make: Make) -> None:
    error = make(one=ECHO).run(at_least_one, xs=[]).closure.error
    assert (error.code, error.message) == ("ArrayNodeFailing", "Unknown reason")


def test_an_item_has_retries_of_its_own(make: Make) -> None:
    rig = make(patient=[only(0, exits(3)), ECHO[0]])
    execution = rig.run(patiently, xs=[1, 2])
    assert rig.outputs(execution) == {"o0": [1, 2]}
    (attempt,) = rig.attempts(execution, "n0")
    shown = [(r.index, r.retry_attempt, r.phase) for r in attempt.closure.metadata.external_resources]
    assert shown == [(0, 0, PHASE.FAILED), (0, 1, PHASE.SUCCEEDED), (1, 0, PHASE.SUCCEEDED)]


def test_an_item_that_uses_up_its_retries_says_so(make: Make) -> None:
    rig = make(patient=[raises("USER:Recoverable", "again", recoverable=True)])
    error = rig.run(patiently, xs=[1]).closure.error
    assert error.message == "[0]: [2/2] currentAttempt done. Last Error: USER::again\n"


def test_a_lost_item_is_run_again_at_the_systems_cost(make: Make) -> None:
    rig = make(one=[ends(Reason.LOST), ECHO[0]])
    assert rig.outputs(rig.run(maps, xs=[1, 2])) == {"o0": [1, 2]}


def test_an_item_past_its_time_is_ended(make: Make) -> None:
    rig = make(slow=[only(1, hangs)])
    message = rig.run(timed, xs=[1, 2]).closure.error.message
    last = "task execution timeout [200ms] expired"
    assert message == f"[1]: [1/1] currentAttempt done. Last Error: USER::{last}\n"


def test_lists_of_different_lengths_fail(make: Make) -> None:
    rig = make()
    execution = rig.run(pairs, xs=[1, 2], ys=[1])
    error = execution.closure.error
    assert (error.code, error.kind) == ("InvalidArrayLength", ExecutionError.USER)
    assert error.message == "input arrays have different lengths: expecting '2' found '1'"
    assert rig.attempts(execution, "n0") == []


def test_an_empty_list_gives_an_empty_list(make: Make) -> None:
    rig = make()
    assert rig.outputs(rig.run(maps, xs=[])) == {"o0": []}


def test_a_task_without_outputs_gives_none(make: Make) -> None:
    rig = make(silent=[succeed()])
    execution = rig.run(silently, xs=[1, 2])
    assert (phase(execution), rig.outputs(execution)) == ("SUCCEEDED", {})


def test_inside_a_sub_workflow(make: Make) -> None:
    rig = make(one=ECHO)
    execution = rig.run(nested, xs=[1, 2])
    assert rig.outputs(execution) == {"o0": [1, 2]}
    (attempt,) = rig.attempts(execution, "n0-0-n0")
    name = attempt.closure.metadata.external_resources[1].external_id
    assert name == f"{execution.id.name}-n0-0-n0-0-n1-0"


def test_inside_a_dynamic(make: Make) -> None:
    rig = make(spreads=[makes(futures(spreads, n=3))], one=ECHO)
    rig.register(maps)
    assert rig.outputs(rig.run(dynamics, n=3)) == {"o0": [0, 1, 2]}


def test_terminate_ends_all_items(make: Make) -> None:
    rig = make(one=[hangs])
    rig.register(maps)
    name = rig.launch(maps, xs=[1, 2, 3])
    rig.until(lambda: len(rig.runtime.ran) == 3)
    rig.executions.terminate(rig.id(name), "enough")
    execution = rig.wait(name)
    assert rig.nodes(execution)["n0"].closure.phase == NodeExecution.ABORTED
    (attempt,) = rig.attempts(execution, "n0")
    assert attempt.closure.phase == PHASE.ABORTED
    assert {r.phase for r in attempt.closure.metadata.external_resources} == {PHASE.ABORTED}


def test_items_that_ran_when_the_sandbox_stopped_are_run_again(make: Make) -> None:
    rig = make(one=[only(1, hangs)])
    rig.register(maps)
    name = rig.launch(maps, xs=[1, 2, 3])

    def resources() -> list[int]:
        attempts = rig.attempts(rig.get(name), "n0")
        return [r.phase for a in attempts for r in a.closure.metadata.external_resources]

    rig.until(lambda: resources() == [PHASE.SUCCEEDED, PHASE.RUNNING, PHASE.SUCCEEDED])
    rig.close()
    again = make(one=ECHO)
    execution = again.wait(name)
    assert again.outputs(execution) == {"o0": [1, 2, 3]}
    assert again.runtime.ran == [f"{name}-n0-0-n1-1"]
