"""The sandbox's domain errors; the server's interceptor gives each its gRPC status code."""

from __future__ import annotations

from typing import ClassVar

import grpc
from google.protobuf.message import Message


class FlyteError(Exception):
    """An answer other than success, in flyteadmin's words. `detail` travels in the status's details."""

    code: ClassVar[grpc.StatusCode] = grpc.StatusCode.INTERNAL

    def __init__(self, message: str, *, detail: Message | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail


class InvalidArgument(FlyteError):
    """The request contradicts itself or what is registered."""

    code = grpc.StatusCode.INVALID_ARGUMENT


class NotFound(FlyteError):
    """What the request names does not exist."""

    code = grpc.StatusCode.NOT_FOUND


class AlreadyExists(FlyteError):
    """What the request would create exists already."""

    code = grpc.StatusCode.ALREADY_EXISTS


class FailedPrecondition(FlyteError):
    """The request is valid, but not now."""

    code = grpc.StatusCode.FAILED_PRECONDITION


class Unimplemented(FlyteError):
    """Flyte can, the sandbox cannot (yet); the message says so in a sentence."""

    code = grpc.StatusCode.UNIMPLEMENTED


class PermissionDenied(FlyteError):
    """Whoever calls may not do this."""

    code = grpc.StatusCode.PERMISSION_DENIED


class ResourceExhausted(FlyteError):
    """The request is larger than what is taken."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED


class Internal(FlyteError):
    """Something went wrong that nobody foresaw; the traceback is in the sandbox's log."""
