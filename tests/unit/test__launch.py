"""Launching by a derived name: the same finds itself, anything else under that name is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from flyteidl.admin.launch_plan_pb2 import LaunchPlan
from flyteidl.core.literals_pb2 import LiteralMap

from tasks._errors import FlyteExists, OtherInputs
from tasks._flyte import Flyte
from tasks._launch import Launched, differences, launch
from tasks._typed import literal_of, literals
from tests.unit.promotions import SHA, Ledger, plan_id


def plan(flow: str = "promote") -> LaunchPlan:
    found = LaunchPlan(id=plan_id(flow))
    found.spec.annotations.values["from"] = "the plan"
    found.spec.default_inputs.parameters["attempt"].default.CopyFrom(literal_of(1))
    found.spec.default_inputs.parameters["sha"].required = True
    found.spec.fixed_inputs.literals["enrolment"].CopyFrom(literal_of("fixed"))
    return found


class Creating:
    """A Flyte that keeps what it is asked to launch, and has one execution of a name."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.requests: list[Any] = []

    def flyte(self) -> Flyte:
        flyte = self.ledger.flyte()
        return replace(flyte, rpcs={**flyte.rpcs, "CreateExecution": self.create})

    def create(self, request: Any, timeout: float) -> None:
        self.requests.append(request)
        if request.name in self.ledger.executions:
            raise FlyteExists("It is there.", remedy="", status="ALREADY_EXISTS", details="")


def ask(creating: Creating, of: LaunchPlan | None = None, **inputs: Any) -> Launched:
    return launch(
        creating.flyte(),
        of or plan(),
        name="promote-1",
        inputs=literals({"sha": SHA, **inputs}),
        tags=["taxiway.fraud"],
        annotations={"taxiway/stage": "production"},
    )


def test_a_new_one_is_launched_with_the_notes_of_both() -> None:
    creating = Creating(Ledger())
    launched = ask(creating)
    assert not launched.attached
    (request,) = creating.requests
    assert dict(request.spec.annotations.values) == {"from": "the plan", "taxiway/stage": "production"}
    assert request.spec.launch_plan.version == plan().id.version
    assert (request.name, request.project, list(request.spec.tags)) == (
        "promote-1",
        "taxiway",
        ["taxiway.fraud"],
    )


def there(flow: str = "promote", **inputs: Any) -> Creating:
    ledger = Ledger()
    ledger.add("promote-1", flow, inputs={"enrolment": "fixed", "attempt": 1, "sha": SHA, **inputs})
    return Creating(ledger)


def test_the_same_one_is_attached_to_with_defaults_filled_in() -> None:
    assert ask(there()).attached
    assert ask(there(), attempt=1).attached


@pytest.mark.parametrize(
    ("creating", "said"),
    [
        pytest.param(there(sha="a" * 40), "another sha", id="another-input"),
        pytest.param(there(attempt=2), "another attempt", id="another-than-the-default"),
        pytest.param(there(enrolment="other"), "another enrolment", id="another-fixed-input"),
        pytest.param(there("activate"), "another launch plan", id="another-launch-plan"),
        pytest.param(there(more=1), "another more", id="one-more"),
    ],
)
def test_another_one_of_that_name_is_refused(creating: Creating, said: str) -> None:
    with pytest.raises(OtherInputs, match=said):
        ask(creating)


def test_differences_are_names() -> None:
    assert differences(literals({"a": 1, "b": 2}), literals({"a": 1, "b": 3, "c": 4})) == ["b", "c"]
    assert differences(LiteralMap(), LiteralMap()) == []
