from __future__ import annotations

from typing import Any

import pytest

from tasks._entities import Entity
from tasks._rewrite import LaunchSettings, Placement, rewrite
from tasks.same_bytes import code_locations, compare, strangers
from tests.unit.entities import PLACEMENT, a_plan, a_task, a_workflow

STAGE = Placement(
    project="fraud", domain="production", version="v2", bundle_uri="gs://a/b/code.tar.gz", destination="/root"
)
SETTINGS = LaunchSettings(
    service_account="live",
    iam_role="arn:x",
    data_prefix="s3://live",
    labels={"team": "risk"},
    annotations={"a": "b"},
    env={"MODE": "live"},
    max_parallelism=4,
    notify=["ops@example.com"],
)


def package() -> list[Entity]:
    return [a_task("t"), a_workflow("w", tasks=["t"], plans=["p"]), a_plan("p", "w")]


def here() -> list[Entity]:
    return rewrite(package(), PLACEMENT, LaunchSettings())


def test_identity_location_destination_and_settings_make_no_difference() -> None:
    there = rewrite(package(), STAGE, SETTINGS)
    assert compare(here(), there).passed
    assert str(compare(here(), there)) == "same bytes: 3 of 3"


def test_what_flytes_compiler_adds_makes_no_difference() -> None:
    compiled = here()
    template = compiled[1].message.template
    template.nodes.add(id="start-node")
    template.nodes.add(id="end-node").upstream_node_ids.append("n0")
    template.nodes[0].upstream_node_ids.append("start-node")
    assert compare(here(), compiled).passed


def test_a_reference_that_names_only_the_project_of_its_stage_makes_no_difference() -> None:
    written = package()
    written[1].message.template.nodes[0].task_node.reference_id.project = STAGE.project
    placed = rewrite(written, STAGE, SETTINGS)
    assert compare(placed, rewrite(package(), STAGE, SETTINGS)).passed


def _image(message: Any) -> None:
    message.template.container.image = "registry.example.com/other@sha256:11"


def _argument(message: Any) -> None:
    message.template.container.args.append("--more")


def _node(message: Any) -> None:
    message.template.nodes[0].task_node.reference_id.name = "u"


def _inner(message: Any) -> None:
    message.sub_workflows.add().id.name = "hidden"


def _elsewhere(message: Any) -> None:
    message.template.nodes[0].task_node.reference_id.project = "another"


def _schedule(message: Any) -> None:
    message.spec.entity_metadata.schedule.cron_schedule.schedule = "0 4 * * *"


def _secret(message: Any) -> None:
    message.spec.security_context.secrets.add(group="g", key="k")


@pytest.mark.parametrize(
    ("at", "change", "name"),
    [
        (0, _image, "task t"),
        (0, _argument, "task t"),
        (1, _node, "workflow w"),
        (1, _inner, "workflow w"),
        (1, _elsewhere, "workflow w"),
        (2, _schedule, "launch plan p"),
        (2, _secret, "launch plan p"),
    ],
    ids=["image", "argument", "node", "sub-workflow", "reference elsewhere", "schedule", "secret"],
)
def test_what_a_promotion_may_not_change_is_named(at: int, change: Any, name: str) -> None:
    other = rewrite(package(), STAGE, SETTINGS)
    change(other[at].message)
    compared = compare(here(), other)
    assert compared.different == [name]
    assert str(compared) == f"same bytes: 2 of 3; different: {name}"


def test_what_is_missing_or_foreign_is_named() -> None:
    compared = compare(here(), [*rewrite(package(), STAGE, SETTINGS)[:2], a_task("x")])
    assert not compared.passed
    assert str(compared) == "same bytes: 2 of 3; missing: launch plan p; not of the package: task x"


def test_a_stage_has_its_code_in_one_place_and_refers_to_no_other_stage() -> None:
    placed = rewrite([*package(), a_task("u")], STAGE, SETTINGS)
    assert code_locations(placed) == {"gs://a/b/code.tar.gz"}
    assert strangers(placed, project="fraud", domain="production") == []
    assert strangers(placed, project="fraud", domain="development")[0].startswith("task t refers to fraud/")
