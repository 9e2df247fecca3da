"""A real HTTP server that answers as Flyte's REST API does in a preview, and goes wrong on request.

It is strict: what it does not know, and what comes without the right token, is refused.
"""

from __future__ import annotations

import base64
import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.serving import serving

REPOSITORY = "https://git.example.com/risk/fraud"
MARKDOWN = "# Preview of fraud passed\n"
DECK = f'<script type="application/json" id="taxiway-markdown">{json.dumps(MARKDOWN)}</script>'
CLIENT, SECRET = "ci job", "s:e/cret%"
RESET = -1
"""In place of a status: the connection is reset."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One request as it came."""

    verb: str
    path: str
    authorization: str


@dataclass(frozen=True, kw_only=True)
class Fault:
    """An answer in place of the right one, `times` times, to requests whose path begins with `path`.

    With `late`, what was asked is done all the same.
    """

    path: str
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    times: int = 1
    late: bool = False


@dataclass
class FakeFlyte:
    """What the server knows. `tokens` are those that it takes; empty, it takes calls without one."""

    url: str = ""
    phase: str = "SUCCEEDED"
    code: str = ""
    deck_url: str = ""
    tokens: set[str] = field(default_factory=set)
    inputs: dict[str, Any] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    issued: int = 0
    launched: dict[str, Any] | None = None

    def fault(self, path: str) -> Fault | None:
        for place, one in enumerate(self.faults):
            if path.startswith(one.path):
                rest = [] if one.times == 1 else [Fault(**{**vars(one), "times": one.times - 1})]
                self.faults[place : place + 1] = rest
                return one
        return None

    def answer(self, verb: str, path: str, body: bytes, authorization: str) -> tuple[int, Any]:
        """Return the status and the document that a request gets."""
        if path == "/.well-known/oauth-authorization-server":
            return 200, {"issuer": self.url, "tokenEndpoint": f"{self.url}/oauth2/token"}
        if path == "/oauth2/token":
            return self._token(body, authorization)
        if path == "/deck.html":
            return 200, DECK
        if self.tokens and authorization.removeprefix("Bearer ") not in self.tokens:
            return 401, {"code": 16, "message": f"token parse error: {authorization}", "details": []}
        return self._api(verb, path, json.loads(body or b"{}"))

    def _token(self, body: bytes, authorization: str) -> tuple[int, Any]:
        pair = base64.b64decode(authorization.removeprefix("Basic ")).decode()
        form = parse_qs(body.decode())
        if pair != "ci+job:s%3Ae%2Fcret%25" or form != {
            "grant_type": ["client_credentials"],
            "scope": ["all"],
        }:
            return 401, {"error": "invalid_client"}
        self.issued += 1
        self.tokens = {f"issued-{self.issued}"}
        return 200, {"access_token": f"issued-{self.issued}", "expires_in": 1800}

    def _api(self, verb: str, path: str, body: Any) -> tuple[int, Any]:
        if path.startswith("/api/v1/active_launch_plans/taxiway/production/taxiway.preview.fraud"):
            return 200, {
                "id": {"version": "v1"},
                "spec": {"annotations": {"values": {"taxiway/repository": REPOSITORY}}},
            }
        if (verb, path) == ("POST", "/api/v1/executions"):
            if self.launched is not None:
                return 409, {"code": 6, "message": "value with matching already exists", "details": []}
            self.launched = body
            return 200, {"id": {"name": body["name"]}}
        name = (self.launched or {}).get("name", "?")
        if (verb, path) == ("GET", f"/api/v1/executions/taxiway/production/{name}"):
            plan = {"name": "taxiway.preview.fraud"}
            error = {"code": self.code, "message": "::error::broken"} if self.code else None
            return 200, {"spec": {"launchPlan": plan}, "closure": {"phase": self.phase, "error": error}}
        if path == f"/api/v1/data/executions/taxiway/production/{name}":
            literals = {**(self.launched or {})["inputs"]["literals"], **self.inputs}
            return 200, {"fullInputs": {"literals": literals}}
        if path == f"/api/v1/node_executions/taxiway/production/{name}":
            closure = {"phase": "SUCCEEDED", "deckUri": "s3://x/deck.html", "duration": "1.5s"}
            nodes = [{"id": {"nodeId": "report"}, "metadata": {"specNodeId": "report"}, "closure": closure}]
            return 200, {"nodeExecutions": nodes, "token": ""}
        if (verb, path) == ("POST", "/api/v1/dataproxy/artifact_link"):
            return 200, {"signed_url": [self.deck_url or f"{self.url}/deck.html"]}
        return 404, {"code": 5, "message": "Not Found", "details": []}


@contextmanager
def fake_flyte() -> Iterator[FakeFlyte]:
    """Serve one on a free port."""
    flyte = FakeFlyte()
    with serving(_handler(flyte)) as flyte.url:
        yield flyte


def _handler(flyte: FakeFlyte) -> type[BaseHTTPRequestHandler]:
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            path = urlsplit(self.path).path
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            authorization = self.headers.get("Authorization", "")
            with lock:
                flyte.seen.append(Seen(verb=self.command, path=path, authorization=authorization))
                fault = flyte.fault(path)
                if fault is not None and fault.late:
                    flyte.answer(self.command, path, body, authorization)
                if fault is None:
                    status, document = flyte.answer(self.command, path, body, authorization)
                    text = document if isinstance(document, str) else json.dumps(document)
                    self._reply(status, {"Content-Type": "application/json"}, text.encode())
                elif fault.status == RESET:
                    # With nothing left to linger for, closing sends a reset.
                    linger = struct.pack("ii", 1, 0)
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    self.close_connection = True
                else:
                    self._reply(fault.status, fault.headers, fault.body)

        def _reply(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    answer: Callable[[Handler], None] = Handler._serve
    for verb in ("GET", "POST", "PUT", "DELETE"):
        setattr(Handler, f"do_{verb}", answer)
    return Handler
