"""Lists of executions by tag, phase, time and launch plan, as the readers of records ask for them."""

from __future__ import annotations

import pytest
from flyteidl.admin.common_pb2 import ResourceListRequest, Sort
from flyteidl.admin.execution_pb2 import ExecutionSpec
from grpc import StatusCode

from tests.conformance.entities import launch_plan, workflow_of_nothing
from tests.conformance.flyte import DOMAIN, Flyte, refused

NAME = "tagged"
TAGS = {"tagged-a": ["record", "red"], "tagged-b": ["record"], "tagged-c": ["red"], "tagged-d": []}


@pytest.fixture(scope="module")
def tagged(registered: Flyte) -> Flyte:
    """Four executions of one launch plan, launched one after the other, that have ended."""
    flyte = registered
    flyte.admin.CreateLaunchPlan(launch_plan(flyte, NAME, of=workflow_of_nothing(flyte, "tagged_wf")))
    for name, tags in TAGS.items():
        spec = ExecutionSpec(tags=tags)
        spec.labels.values["team"] = "fraud" if "red" in tags else "core"
        flyte.ended(flyte.launch(NAME, name=name, spec=spec))
    return flyte


def listed(
    flyte: Flyte, filters: str, *, limit: int = 100, token: str = "", key: str = "created_at"
) -> tuple[list[str], str]:
    """Return the last letter of each execution's name, and the token of the next page."""
    request = ResourceListRequest(filters=filters, limit=limit, token=token)
    request.id.project, request.id.domain = flyte.project, DOMAIN
    request.sort_by.CopyFrom(Sort(key=key, direction=Sort.ASCENDING))
    page = flyte.admin.ListExecutions(request)
    return [execution.id.name.removeprefix("tagged-") for execution in page.executions], page.token


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ("eq(admin_tag.name,record)", "ab"),
        ("eq(execution_tag.key,record)", "ab"),
        ("eq(admin_tag.name,absent)", ""),
        # Once for each of its tags that is among the values.
        ("value_in(admin_tag.name,record;red)", "aabc"),
        ("value_in(admin_tag.name,record)", "ab"),
        # Both would have to hold for one and the same tag.
        ("eq(admin_tag.name,record)+eq(admin_tag.name,red)", ""),
        ("eq(admin_tag.name,record)+eq(launch_plan.name,tagged)", "ab"),
        ("eq(admin_tag.name,record)+eq(launch_plan.name,absent)", ""),
        ("eq(admin_tag.name,record)+value_in(phase,SUCCEEDED;FAILED)", "ab"),
        ("eq(admin_tag.name,record)+eq(phase,RUNNING)", ""),
        ("eq(admin_tag.name,record)+eq(execution_name,tagged-b)", "b"),
        ("eq(admin_tag.name,record)+gte(execution_created_at,2020-01-01T00:00:00Z)", "ab"),
        ("eq(admin_tag.name,record)+lt(execution_created_at,2020-01-01T00:00:00Z)", ""),
        ("eq(launch_plan.name,tagged)+gte(execution_created_at,2020-01-01T00:00:00Z)", "abcd"),
    ],
)
def test_filters_by_tag_combine_with_others(tagged: Flyte, filters: str, expected: str) -> None:
    assert "".join(listed(tagged, filters, key="execution_created_at")[0]) == expected


def test_the_time_of_creation_cuts_a_list(tagged: Flyte) -> None:
    request = ResourceListRequest(filters="eq(execution_name,tagged-c)", limit=1)
    request.id.project, request.id.domain = tagged.project, DOMAIN
    request.sort_by.CopyFrom(Sort(key="execution_created_at"))
    created = tagged.admin.ListExecutions(request).executions[0].closure.created_at.ToJsonString()
    since = f"eq(launch_plan.name,tagged)+gte(execution_created_at,{created})"
    assert listed(tagged, since, key="execution_created_at")[0] == ["c", "d"]


def test_pages_of_a_tag_follow_each_other(tagged: Flyte) -> None:
    filters = "eq(admin_tag.name,record)"
    first, token = listed(tagged, filters, limit=1, key="execution_created_at")
    second, token = listed(tagged, filters, limit=1, token=token, key="execution_created_at")
    assert first + second == ["a", "b"]
    assert listed(tagged, filters, limit=1, token=token, key="execution_created_at") == ([], "")


def test_an_execution_shows_its_tags(tagged: Flyte) -> None:
    request = ResourceListRequest(filters="eq(execution_name,tagged-a)", limit=1)
    request.id.project, request.id.domain = tagged.project, DOMAIN
    request.sort_by.CopyFrom(Sort(key="execution_created_at"))
    spec = tagged.admin.ListExecutions(request).executions[0].spec
    assert (sorted(spec.tags), dict(spec.labels.values)) == (["record", "red"], {"team": "fraud"})


@pytest.mark.parametrize(
    ("filters", "text"),
    [
        ("eq(name,tagged-a)", "'e.name' is invalid filter"),
        ("eq(labels,x)", "'e.labels' is invalid filter"),
        ("eq(node_execution.phase,RUNNING)", "entity is not allowed in filters"),
    ],
)
def test_other_fields_are_no_filters(tagged: Flyte, filters: str, text: str) -> None:
    with refused(StatusCode.INVALID_ARGUMENT, text):
        listed(tagged, filters)
