"""What passes for a container engine as far as its version goes: it says it, and writes down who asked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from tests.serving import serving


@dataclass
class Answering:
    """An engine at `host`, of the API `version`; `logins` are the Authorization of each request."""

    version: str = "1.41"
    components: tuple[str, ...] = ("Engine",)
    host: str = ""
    logins: list[str | None] = field(default_factory=list)

    @property
    def document(self) -> dict[str, Any]:
        components = [{"Name": name} for name in self.components]
        return {"ApiVersion": self.version, "Os": "linux", "Arch": "arm64", "Components": components}


@contextmanager
def answering() -> Iterator[Answering]:
    """Serve one over tcp without TLS, on loopback."""
    made = Answering()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.logins.append(self.headers.get("Authorization"))
            body = json.dumps(made.document).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with serving(Handler) as url:
        made.host = url.replace("http://", "tcp://")
        yield made


def mislead(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Set proxies, and a login for loopback, that no client of an engine may take from the environment."""
    (folder / "netrc").write_text("machine 127.0.0.1 login netrc password c4n4ry\n")
    monkeypatch.setenv("NETRC", str(folder / "netrc"))
    for name in ("http_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
