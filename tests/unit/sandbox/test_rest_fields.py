from __future__ import annotations

import pytest
from flyteidl.admin.common_pb2 import NamedEntityListRequest, ResourceListRequest, Sort
from flyteidl.admin.task_execution_pb2 import TaskExecutionGetRequest
from flyteidl.core.identifier_pb2 import TASK
from flyteidl.service.dataproxy_pb2 import CreateDownloadLocationRequest, CreateUploadLocationRequest

from scripts.sandbox.errors import InvalidArgument
from scripts.sandbox.rest_fields import set_from_path, set_from_query


def test_a_path_sets_nested_fields_of_all_types() -> None:
    request = TaskExecutionGetRequest()
    set_from_path(
        request,
        {
            "id.node_execution_id.execution_id.project": "p",
            "id.node_execution_id.node_id": "n0",
            "id.task_id.name": "a.b",
            "id.retry_attempt": "2",
        },
    )
    assert request.id.node_execution_id.execution_id.project == "p"
    assert (request.id.node_execution_id.node_id, request.id.retry_attempt) == ("n0", 2)


@pytest.mark.parametrize("text", ["TASK", "1"])
def test_an_enum_goes_by_name_and_by_number(text: str) -> None:
    request = NamedEntityListRequest()
    set_from_path(request, {"resource_type": text})
    assert request.resource_type == TASK


def test_a_query_sets_fields_by_both_kinds_of_names() -> None:
    request = ResourceListRequest()
    query = {
        "limit": ["7"],
        "sort_by.key": ["created_at"],
        "sortBy.direction": ["ASCENDING"],
        "filters": ["eq(name,x)+ne(version,y)"],
        "id.org": ["o"],
    }
    set_from_query(request, query, ["id.project", "id.domain"])
    assert (request.limit, request.filters, request.id.org) == (7, "eq(name,x)+ne(version,y)", "o")
    assert (request.sort_by.key, request.sort_by.direction) == ("created_at", Sort.ASCENDING)


def test_a_query_does_not_touch_what_the_path_has_set() -> None:
    request = ResourceListRequest()
    set_from_path(request, {"id.project": "p"})
    set_from_query(
        request, {"id.project": ["other"], "nix": ["1"], "id.nix": ["1"], "": [""]}, ["id.project"]
    )
    assert request == ResourceListRequest(id={"project": "p"})


def test_times_bytes_and_entries_of_maps_have_their_texts() -> None:
    down, up = CreateDownloadLocationRequest(), CreateUploadLocationRequest()
    set_from_query(down, {"expires_in": ["60s"]}, [])
    set_from_query(up, {"content_md5": ["-_8="], "add_content_md5_metadata": ["true"]}, [])
    assert down.expires_in.seconds == 60
    assert (up.content_md5, up.add_content_md5_metadata) == (b"\xfb\xff", True)


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ({"limit": ["x"]}, 'parsing field "limit": parsing "x"'),
        ({"limit": ["-1"]}, 'parsing "-1"'),
        ({"limit": ["4294967296"]}, 'parsing "4294967296"'),
        ({"limit": ["1", "2"]}, 'too many values for field "limit": 1, 2'),
        ({"limit.x": ["1"]}, ""),
        ({"id": ["x"]}, "unsupported message type"),
        ({"sort_by.direction": ["SIDEWAYS"]}, 'parsing "SIDEWAYS"'),
    ],
    ids=["no number", "negative", "too large", "twice", "a number has no fields", "message", "enum"],
)
def test_a_value_that_does_not_fit_is_refused(query: dict[str, list[str]], says: str) -> None:
    request = ResourceListRequest()
    if not says:
        set_from_query(request, query, [])
        assert request == ResourceListRequest()
        return
    with pytest.raises(InvalidArgument) as caught:
        set_from_query(request, query, [])
    assert says in caught.value.message


def test_a_value_of_a_path_that_does_not_fit_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="type mismatch, parameter: resource_type"):
        set_from_path(NamedEntityListRequest(), {"resource_type": "THING"})
