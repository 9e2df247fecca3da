"""The sandbox's control plane through its ports: gRPC, HTTP, unmodified pyflyte, and its own command."""

from __future__ import annotations

import base64
import hashlib
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import grpc
import psutil
import pytest
import requests
from flyteidl.admin.common_pb2 import NamedEntityIdentifier, ObjectGetRequest, ResourceListRequest
from flyteidl.admin.launch_plan_pb2 import ActiveLaunchPlanRequest
from flyteidl.admin.project_pb2 import ProjectListRequest
from flyteidl.core.identifier_pb2 import TASK, WORKFLOW, Identifier
from flyteidl.service.admin_pb2_grpc import AdminServiceStub
from flyteidl.service.dataproxy_pb2 import (
    CreateDownloadLocationRequest,
    CreateUploadLocationRequest,
    CreateUploadLocationResponse,
)
from flyteidl.service.dataproxy_pb2_grpc import DataProxyServiceStub
from google.protobuf.duration_pb2 import Duration

from tests.running import Sandbox, program
from tests.unit.sandbox.registry import task_node, task_request, workflow_request

PROJECT, DOMAIN = "flytesnacks", "development"
RAISED = [("grpc.max_metadata_size", 1 << 20), ("grpc.absolute_max_metadata_size", 4 << 20)]
FLOW = """
from flytekit import CronSchedule, LaunchPlan, task, workflow

@task
def double(n: int) -> int:
    return {factor} * n

@workflow
def main(n: int = 1) -> int:
    return double(n=double(n=n))

nightly = LaunchPlan.get_or_create(
    main, "control.nightly", fixed_inputs={{"n": 5}}, schedule=CronSchedule(schedule="0 1 * * *")
)
"""


@pytest.fixture(scope="module")
def channel(sandbox: Sandbox) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(sandbox.endpoint, options=RAISED) as opened:
        yield opened


@pytest.fixture(scope="module")
def admin(channel: grpc.Channel) -> AdminServiceStub:
    return AdminServiceStub(channel)


@pytest.fixture(scope="module")
def data(channel: grpc.Channel) -> DataProxyServiceStub:
    return DataProxyServiceStub(channel)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sources")
    (folder / "control.py").write_text(FLOW.format(factor=2))
    return folder


def register(sandbox: Sandbox, sources: Path, *words: str, version: str = "v1", expect: int = 0) -> str:
    image = ("--image", sandbox.default_image)
    where = ("--project", PROJECT, "--domain", DOMAIN, "--version", version)
    done = sandbox.pyflyte("register", *where, *image, *words, "control.py", cwd=sources, expect=(expect,))
    return done.stdout + done.stderr


def identifier(kind: int, name: str, version: str = "v1") -> Identifier:
    return Identifier(resource_type=kind, project=PROJECT, domain=DOMAIN, name=name, version=version)


def test_projects_exist_from_the_start(admin: AdminServiceStub) -> None:
    found = admin.ListProjects(ProjectListRequest(limit=100)).projects
    assert {"flytesnacks", "taxiway"} <= {project.id for project in found}
    assert [domain.id for domain in found[0].domains] == ["development", "staging", "production"]


def test_pyflyte_registers_again_activates_and_is_told_of_a_difference(
    sandbox: Sandbox, admin: AdminServiceStub, sources: Path
) -> None:
    for _ in range(2):
        assert "Successfully registered 4 entities" in register(sandbox, sources, "--activate-launchplans")
    named = NamedEntityIdentifier(project=PROJECT, domain=DOMAIN, name="control.nightly")
    assert admin.GetActiveLaunchPlan(ActiveLaunchPlanRequest(id=named)).id.version == "v1"
    workflow = admin.GetWorkflow(ObjectGetRequest(id=identifier(WORKFLOW, "control.main")))
    assert len(workflow.closure.compiled_workflow.primary.template.nodes) == 4
    (sources / "control.py").write_text(FLOW.format(factor=3))
    said = register(sandbox, sources, expect=1)
    assert "task with different structure already exists" in said
    assert "Successfully registered" in register(sandbox, sources, "--activate-launchplans", version="v2")
    assert admin.GetActiveLaunchPlan(ActiveLaunchPlanRequest(id=named)).id.version == "v2"
    (sources / "control.py").write_text(FLOW.format(factor=2))


def test_a_difference_of_a_long_workflow_arrives_whole(admin: AdminServiceStub) -> None:
    task, workflow = task_request("long.t"), workflow_request(name="long.w")
    for request in (task, workflow):
        request.id.project = PROJECT
    nodes = [task_node(f"n{number}", task="long.t") for number in range(60)]
    for node in nodes:
        node.task_node.reference_id.CopyFrom(task.id)
    del workflow.spec.template.nodes[:]
    workflow.spec.template.nodes.extend(nodes)
    admin.CreateTask(task)
    admin.CreateWorkflow(workflow)
    workflow.spec.template.nodes[7].metadata.name = "another"
    with pytest.raises(grpc.RpcError) as refused:
        admin.CreateWorkflow(workflow)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert len(str(refused.value.details())) > 16_384
    assert "another" in str(refused.value.details())


def test_errors_have_flyteadmins_codes_and_texts(admin: AdminServiceStub) -> None:
    with pytest.raises(grpc.RpcError) as missing:
        admin.GetTask(ObjectGetRequest(id=identifier(TASK, "nothing")))
    assert missing.value.code() is grpc.StatusCode.NOT_FOUND
    assert str(missing.value.details()).startswith("missing entity of type TASK with identifier")
    with pytest.raises(grpc.RpcError) as refused:
        admin.ListTasks(ResourceListRequest(id=NamedEntityIdentifier(project=PROJECT, domain=DOMAIN)))
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert refused.value.details() == "invalid value for limit"


def test_a_message_over_four_mebibytes_is_refused(admin: AdminServiceStub) -> None:
    task = task_request("huge")
    task.spec.template.container.args.append("x" * (5 << 20))
    with pytest.raises(grpc.RpcError) as refused:
        admin.CreateTask(task)
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def upload_request(content: bytes, **fields: object) -> CreateUploadLocationRequest:
    md5 = hashlib.md5(content, usedforsecurity=False).digest()
    return CreateUploadLocationRequest(project=PROJECT, domain=DOMAIN, content_md5=md5, **fields)


def put(url: str, content: bytes, announced: bytes | None = None) -> requests.Response:
    md5 = hashlib.md5(content if announced is None else announced, usedforsecurity=False).digest()
    return requests.put(url, content, headers={"Content-MD5": base64.b64encode(md5).decode()}, timeout=10)


def stored(location: CreateUploadLocationResponse) -> Path:
    return Path(location.native_url.partition("://")[2])


def test_what_is_uploaded_lies_in_the_storage_and_can_be_downloaded(
    sandbox: Sandbox, data: DataProxyServiceStub
) -> None:
    location = data.CreateUploadLocation(upload_request(b"content", filename="a b%20#?.txt"))
    assert put(location.signed_url, b"content").status_code == 200
    file = stored(location)
    assert file.read_bytes() == b"content"
    assert file.is_relative_to(sandbox.storage / PROJECT / DOMAIN)
    native = CreateDownloadLocationRequest(native_url=location.native_url)
    url = data.CreateDownloadLocation(native).signed_url
    assert requests.get(url, timeout=10).content == b"content"
    head = requests.head(url, timeout=10)
    assert (head.status_code, head.headers["Content-Length"]) == (200, "7")


def test_an_upload_of_something_else_is_refused_and_leaves_nothing(data: DataProxyServiceStub) -> None:
    location = data.CreateUploadLocation(upload_request(b"announced", filename="x"))
    assert put(location.signed_url, b"something else").status_code == 403
    assert put(location.signed_url, b"something else", announced=b"announced").status_code == 400
    folder = stored(location).parent
    assert not folder.exists() or not list(folder.iterdir())


def test_a_name_is_written_again_only_with_the_same_content(data: DataProxyServiceStub) -> None:
    named = {"filename": "x", "filename_root": "root"}
    location = data.CreateUploadLocation(upload_request(b"first", **named))
    put(location.signed_url, b"first").raise_for_status()
    data.CreateUploadLocation(upload_request(b"first", **named))
    with pytest.raises(grpc.RpcError) as refused:
        data.CreateUploadLocation(upload_request(b"second", **named))
    assert refused.value.code() is grpc.StatusCode.ALREADY_EXISTS
    assert refused.value.details() == (
        f"file already exists at location [{location.native_url}], "
        "specify a matching hash if you wish to rewrite"
    )


def test_nothing_outside_the_storage_is_written_read_or_signed(
    sandbox: Sandbox, data: DataProxyServiceStub
) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        data.CreateUploadLocation(upload_request(b"x", filename="../../x"))
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    database = (sandbox.state / "flyte.db").as_uri()
    with pytest.raises(grpc.RpcError) as refused:
        data.CreateDownloadLocation(CreateDownloadLocationRequest(native_url=database))
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    unsigned = f"{sandbox.http}/objects/{PROJECT}/{DOMAIN}/x"
    assert requests.get(unsigned, timeout=10).status_code == 403
    host, port = sandbox.http.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as raw:
        raw.sendall(b"GET /objects/../flyte.db HTTP/1.0\r\n\r\n")
        assert raw.recv(100).split()[1] in (b"403", b"404")


def test_a_url_is_not_given_for_longer_than_an_hour(data: DataProxyServiceStub) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        data.CreateUploadLocation(upload_request(b"x", expires_in=Duration(seconds=7200)))
    assert refused.value.details() == "expiresIn [2h0m0s] cannot exceed max allowed expiration [1h0m0s]"


def test_starting_twice_on_one_state_shows_the_one_that_runs(sandbox: Sandbox) -> None:
    again = sandbox.taxiway("sandbox", "start", "--port", "0", "--state", sandbox.state, "--json")
    assert json.loads(again.stdout)["endpoint"] == sandbox.endpoint
    assert "already runs" in again.stderr


def test_a_port_in_use_is_a_fault_that_names_it(sandbox: Sandbox, tmp_path: Path) -> None:
    port = sandbox.endpoint.rpartition(":")[2]
    refused = sandbox.taxiway("sandbox", "start", "--port", port, "--state", tmp_path, expect=(2,))
    assert f"port {port} on 127.0.0.1 is in use" in refused.stderr
    assert sandbox.taxiway("sandbox", "status", "--state", tmp_path, expect=(1,)).stdout == ""


def test_the_status_of_none_is_json_and_says_how_to_start_it(sandbox: Sandbox, tmp_path: Path) -> None:
    none = sandbox.taxiway("sandbox", "status", "--json", "--state", tmp_path, expect=(1,))
    assert json.loads(none.stdout) == {"state": str(tmp_path), "pid": None}
    assert f"taxiway sandbox start --state {tmp_path}" in none.stderr


def test_a_sandbox_that_was_killed_starts_again_with_all_that_was_registered(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    words = ("sandbox", "start", "--port", "0", "--state", tmp_path, "--json")
    first = json.loads(sandbox.taxiway(*words).stdout)
    with grpc.insecure_channel(first["endpoint"]) as opened:
        task = task_request()
        task.id.project = PROJECT
        AdminServiceStub(opened).CreateTask(task)
    process = psutil.Process(first["pid"])
    process.kill()
    psutil.wait_procs([process], timeout=10)
    second = json.loads(sandbox.taxiway(*words).stdout)
    try:
        assert (second["http"], second["config"]) == (first["http"], first["config"])
        with grpc.insecure_channel(second["endpoint"]) as opened:
            found = AdminServiceStub(opened).GetTask(ObjectGetRequest(id=task.id))
        assert found.closure.compiled_task.template.container.image == "image:1"
    finally:
        for _ in range(2):
            sandbox.taxiway("sandbox", "stop", "--state", tmp_path)


def test_logs_show_the_sandboxs_own(sandbox: Sandbox) -> None:
    shown = program("taxiway", "sandbox", "logs", "--state", sandbox.state, env=sandbox.environ)
    assert f"serving at {sandbox.endpoint}" in shown.stdout
