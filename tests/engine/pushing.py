"""A registry's front that goes wrong as it is told: it passes everything on but what it has faults for."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from urllib.parse import urlsplit

from tests.serving import serving

_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length"})


@dataclass
class Fault:
    """An answer instead of the right one, `times` times, to requests whose path has `part` in it.

    `first` is done before the answer; with the status 0 that is the right one after all.
    """

    method: str
    part: str
    status: int
    body: bytes
    times: int
    first: Callable[[], object]


@dataclass
class Front:
    """`instead` names, by the beginning of a path, what is read in its place.

    `over` is set as the front ends. Every byte of a body takes `pace_s` seconds.
    """

    behind: str
    url: str = ""
    pace_s: float = 0
    over: threading.Event = field(default_factory=threading.Event)
    faults: list[Fault] = field(default_factory=list)
    instead: dict[str, str] = field(default_factory=dict)

    @property
    def host(self) -> str:
        return urlsplit(self.url).netloc

    def go_wrong(
        self,
        method: str,
        part: str,
        status: int = 0,
        body: bytes = b"",
        *,
        times: int = 1,
        first: Callable[[], object] = lambda: None,
    ) -> None:
        self.faults.append(
            Fault(method=method, part=part, status=status, body=body, times=times, first=first)
        )

    def path(self, method: str, path: str) -> str:
        """Return what is asked for where `path` is."""
        found = (other for begin, other in self.instead.items() if path.startswith(begin))
        return path if method == "PUT" else next(found, path)

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
        try:
            yield made
        finally:
            made.over.set()


def _handler(made: Front) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            body = self._body()
            if fault := made.fault(self.command, self.path):
                fault.first()
                if fault.status:
                    self._answer(fault.status, {"Content-Type": "application/json"}, fault.body)
                    return
            path = made.path(self.command, self.path)
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
            if not made.pace_s:
                self.wfile.write(body)
            for byte in body if made.pace_s else b"":
                if made.over.wait(made.pace_s):
                    return
                self.wfile.write(bytes([byte]))

        def log_message(self, *_: object) -> None:
            pass

    for verb in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"):
        setattr(Handler, f"do_{verb}", Handler._serve)
    return Handler
