from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tasks._entities import Entity, Kind
from tasks._rewrite import LaunchSettings, Placement, rewrite
from tasks.diff import Change, EntityChange, entity_changes
from tests.unit.entities import INT, PLACEMENT, a_plan, a_task, a_workflow

OTHER = Placement(
    project="fraud", domain="production", version="v0", bundle_uri="gs://a/b/fast.tar.gz", destination="/root"
)


def _changes(old: list[Entity], new: list[Entity]) -> tuple[list[EntityChange], int]:
    return entity_changes(rewrite(old, OTHER, LaunchSettings()), rewrite(new, PLACEMENT, LaunchSettings()))


def test_identity_code_location_and_flytekits_version_make_no_change() -> None:
    old = [a_task("t"), a_workflow("w", tasks=["t"], plans=["p"]), a_plan("p", "w")]
    new = [a_task("t"), *old[1:]]
    new[0].message.template.metadata.runtime.version = "1.15.0"
    new[0].message.template.container.env.add(key="_F_SS_C", value="H4sI")
    assert _changes(old, new) == ([], 3)


def test_added_and_removed_entities_are_told_apart_by_kind() -> None:
    changes, unchanged = _changes([a_task("x"), a_plan("gone", "w")], [a_workflow("x")])
    assert [(one.kind, one.name, one.change) for one in changes] == [
        (Kind.TASK, "x", Change.REMOVED),
        (Kind.WORKFLOW, "x", Change.ADDED),
        (Kind.LAUNCH_PLAN, "gone", Change.REMOVED),
    ]
    assert unchanged == 0
    assert changes[0].breaking == []
    assert changes[2].breaking == ["the launch plan is gone"]
    assert changes[2].against == "v0"


def _image(message: Any) -> None:
    message.template.container.image = "registry.example.com/fraud@sha256:11"


def _node(message: Any) -> None:
    message.template.nodes.add(id="n9").task_node.reference_id.name = "t"


def _schedule(message: Any) -> None:
    message.spec.entity_metadata.schedule.cron_schedule.schedule = "0 4 * * *"


def _default(message: Any) -> None:
    message.spec.default_inputs.parameters["a"].default.scalar.primitive.integer = 3


def _description(message: Any) -> None:
    message.template.interface.inputs.variables["a"].description = "how many"


@pytest.mark.parametrize(
    ("make", "edit", "detail"),
    [
        (lambda: a_task("t"), _image, "container.image: registry.example.com/fraud@sha256:00 → "
         "registry.example.com/fraud@sha256:11"),
        (lambda: a_workflow("w", tasks=["t"]), _node, "nodes[n9]: added {id: n9, task_node: {reference_id: "),
        (lambda: a_plan("p"), _schedule, "entity_metadata: added {schedule: {cron_schedule: {schedule: 0 4"),
        (lambda: a_plan("p", inputs={"a": INT}), _default, "input a has a default now"),
        (lambda: a_task("t", inputs={"a": INT}), _description, "the wording of its interface"),
    ],
    ids=["image", "node", "schedule", "default", "description"],
)  # fmt: skip
def test_a_change_is_said_in_words(
    make: Callable[[], Entity], edit: Callable[[Any], None], detail: str
) -> None:
    new = make()
    edit(new.message)
    changes, unchanged = _changes([make()], [new])
    assert [one.change for one in changes] == [Change.CHANGED]
    assert changes[0].details[0].startswith(detail)
    assert unchanged == 0


def test_a_workflows_new_input_breaks_callers_unless_its_launch_plan_has_a_default() -> None:
    old = [a_workflow("w"), a_plan("w")]
    required = [a_workflow("w", inputs={"a": INT}), a_plan("w", inputs={"a": INT})]
    broken = _changes(old, required)[0]
    assert [one.breaking for one in broken] == [["input a is new (int) and required"]] * 2
    required[1].message.spec.default_inputs.parameters["a"].required = False
    fine = _changes(old, required)[0]
    assert [one.breaking for one in fine] == [[], []]
    assert fine[0].details[0] == "input a is new (int, with a default)"


def test_a_long_change_is_cut_short() -> None:
    new = a_workflow("w", tasks=[f"t{at}" for at in range(60)])
    change = _changes([a_workflow("w")], [new])[0][0]
    assert len("".join(change.details)) < 2000
