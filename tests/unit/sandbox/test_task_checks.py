from __future__ import annotations

from pathlib import Path

import pytest
from flyteidl.admin.matchable_resource_pb2 import MatchingAttributes
from flyteidl.core.identifier_pb2 import TASK
from flyteidl.core.tasks_pb2 import Resources
from google.protobuf.json_format import ParseDict

from scripts.sandbox.attributes import Scope
from scripts.sandbox.errors import InvalidArgument
from scripts.sandbox.limits import LIMITS
from scripts.sandbox.task_checks import check_template, platform_limits
from tests.unit.sandbox.registry import identifier, registry, task_request

Json = dict[str, object]
ADVICE = "Please contact Flyte Admins to change these limits or consult the configuration"


def asking(requests: dict[str, str], limits: dict[str, str]) -> Json:
    return {
        side: [{"name": name, "value": value} for name, value in given.items()]
        for side, given in (("requests", requests), ("limits", limits))
    }


@pytest.mark.parametrize(
    ("requests", "limits", "problem"),
    [
        pytest.param({"CPU": "1"}, {"CPU": "2"}, "", id="within the limits"),
        pytest.param({}, {"MEMORY": "64Gi"}, "", id="a limit without a request goes unchecked"),
        pytest.param(
            {"MEMORY": "500Mi"},
            {"MEMORY": "2Gi"},
            "Requested MEMORY limit [2Gi] is greater than current limit set in the platform configuration "
            f"[1Gi]. {ADVICE}",
            id="limit above the platform's",
        ),
        pytest.param(
            {"CPU": "3"},
            {},
            "Requested CPU default [3] is greater than current limit set in the platform configuration "
            f"[2]. {ADVICE}",
            id="request above the platform's",
        ),
        pytest.param(
            {"CPU": "2"},
            {"CPU": "1"},
            "Requested CPU default [2] is greater than the limit [1]. Please fix your configuration",
            id="request above its limit",
        ),
        pytest.param(
            {"GPU": "1"},
            {"GPU": "0"},
            "For extended resource 'gpu' the default value must equal the limit value for task [",
            id="unequal gpus",
        ),
        pytest.param({"GPU": "500m"}, {}, "gpu for [", id="half a gpu"),
        pytest.param(
            {"CPU": "some"},
            {},
            "Parsing of CPU request failed for value some - reason  quantities must match",
            id="no quantity",
        ),
    ],
)
def test_resources_are_held_against_the_platforms(
    requests: dict[str, str], limits: dict[str, str], problem: str
) -> None:
    template = task_request().spec.template
    ParseDict(asking(requests, limits), template.container.resources)
    if not problem:
        check_template(template.id, template, LIMITS)
        return
    with pytest.raises(InvalidArgument) as refused:
        check_template(template.id, template, LIMITS)
    assert refused.value.message.startswith(problem)


def test_a_pod_is_held_against_the_platforms_limits_too() -> None:
    template = task_request().spec.template
    resources = {"requests": {"cpu": "3"}}
    ParseDict({"pod_spec": {"containers": [{"name": "primary", "resources": resources}]}}, template.k8s_pod)
    with pytest.raises(InvalidArgument, match="Requested CPU default"):
        check_template(template.id, template, LIMITS)


def test_attributes_of_the_project_replace_the_platforms_limits(tmp_path: Path) -> None:
    there = registry(tmp_path)
    attributes = ParseDict({"task_resource_attributes": {"limits": {"cpu": "8"}}}, MatchingAttributes())
    there.attributes.set(Scope(project="p", domain="development"), attributes)
    assert platform_limits(there.attributes, identifier(TASK, "t")) == {Resources.CPU: "8"}
