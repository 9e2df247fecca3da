"""A registry that is strict, issues tokens, and goes wrong on request; for what docker-registry never does.

What a client must not send, it notes in `violations`.
"""

from __future__ import annotations

import base64
import json
import socket
import struct
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.registry import IMAGE, digest_of
from tests.serving import serving

RESET, LOST, CUT, STALL, TRICKLE = -1, -2, -3, -4, -5
"""In place of a status: reset instead of an answer, with nothing done; the same with all done; the right
answer's head and half of its body, and then a reset, nothing more until the test is over, or byte by byte
until then."""
USER, PASSWORD, IDENTITY = "builder", "c4n4ry:p/w%d", "c4n4ry-identity"
BASIC = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
CHALLENGE = 'Bearer realm="{url}/token",service="fake, \\"inc\\"",scope="{scope}"'
UNAUTHORIZED = {"errors": [{"code": "UNAUTHORIZED", "message": "authentication required"}]}


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One request as it came."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    authorization: str


@dataclass(frozen=True, kw_only=True)
class Reply:
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What happens instead, `times` times, to requests whose path begins with `path`."""

    path: str
    reply: Reply
    times: int = 1


@dataclass
class FakeRegistry:
    """What it holds, and how it behaves. `tokens` are those it takes, by what they allow."""

    url: str = ""
    bearer: bool = False
    anonymous: bool = False
    no_authorization: bool = False
    blobs_at: str = ""
    digest_header: bool = True
    referrers: Mapping[str, Any] | None = None
    page: int = 1000
    manifests: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    issued: int = 0
    expires_in: int | None = 300
    faults: list[Fault] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def host(self) -> str:
        return urlsplit(self.url).netloc

    @property
    def paths(self) -> list[str]:
        return [one.path for one in self.seen]

    def hold(self, reference: str, document: Mapping[str, Any]) -> str:
        """Hold a manifest or index under its digest and a tag; return the digest."""
        body = json.dumps(document).encode()
        kind = document.get("mediaType", IMAGE)
        self.manifests[reference] = self.manifests[digest_of(body)] = (kind, body)
        return digest_of(body)

    def hold_blob(self, body: bytes) -> str:
        self.blobs[digest_of(body)] = body
        return digest_of(body)

    def go_wrong(self, path: str, status: int, body: bytes = b"", times: int = 1, **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.faults.append(
            Fault(path=path, times=times, reply=Reply(status=status, headers=named, body=body))
        )

    def fault(self, path: str) -> Reply | None:
        for place, one in enumerate(self.faults):
            if path.startswith(one.path):
                self.faults[place : place + 1] = [replace(one, times=one.times - 1)] if one.times > 1 else []
                return one.reply
        return None

    def answer(self, seen: Seen, headers: Mapping[str, str], body: bytes) -> Reply:
        """Return the right answer to a request."""
        if headers.get("Accept-Encoding") != "identity":
            self.violations.append(f"{seen.path}: content could come encoded")
        if self.no_authorization and seen.authorization:
            self.violations.append(f"{seen.path}: an authorization for somebody else")
        if seen.path == "/token":
            return self._token(seen, body)
        _, _, rest = seen.path.partition("/v2/risk/fraud/")
        kind, _, name = rest.partition("/")
        needed = "pull,push" if seen.method == "PUT" else "delete" if seen.method == "DELETE" else "pull"
        if not self._allowed(seen.authorization, needed):
            scope = f"repository:risk/fraud:{needed}"
            challenge = CHALLENGE.format(url=self.url, scope=scope) if self.bearer else 'Basic realm="fake"'
            return _document(UNAUTHORIZED, status=401, WWW_Authenticate=challenge)
        if kind == "manifests":
            return self._manifest(seen, name, headers, body)
        if kind == "blobs":
            return self._blob(name)
        if kind == "tags":
            return self._tags(seen)
        if kind == "referrers" and self.referrers is not None:
            return _document(self.referrers, Content_Type="application/vnd.oci.image.index.v1+json")
        return Reply(status=404, headers={"Content-Type": "text/plain"}, body=b"404 page not found\n")

    def _allowed(self, authorization: str, needed: str) -> bool:
        if self.anonymous or self.no_authorization:
            return True
        if not self.bearer:
            return authorization == BASIC
        granted = self.tokens.get(authorization.removeprefix("Bearer "), "")
        return set(granted.split(",")) >= set(needed.split(","))

    def _token(self, seen: Seen, body: bytes) -> Reply:
        query = parse_qs(body.decode()) if seen.method == "POST" else seen.query
        if query.get("service") != ['fake, "inc"'] or len(query.get("scope", [])) != 1:
            self.violations.append(f"/token: {query}")
        if seen.method == "POST":
            known = query.get("grant_type") == ["refresh_token"] and query.get("refresh_token") == [IDENTITY]
        else:
            known = seen.authorization == BASIC
        if not known:
            said = f"not {seen.authorization} {query.get('refresh_token', '')}, {PASSWORD}"
            return _document({"errors": [{"code": "DENIED", "message": said}]}, status=401)
        self.issued += 1
        token = f"c4n4ry-token-{self.issued}"
        self.tokens[token] = query["scope"][0].rpartition(":")[2]
        life = {} if self.expires_in is None else {"expires_in": self.expires_in}
        return _document({"token" if seen.method == "GET" else "access_token": token, **life})

    def _manifest(self, seen: Seen, name: str, headers: Mapping[str, str], body: bytes) -> Reply:
        if seen.method == "PUT":
            self.manifests[name] = self.manifests[digest_of(body)] = headers["Content-Type"], body
            return Reply(status=201, headers={"Docker-Content-Digest": digest_of(body)})
        if seen.method == "DELETE":
            gone = self.manifests.pop(name, None) is None
            return Reply(status=404 if gone else 202)
        accepted = {one.strip() for one in headers.get("Accept", "").split(",")}
        if name not in self.manifests:
            return _document({"errors": [{"code": "MANIFEST_UNKNOWN"}]}, status=404)
        kind, content = self.manifests[name]
        if kind not in accepted:
            self.violations.append(f"{seen.path}: {kind} is not asked for")
        found = {"Docker-Content-Digest": digest_of(content)} if self.digest_header else {}
        return Reply(headers={"Content-Type": kind, **found}, body=content)

    def _blob(self, digest: str) -> Reply:
        if self.blobs_at:
            where = f"{self.blobs_at}/v2/risk/fraud/blobs/{digest}?signature=c4n4ry-signed"
            return Reply(status=307, headers={"Location": where})
        if digest not in self.blobs:
            return _document({"errors": [{"code": "BLOB_UNKNOWN"}]}, status=404)
        return Reply(body=self.blobs[digest])

    def _tags(self, seen: Seen) -> Reply:
        tags = sorted(name for name in self.manifests if ":" not in name)
        last = seen.query.get("last", [""])[0]
        rest = [tag for tag in tags if tag > last]
        page = rest[: self.page]
        reply = _document({"name": "risk/fraud", "tags": page or None})
        if page == rest:
            return reply
        where = f"/v2/risk/fraud/tags/list?n={self.page}&last={page[-1]}"
        return replace(reply, headers={"Link": f'<{where}>; rel="next"'})


def _document(document: Any, *, status: int = 200, **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status=status, headers=named, body=json.dumps(document).encode())


@contextmanager
def fake_registry(**behaviour: Any) -> Iterator[FakeRegistry]:
    """Serve one on a free port; in the end, nothing may have been sent that must not be."""
    registry = FakeRegistry(**behaviour)
    with serving(_handler(registry)) as registry.url:
        try:
            yield registry
        finally:
            registry.over.set()
    assert registry.violations == []


def _handler(registry: FakeRegistry) -> type[BaseHTTPRequestHandler]:
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # head and body are two packets, and the second would wait

        def _serve(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            seen = Seen(
                method=self.command,
                path=parts.path,
                query=parse_qs(parts.query),
                authorization=self.headers.get("Authorization", ""),
            )
            with lock:
                registry.seen.append(seen)
                fault = registry.fault(parts.path)
                right = fault is None or fault.status < RESET
                reply = registry.answer(seen, dict(self.headers), body) if right else fault
            assert reply is not None
            if fault is not None and fault.status < 0:
                self._break_off(fault.status, reply)
            else:
                self._head(reply)
                self.wfile.write(b"" if self.command == "HEAD" else reply.body)

        def _head(self, reply: Reply) -> None:
            self.send_response(reply.status)
            for name, value in {"Content-Length": str(len(reply.body)), **reply.headers}.items():
                self.send_header(name, value)
            self.end_headers()

        def _break_off(self, how: int, reply: Reply) -> None:
            self.close_connection = True
            if how not in (RESET, LOST):
                self._head(reply)
                self.wfile.write(reply.body[: len(reply.body) // 2])
            if how == STALL:
                registry.over.wait()
            if how == TRICKLE:
                self._trickle()
            # With nothing left to linger for, closing sends a reset.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

        def _trickle(self) -> None:
            try:
                while not registry.over.wait(0.01):
                    self.wfile.write(b" ")
            except OSError:
                return

        def log_message(self, *_: object) -> None:
            pass

    for verb in ("GET", "HEAD", "POST", "PUT", "DELETE"):
        setattr(Handler, f"do_{verb}", Handler._serve)
    return Handler
