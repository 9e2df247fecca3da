from __future__ import annotations

import math

import grpc
import pytest
from flyteidl.admin.common_pb2 import ResourceListRequest
from flyteidl.admin.task_pb2 import Task, TaskList
from flytekit.configuration import AuthType, Config, PlatformConfig

from tasks._errors import (
    FlyteExists,
    FlyteInvalid,
    FlyteNotFound,
    FlyteRefused,
    FlyteUnauthenticated,
    FlyteUnavailable,
    TaxiwayError,
)
from tasks._flyte import Flyte, can_log_in, connect, error_of
from tests.benchmarks._server import Server

CODE = grpc.StatusCode


@pytest.mark.parametrize(
    ("code", "details", "kind"),
    [
        (CODE.UNAVAILABLE, "failed to connect to all addresses", FlyteUnavailable),
        (CODE.DEADLINE_EXCEEDED, "", FlyteUnavailable),
        (CODE.RESOURCE_EXHAUSTED, "quota", FlyteUnavailable),
        (CODE.RESOURCE_EXHAUSTED, "grpc: received message larger than max (5 vs. 4)", FlyteRefused),
        (CODE.INTERNAL, "sorry, too many clients already (SQLSTATE 53300)", FlyteUnavailable),
        (CODE.UNKNOWN, "sorry, too many clients already", FlyteUnavailable),
        (CODE.INTERNAL, "Stream removed", FlyteUnavailable),
        (CODE.INTERNAL, "failed to read", FlyteRefused),
        (CODE.UNAUTHENTICATED, "token parse error", FlyteUnauthenticated),
        (CODE.UNIMPLEMENTED, "unknown service flyteidl.service.AuthMetadataService", FlyteUnauthenticated),
        (CODE.UNIMPLEMENTED, "unknown method", FlyteRefused),
        (CODE.PERMISSION_DENIED, "", FlyteRefused),
        (CODE.NOT_FOUND, "missing entity", FlyteNotFound),
        (CODE.ALREADY_EXISTS, "task with identical structure already exists", FlyteExists),
        (CODE.INVALID_ARGUMENT, "missing name", FlyteInvalid),
        (CODE.INVALID_ARGUMENT, "number of nodes in workflow exceeds limit (101 > 100)", FlyteInvalid),
    ],
)
def test_a_status_becomes_the_error_that_says_whether_waiting_helps(
    code: grpc.StatusCode, details: str, kind: type[TaxiwayError]
) -> None:
    error = error_of(code, details, "GetTask")
    assert type(error) is kind
    assert details in str(error)
    assert error.remedy


def test_who_is_not_known_is_told_how_to_log_in_there() -> None:
    assert "FLYTE_CREDENTIALS" in error_of(CODE.UNAUTHENTICATED, "", "GetTask").remedy
    assert error_of(CODE.UNAUTHENTICATED, "", "GetTask", login="Ask Ada.").remedy == "Ask Ada."


@pytest.mark.parametrize(
    ("mode", "at_terminal", "possible"),
    [
        (AuthType.STANDARD, False, False),
        ("Pkce", False, False),
        (AuthType.DEVICEFLOW, False, False),
        (AuthType.PKCE, True, True),
        (AuthType.CLIENTSECRET, False, True),
        ("external_process", False, True),
    ],
)
def test_nobody_logs_in_where_there_is_nobody(mode: AuthType, at_terminal: bool, possible: bool) -> None:
    platform = PlatformConfig(endpoint="nowhere.example.com", auth_mode=mode)
    assert can_log_in(platform, at_terminal=at_terminal) is possible


def _config(endpoint: str) -> Config:
    return Config(platform=PlatformConfig(endpoint=endpoint, insecure=True))


def test_pages_are_asked_for_until_there_is_none() -> None:
    asked = []

    def list_tasks(request: ResourceListRequest, timeout: float) -> TaskList:
        asked.append((request.limit, request.token))
        return TaskList(tasks=[Task()] * 2, token="" if request.token == "2" else "2")

    flyte = Flyte(config=_config(""), rpcs={"ListTasks": list_tasks})
    request = ResourceListRequest()
    assert len(list(flyte.pages("ListTasks", request, "tasks"))) == 4
    assert asked == [(100, ""), (100, "2")]
    assert request == ResourceListRequest()


def test_one_refused_call_is_one_call() -> None:
    refuse = lambda rpc, number: (CODE.NOT_FOUND, "missing entity")  # noqa: E731
    with Server(fault=refuse) as server, connect(_config(server.endpoint)) as flyte:
        with pytest.raises(FlyteNotFound):
            flyte.call("GetTask", ResourceListRequest())
        assert server.counts() == {"GetTask": 1}
        assert flyte.trips.shortest_s == math.inf


def test_an_unreachable_flyte_is_unavailable_and_says_where_it_was_looked_for() -> None:
    with (
        connect(_config("127.0.0.1:1"), patience_s=0) as flyte,
        pytest.raises(FlyteUnavailable, match=r"GetTask on 127\.0\.0\.1:1 failed: UNAVAILABLE"),
    ):
        flyte.call("GetTask", ResourceListRequest())
