"""The engine with a scripted runtime: what is started, how often, and what clients then see."""

# mypy: disable-error-code=no-any-return

import time
import typing
from datetime import timedelta

import pytest
from flyteidl.admin.execution_pb2 import ExecutionCreateRequest, ExecutionRecoverRequest
from flyteidl.core.execution_pb2 import ExecutionError, NodeExecution, TaskExecution
from flytekit import LaunchPlan, WorkflowFailurePolicy, conditional, dynamic, sleep, task, workflow
from flytekit.types.error.error import FlyteError

from scripts.sandbox.ids import child_execution_name
from scripts.sandbox.runtime import Reason
from tests.unit.sandbox.rig import (
    DOMAIN,
    PROJECT,
    Call,
    Make,
    Step,
    ends,
    exits,
    futures,
    hangs,
    makes,
    phase,
    plain,
    raises,
    succeed,
)


@task
def one(x: int) -> int:
    return x


@task
def two(x: int) -> int:
    return x


@task(retries=2)
def patient(x: int) -> int:
    return x


@task(timeout=timedelta(seconds=0.2))
def slow(x: int) -> int:
    return x


@task(timeout=timedelta(seconds=0.2), retries=5)
def slow_and_patient(x: int) -> int:
    return x


@task
def clean_up(x: int, err: FlyteError | None = None) -> None:
    return None


@workflow
def single(x: int) -> int:
    return one(x=x)


@workflow
def chain(x: int) -> int:
    return two(x=one(x=x))


@workflow
def nested(x: int) -> int:
    return chain(x=x)


@workflow
def retried(x: int) -> int:
    return patient(x=x)


@workflow
def timed(x: int) -> int:
    return slow(x=x)


@workflow
def timed_patiently(x: int) -> int:
    return slow_and_patient(x=x)


@workflow(on_failure=clean_up)
def handled(x: int) -> int:
    return one(x=x)


@workflow
def holds_handled(x: int) -> int:
    return handled(x=x)


@workflow
def side_by_side(x: int) -> tuple[int, int]:
    return one(x=x), two(x=x)


@workflow(failure_policy=WorkflowFailurePolicy.FAIL_AFTER_EXECUTABLE_NODES_COMPLETE)
def finishes_others(x: int) -> tuple[int, int]:
    return patient(x=one(x=x)), two(x=x)


@workflow
def chooses(x: int) -> int:
    return conditional("c").if_(x > 10).then(one(x=x)).elif_(x > 5).then(chain(x=x)).else_().fail("too small")


@workflow
def fans_out(x: int) -> int:
    one(x=x)
    one(x=x)
    return two(x=one(x=x))


@workflow
def sleeps() -> None:
    sleep(timedelta(seconds=1))


plan = LaunchPlan.get_or_create(single, name="engine.plan", default_inputs={"x": 7})


@workflow
def launches(x: int) -> int:
    return plan(x=x)


@dynamic
def spreads(n: int) -> list[int]:
    return [chain(x=i) for i in range(n)]


@dynamic
def launches_dynamically(n: int) -> int:
    return plan(x=n)


@workflow
def dynamics(n: int) -> list[int]:
    return spreads(n=n)


@workflow
def dynamic_launch(n: int) -> int:
    return launches_dynamically(n=n)


def echo(call: Call) -> object:
    return call.value("x")


RETURNS_X = [succeed(o0=echo)]


def test_outputs_flow_from_node_to_node(make: Make) -> None:
    rig = make(
        one=[succeed(o0=lambda call: call.value("x") + 1)], two=[succeed(o0=lambda c: c.value("x") * 10)]
    )
    execution = rig.run(chain, x=1)
    assert rig.outputs(execution) == {"o0": 20}
    assert list(rig.nodes(execution)) == ["start-node", "n0", "n1", "end-node"]


def test_a_sub_workflow_runs_inside_its_node(make: Make) -> None:
    rig = make(one=RETURNS_X, two=RETURNS_X)
    execution = rig.run(nested, x=3)
    assert rig.outputs(execution) == {"o0": 3}
    node = rig.nodes(execution)["n0"]
    assert node.metadata.is_parent_node
    inside = rig.nodes(execution, "n0")
    assert list(inside) == ["n0-0-start-node", "n0-0-n0", "n0-0-n1", "n0-0-end-node"]
    assert inside["n0-0-n1"].metadata.retry_group == "0"
    assert inside["n0-0-n1"].closure.output_uri.endswith("/n0/data/0/n1/0/outputs.pb")


def test_a_recoverable_error_is_retried_until_it_passes(make: Make) -> None:
    rig = make(patient=[raises(recoverable=True), raises(recoverable=True), succeed(o0=echo)])
    execution = rig.run(retried, x=5)
    assert phase(execution) == "SUCCEEDED"
    attempts = rig.attempts(execution, "n0")
    assert [a.closure.phase for a in attempts] == [
        TaskExecution.FAILED,
        TaskExecution.FAILED,
        TaskExecution.SUCCEEDED,
    ]
    assert [a.id.retry_attempt for a in attempts] == [0, 1, 2]


@pytest.mark.parametrize(
    ("steps", "attempts", "code", "kind"),
    [
        pytest.param(
            [raises()], 1, "USER:ValueError", ExecutionError.USER, id="a plain error is not retried"
        ),
        pytest.param(
            [raises(recoverable=True)],
            3,
            "RetriesExhausted|USER:ValueError",
            ExecutionError.USER,
            id="a recoverable error, as often as the task says",
        ),
        pytest.param([exits(3)], 3, "RetriesExhausted|Error", ExecutionError.USER, id="an exit code"),
        pytest.param(
            [exits(137)],
            4,
            "RetriesExhausted|Error",
            ExecutionError.USER,
            id="SIGKILL, on the system's budget",
        ),
        pytest.param(
            [ends(Reason.LOST)],
            4,
            "RetriesExhausted|UnexpectedObjectDeletion",
            ExecutionError.USER,
            id="a lost attempt, on the system's budget",
        ),
        pytest.param(
            [ends(Reason.IMAGE_MISSING, "no image")],
            3,
            "RetriesExhausted|ContainersNotReady|ImagePullBackOff",
            ExecutionError.USER,
            id="a missing image",
        ),
    ],
)
def test_failures_end_after_their_budget(
    make: Make, steps: list[Step], attempts: int, code: str, kind: int
) -> None:
    rig = make(patient=steps)
    execution = rig.run(retried, x=5)
    assert phase(execution) == "FAILED"
    assert (execution.closure.error.code, execution.closure.error.kind) == (code, kind)
    assert len(rig.attempts(execution, "n0")) == attempts
    node = rig.nodes(execution)["n0"]
    assert node.closure.phase == NodeExecution.FAILED
    assert node.closure.task_node_metadata.checkpoint_uri.endswith(f"-n0-{attempts - 1}/_flytecheckpoints")


def test_system_and_user_failures_have_budgets_of_their_own(make: Make) -> None:
    rig = make(patient=[exits(137), exits(3), exits(137), exits(3), exits(3)])
    execution = rig.run(retried, x=5)
    assert len(rig.attempts(execution, "n0")) == 5
    assert execution.closure.error.message.startswith("[3/3] currentAttempt done. Last Error: USER::")


def test_missing_outputs_are_an_error_that_is_retried(make: Make) -> None:
    rig = make(patient=[ends(Reason.COMPLETED)])
    execution = rig.run(retried, x=5)
    assert execution.closure.error.code == "RetriesExhausted|OutputsNotFound"
    assert execution.closure.error.message == (
        "[3/3] currentAttempt done. Last Error: UNKNOWN::Outputs not generated by task execution"
    )


def test_one_attempt_past_its_time_is_ended(make: Make) -> None:
    rig = make(slow=[hangs])
    execution = rig.run(timed, x=1)
    assert execution.closure.error.code == "RetriesExhausted|TimeoutExpired"
    assert "task execution timeout [200ms] expired" in execution.closure.error.message
    assert [a.closure.phase for a in rig.attempts(execution, "n0")] == [TaskExecution.ABORTED]


def test_all_attempts_together_have_twice_the_time_of_one(make: Make) -> None:
    rig = make(slow_and_patient=[hangs])
    execution = rig.run(timed_patiently, x=1)
    assert (execution.closure.error.code, execution.closure.error.message) == ("Timeout", "Timeout in node")
    node = rig.nodes(execution)["n0"]
    assert node.closure.phase == NodeExecution.TIMED_OUT
    assert not node.closure.HasField("task_node_metadata")
    assert len(rig.attempts(execution, "n0")) == 2


def test_a_failure_ends_what_runs_beside_it(make: Make) -> None:
    rig = make(one=[raises()], two=[hangs])
    execution = rig.run(side_by_side, x=1)
    assert execution.closure.error.code == "USER:ValueError"
    beside = rig.nodes(execution)["n1"]
    assert beside.closure.phase == NodeExecution.ABORTED
    assert rig.attempts(execution, "n1")[0].closure.phase == TaskExecution.ABORTED
    assert "end-node" not in rig.nodes(execution)


def test_with_the_other_policy_what_can_go_on_goes_on(make: Make) -> None:
    rig = make(one=[raises()], two=RETURNS_X, patient=[])
    execution = rig.run(finishes_others, x=1)
    assert execution.closure.error.code == "USER:ValueError"
    phases = {name: node.closure.phase for name, node in rig.nodes(execution).items()}
    assert phases == {
        "start-node": NodeExecution.SUCCEEDED,
        "n0": NodeExecution.FAILED,
        "n1": NodeExecution.SKIPPED,
        "n2": NodeExecution.SUCCEEDED,
        "end-node": NodeExecution.SKIPPED,
    }


@pytest.mark.parametrize(
    ("entity", "parent", "node"),
    [(handled, "", "fn0"), (holds_handled, "n0", "n0-0-fn0")],
    ids=["top", "inside"],
)
def test_a_failure_node_is_told_what_failed(make: Make, entity: typing.Any, parent: str, node: str) -> None:
    rig = make(one=[raises(message="it broke")], clean_up=[succeed()])
    execution = rig.run(entity, x=4)
    assert (phase(execution), execution.closure.error.message) == ("FAILED", "it broke")
    ran = rig.nodes(execution, parent)[node]
    assert ran.closure.phase == NodeExecution.SUCCEEDED
    given = rig.reads.node_data(ran.id).full_inputs.literals
    assert plain(given["x"]) == 4
    error = given["err"].scalar.union.value.scalar.error
    assert (error.message, error.failed_node_id) == ("it broke", "fn0")


def test_a_failure_node_that_fails_replaces_the_error(make: Make) -> None:
    rig = make(one=[raises(message="first")], clean_up=[raises(message="second")])
    assert rig.run(handled, x=4).closure.error.message == "second"


@pytest.mark.parametrize(
    ("x", "taken", "output"), [(11, "n0-0-n0-n0", 11), (6, "n0-0-n0-n1", 6)], ids=["if", "elif, a workflow"]
)
def test_a_branch_takes_one_node_and_leaves_no_trace_of_the_others(
    make: Make, x: int, taken: str, output: int
) -> None:
    rig = make(one=RETURNS_X, two=RETURNS_X)
    execution = rig.run(chooses, x=x)
    assert rig.outputs(execution) == {"o0": output}
    inside = rig.nodes(execution, "n0")
    assert [node.metadata.spec_node_id for node in inside.values()] == [taken.removeprefix("n0-0-")]


def test_a_branch_that_nothing_satisfies_fails_with_the_users_words(make: Make) -> None:
    rig = make()
    error = rig.run(chooses, x=1).closure.error
    assert (error.code, error.message) == ("UserProvidedError", "[UserProvidedError] too small")


def test_a_launch_plan_node_launches_an_execution_of_its_own(make: Make) -> None:
    rig = make(one=RETURNS_X)
    rig.register(plan)
    execution = rig.run(launches, x=2)
    assert rig.outputs(execution) == {"o0": 2}
    child = rig.get(rig.nodes(execution)["n0"].closure.workflow_node_metadata.executionId.name)
    assert child.spec.metadata.nesting == 1
    assert child.spec.metadata.parent_node_execution.node_id == "n0"
    assert child.spec.labels.values["execution-id"] == execution.id.name
    assert child.spec.labels.values["workflow-name"].endswith("-launches")


def test_a_child_that_fails_fails_its_node_with_its_error(make: Make) -> None:
    rig = make(one=[raises(message="in the child")])
    rig.register(plan)
    assert rig.run(launches, x=2).closure.error.message == "in the child"


def test_an_execution_that_has_the_childs_name_is_taken_for_it(make: Make) -> None:
    rig = make(one=RETURNS_X)
    rig.register(plan, launches)
    rig.wait(rig.launch(plan, child_execution_name("parent", "n0", 0), x=41))
    execution = rig.wait(rig.launch(launches, "parent", x=1))
    assert rig.outputs(execution) == {"o0": 41}


def test_a_dynamic_runs_what_it_made(make: Make) -> None:
    rig = make(spreads=[makes(futures(spreads, n=2))], one=RETURNS_X, two=RETURNS_X)
    execution = rig.run(dynamics, n=2)
    assert rig.outputs(execution) == {"o0": [0, 1]}
    node = rig.nodes(execution)["n0"]
    assert node.metadata.is_dynamic
    assert node.closure.dynamic_job_spec_uri.endswith("/n0/data/0/futures.pb")
    made = rig.reads.node_data(node.id).dynamic_workflow
    assert made.id.name == "dynamic_n0"
    assert {n.id for n in made.compiled_workflow.primary.template.nodes} >= {"start-node", "dn0", "dn1"}
    assert set(rig.nodes(execution, "n0-0-dn1")) >= {"n0-0-dn1-0-n0", "n0-0-dn1-0-n1"}


def test_a_dynamic_can_hold_launch_plans(make: Make) -> None:
    rig = make(launches_dynamically=[makes(futures(launches_dynamically, n=3))], one=RETURNS_X)
    rig.register(plan)
    assert rig.outputs(rig.run(dynamic_launch, n=3)) == {"o0": 3}


def test_a_dynamic_that_names_what_is_not_registered_fails(make: Make) -> None:
    rig = make(launches_dynamically=[makes(futures(launches_dynamically, n=3))])
    error = rig.run(dynamic_launch, n=3).closure.error
    assert (error.code, error.kind) == ("DynamicWorkflowBuildFailed", ExecutionError.USER)
    assert "engine.plan" in error.message


def test_no_more_run_at_once_than_the_execution_allows(make: Make) -> None:
    def linger(call: Call) -> object:
        call.stopped.wait(0.05)
        return call.value("x")

    rig = make(one=[succeed(o0=linger)], two=RETURNS_X)
    wide = rig.run(fans_out, x=1)
    assert rig.runtime.most_at_once == 3
    rig.runtime.most_at_once = 0
    narrow = ExecutionCreateRequest(project=PROJECT, domain=DOMAIN, name="narrow", spec=wide.spec)
    narrow.spec.max_parallelism = 1
    narrow.inputs.CopyFrom(rig.executions.data(wide.id).full_inputs)
    rig.executions.create(narrow)
    rig.wait("narrow")
    assert rig.runtime.most_at_once == 1


def test_terminate_ends_everything_and_the_children_too(make: Make) -> None:
    rig = make(one=[hangs])
    rig.register(plan, launches)
    name = rig.launch(launches, x=1)
    rig.until(lambda: len(rig.runtime.ran) == 1)
    rig.executions.terminate(rig.id(name), "enough")
    execution = rig.wait(name)
    assert (phase(execution), execution.closure.abort_metadata.cause) == ("ABORTED", "enough")
    assert rig.nodes(execution)["n0"].closure.phase == NodeExecution.ABORTED
    child = rig.wait(rig.nodes(execution)["n0"].closure.workflow_node_metadata.executionId.name)
    assert phase(child) == "ABORTED"
    assert child.closure.abort_metadata.cause == (
        f"cascading abort as parent execution id [{name}] aborted, reason [Workflow aborted.]"
    )


def test_a_terminate_that_comes_while_the_execution_begins_is_not_lost(make: Make) -> None:
    rig = make(one=[hangs])
    rig.register(single)
    for number in range(20):
        rig.launch(single, f"a{number}", x=1)
        rig.executions.terminate(rig.id(f"a{number}"), "")
    assert {phase(rig.wait(f"a{number}")) for number in range(20)} == {"ABORTED"}


def test_a_failure_node_does_not_run_on_terminate(make: Make) -> None:
    rig = make(one=[hangs], clean_up=[])
    rig.register(handled)
    name = rig.launch(handled, x=1)
    rig.until(lambda: len(rig.runtime.ran) == 1)
    rig.executions.terminate(rig.id(name), "")
    assert "fn0" not in rig.nodes(rig.wait(name))


def test_what_ran_when_the_sandbox_stopped_is_run_again(make: Make) -> None:
    rig = make(one=[hangs], two=RETURNS_X)
    rig.register(chain)
    name = rig.launch(chain, x=1)
    rig.until(lambda: len(rig.runtime.ran) == 1)
    rig.close()
    again = make(one=[hangs, succeed(o0=echo)], two=RETURNS_X)
    execution = again.wait(name)
    assert again.outputs(execution) == {"o0": 1}
    first, second = again.attempts(execution, "n0")
    assert first.closure.error.code == "UnexpectedObjectDeletion"
    assert second.closure.phase == TaskExecution.SUCCEEDED


def test_a_bug_that_shows_on_one_execution_ends_that_one_alone(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = make(one=RETURNS_X)
    rig.register(single)
    whole = rig.storage.write

    def broken(path: str, message: typing.Any) -> str:
        if "-sick/" in path:
            raise RuntimeError("a bug")
        return whole(path, message)

    monkeypatch.setattr(rig.storage, "write", broken)
    error = rig.wait(rig.launch(single, "sick", x=1)).closure.error
    assert (error.code, error.kind) == ("SandboxFailure", ExecutionError.SYSTEM)
    assert "RuntimeError: a bug" in error.message
    assert phase(rig.wait(rig.launch(single, "well", x=1))) == "SUCCEEDED"


def test_a_kind_of_node_that_is_not_supported_says_so(make: Make) -> None:
    rig = make()
    error = rig.run(sleeps).closure.error
    assert error.message == "The sandbox does not run gate nodes yet; node n0 is one."


def test_recovery_takes_over_what_had_succeeded(make: Make) -> None:
    rig = make(one=RETURNS_X, two=[raises()])
    failed = rig.run(nested, x=1)
    rig.runtime.script = {"one": [], "two": RETURNS_X}
    name = rig.executions.recover(ExecutionRecoverRequest(id=failed.id)).name
    execution = rig.wait(name)
    assert rig.outputs(execution) == {"o0": 1}
    assert rig.nodes(execution, "n0")["n0-0-n0"].closure.phase == NodeExecution.RECOVERED


def test_recovery_keeps_what_a_dynamic_had_made(make: Make) -> None:
    rig = make(spreads=[makes(futures(spreads, n=2))], one=RETURNS_X, two=[raises()])
    failed = rig.run(dynamics, n=2)
    rig.runtime.script = {"spreads": [], "one": [], "two": RETURNS_X}
    execution = rig.wait(rig.executions.recover(ExecutionRecoverRequest(id=failed.id)).name)
    assert rig.outputs(execution) == {"o0": [0, 1]}


def test_an_idle_engine_waits_without_looking(make: Make) -> None:
    rig = make(one=RETURNS_X)
    rig.run(single, x=1)
    looked: list[object] = []
    rig.engine._snapshots.read = looked.append  # type: ignore[method-assign, assignment]
    time.sleep(0.1)
    assert looked == []
