"""One package in two stages of a real Flyte: the same content in both, each with its own settings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flyteidl.admin.common_pb2 import ObjectGetRequest
from flyteidl.admin.launch_plan_pb2 import LaunchPlan, LaunchPlanSpec
from flyteidl.core.execution_pb2 import WorkflowExecution
from flyteidl.core.identifier_pb2 import LAUNCH_PLAN, Identifier

from tasks._entities import Entity, Kind
from tasks._flyte import Flyte
from tasks._registered import fetch_registered
from tasks.policy import Stage
from tasks.same_bytes import code_locations, compare, strangers
from tests.fixtures.target import build_target
from tests.integration.packaged import flyte_of, packaged, placed, register
from tests.running import Cluster

VERSION = "v1"
DEVELOPMENT = Stage(name="development", project="stages", domain="development")
PRODUCTION = Stage(
    name="production",
    project="stages",
    domain="production",
    service_account="fraud-prod",
    iam_role="arn:aws:iam::1:role/fraud",
    data_prefix="s3://fraud-prod",
    labels={"team": "risk", "tier": "one"},
    annotations={"example.com/cost": "42"},
    env={"MODE": "live", "EXTRA": "1"},
    max_parallelism=50,
    notify=["ops@example.com"],
)


def with_own_settings(package: list[Entity]) -> list[Entity]:
    """Return a package whose `fraud.quick` has, in its code, whatever a stage can set."""
    changed = []
    for entity in package:
        message = entity.message
        if isinstance(message, LaunchPlan) and entity.name == "fraud.quick":
            message = LaunchPlan()
            message.CopyFrom(entity.message)
            spec = message.spec
            spec.labels.values.update(team="code", kept="yes")
            spec.annotations.values["example.com/own"] = "code"
            spec.envs.values.add(key="MODE", value="code")
            spec.envs.values.add(key="KEPT", value="yes")
            spec.security_context.run_as.k8s_service_account = "code"
            spec.raw_output_data_config.output_location_prefix = "s3://code"
            spec.max_parallelism = 3
            code = spec.entity_metadata.notifications.add(phases=[WorkflowExecution.SUCCEEDED])
            code.email.recipients_email.append("code@example.com")
        changed.append(Entity(kind=entity.kind, message=message))
    return changed


@pytest.fixture(scope="module")
def flyte(cluster: Cluster) -> Iterator[Flyte]:
    with flyte_of(cluster) as connection:
        yield connection


@pytest.fixture(scope="module")
def package(flyte: Flyte, tmp_path_factory: pytest.TempPathFactory) -> list[Entity]:
    folder: Path = tmp_path_factory.mktemp("package")
    made = with_own_settings(packaged(build_target(folder / "fraud.git"), folder))
    for stage in (DEVELOPMENT, PRODUCTION):
        register(flyte, made, stage, VERSION)
    return made


def spec_of(flyte: Flyte, stage: Stage, name: str) -> LaunchPlanSpec:
    identifier = Identifier(
        resource_type=LAUNCH_PLAN, project=stage.project, domain=stage.domain, name=name, version=VERSION
    )
    found: LaunchPlanSpec = flyte.call("GetLaunchPlan", ObjectGetRequest(id=identifier)).spec
    return found


def envs(spec: LaunchPlanSpec) -> dict[str, str]:
    return {pair.key: pair.value for pair in spec.envs.values}


def test_every_setting_of_a_stage_is_read_back(flyte: Flyte, package: list[Entity]) -> None:
    plans = [one.name for one in package if one.kind is Kind.LAUNCH_PLAN]
    assert len(plans) > 3
    for name in plans:
        spec = spec_of(flyte, PRODUCTION, name)
        assert spec.security_context.run_as.k8s_service_account == "fraud-prod"
        assert spec.security_context.run_as.iam_role == "arn:aws:iam::1:role/fraud"
        assert spec.raw_output_data_config.output_location_prefix == "s3://fraud-prod"
        assert dict(spec.labels.values).items() >= PRODUCTION.labels.items()
        assert dict(spec.annotations.values).items() >= PRODUCTION.annotations.items()
        assert envs(spec).items() >= PRODUCTION.env.items()
        assert spec.max_parallelism == 50
        last = spec.entity_metadata.notifications[-1]
        assert list(last.email.recipients_email) == ["ops@example.com"]
        assert [WorkflowExecution.Phase.Name(phase) for phase in last.phases] == [
            "FAILED",
            "ABORTED",
            "TIMED_OUT",
        ]


FIELDS = [
    pytest.param(
        lambda spec: dict(spec.labels.values),
        {"team": "code", "kept": "yes"},
        {"team": "risk", "tier": "one", "kept": "yes"},
        id="labels: merged by key, the stage's value",
    ),
    pytest.param(
        lambda spec: dict(spec.annotations.values),
        {"example.com/own": "code"},
        {"example.com/own": "code", "example.com/cost": "42"},
        id="annotations: merged by key",
    ),
    pytest.param(
        envs,
        {"MODE": "code", "KEPT": "yes"},
        {"MODE": "live", "EXTRA": "1", "KEPT": "yes"},
        id="environment: merged by key, the stage's value",
    ),
    pytest.param(
        lambda spec: spec.security_context.run_as.k8s_service_account,
        "code",
        "fraud-prod",
        id="service account: the stage's",
    ),
    pytest.param(
        lambda spec: spec.security_context.run_as.iam_role,
        "",
        "arn:aws:iam::1:role/fraud",
        id="IAM role: the stage's",
    ),
    pytest.param(
        lambda spec: spec.raw_output_data_config.output_location_prefix,
        "s3://code",
        "s3://fraud-prod",
        id="data prefix: the stage's",
    ),
    pytest.param(lambda spec: spec.max_parallelism, 3, 50, id="parallelism: the stage's"),
    pytest.param(
        lambda spec: [list(one.email.recipients_email) for one in spec.entity_metadata.notifications],
        [["code@example.com"]],
        [["code@example.com"], ["ops@example.com"]],
        id="notifications: both",
    ),
    pytest.param(
        lambda spec: spec.fixed_inputs.literals["settings"].WhichOneof("value"),
        "scalar",
        "scalar",
        id="fixed inputs: the code's",
    ),
]


@pytest.mark.parametrize(("read", "without", "with_stage"), FIELDS)
def test_what_wins_where_code_and_stage_set_it(
    flyte: Flyte, package: list[Entity], read: object, without: object, with_stage: object
) -> None:
    assert callable(read)
    assert read(spec_of(flyte, DEVELOPMENT, "fraud.quick")) == without
    assert read(spec_of(flyte, PRODUCTION, "fraud.quick")) == with_stage


def test_two_stages_have_the_same_bytes_and_no_reference_between_them(
    flyte: Flyte, package: list[Entity]
) -> None:
    for stage in (DEVELOPMENT, PRODUCTION):
        there = fetch_registered(flyte, stage.project, stage.domain, VERSION)
        found = compare(placed(package, stage, VERSION), there)
        assert str(found) == f"same bytes: {len(package)} of {len(package)}"
        assert strangers(there, project=stage.project, domain=stage.domain) == []
        assert code_locations(there) == {f"s3://bucket/{stage.project}/{stage.domain}/code.tar.gz"}


def test_another_task_under_the_same_version_is_named(flyte: Flyte, package: list[Entity]) -> None:
    task = next(one for one in package if one.kind is Kind.TASK)
    other = Entity(kind=task.kind, message=type(task.message)())
    other.message.CopyFrom(task.message)
    other.message.template.container.image = "localhost:30000/other:latest"
    changed = [other, *(one for one in package if one is not task)]
    register(flyte, changed, DEVELOPMENT, "tampered")
    there = fetch_registered(flyte, DEVELOPMENT.project, DEVELOPMENT.domain, "tampered")
    compared = compare(placed(package, DEVELOPMENT, "tampered"), there)
    assert compared.different == [str(task)]
