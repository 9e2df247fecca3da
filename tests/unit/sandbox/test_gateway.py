from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import requests
from flyteidl.admin.common_pb2 import ObjectGetRequest
from flyteidl.admin.project_pb2 import GetDomainRequest, InactiveProject, ProjectListRequest, Projects
from flyteidl.admin.task_pb2 import Task, TaskCreateRequest
from flyteidl.admin.version_pb2 import GetVersionRequest, GetVersionResponse

from scripts.sandbox.caller import Caller, PrincipalHeader
from scripts.sandbox.dispatch import Calls
from scripts.sandbox.errors import InvalidArgument
from scripts.sandbox.gateway import HTTP_STATUS, MAX_BODY_BYTES, MAX_MESSAGE_BYTES, Gateway
from scripts.sandbox.http_server import HttpServer


class Servicer:
    def GetTask(self, request: ObjectGetRequest, caller: Caller) -> Task:  # noqa: N802
        return Task(id=request.id, short_description=caller.principal)

    def CreateTask(self, request: TaskCreateRequest, caller: Caller) -> Task:  # noqa: N802
        return Task()

    def GetVersion(self, request: GetVersionRequest, caller: Caller) -> GetVersionResponse:  # noqa: N802
        raise LookupError("a bug")

    def ListProjects(self, request: ProjectListRequest, caller: Caller) -> Projects:  # noqa: N802
        raise InvalidArgument("project [p] is not active", detail=InactiveProject(id="p"))

    def GetDomains(self, request: GetDomainRequest, caller: Caller) -> Task:  # noqa: N802
        raise InvalidArgument("x" * 4_000_000)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("http")
    gateway = Gateway(Calls([Servicer()], PrincipalHeader.named("X-Who")), local=True)
    server = HttpServer(storage=folder, logs=folder, host="127.0.0.1", port=0, secret=b"s", gateway=gateway)
    server.start()
    yield server.url
    server.stop()
    gateway.close()


def call(verb: str, url: str, **options: Any) -> tuple[int, Any]:
    answer = requests.request(verb, url, timeout=30, **options)
    return answer.status_code, answer.json()


def test_headers_say_who_calls(url: str) -> None:
    status, task = call("GET", f"{url}/api/v1/tasks/p/d/a.b%20c/v", headers={"X-Who": "ada"})
    assert (status, task["id"]["name"], task["shortDescription"]) == (200, "a.b c", "ada")


def test_an_error_has_its_status_and_its_detail(url: str) -> None:
    detail = {"@type": "type.googleapis.com/flyteidl.admin.InactiveProject", "id": "p"}
    status, error = call("GET", f"{url}/api/v1/projects")
    assert (status, error["code"], error["message"]) == (400, 3, "project [p] is not active")
    assert detail.items() <= error["details"][0].items()


def test_the_text_of_an_error_is_cut(url: str) -> None:
    assert len(call("GET", f"{url}/api/v1/domains")[1]["message"]) < 3_200_000


def test_a_bug_is_internal(url: str) -> None:
    status, error = call("GET", f"{url}/api/v1/version")
    assert (status, error["code"]) == (500, 13)
    assert "LookupError: a bug" in error["message"]


@pytest.mark.parametrize(
    ("verb", "path", "status", "code"),
    [
        ("GET", "/nix", 404, 5),
        ("GET", "/", 404, 5),
        ("PATCH", "/api/v1/tasks", 501, 12),
        ("GET", "/me", 501, 12),
    ],
)
def test_what_is_not_there_says_so(url: str, verb: str, path: str, status: int, code: int) -> None:
    answered, error = call(verb, url + path)
    assert (answered, error["code"]) == (status, code)


@pytest.mark.parametrize(
    "body",
    [b" " * (MAX_BODY_BYTES + 1), b'{"id": {"name": "%s"}}' % (b"x" * MAX_MESSAGE_BYTES)],
    ids=["a long body", "a long message"],
)
def test_what_is_too_long_is_refused(url: str, body: bytes) -> None:
    status, error = call("POST", f"{url}/api/v1/tasks", data=body)
    assert (status, error["code"]) == (429, 8)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://example.com"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Host": "example.com"},
        {"Host": "127.0.0.1.example.com:80"},
    ],
    ids=lambda headers: " ".join(*headers.items()),
)
def test_what_a_web_page_may_have_sent_is_refused(url: str, headers: dict[str, str]) -> None:
    status, error = call("POST", f"{url}/api/v1/tasks", headers=headers, data="{}")
    assert (status, error["code"]) == (403, 7)


@pytest.mark.parametrize("host", ["localhost", "localhost:1", "[::1]:80", "127.0.0.1"])
def test_this_machine_has_several_names(url: str, host: str) -> None:
    assert call("POST", f"{url}/api/v1/tasks", headers={"Host": host}, data="{}")[0] == 200


def test_every_code_but_ok_has_a_status_that_is_an_error() -> None:
    assert all(HTTP_STATUS.get(code, 500) >= 400 for code in grpc.StatusCode)
