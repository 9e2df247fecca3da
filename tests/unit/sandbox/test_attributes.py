from __future__ import annotations

from pathlib import Path

import pytest
from flyteidl.admin.matchable_resource_pb2 import MatchableResource, MatchingAttributes
from google.protobuf.json_format import ParseDict

from scripts.sandbox.attributes import Attributes, Scope
from scripts.sandbox.errors import InvalidArgument, NotFound
from tests.unit.sandbox.registry import registry

CONFIG = MatchableResource.WORKFLOW_EXECUTION_CONFIG
PROJECT = Scope(project="p")
DOMAIN = Scope(project="p", domain="development")
WORKFLOW = Scope(project="p", domain="development", workflow="w")


@pytest.fixture
def attributes(tmp_path: Path) -> Attributes:
    return registry(tmp_path).attributes


def parallel(most: int) -> MatchingAttributes:
    return ParseDict({"workflow_execution_config": {"max_parallelism": most}}, MatchingAttributes())


def test_the_nearest_setting_counts_and_then_the_projects_own(attributes: Attributes) -> None:
    for number, scope in enumerate((PROJECT, DOMAIN, WORKFLOW), 1):
        attributes.set(scope, parallel(number))
    configs = attributes.workflow_execution_config("p", "development", "w")
    assert [config.max_parallelism for config in configs] == [3, 1]
    configs = attributes.workflow_execution_config("p", "development", "other")
    assert [config.max_parallelism for config in configs] == [2, 1]


def test_deleting_a_projects_settings_deletes_those_below(attributes: Attributes) -> None:
    attributes.set(WORKFLOW, parallel(1))
    attributes.delete(CONFIG, PROJECT)
    with pytest.raises(NotFound) as missing:
        attributes.nearest(CONFIG, WORKFLOW)
    assert missing.value.message == (
        "Resource [{Project:p Domain:development Workflow:w LaunchPlan: "
        "ResourceType:WORKFLOW_EXECUTION_CONFIG}] not found"
    )


def test_plugin_overrides_are_merged_by_task_type(attributes: Attributes) -> None:
    for task_type in ("a", "b", "a"):
        override = {"task_type": task_type, "plugin_id": ["x"]}
        attributes.set(
            DOMAIN, ParseDict({"plugin_overrides": {"overrides": [override]}}, MatchingAttributes())
        )
    found = attributes.exactly(MatchableResource.PLUGIN_OVERRIDE, DOMAIN).attributes.plugin_overrides
    assert [one.task_type for one in found.overrides] == ["a", "b"]


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (None, "missing matching_attributes"),
        (MatchingAttributes(), "Unrecognized matching attributes type for request p-development-w"),
    ],
)
def test_nothing_is_no_setting(
    attributes: Attributes, given: MatchingAttributes | None, problem: str
) -> None:
    with pytest.raises(InvalidArgument) as refused:
        attributes.set(WORKFLOW, given)
    assert refused.value.message == problem
