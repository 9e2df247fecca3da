"""Launching, reading, listing, ending and relaunching executions, with flyteadmin's codes and words."""

# mypy: disable-error-code=no-any-return

import typing
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flyteidl.admin.common_pb2 import ResourceListRequest, Sort
from flyteidl.admin.event_pb2 import EventFailureReason
from flyteidl.admin.execution_pb2 import (
    EXECUTION_ARCHIVED,
    ExecutionCreateRequest,
    ExecutionMetadata,
    ExecutionRelaunchRequest,
)
from flyteidl.admin.matchable_resource_pb2 import MatchingAttributes, WorkflowExecutionConfig
from flyteidl.core.identifier_pb2 import LAUNCH_PLAN, TASK, WORKFLOW, Identifier
from flytekit import LaunchPlan, task, workflow
from flytekit.models.common import Annotations, Labels

from scripts.sandbox.attributes import Scope
from scripts.sandbox.errors import AlreadyExists, FailedPrecondition, FlyteError, InvalidArgument, NotFound
from scripts.sandbox.executions import TERMINAL
from scripts.sandbox.ids import ExecutionKey
from tests.unit.sandbox.rig import DOMAIN, PROJECT, VERSION, Rig, hangs, literal, phase, succeed


@task
def double(x: int) -> int:
    return x


@task
def wait(x: int) -> int:
    return x


@workflow
def main(x: int, y: float = 1.5) -> int:
    return double(x=x)


@workflow
def waits(x: int = 1) -> int:
    return wait(x=x)


fixed = LaunchPlan.get_or_create(
    main,
    name="executions.fixed",
    fixed_inputs={"x": 7},
    labels=Labels({"team": "plan", "only": "plan"}),
    annotations=Annotations({"note": "plan"}),
    max_parallelism=3,
)

Change = Callable[[ExecutionCreateRequest], object]


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    folder: Path = tmp_path_factory.mktemp("executions")
    made = Rig(
        folder,
        {"double": [succeed(o0=lambda call: 2 * typing.cast("int", call.value("x")))], "wait": [hangs]},
    )
    made.register(main, waits, fixed, double)
    yield made
    made.close()


def request(name: str = "", plan: str = main.name, **inputs: object) -> ExecutionCreateRequest:
    made = ExecutionCreateRequest(project=PROJECT, domain=DOMAIN, name=name)
    made.spec.launch_plan.CopyFrom(
        Identifier(resource_type=LAUNCH_PLAN, project=PROJECT, domain=DOMAIN, name=plan, version=VERSION)
    )
    for key, value in inputs.items():
        made.inputs.literals[key].CopyFrom(literal(value))
    return made


def _named(name: str) -> Change:
    return lambda made: setattr(made, "name", name)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(lambda r: setattr(r, "project", ""), "missing project", id="no project"),
        pytest.param(lambda r: setattr(r, "domain", ""), "missing domain", id="no domain"),
        pytest.param(
            _named("1a"),
            "invalid name format: 1a, does not match regex '^[a-z][a-z\\-0-9]*$'",
            id="a digit first",
        ),
        pytest.param(
            _named("a_b"),
            "invalid name format: a_b, does not match regex '^[a-z][a-z\\-0-9]*$'",
            id="underscore",
        ),
        pytest.param(_named("a" * 64), f"size of name exceeded length 63 : {'a' * 64}", id="too long"),
        pytest.param(lambda r: r.ClearField("spec"), "missing spec", id="no spec"),
        pytest.param(lambda r: r.spec.ClearField("launch_plan"), "missing id", id="no launch plan"),
        pytest.param(
            lambda r: setattr(r.spec.launch_plan, "version", ""), "missing version", id="no version"
        ),
        pytest.param(
            lambda r: setattr(r.spec.launch_plan, "resource_type", WORKFLOW),
            "Invalid reference entity resource type [WORKFLOW], "
            "only [map[LAUNCH_PLAN:<nil> TASK:<nil>]] allowed",
            id="a workflow",
        ),
        pytest.param(
            lambda r: r.inputs.literals["x"].Clear(),
            "missing valid literal in inputs x",
            id="an empty literal",
        ),
        pytest.param(lambda r: r.inputs.Clear(), "expected_inputs x missing", id="a missing input"),
        pytest.param(
            lambda r: r.inputs.literals["zz"].CopyFrom(literal(1)), "invalid input zz", id="an unknown input"
        ),
        pytest.param(
            lambda r: r.inputs.literals["y"].CopyFrom(literal(1)),
            "invalid y input wrong type. Expected simple:FLOAT, but got simple:INTEGER",
            id="an integer for a float",
        ),
        pytest.param(
            lambda r: setattr(r.spec.launch_plan, "name", fixed.name),
            "invalid input x",
            id="a fixed input that is overridden",
        ),
    ],
)
def test_a_request_that_is_not_valid_is_refused(rig: Rig, change: Change, message: str) -> None:
    made = request(x=1)
    change(made)
    with pytest.raises(InvalidArgument) as refused:
        rig.executions.create(made)
    assert refused.value.message == message


def test_an_unknown_project_is_refused_in_admins_words(rig: Rig) -> None:
    made = request(x=1)
    made.project = "nope"
    with pytest.raises(FlyteError, match=r"failed to validate that project \[nope\] and domain"):
        rig.executions.create(made)


def test_a_launch_plan_that_does_not_exist_is_not_found(rig: Rig) -> None:
    with pytest.raises(NotFound, match="missing entity of type LAUNCH_PLAN with identifier"):
        rig.executions.create(request(plan="nope", x=1))


def test_a_name_is_given_once(rig: Rig) -> None:
    rig.executions.create(request("once", x=1))
    with pytest.raises(AlreadyExists) as refused:
        rig.executions.create(request("once", x=2))
    assert refused.value.message == (
        "value with matching already exists (duplicate key value violates unique constraint "
        '"executions_pkey")'
    )
    assert rig.executions.data(rig.id("once")).full_inputs.literals["x"] == literal(1)


def test_upper_case_and_a_trailing_dash_pass_as_in_admin(rig: Rig) -> None:
    assert rig.executions.create(request("Abc-", x=1)).name == "Abc-"


def test_inputs_are_the_given_ones_with_defaults_and_fixed_ones(rig: Rig) -> None:
    name = rig.executions.create(request(plan=fixed.name)).name
    inputs = rig.executions.data(rig.id(name)).full_inputs.literals
    assert (inputs["x"], inputs["y"]) == (literal(7), literal(1.5))


def test_the_caller_is_the_principal_whatever_the_request_says(rig: Rig) -> None:
    made = request(x=1)
    made.spec.metadata.principal = "somebody else"
    id_ = rig.executions.create(made, principal="me")
    assert rig.executions.get(id_).spec.metadata.principal == "me"


def test_settings_are_merged_by_whole_fields(rig: Rig) -> None:
    made = request(plan=fixed.name)
    made.spec.labels.values["team"] = "request"
    rig.attributes.set(
        Scope(project=PROJECT, domain=DOMAIN, workflow=main.name),
        MatchingAttributes(
            workflow_execution_config={
                "max_parallelism": 9,
                "security_context": {"run_as": {"k8s_service_account": "stored"}},
                "envs": {"values": [{"key": "MODE", "value": "stored"}]},
            }
        ),
    )
    id_ = rig.executions.create(made)
    row = rig.db.row("get_execution", project=id_.project, domain=id_.domain, name=id_.name)
    assert row is not None
    config = WorkflowExecutionConfig.FromString(row["config"])
    assert dict(config.labels.values) == {"team": "request"}
    assert dict(config.annotations.values) == {"note": "plan"}
    assert config.max_parallelism == 3
    assert [(pair.key, pair.value) for pair in config.envs.values] == [("MODE", "stored")]
    spec = rig.executions.get(id_).spec
    assert spec.security_context.run_as.k8s_service_account == "stored"
    assert (spec.max_parallelism, dict(spec.labels.values)) == (3, {"team": "request"})


def test_a_task_is_launched_in_a_workflow_made_up_for_it(rig: Rig) -> None:
    made = request(x=4)
    made.spec.launch_plan.resource_type, made.spec.launch_plan.name = TASK, double.name
    execution = rig.wait(rig.executions.create(made).name)
    assert rig.outputs(execution) == {"o0": 8}
    assert execution.closure.workflow_id.name == f".flytegen.{double.name}"
    assert execution.spec.launch_plan.resource_type == TASK
    node = double.name.replace(".", "").replace("_", "")
    spec_ids = [found.metadata.spec_node_id for found in rig.nodes(execution).values()]
    assert spec_ids == ["start-node", node, "end-node"]
    assert rig.executions.create(made).name  # the second time it is there already


def test_relaunching_keeps_settings_and_inputs(rig: Rig) -> None:
    first = rig.wait(rig.launch(main, "first", x=3))
    again = rig.executions.relaunch(ExecutionRelaunchRequest(id=first.id, name="again"))
    execution = rig.wait(again.name)
    metadata = execution.spec.metadata
    assert (metadata.mode, metadata.reference_execution) == (ExecutionMetadata.RELAUNCH, first.id)
    assert rig.outputs(execution) == {"o0": 6}


def test_an_execution_that_does_not_exist_is_not_found(rig: Rig) -> None:
    with pytest.raises(
        NotFound, match='missing entity of type execution with identifier project:"flytesnacks"'
    ):
        rig.get("nope")


def test_terminating_twice_replaces_the_cause_and_then_is_refused(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = rig.launch(waits)
    rig.until(lambda: f"{name}-n0-0" in rig.runtime.ran)
    with monkeypatch.context() as patch, rig.db.transaction():  # the engine cannot act in between
        patch.setattr(rig.executions, "wake", lambda key: None)
        rig.executions.terminate(rig.id(name), "first")
        rig.executions.terminate(rig.id(name), "second", principal="me")
        assert phase(rig.get(name)) == "ABORTING"
    rig.engine.wake(ExecutionKey(PROJECT, DOMAIN, name))
    execution = rig.wait(name)
    assert (execution.closure.abort_metadata.cause, execution.closure.abort_metadata.principal) == (
        "second",
        "me",
    )
    with pytest.raises(FailedPrecondition) as refused:
        rig.executions.terminate(rig.id(name), "third")
    assert refused.value.message == "Cannot abort an already terminated workflow execution"
    detail = typing.cast("EventFailureReason", refused.value.detail)
    assert detail.already_in_terminal_state.current_phase == "ABORTED"


def listed(
    rig: Rig, filters: str = "", limit: int = 100, token: str = "", key: str = "created_at"
) -> list[str]:
    made = ResourceListRequest(limit=limit, filters=filters, token=token)
    made.id.project, made.id.domain = PROJECT, DOMAIN
    made.sort_by.key, made.sort_by.direction = key, Sort.DESCENDING
    return [execution.id.name for execution in rig.executions.list(made).executions]


def test_lists_filter_by_name_phase_and_plan(rig: Rig) -> None:
    tagged = request("listed", x=1)
    tagged.spec.tags.append("nightly")
    rig.executions.create(tagged)
    rig.wait("listed")
    assert listed(rig, "eq(execution_name,listed)+eq(phase,SUCCEEDED)") == ["listed"]
    assert listed(rig, "eq(execution_name,listed)+eq(phase,FAILED)") == []
    assert listed(rig, "value_in(phase,SUCCEEDED;FAILED)+eq(execution_name,listed)") == ["listed"]
    assert "listed" in listed(rig, f"eq(workflow.name,{main.name})")
    assert listed(rig, "eq(admin_tag.name,nightly)") == ["listed"]
    assert listed(rig, "eq(mode,1)+eq(execution_name,listed)") == []


def test_archived_executions_are_listed_only_where_their_state_is_asked_for(rig: Rig) -> None:
    rig.wait(rig.launch(main, "old", x=1))
    rig.executions.archive(rig.id("old"), EXECUTION_ARCHIVED, principal="me")
    assert "old" not in listed(rig)
    assert listed(rig, "eq(state,1)") == ["old"]
    assert rig.get("old").closure.state_change_details.state == EXECUTION_ARCHIVED


def test_a_full_page_has_a_token(rig: Rig) -> None:
    made = ResourceListRequest(limit=1, sort_by=Sort(key="created_at", direction=Sort.ASCENDING))
    made.id.project, made.id.domain = PROJECT, DOMAIN
    assert rig.executions.list(made).token == "1"


@pytest.mark.parametrize(
    ("limit", "key", "filters", "message"),
    [
        (0, "created_at", "", "invalid value for limit"),
        (1, "nope", "", "invalid sort key 'nope'"),
        (1, "created_at", "eq(nope,1)", "'e.nope' is invalid filter"),
    ],
)
def test_a_list_that_is_asked_for_wrongly_is_refused(
    rig: Rig, limit: int, key: str, filters: str, message: str
) -> None:
    with pytest.raises(InvalidArgument) as refused:
        listed(rig, filters, limit, key=key)
    assert refused.value.message == message


def test_every_execution_here_came_to_an_end(rig: Rig) -> None:
    names = [name for name in listed(rig) if name != "Abc-"]
    assert all(rig.wait(name).closure.phase in TERMINAL for name in names)
