from __future__ import annotations

import pytest
from flyteidl.admin.launch_plan_pb2 import LaunchPlanSpec
from flyteidl.core.interface_pb2 import VariableMap
from google.protobuf.json_format import ParseDict

from scripts.sandbox.errors import InvalidArgument
from scripts.sandbox.plan_checks import check_plan

Json = dict[str, object]
WANTED: Json = {
    "variables": {
        "n": {"type": {"simple": "INTEGER"}, "description": "how many"},
        "at": {"type": {"simple": "DATETIME"}},
    }
}
ONE: Json = {"scalar": {"primitive": {"integer": "1"}}}
TEXT: Json = {"scalar": {"primitive": {"string_value": "x"}}}
DAILY: Json = {"cron_schedule": {"schedule": "@daily"}}


def default(literal: Json, kind: str = "INTEGER") -> Json:
    return {"var": {"type": {"simple": kind}}, "default": literal}


def spec(**fields: object) -> LaunchPlanSpec:
    return ParseDict(fields, LaunchPlanSpec())


def scheduled(schedule: Json, **fields: object) -> LaunchPlanSpec:
    return spec(entity_metadata={"schedule": schedule}, **fields)


def fixed(**literals: Json) -> Json:
    return {"literals": literals}


def defaults(**parameters: Json) -> Json:
    return {"parameters": parameters}


@pytest.fixture
def wanted() -> VariableMap:
    return ParseDict(WANTED, VariableMap())


def test_what_is_neither_fixed_nor_defaulted_is_required(wanted: VariableMap) -> None:
    expected = check_plan(spec(fixed_inputs=fixed(n=ONE)), wanted)
    assert list(expected.parameters) == ["at"]
    assert expected.parameters["at"].required
    expected = check_plan(spec(default_inputs=defaults(n=default(ONE))), wanted)
    assert expected.parameters["n"].default.scalar.primitive.integer == 1


def test_the_kickoff_input_may_stay_free(wanted: VariableMap) -> None:
    check_plan(scheduled({**DAILY, "kickoff_time_input_arg": "at"}, fixed_inputs=fixed(n=ONE)), wanted)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        pytest.param(spec(fixed_inputs=fixed(x=ONE)), "unexpected fixed_input x", id="unknown fixed"),
        pytest.param(
            spec(fixed_inputs=fixed(n=TEXT)),
            "invalid fixed_input wrong type n, expected simple:INTEGER, got simple:STRING instead",
            id="mistyped fixed",
        ),
        pytest.param(
            spec(fixed_inputs=fixed(n={})), "missing valid literal in fixed_inputs n", id="fixed to nothing"
        ),
        pytest.param(
            spec(default_inputs=defaults(x=default(ONE))), "unexpected default_input x", id="unknown default"
        ),
        pytest.param(
            spec(default_inputs=defaults(n=default(TEXT))),
            "Type mismatch for Parameter n in default_inputs has type simple:INTEGER, expected simple:STRING",
            id="default of another type than its own",
        ),
        pytest.param(
            spec(default_inputs=defaults(n=default(TEXT, "STRING"))),
            "invalid default_input wrong type n, expected simple:STRING, got simple:INTEGER instead",
            id="mistyped default",
        ),
        pytest.param(
            spec(default_inputs=defaults(n={"var": {"type": {"simple": "INTEGER"}}})),
            "Invalid variable n in default_inputs - variable has neither default, nor is required. "
            "One must be specified",
            id="neither default nor required",
        ),
        pytest.param(
            scheduled(DAILY, fixed_inputs=fixed(n=ONE)),
            "Cannot create a launch plan with a schedule if there is an unbound required input. "
            "[at] is required",
            id="schedule with a free input",
        ),
        pytest.param(
            scheduled({**DAILY, "kickoff_time_input_arg": "n"}, default_inputs=defaults(n=default(ONE))),
            "Cannot create a launch plan with a schedule if there is an unbound required input. "
            "[at] is required",
            id="kickoff of another input",
        ),
        pytest.param(
            scheduled(
                {"cron_schedule": {"schedule": "daily"}, "kickoff_time_input_arg": "at"},
                fixed_inputs=fixed(n=ONE),
            ),
            "Invalid cron expression: expected exactly 5 fields, found 1: [daily]",
            id="no cron",
        ),
        pytest.param(
            spec(entity_metadata={"notifications": [{"email": {}}]}),
            "missing recipients",
            id="nobody to notify",
        ),
        pytest.param(
            spec(labels={"values": {"a b": "c"}}),
            "invalid label key [a b]: [name part must consist",
            id="label",
        ),
    ],
)
def test_what_flyteadmin_refuses_is_refused(given: LaunchPlanSpec, problem: str, wanted: VariableMap) -> None:
    with pytest.raises(InvalidArgument) as refused:
        check_plan(given, wanted)
    assert refused.value.message.startswith(problem)


def test_a_workflow_without_inputs_takes_none() -> None:
    with pytest.raises(InvalidArgument, match="invalid launch plan fixed inputs, expected none but found 1"):
        check_plan(spec(fixed_inputs=fixed(n=ONE)), VariableMap())
