from __future__ import annotations

import pytest

from tasks._entities import Entity
from tasks._errors import ReferenceCycle, RegistrationRefused
from tasks._rewrite import LaunchSettings, rewrite
from tasks._waves import needs, waves
from tests.unit.entities import PLACEMENT, a_plan, a_task, a_workflow


def _placed(*entities: Entity) -> list[Entity]:
    return rewrite(entities, PLACEMENT, LaunchSettings())


def _names(entities: list[Entity]) -> list[list[str]]:
    return [[str(one) for one in wave] for wave in waves(entities)]


def test_tasks_then_workflows_then_launch_plans_level_by_level() -> None:
    entities = _placed(
        a_plan("top"),
        a_workflow("top", plans=["inner", "theirs"]),
        a_plan("inner"),
        a_workflow("inner", tasks=["t"]),
        a_workflow("other", tasks=["t"]),
        a_plan("nightly", "other"),
        a_task("t"),
    )
    assert _names(entities) == [
        ["task t"],
        ["workflow inner", "workflow other"],
        ["launch plan inner", "launch plan nightly"],
        ["workflow top"],
        ["launch plan top"],
    ]


def test_a_launch_plan_of_a_workflow_from_elsewhere_comes_last() -> None:
    assert _names(_placed(a_plan("p", "not-in-the-package"), a_task("t"))) == [["task t"], ["launch plan p"]]


def test_an_empty_package_has_no_wave() -> None:
    assert waves([]) == []


def test_a_circle_of_launch_plans_is_an_error_that_names_its_workflows() -> None:
    entities = _placed(
        a_workflow("a", plans=["b"]), a_plan("a"), a_workflow("b", plans=["a"]), a_plan("b"), a_workflow("c")
    )
    with pytest.raises(ReferenceCycle, match="a, b"):
        waves(entities)


def test_two_entities_of_one_name_are_refused() -> None:
    with pytest.raises(RegistrationRefused, match="more than one task t") as caught:
        waves(_placed(a_task("t"), a_workflow("t"), a_task("t")))
    assert list(caught.value.refusals) == ["task t"]


def test_needs_are_what_flyte_has_to_have_before() -> None:
    entities = _placed(
        a_task("t"), a_workflow("w", tasks=["t", "theirs"]), a_plan("w"), a_workflow("v", plans=["w"])
    )
    assert needs(entities) == [set(), {0}, {1}, {2}]


def test_a_sub_workflow_is_no_need() -> None:
    workflow = a_workflow("w")
    reference = workflow.message.template.nodes.add(id="n").workflow_node.sub_workflow_ref
    reference.name, reference.resource_type = "s", a_workflow("s").id.resource_type
    assert needs(_placed(a_workflow("s"), workflow)) == [set(), set()]
