"""A registry of the tests' own: Debian's docker-registry, on a free port of the loopback interface."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from tests.engine.daemon import NotHere

_START_S, _STOP_S, _POLL_S = 30, 10, 0.05


@contextmanager
def registry(folder: Path, *, htpasswd: Path | None = None) -> Iterator[str]:
    """Yield `127.0.0.1:PORT` of a registry that keeps everything in `folder`; plain HTTP.

    With `htpasswd`, a file with bcrypt hashes, it asks for a name and a password.

    Raises:
        NotHere: docker-registry is not installed, or does not start.
    """
    program = shutil.which("docker-registry")
    if program is None:
        raise NotHere("docker-registry is not installed")
    folder.mkdir(parents=True, exist_ok=True)
    address = f"127.0.0.1:{_free_port()}"
    config = folder / "config.yml"
    config.write_text(json.dumps(_config(folder, address, htpasswd)))  # YAML holds JSON
    log = folder / "log"
    with (
        log.open("wb") as output,
        subprocess.Popen([program, "serve", config], stdout=output, stderr=output) as process,
    ):
        try:
            deadline = time.monotonic() + _START_S
            while not _answers(address):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise NotHere(f"docker-registry does not start: {log.read_text()[-500:]}")
                time.sleep(_POLL_S)
            yield address
        finally:
            process.terminate()
            process.wait(_STOP_S)


def _config(folder: Path, address: str, htpasswd: Path | None) -> dict[str, object]:
    config: dict[str, object] = {
        "version": "0.1",
        "storage": {"filesystem": {"rootdirectory": f"{folder}/blobs"}, "delete": {"enabled": True}},
        "http": {"addr": address},
    }
    if htpasswd is not None:
        config["auth"] = {"htpasswd": {"realm": "tests", "path": str(htpasswd)}}
    return config


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def _answers(address: str) -> bool:
    try:
        return requests.get(f"http://{address}/v2/", timeout=2).status_code in (200, 401)
    except requests.RequestException:
        return False
