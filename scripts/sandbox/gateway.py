"""Flyte's API over REST: HTTP requests as calls, and their answers and errors as HTTP.

Source: grpc-gateway `runtime/errors.go`, flyteadmin `pkg/server/service.go`. Requests that a web page may
have sent are refused, which flyteadmin leaves to its authentication: whoever calls here runs programs as you.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import grpc
from aiohttp import web
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from scripts.sandbox.dispatch import SERVICES, Calls, status_of
from scripts.sandbox.errors import FlyteError, NotFound, PermissionDenied, ResourceExhausted, Unimplemented
from scripts.sandbox.rest_bodies import Form, forms_of, read, write
from scripts.sandbox.rest_fields import set_from_path, set_from_query
from scripts.sandbox.rest_routes import Match, NoRoute, find, routes_of

HTTP_STATUS: Mapping[grpc.StatusCode, int] = {
    grpc.StatusCode.CANCELLED: 499,
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.FAILED_PRECONDITION: 400,
    grpc.StatusCode.ABORTED: 409,
    grpc.StatusCode.OUT_OF_RANGE: 400,
    grpc.StatusCode.UNIMPLEMENTED: 501,
    grpc.StatusCode.UNAVAILABLE: 503,
}
"""The HTTP status of an error's code; 500 for the others."""

MAX_MESSAGE_BYTES = 4 * 1024 * 1024
"""The longest request that flyteadmin's gRPC side takes from its gateway."""
MAX_BODY_BYTES = 4 * MAX_MESSAGE_BYTES
"""JSON is longer than the message that it stands for, but not without limit."""
_THREADS = 8


class Gateway:
    """Answers HTTP requests by calls. `local` says that only this machine is to reach it."""

    def __init__(self, calls: Calls, *, local: bool) -> None:
        self._calls = calls
        self._local = local
        self._routes = routes_of(SERVICES)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="rest")

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one request."""
        forms = forms_of(request.headers.get("Content-Type"), request.headers.getall("Accept", []))
        try:
            _refuse_web_pages(request, local=self._local)
            found = find(self._routes, request.method, request.path)
            if isinstance(found, NoRoute):
                raise Unimplemented("Method Not Allowed") if found.known else NotFound("Not Found")
            call = _request(found, request, await _body(request), forms.given)
            metadata = [(name.lower(), value) for name, value in request.headers.items()]
            loop = asyncio.get_running_loop()
            answer = await loop.run_in_executor(
                self._threads, self._calls.answer, found.route.method, call, metadata
            )
        except FlyteError as error:
            return _answer(HTTP_STATUS.get(error.code, 500), status_of(error), forms.wanted)
        return _answer(200, answer, forms.wanted)

    def close(self) -> None:
        """Wait for the calls that run."""
        self._threads.shutdown()


def _request(found: Match, request: web.Request, body: bytes, form: Form) -> Message:
    """Return the request of a call: its body or its query, and what the path says."""
    kind: type[Message] = GetMessageClass(found.route.method.input_type)
    call = read(body, kind(), form) if found.route.takes_body else kind()
    if call.ByteSize() > MAX_MESSAGE_BYTES:
        raise ResourceExhausted(
            f"grpc: received message larger than max ({call.ByteSize()} vs. {MAX_MESSAGE_BYTES})"
        )
    set_from_path(call, found.values)
    if not found.route.takes_body:
        query = {key: request.query.getall(key) for key in request.query}
        set_from_query(call, query, found.route.fields)
    return call


async def _body(request: web.Request) -> bytes:
    """Read a body of a length that is worth reading."""
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise ResourceExhausted(f"the body is longer than {MAX_BODY_BYTES} bytes")
    return bytes(body)


def _answer(status: int, message: Message, form: Form) -> web.Response:
    body, media_type = write(message, form)
    return web.Response(status=status, body=body, content_type=media_type)


def _refuse_web_pages(request: web.Request, *, local: bool) -> None:
    """Refuse what a page in this machine's browser sent, also under a name that leads here by its own DNS.

    Raises:
        PermissionDenied: it may come from a web page.
    """
    if "Origin" in request.headers or request.headers.get("Sec-Fetch-Site", "none") != "none":
        raise PermissionDenied("The sandbox takes no requests from web pages.")
    if local and not is_local(urlsplit(f"//{request.host}").hostname or ""):
        raise PermissionDenied(f"The sandbox is not called {request.host}; ask it as localhost.")


def is_local(host: str) -> bool:
    """Say whether a host is this machine, to itself alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
