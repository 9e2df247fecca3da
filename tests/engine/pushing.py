"""A registry's front that goes wrong as it is told: it passes everything on but what it has faults for."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from urllib.parse import urlsplit

from tests.serving import serving

_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length"})


@dataclass
class Fault:
    """An answer instead of the right one, `times` times, to requests whose path has `part` in it."""

    method: str
    part: str
    status: int
    body: bytes
    times: int


@dataclass
class Front:
    """`instead` names, by path, what is asked for in its place."""

    behind: str
    url: str = ""
    faults: list[Fault] = field(default_factory=list)
    instead: dict[str, str] = field(default_factory=dict)

    @property
    def host(self) -> str:
        return urlsplit(self.url).netloc

    def go_wrong(self, method: str, part: str, status: int, body: bytes = b"", *, times: int = 1) -> None:
        self.faults.append(Fault(method=method, part=part, status=status, body=body, times=times))

    def fault(self, method: str, path: str) -> Fault | None:
        for one in self.faults:
            if one.method == method and one.part in path:
                one.times -= 1
                if one.times == 0:
                    self.faults.remove(one)
                return one
        return None


@contextmanager
def front(behind: str) -> Iterator[Front]:
    """Serve one for the registry at `behind`."""
    made = Front(behind=behind)
    with serving(_handler(made)) as made.url:
        yield made


def _handler(made: Front) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            body = self._body()
            if fault := made.fault(self.command, self.path):
                self._answer(fault.status, {"Content-Type": "application/json"}, fault.body)
                return
            path = self.path if self.command == "PUT" else made.instead.get(self.path, self.path)
            kept = {name: value for name, value in self.headers.items() if name.lower() not in _HOP}
            asked = http.client.HTTPConnection(made.behind, timeout=60)
            try:
                asked.request(self.command, path, body, kept)
                got = asked.getresponse()
                content = got.read()
                headers = {name: value for name, value in got.getheaders() if name.lower() not in _HOP}
                length = got.getheader("Content-Length", "0") if self.command == "HEAD" else None
                self._answer(got.status, headers, content, length=length)
            finally:
                asked.close()

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length", "0")))
            chunks = []
            while size := int(self.rfile.readline(), 16):
                chunks.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(chunks)

        def _answer(
            self, status: int, headers: dict[str, str], body: bytes, *, length: str | None = None
        ) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", length if length is not None else str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    for verb in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"):
        setattr(Handler, f"do_{verb}", Handler._serve)
    return Handler
