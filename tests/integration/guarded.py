"""A door in front of a sandbox that asks who comes: Flyte's own way of logging in, and the calls passed on.

A sandbox asks nobody. A client with the right pair gets a token at the door's own token endpoint, and every
call has to bring it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import quote_plus

import grpc
from flyteidl.service.auth_pb2 import OAuth2MetadataResponse, PublicClientAuthConfigResponse

from tests.serving import serving

CLIENT, SECRET = "taxiway", "s:e/cret%"
TOKEN = "let-me-in"
_PUBLIC = "/flyteidl.service.AuthMetadataService/"


class Door:
    """A door in front of the Flyte at `behind`; shut, nothing listens at its `endpoint`."""

    def __init__(self, behind: grpc.Channel, token_url: str) -> None:
        self._calls = _Calls(behind, token_url)
        self._server, self._port = self._opened("127.0.0.1:0")
        self.endpoint = f"127.0.0.1:{self._port}"

    def _opened(self, address: str) -> tuple[grpc.Server, int]:
        server = grpc.server(ThreadPoolExecutor(max_workers=16))
        server.add_generic_rpc_handlers((self._calls,))
        port = server.add_insecure_port(address)
        server.start()
        return server, port

    def shut(self) -> None:
        """Let nobody reach it; calls that are under way break off."""
        self._server.stop(None).wait()

    def open(self) -> None:
        """Open it again where it was."""
        self._server, _ = self._opened(self.endpoint)


@contextmanager
def guarded(endpoint: str) -> Iterator[Door]:
    """Yield an open door in front of the Flyte at `endpoint`."""
    with serving(_Tokens) as web, grpc.insecure_channel(endpoint) as behind:
        door = Door(behind, f"{web}/token")
        try:
            yield door
        finally:
            door.shut()


def credentials(endpoint: str, *, secret: str = SECRET) -> str:
    """Return the secret that lets a client in, as Taxiway reads it."""
    return f'["{endpoint}"]\nclient_id = "{CLIENT}"\nclient_secret = "{secret}"\n'


class _Calls(grpc.GenericRpcHandler):
    def __init__(self, behind: grpc.Channel, token_url: str) -> None:
        self._behind = behind
        self._answers = {
            f"{_PUBLIC}GetOAuth2Metadata": OAuth2MetadataResponse(token_endpoint=token_url),
            f"{_PUBLIC}GetPublicClientConfig": PublicClientAuthConfigResponse(
                authorization_metadata_key="flyte-authorization"
            ),
        }

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes]:
        method = handler_call_details.method
        metadata = dict(handler_call_details.invocation_metadata)

        def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
            if method in self._answers:
                return bytes(self._answers[method].SerializeToString())
            if metadata.get("flyte-authorization") != f"Bearer {TOKEN}":
                context.abort(grpc.StatusCode.UNAUTHENTICATED, "token parse error [JWT_VERIFICATION_FAILED]")
            call: Any = self._behind.unary_unary(method)
            try:
                return bytes(call(request, timeout=30))
            except grpc.RpcError as error:
                context.abort(error.code(), error.details() or "")

        return grpc.unary_unary_rpc_method_handler(answer)


class _Tokens(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        pair = base64.b64encode(f"{quote_plus(CLIENT)}:{quote_plus(SECRET)}".encode()).decode()
        known = self.headers.get("Authorization") == f"Basic {pair}"
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        answer = {"access_token": TOKEN, "expires_in": 3600} if known else {"error": "invalid_client"}
        body = json.dumps(answer).encode()
        self.send_response(200 if known else 401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: Any) -> None:
        """Print nothing."""
