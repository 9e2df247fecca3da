"""Lists: filters, order, pages."""

from __future__ import annotations

import pytest
from flyteidl.admin.common_pb2 import NamedEntityIdentifier, ResourceListRequest, Sort
from grpc import StatusCode

from tests.conformance.entities import task
from tests.conformance.flyte import DOMAIN, Flyte, refused

NAME = "listed"
BY_VERSION = Sort(key="version", direction=Sort.ASCENDING)


@pytest.fixture(scope="module", autouse=True)
def versions(flyte: Flyte) -> list[str]:
    made = ["v1", "v2", "v3", "w1"]
    for version in made:
        flyte.admin.CreateTask(task(flyte, NAME, version))
    return made


def request(flyte: Flyte, *, limit: int = 100, filters: str = "", token: str = "") -> ResourceListRequest:
    id_ = NamedEntityIdentifier(project=flyte.project, domain=DOMAIN, name=NAME)
    return ResourceListRequest(id=id_, limit=limit, filters=filters, token=token, sort_by=BY_VERSION)


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ("", ["v1", "v2", "v3", "w1"]),
        ("eq(version,v2)", ["v2"]),
        ("ne(version,v2)", ["v1", "v3", "w1"]),
        ("contains(version,v)", ["v1", "v2", "v3"]),
        ("not_like(version,v%)", ["w1"]),
        ("value_in(version,v1;w1)", ["v1", "w1"]),
        ("value_not_in(version,v1;w1)", ["v2", "v3"]),
        ("gt(version,v2)+lt(version,w1)", ["v3"]),
        ("gte(version,v2)+lte(task.version,v3)", ["v2", "v3"]),
    ],
)
def test_filters(flyte: Flyte, filters: str, expected: list[str]) -> None:
    found = flyte.admin.ListTasks(request(flyte, filters=filters)).tasks
    assert [found.id.version for found in found] == expected


@pytest.mark.parametrize(
    ("filters", "text"),
    [
        ("eq(nothing,v1)", "nothing' is invalid filter"),
        ("like(version,v1)", "unrecognized filter function: like"),
        ("eq(elsewhere.version,v1)", "elsewhere.version' is invalid filter"),
        ("eq(execution.name,x)", "entity is not allowed in filters"),
    ],
)
def test_filters_that_make_no_sense(flyte: Flyte, filters: str, text: str) -> None:
    with refused(StatusCode.INVALID_ARGUMENT, text):
        flyte.admin.ListTasks(request(flyte, filters=filters))


def test_an_unknown_sort_key_is_refused(flyte: Flyte) -> None:
    wrong = request(flyte)
    wrong.sort_by.key = "nothing"
    with refused(StatusCode.INVALID_ARGUMENT, "invalid sort key 'nothing'"):
        flyte.admin.ListTasks(wrong)


def test_a_list_needs_a_limit(flyte: Flyte) -> None:
    with refused(StatusCode.INVALID_ARGUMENT, "invalid value for limit"):
        flyte.admin.ListTasks(request(flyte, limit=0))


def test_pages_follow_each_other_and_a_full_last_one_has_a_token(flyte: Flyte) -> None:
    pages, token = [], ""
    for _ in range(3):
        page = flyte.admin.ListTasks(request(flyte, limit=2, token=token))
        pages.append([found.id.version for found in page.tasks])
        token = page.token
    assert (pages, token) == ([["v1", "v2"], ["v3", "w1"], []], "")


def test_the_newest_comes_first_where_time_is_the_key(flyte: Flyte) -> None:
    newest = request(flyte, limit=1)
    newest.sort_by.CopyFrom(Sort(key="created_at", direction=Sort.DESCENDING))
    assert [found.id.version for found in flyte.admin.ListTasks(newest).tasks] == ["w1"]
