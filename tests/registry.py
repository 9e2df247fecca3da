"""A registry as people run it, docker-registry, in a process of its own on loopback; and images to push."""

from __future__ import annotations

import hashlib
import json
import subprocess
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from tests.needs import need

IMAGE = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"

BYTES = "application/octet-stream"


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@dataclass
class Registry:
    """A docker-registry, running or stopped. `host` is `HOST:PORT`; `login` a user and a password.

    `tokens` is its configuration of who issues tokens, where that is how it knows people.
    """

    folder: Path
    login: tuple[str, str] | None = None
    deletes: bool = True
    tokens: Mapping[str, str] | None = None
    host: str = "127.0.0.1:0"
    process: subprocess.Popen[str] | None = field(default=None, repr=False)
    reader: threading.Thread | None = field(default=None, repr=False)

    def start(self) -> None:
        """Start it: on a free port at first, later on the same again."""
        config: dict[str, Any] = {
            "version": 0.1,
            "log": {"level": "info", "accesslog": {"disabled": True}},
            "storage": {
                "filesystem": {"rootdirectory": str(self.folder / "data")},
                "delete": {"enabled": self.deletes},
            },
            "http": {"addr": self.host, "secret": "of this test"},
        }
        if self.tokens is not None:
            config["auth"] = {"token": dict(self.tokens)}
        elif self.login is not None:
            config["auth"] = {"htpasswd": {"realm": "tests", "path": str(self._htpasswd(*self.login))}}
        file = self.folder / "config.json"
        file.write_text(json.dumps(config))  # JSON is YAML
        self.process = subprocess.Popen(
            ["docker-registry", "serve", str(file)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.host = self._address()

    def _htpasswd(self, user: str, password: str) -> Path:
        need("htpasswd")
        words = ["htpasswd", "-Bbn", user, password]
        file = self.folder / "htpasswd"
        file.write_text(subprocess.run(words, capture_output=True, text=True, check=True).stdout)
        return file

    def _address(self) -> str:
        """Read the log up to where it says what it listens on; what comes later is read, too, and dropped.

        A registry whose log nobody reads stands still when the pipe is full.
        """
        assert self.process is not None
        assert self.process.stderr is not None
        said = []
        for line in self.process.stderr:
            said.append(line)
            if "listening on " in line:
                self.reader = threading.Thread(target=deque, args=(self.process.stderr, 0))
                self.reader.start()
                return line.partition("listening on ")[2].split('"')[0]
        raise AssertionError(f"docker-registry did not start: {''.join(said)}")

    def stop(self) -> None:
        if self.process is None:
            return
        assert self.process.stderr is not None
        self.process.terminate()
        self.process.wait(timeout=20)
        if self.reader is not None:
            self.reader.join()
        self.process.stderr.close()
        self.process = None

    def put_blob(self, name: str, content: bytes) -> str:
        """Push a blob and return its digest."""
        begun = self._send("POST", f"/v2/{name}/blobs/uploads/", expect=202)
        where, digest = begun.headers["Location"], digest_of(content)
        mark = "&" if "?" in where else "?"
        self._send("PUT", f"{where}{mark}digest={digest}", content, expect=201)
        return digest

    def put_manifest(self, name: str, reference: str, document: Mapping[str, Any]) -> str:
        """Push a manifest or index under a tag and return its digest."""
        content = json.dumps(document).encode()
        kind = document["mediaType"]
        self._send("PUT", f"/v2/{name}/manifests/{reference}", content, kind=kind, expect=201)
        return digest_of(content)

    def put_image(self, name: str, tag: str, config: Mapping[str, Any], *layers: bytes) -> str:
        """Push an image of such layers and return its digest."""
        for layer in layers:
            self.put_blob(name, layer)
        content = json.dumps(config).encode()
        self.put_blob(name, content)
        return self.put_manifest(name, tag, image_of(content, layers))

    def _send(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        kind: str = BYTES,
        expect: int,
    ) -> requests.Response:
        url = path if path.startswith("http") else f"http://{self.host}{path}"
        headers = {"Content-Type": kind}
        answer = requests.request(
            method, url, data=body, headers=headers, auth=self.login, timeout=20, proxies={"http": ""}
        )
        assert answer.status_code == expect, answer.text
        return answer


@contextmanager
def docker_registry(
    folder: Path,
    *,
    login: tuple[str, str] | None = None,
    deletes: bool = True,
    tokens: Mapping[str, str] | None = None,
) -> Iterator[Registry]:
    """Run one with its content in `folder`, and stop it in the end."""
    need("docker-registry")
    folder.mkdir(parents=True, exist_ok=True)
    registry = Registry(folder=folder, login=login, deletes=deletes, tokens=tokens)
    registry.start()
    try:
        yield registry
    finally:
        registry.stop()


def image_of(config: bytes, layers: Sequence[bytes] = (), **more: Any) -> dict[str, Any]:
    """Return an OCI manifest of such content."""
    return {
        "schemaVersion": 2,
        "mediaType": IMAGE,
        "config": {"mediaType": CONFIG, "digest": digest_of(config), "size": len(config)},
        "layers": [{"mediaType": LAYER, "digest": digest_of(one), "size": len(one)} for one in layers],
        **more,
    }


def index_of(*manifests: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """Return an OCI index of such descriptors."""
    return {"schemaVersion": 2, "mediaType": INDEX, "manifests": list(manifests), **more}
