from __future__ import annotations

import pytest
from flyteidl.admin.common_pb2 import NamedEntityIdentifierListRequest, ResourceListRequest, Sort
from flyteidl.core.identifier_pb2 import LAUNCH_PLAN, TASK
from google.protobuf.json_format import ParseDict

from scripts.sandbox.entity_lists import EntityLists
from scripts.sandbox.errors import InvalidArgument
from tests.unit.sandbox.registry import plan_request, registry, task_request, workflow_request


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> EntityLists:
    """Tasks t (v1, v2), Te_st and a; launch plans w and other of the workflow w."""
    there = registry(tmp_path_factory.mktemp("lists"))
    for name, version in (("t", "v1"), ("t", "v2"), ("Te_st", "v1"), ("a", "v1")):
        there.entities.register_task(task_request(name, version))
    there.entities.register_workflow(workflow_request())
    for name in ("w", "other"):
        there.entities.register_launch_plan(plan_request(name))
    return EntityLists(there.db)


def request(**fields: object) -> ResourceListRequest:
    given = {"id": {"project": "p", "domain": "development"}, "limit": 10, **fields}
    return ParseDict(given, ResourceListRequest())


def tasks(found: EntityLists, **fields: object) -> list[str]:
    page = found.versions(TASK, request(**fields), "ListTasks")
    return [f"{row['name']}:{row['version']}" for row in page.rows]


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ("eq(name,t)", ["t:v1", "t:v2"]),
        ("eq(task.name,t)+ne(version,v1)", ["t:v2"]),
        ("contains(name,t)", ["t:v1", "t:v2", "Te_st:v1"]),
        ("contains(name,T)", ["Te_st:v1"]),
        ("not_like(name,T%)", ["t:v1", "t:v2", "a:v1"]),
        ("value_in(name,a;Te_st)", ["Te_st:v1", "a:v1"]),
        ("value_not_in(name,a;t)", ["Te_st:v1"]),
        ("gte(created_at,2000-01-01T00:00:00Z)+eq(name, a)", ["a:v1"]),
        ("eq(type,python-task)+eq(name,a)", ["a:v1"]),
    ],
)
def test_filters_choose(found: EntityLists, filters: str, names: list[str]) -> None:
    assert tasks(found, filters=filters) == names


@pytest.mark.parametrize(
    ("filters", "problem"),
    [
        ("name=t", "invalid value for filters"),
        ("eq(color,red)", "'t.color' is invalid filter"),
        ("eq(execution.phase,1)", "'e' entity is not allowed in filters"),
        ("like(name,t)", "unrecognized filter function: like"),
        ("gt(created_at,yesterday)", "Timestamp yesterday must conform to RFC3339 Nano spec"),
    ],
)
def test_other_filters_are_refused(found: EntityLists, filters: str, problem: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        tasks(found, filters=filters)
    assert refused.value.message == problem


def test_pages_follow_each_other_and_a_full_last_one_has_a_token(found: EntityLists) -> None:
    first = found.versions(TASK, request(limit=3), "ListTasks")
    second = found.versions(TASK, request(limit=1, token=first.token), "ListTasks")
    assert (first.token, second.token) == ("3", "4")
    assert [row["name"] for row in second.rows] == ["a"]
    assert found.versions(TASK, request(limit=2, token="4"), "ListTasks").token == ""


def test_a_sort_key_orders(found: EntityLists) -> None:
    assert tasks(found, sort_by={"key": "created_at", "direction": "DESCENDING"})[0] == "a:v1"
    assert tasks(found, sort_by={"key": "name", "direction": "ASCENDING"})[0] == "Te_st:v1"


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"limit": 0}, "invalid value for limit"),
        ({"token": "x"}, "invalid pagination token x for ListTasks"),
        ({"sort_by": {"key": "color"}}, "invalid sort key 'color'"),
        ({"id": {"project": "p"}}, "missing domain"),
    ],
)
def test_requests_that_are_not_valid_are_refused(
    found: EntityLists, fields: dict[str, object], problem: str
) -> None:
    with pytest.raises(InvalidArgument) as refused:
        tasks(found, **fields)
    assert refused.value.message == problem


def test_launch_plans_are_found_by_their_workflow(found: EntityLists) -> None:
    wanted = request(filters="eq(workflow.name,w)+eq(state,0)+eq(schedule_type,NONE)")
    page = found.versions(LAUNCH_PLAN, wanted, "ListLaunchPlans")
    assert [row["name"] for row in page.rows] == ["w", "other"]


def test_each_name_is_listed_once(found: EntityLists) -> None:
    given = NamedEntityIdentifierListRequest(
        project="p", domain="development", limit=2, sort_by=Sort(key="name", direction=Sort.ASCENDING)
    )
    names = found.names(TASK, given, "ListTaskIds")
    assert ([one.name for one in names.entities], names.token) == (["Te_st", "a"], "2")
