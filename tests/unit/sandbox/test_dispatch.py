from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from flyteidl.admin.common_pb2 import ObjectGetRequest
from flyteidl.admin.project_pb2 import GetDomainRequest, InactiveProject, ProjectListRequest
from flyteidl.admin.task_pb2 import Task
from flyteidl.admin.version_pb2 import GetVersionRequest
from flyteidl.core.identifier_pb2 import Identifier
from flyteidl.service.admin_pb2_grpc import AdminServiceStub
from flyteidl.service.auth_pb2 import OAuth2MetadataRequest
from flyteidl.service.auth_pb2_grpc import AuthMetadataServiceStub
from grpc_status import rpc_status

from scripts.sandbox.caller import Caller
from scripts.sandbox.dispatch import Calls, handlers
from scripts.sandbox.errors import InvalidArgument


class First:
    def GetTask(self, request: ObjectGetRequest, caller: Caller) -> Task:  # noqa: N802
        return Task(id=request.id)

    def GetVersion(self, request: GetVersionRequest, caller: Caller) -> Task:  # noqa: N802
        raise LookupError("a bug")

    def ListProjects(self, request: ProjectListRequest, caller: Caller) -> Task:  # noqa: N802
        raise InvalidArgument("x" * 4_000_000)


class Second:
    def GetTask(self, request: ObjectGetRequest, caller: Caller) -> Task:  # noqa: N802
        raise AssertionError("the first one answers")

    def GetDomains(self, request: GetDomainRequest, caller: Caller) -> Task:  # noqa: N802
        raise InvalidArgument("project [p] is not active", detail=InactiveProject(id="p"))


@pytest.fixture(scope="module")
def channel() -> Iterator[grpc.Channel]:
    server = grpc.server(ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers(tuple(handlers(Calls([First(), Second()]))))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    limits = [("grpc.max_metadata_size", 2**25), ("grpc.absolute_max_metadata_size", 2**25)]
    with grpc.insecure_channel(f"127.0.0.1:{port}", options=limits) as opened:
        yield opened
    server.stop(None).wait()


@pytest.fixture
def admin(channel: grpc.Channel) -> AdminServiceStub:
    return AdminServiceStub(channel)


def test_the_first_servicer_that_has_the_method_answers(admin: AdminServiceStub) -> None:
    assert admin.GetTask(ObjectGetRequest(id=Identifier(name="t"))).id.name == "t"


def test_a_refusal_keeps_its_code_its_text_and_its_detail(admin: AdminServiceStub) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        admin.GetDomains(GetDomainRequest())
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert refused.value.details() == "project [p] is not active"
    detail = InactiveProject()
    assert rpc_status.from_call(refused.value).details[0].Unpack(detail)
    assert detail.id == "p"


def test_a_bug_is_internal_and_goes_to_the_log(
    admin: AdminServiceStub, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        admin.GetVersion(GetVersionRequest())
    assert refused.value.code() is grpc.StatusCode.INTERNAL
    assert "LookupError: a bug" in str(refused.value.details())
    assert "GetVersion went wrong" in caplog.text


def test_a_text_that_no_message_could_hold_is_cut(admin: AdminServiceStub) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        admin.ListProjects(ProjectListRequest())
    text = str(refused.value.details())
    assert len(text.encode()) == 3 * 1024 * 1024
    assert text.endswith("... [diff truncated — exceeded gRPC max message size]")


def test_what_nobody_answers_is_unimplemented_with_a_sentence(channel: grpc.Channel) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        AuthMetadataServiceStub(channel).GetOAuth2Metadata(OAuth2MetadataRequest())
    assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert refused.value.details() == "The sandbox does not support GetOAuth2Metadata."


def test_a_request_that_is_no_message_is_internal(channel: grpc.Channel) -> None:
    call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(
        "/flyteidl.service.AdminService/GetTask"
    )
    with pytest.raises(grpc.RpcError) as refused:
        call(b"\xff\xff\xff")
    assert refused.value.code() is grpc.StatusCode.INTERNAL
