from __future__ import annotations

import pytest
from flyteidl.admin.launch_plan_pb2 import LaunchPlan
from flyteidl.core.literals_pb2 import Literal, LiteralMap, Primitive, Scalar

from tasks._literals import Mismatch, Value
from tasks.policy import SmokeTest
from tasks.smoke_case import SmokePlace, execution_name, inputs_of, judge, names_of, request_of, shown
from tests.unit.entities import FLOAT, INT, a_plan

PLACE = SmokePlace(project="fraud-previews", domain="development", version="v1", labels={"ours": "1"})


def _test(**inputs: Value) -> SmokeTest:
    return SmokeTest(launch_plan="fraud.workflows.train", inputs=inputs)


def _plan() -> LaunchPlan:
    plan = a_plan("fraud.workflows.train", inputs={"rows": INT, "rate": FLOAT}).message
    assert isinstance(plan, LaunchPlan)
    plan.spec.default_inputs.parameters["rate"].required = False
    plan.spec.fixed_inputs.literals["seed"].SetInParent()
    plan.spec.labels.values["team"] = "risk"
    return plan


def _literal(number: float) -> Literal:
    return Literal(scalar=Scalar(primitive=Primitive(float_value=number)))


def test_inputs_get_the_launch_plans_own_types() -> None:
    literals = inputs_of(_test(rows=3, rate=1), _plan()).literals
    assert literals["rows"].scalar.primitive.integer == 3
    assert literals["rate"].scalar.primitive.WhichOneof("value") == "float_value"


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"rate": 1.0}, "rows must be given"),
        ({"rows": 1, "row": 1}, "row is no input of it; it has rate, rows"),
        ({"rows": 1, "seed": 1}, "seed is fixed"),
        ({"rows": "1"}, "rows has to be int"),
    ],
    ids=["missing", "unknown", "fixed", "mistyped"],
)
def test_inputs_that_do_not_fit_are_named(inputs: dict[str, Value], said: str) -> None:
    with pytest.raises(Mismatch, match=said):
        inputs_of(_test(**inputs), _plan())


def test_the_same_test_has_the_same_execution_and_every_other_another() -> None:
    first = execution_name("train", _test(rows=1), PLACE)
    others = {
        execution_name("train #2", _test(rows=1), PLACE),
        execution_name("train", _test(rows=2), PLACE),
        execution_name("train", _test(rows=1), SmokePlace(project="p", domain="d", version="v1")),
        execution_name("train", _test(rows=1), SmokePlace(project="p", domain="d", version="v1", attempt=2)),
    }
    assert execution_name("train", _test(rows=1), PLACE) == first
    assert len({first, *others}) == 5
    assert first.startswith("smoke-train-")
    assert len(first) <= 47


def test_names_are_numbered_where_a_plan_is_tested_twice() -> None:
    tests = [SmokeTest(launch_plan=name) for name in ("a", "b", "a", "a")]
    assert names_of(tests) == ["a", "b", "a #2", "a #3"]


def test_labels_join_the_plans_own_and_nobody_is_notified() -> None:
    request = request_of("train", _test(rows=1), _plan(), PLACE)
    assert dict(request.spec.labels.values) == {"team": "risk", "ours": "1"}
    assert request.spec.disable_all
    assert not request.spec.HasField("security_context")


def test_the_previews_service_account_takes_the_plans_place() -> None:
    plan = _plan()
    plan.spec.security_context.secrets.add(group="g", key="k")
    place = SmokePlace(project="p", domain="d", version="v", service_account="previews")
    context = request_of("train", _test(rows=1), plan, place).spec.security_context
    assert context.run_as.k8s_service_account == "previews"
    assert context.secrets[0].group == "g"


def test_outputs_are_judged_one_by_one() -> None:
    outputs = LiteralMap(literals={"accuracy": _literal(0.9), "loss": _literal(0.4)})
    judged = judge({"accuracy": ">= 0.5", "loss": "< 0.1", "auc": "> 0"}, outputs)
    assert [(one.output, one.passed, one.actual) for one in judged] == [
        ("accuracy", True, "0.9"),
        ("loss", False, "0.4"),
        ("auc", False, "(there is no such output; there are: accuracy, loss)"),
    ]


def test_a_long_value_is_cut() -> None:
    assert shown("x" * 1000).endswith("... (1002 characters)")
