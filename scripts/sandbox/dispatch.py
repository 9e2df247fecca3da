"""Flyte's services, made from their descriptors: one place for dispatch and for errors, whatever the wire.

A servicer is any object with methods named like RPCs: `def GetTask(self, request, caller)`. The first one
that has the method answers. What none has is UNIMPLEMENTED; what goes wrong is INTERNAL; nothing leaves
as UNKNOWN, which flytekit takes for a call to log in (`flytekit/clients/grpc_utils/auth_interceptor.py`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn

import grpc
from flyteidl.service import admin_pb2, auth_pb2, dataproxy_pb2, identity_pb2, signal_pb2
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from grpc_status import rpc_status

from scripts.sandbox.caller import Caller, Metadata, PrincipalHeader
from scripts.sandbox.errors import FlyteError, Internal, Unimplemented

log = logging.getLogger(__name__)

SERVICES: tuple[ServiceDescriptor, ...] = (
    admin_pb2.DESCRIPTOR.services_by_name["AdminService"],
    dataproxy_pb2.DESCRIPTOR.services_by_name["DataProxyService"],
    signal_pb2.DESCRIPTOR.services_by_name["SignalService"],
    identity_pb2.DESCRIPTOR.services_by_name["IdentityService"],
    auth_pb2.DESCRIPTOR.services_by_name["AuthMetadataService"],
)
NOBODY = PrincipalHeader()
MAX_MESSAGE_BYTES = 3 * 1024 * 1024
"""The longest text of an error; flyteadmin cuts it there to stay below gRPC's 4 MiB."""
_CUT = "\n\n... [diff truncated — exceeded gRPC max message size]"

Answer = Callable[[Any, Caller], Message]


class Calls:
    """Answers calls by the first of `servicers` that can; `principal` says who makes one."""

    def __init__(self, servicers: Sequence[object], principal: PrincipalHeader = NOBODY) -> None:
        self._servicers = servicers
        self._principal = principal

    def answer(self, method: MethodDescriptor, request: Message, metadata: Metadata) -> Message:
        """Return the answer to one call.

        Raises:
            FlyteError: any other answer, and nothing else is ever raised.
        """
        try:
            return self._answer(method.name)(request, self._principal.caller(metadata))
        except FlyteError:
            raise
        except Exception as error:
            log.exception("%s went wrong", method.name)
            text = f"{method.name} went wrong in the sandbox: {type(error).__name__}: {error}"
            raise Internal(text) from error

    def _answer(self, name: str) -> Answer:
        for servicer in self._servicers:
            found: Answer | None = getattr(servicer, name, None)
            if found is not None:
                return found

        def refuse(request: Message, caller: Caller) -> NoReturn:
            raise Unimplemented(f"The sandbox does not support {name}.")

        return refuse


def handlers(calls: Calls) -> Iterable[grpc.GenericRpcHandler]:
    """Return the handlers of all of Flyte's services over gRPC."""
    return [_service(service, calls) for service in SERVICES]


def status_of(error: FlyteError) -> Status:
    """Return an error as it travels: its code, its text, and its detail as flyteadmin's clients read it."""
    status = Status(code=error.code.value[0], message=_cut(error.message))
    if error.detail is not None:
        status.details.add().Pack(error.detail)
    return status


def _service(service: ServiceDescriptor, calls: Calls) -> grpc.GenericRpcHandler:
    methods = {method.name: _method(method, calls) for method in service.methods}
    return grpc.method_handlers_generic_handler(service.full_name, methods)


def _method(method: MethodDescriptor, calls: Calls) -> grpc.RpcMethodHandler[Any, Any]:
    kind: type[Message] = GetMessageClass(method.input_type)

    def handle(raw: bytes, context: grpc.ServicerContext) -> bytes:
        try:
            request = kind.FromString(raw)
        except DecodeError as error:
            context.abort(grpc.StatusCode.INTERNAL, f"no {method.input_type.name} came: {error}")
        try:
            answer = calls.answer(method, request, context.invocation_metadata())
        except FlyteError as error:
            _refuse(context, error)
        return bytes(answer.SerializeToString())

    return grpc.unary_unary_rpc_method_handler(handle)


def _refuse(context: grpc.ServicerContext, error: FlyteError) -> NoReturn:
    status = status_of(error)
    if error.detail is None:
        context.abort(error.code, status.message)
    context.abort_with_status(rpc_status.to_status(status))


def _cut(text: str) -> str:
    raw = text.encode()
    if len(raw) <= MAX_MESSAGE_BYTES:
        return text
    return raw[: MAX_MESSAGE_BYTES - len(_CUT.encode())].decode(errors="ignore") + _CUT
