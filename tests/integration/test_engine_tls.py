"""Engines over tcp: a dockerd that asks for client certificates, and addresses that nobody should use."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tasks._engine import EngineAddress, open_engine
from tasks._errors import (
    BadUsage,
    EngineDenied,
    EngineUnavailable,
    EngineUntrusted,
    Recoverable,
    TaxiwayError,
)
from tasks.self_check import check_engine
from tests.certificates import Authority, authority
from tests.engine import daemon
from tests.engine.building import LOGIN, site
from tests.mounted import Mounted
from tests.registry import docker_registry

pytestmark = pytest.mark.engine

PEM = ("ca.pem", "cert.pem", "key.pem")


@dataclass(frozen=True, kw_only=True)
class Remote:
    """An engine that speaks TLS on `host`, and whose certificates `trusted` signs."""

    host: str
    trusted: Authority


@pytest.fixture(scope="module")
def remote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remote]:
    folder = tmp_path_factory.mktemp("certificates")
    trusted = authority(folder / "authority")
    server = trusted.sign(folder / "server")
    host = f"tcp://127.0.0.1:{free_port()}"
    files = [
        f"--tls{name}={server / file}" for name, file in zip(("cacert", "cert", "key"), PEM, strict=True)
    ]
    with daemon.needed(daemon.dockerd("--host", host, "--tlsverify", *files)):
        yield Remote(host=host, trusted=trusted)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def test_a_build_runs_on_a_remote_engine_with_client_certificates(remote: Remote, tmp_path: Path) -> None:
    address = EngineAddress(host=remote.host, tls=remote.trusted.sign(tmp_path / "client"))
    with (
        open_engine(address, environ=os.environ) as engine,
        docker_registry(tmp_path / "registry", login=LOGIN) as registry,
        site(engine, registry, tmp_path) as place,
    ):
        assert engine.buildkit
        dockerfile = "FROM tiny:1\nRUN --mount=type=secret,id=one sha256sum /run/secrets/one\n"
        order = place.order(dockerfile, secrets={"one": b"of the build"})
        assert place.build(order).digest


def test_a_self_check_asks_the_engine_with_the_secrets_of_flyte(remote: Remote, tmp_path: Path) -> None:
    folder = remote.trusted.sign(tmp_path / "client")
    keys = zip(("docker_ca", "docker_cert", "docker_key"), PEM, strict=True)
    secrets = Mounted(**{key: (folder / file).read_text() for key, file in keys})
    environ = {**os.environ, "TAXIWAY_DOCKER_HOST": remote.host}
    checks = check_engine(environ, secrets)
    assert [(check.name, check.ok) for check in checks] == [
        ("program docker", True),
        ("container engine", True),
    ]
    assert checks[-1].found == f"{remote.host} for linux/amd64"
    assert not check_engine(environ, Mounted())[-1].ok


@dataclass(frozen=True, kw_only=True)
class Certificates:
    """Folders of certificates by what is wrong with them."""

    remote: Remote
    folder: Path

    def good(self) -> Path:
        return self.remote.trusted.sign(self.folder / "good")

    def expired(self) -> Path:
        return self.remote.trusted.sign(self.folder / "expired", days=-1)

    def of_a_stranger(self) -> Path:
        made = authority(self.folder / "other").sign(self.folder / "stranger")
        (made / "ca.pem").write_bytes(self.remote.trusted.file.read_bytes())
        return made

    def no_key(self) -> Path:
        made = self.good()
        (made / "key.pem").unlink()
        return made

    def another_key(self) -> Path:
        made = self.good()
        other = self.remote.trusted.sign(self.folder / "another") / "key.pem"
        other.replace(made / "key.pem")
        return made

    def garbage(self) -> Path:
        made = self.good()
        (made / "cert.pem").write_text("garbage")
        return made

    def another_authority(self) -> Path:
        made = self.good()
        (made / "ca.pem").write_bytes(authority(self.folder / "other").file.read_bytes())
        return made

    def none(self) -> None:
        return None


@pytest.mark.parametrize(
    ("made", "kind", "said"),
    [
        pytest.param(Certificates.expired, EngineDenied, "does not take our certificate", id="expired"),
        pytest.param(Certificates.of_a_stranger, EngineDenied, "does not take our", id="a stranger's"),
        pytest.param(Certificates.no_key, EngineDenied, "key.pem is missing", id="no key"),
        pytest.param(Certificates.another_key, EngineDenied, "cannot be used", id="another's key"),
        pytest.param(Certificates.garbage, EngineDenied, "cannot be used", id="not a certificate"),
        pytest.param(Certificates.another_authority, EngineUntrusted, "cannot be trusted", id="not our CA"),
        pytest.param(Certificates.none, EngineDenied, "asks for a certificate", id="none"),
    ],
)
def test_a_certificate_that_does_not_serve_is_a_named_fault(
    remote: Remote,
    tmp_path: Path,
    made: Callable[[Certificates], Path | None],
    kind: type[TaxiwayError],
    said: str,
) -> None:
    folder = made(Certificates(remote=remote, folder=tmp_path))
    with pytest.raises(kind, match=said) as raised, open_engine(EngineAddress(host=remote.host, tls=folder)):
        pass
    assert not isinstance(raised.value, Recoverable)


def test_an_engine_without_tls_is_not_taken_for_one_with(remote: Remote, tmp_path: Path) -> None:
    with docker_registry(tmp_path / "registry") as registry:  # speaks plain HTTP
        address = EngineAddress(host=f"tcp://{registry.host}", tls=remote.trusted.sign(tmp_path / "client"))
        with pytest.raises(EngineUntrusted, match="cannot be trusted"), open_engine(address):
            pass


@pytest.mark.parametrize("host", ["unix:///nosuch/docker.sock", "tcp://127.0.0.1:1"])
def test_an_engine_that_is_not_there_may_come_back(host: str) -> None:
    with pytest.raises(EngineUnavailable, match=host), open_engine(EngineAddress(host=host)):
        pass


def test_tcp_without_tls_is_for_loopback_alone() -> None:
    address = EngineAddress(host="tcp://192.0.2.1:2375")
    with pytest.raises(EngineUntrusted, match="without TLS"), open_engine(address):
        pass


@pytest.mark.parametrize(
    "host", ["", "ssh://root@host", "tcp://127.0.0.1", "unix://", "http://127.0.0.1:1", "tcp://a:b@c:1", "x"]
)
def test_what_is_no_address_is_refused(host: str) -> None:
    with pytest.raises(BadUsage, match="address"), open_engine(EngineAddress(host=host)):
        pass
