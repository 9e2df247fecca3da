"""A smart https server on loopback: git's own http-backend, with switches for what hosts do differently."""

from __future__ import annotations

import base64
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from tests.certificates import certificate_for_loopback
from tests.serving import serving


@dataclass
class GitServer:
    """What to do differently, and what was asked. `requests` are the paths of all requests so far."""

    folder: Path
    certificate: Path
    url: str = ""
    user_and_token: str = ""
    first_protocol_only: bool = False
    redirect_to: str = ""
    failures: int = 0
    requests: list[str] = field(default_factory=list)

    def url_of(self, name: str) -> str:
        """Return the URL of the repository in the folder `name`."""
        return f"{self.url}/{name}"


@contextmanager
def serve(folder: Path, scratch: Path) -> Iterator[GitServer]:
    """Serve the repositories in `folder` on a free port of loopback."""
    certificate, key = certificate_for_loopback(scratch)
    state = GitServer(folder=folder, certificate=certificate)

    class Handler(_Handler):
        server_state = state

    with serving(Handler, tls=(certificate, key)) as state.url:
        yield state


class _Handler(BaseHTTPRequestHandler):
    server_state: GitServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (http.server's name)
        return

    def _answer(self) -> None:
        state = self.server_state
        state.requests.append(self.path)
        body = self._body()
        expected = "Basic " + base64.b64encode(state.user_and_token.encode()).decode()
        if state.user_and_token and self.headers.get("Authorization") != expected:
            self._plain(401, {"WWW-Authenticate": 'Basic realm="git"'})
        elif state.failures:
            state.failures -= 1
            self._plain(500, {})
        elif state.redirect_to:
            self._plain(302, {"Location": state.redirect_to + self.path})
        else:
            self._backend(body)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        chunks = b""
        while size := int(self.rfile.readline(), 16):
            chunks += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return chunks

    def _plain(self, code: int, headers: dict[str, str]) -> None:
        self.send_response(code)
        for name, value in {**headers, "Content-Length": "0"}.items():
            self.send_header(name, value)
        self.end_headers()

    def _backend(self, body: bytes) -> None:
        path, _, query = self.path.partition("?")
        env = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.server_state.folder),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "HTTP_GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
        }
        if self.server_state.first_protocol_only:
            del env["HTTP_GIT_PROTOCOL"]
        done = subprocess.run(["git", "http-backend"], input=body, env=env, capture_output=True, check=False)
        head, _, answer = done.stdout.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        self.send_response(int(fields.pop("Status", "200 OK").split()[0]))
        for name, value in {**fields, "Content-Length": str(len(answer))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer)
