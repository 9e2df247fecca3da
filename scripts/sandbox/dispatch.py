"""Flyte's services as gRPC handlers, made from their descriptors: one place for dispatch and for errors.

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
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from grpc_status import rpc_status

from scripts.sandbox.caller import Caller, PrincipalHeader
from scripts.sandbox.errors import FlyteError, Unimplemented

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


def handlers(
    servicers: Sequence[object], principal: PrincipalHeader = NOBODY
) -> Iterable[grpc.GenericRpcHandler]:
    """Return the handlers of all of Flyte's services, answered by `servicers`; `principal` says who calls."""
    return [_service(service, servicers, principal) for service in SERVICES]


def _service(
    service: ServiceDescriptor, servicers: Sequence[object], principal: PrincipalHeader
) -> grpc.GenericRpcHandler:
    methods = {method.name: _method(method, servicers, principal) for method in service.methods}
    return grpc.method_handlers_generic_handler(service.full_name, methods)


def _method(
    method: MethodDescriptor, servicers: Sequence[object], principal: PrincipalHeader
) -> grpc.RpcMethodHandler[Any, Any]:
    answer = _answer(method.name, servicers)
    kind: type[Message] = GetMessageClass(method.input_type)

    def handle(raw: bytes, context: grpc.ServicerContext) -> bytes:
        try:
            caller = principal.caller(context.invocation_metadata())
            return bytes(answer(kind.FromString(raw), caller).SerializeToString())
        except FlyteError as error:
            _refuse(context, error)
        except Exception as error:
            log.exception("%s went wrong", method.name)
            text = f"{method.name} went wrong in the sandbox: {type(error).__name__}: {error}"
            context.abort(grpc.StatusCode.INTERNAL, text)

    return grpc.unary_unary_rpc_method_handler(handle)


def _answer(name: str, servicers: Sequence[object]) -> Answer:
    for servicer in servicers:
        found: Answer | None = getattr(servicer, name, None)
        if found is not None:
            return found

    def refuse(request: Message, caller: Caller) -> NoReturn:
        raise Unimplemented(f"The sandbox does not support {name}.")

    return refuse


def _refuse(context: grpc.ServicerContext, error: FlyteError) -> NoReturn:
    """End the call with the error's code and text, and its detail as flyteadmin's clients read it."""
    text = _cut(error.message)
    if error.detail is None:
        context.abort(error.code, text)
    status = Status(code=error.code.value[0], message=text)
    status.details.add().Pack(error.detail)
    context.abort_with_status(rpc_status.to_status(status))


def _cut(text: str) -> str:
    raw = text.encode()
    if len(raw) <= MAX_MESSAGE_BYTES:
        return text
    return raw[: MAX_MESSAGE_BYTES - len(_CUT.encode())].decode(errors="ignore") + _CUT
