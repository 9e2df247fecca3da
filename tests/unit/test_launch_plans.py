from __future__ import annotations

from dataclasses import replace

import pytest
from flyteidl.admin.launch_plan_pb2 import LaunchPlan
from flyteidl.core import interface_pb2, types_pb2
from flyteidl.core.literals_pb2 import Literal, Primitive, Scalar

from tasks._enrolment import Enrolment, PreviewStage
from tasks._errors import BadUsage
from workflows.launch_plans import (
    APPROVE,
    HOLD,
    PREVIEW,
    Flow,
    Installation,
    installation_of,
    self_check_plan,
    target_plan,
)

INSTALLATION = Installation(
    project="taxiway",
    domain="production",
    version="abc-1",
    env={"FLYTE_PLATFORM_URL": "dns:///flyte", "A": "1"},
    service_account="taxiway",
)
ENROLMENT = Enrolment(
    name="fraud",
    repository="https://git.example/fraud",
    preview=PreviewStage(project="fraud-previews", domain="development"),
)
FIXED = Literal(scalar=Scalar(primitive=Primitive(string_value="stands for the enrolment")))


def interface(*names: str) -> interface_pb2.TypedInterface:
    kinds = {"sha": types_pb2.STRING, "enrolment": types_pb2.STRUCT}
    variables = {
        name: interface_pb2.Variable(type=types_pb2.LiteralType(simple=kinds.get(name, types_pb2.INTEGER)))
        for name in names
    }
    return interface_pb2.TypedInterface(inputs=interface_pb2.VariableMap(variables=variables))


def plan(literal: Literal = FIXED, installation: Installation = INSTALLATION) -> LaunchPlan:
    inputs = interface("enrolment", "sha", "pull_request", "attempt")
    return target_plan(PREVIEW, ENROLMENT, literal, inputs, installation)


def test_callers_can_give_a_sha_a_pull_request_and_an_attempt() -> None:
    parameters = plan().spec.default_inputs.parameters
    assert set(parameters) == {"sha", "pull_request", "attempt"}
    assert parameters["sha"].required
    assert parameters["pull_request"].default.scalar.primitive.integer == 0
    assert parameters["attempt"].default.scalar.primitive.integer == 1


def test_enrolment_is_fixed() -> None:
    assert dict(plan().spec.fixed_inputs.literals) == {"enrolment": FIXED}


def test_plan_is_named_after_the_target_and_runs_the_installed_workflow() -> None:
    made = plan()
    assert (made.id.name, made.id.project, made.id.domain) == (
        "taxiway.preview.fraud",
        "taxiway",
        "production",
    )
    assert (made.spec.workflow_id.name, made.spec.workflow_id.version) == (PREVIEW.workflow, "abc-1")
    assert made.spec.security_context.run_as.k8s_service_account == "taxiway"


def test_same_enrolment_is_the_same_version() -> None:
    assert plan() == plan()
    assert plan().id.version.startswith("abc-1-")


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(plan(literal=Literal()), id="enrolment"),
        pytest.param(plan(installation=replace(INSTALLATION, env={})), id="environment"),
        pytest.param(plan(installation=replace(INSTALLATION, service_account="")), id="service-account"),
        pytest.param(plan(installation=replace(INSTALLATION, version="abc-2")), id="installed-version"),
    ],
)
def test_any_other_enrolment_is_another_version(other: LaunchPlan) -> None:
    assert other.id.version != plan().id.version


def test_workflow_with_other_inputs_is_refused() -> None:
    with pytest.raises(BadUsage, match="takes enrolment, revision"):
        target_plan(PREVIEW, ENROLMENT, FIXED, interface("enrolment", "revision"), INSTALLATION)


def test_installation_is_read_back_from_its_plan() -> None:
    assert installation_of(self_check_plan(INSTALLATION)) == INSTALLATION


@pytest.mark.parametrize(
    ("flow", "inputs"),
    [
        pytest.param(APPROVE, ("sha", "stage", "policy", "approve", "comment"), id="approve"),
        pytest.param(HOLD, ("stage", "reason", "hold"), id="hold"),
    ],
)
def test_decisions_are_asked_for_with_what_they_are_about(flow: Flow, inputs: tuple[str, ...]) -> None:
    made = target_plan(flow, ENROLMENT, FIXED, interface("enrolment", *inputs), INSTALLATION)
    parameters = made.spec.default_inputs.parameters
    assert {name for name, one in parameters.items() if one.required} == set(flow.required)
    assert parameters[flow.name].default.scalar.primitive.boolean is True
