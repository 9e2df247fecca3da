from __future__ import annotations

from pathlib import Path

import pytest

from tasks._engine import CERTIFICATES
from tasks._engine_secrets import read_build_secrets, read_engine_address
from tasks._errors import BadUsage
from tests.mounted import Mounted

HOST = "tcp://builder:2376"
ALL = {"docker_ca": "ca", "docker_cert": "cert", "docker_key": "canary-key"}


def test_certificates_are_files_that_only_we_can_read(tmp_path: Path) -> None:
    address = read_engine_address(HOST, Mounted(**ALL), {}, folder=tmp_path / "tls")
    assert address.tls == tmp_path / "tls"
    files = [tmp_path / "tls" / name for name in CERTIFICATES]
    assert [file.read_text() for file in files] == ["ca\n", "cert\n", "canary-key\n"]
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    assert "canary" not in repr(address)


def test_certificates_that_are_not_whole_are_bad_usage(tmp_path: Path) -> None:
    with pytest.raises(BadUsage, match="taxiway/docker_ca and taxiway/docker_cert is missing"):
        read_engine_address(HOST, Mounted(docker_key="canary"), {}, folder=tmp_path)


@pytest.mark.parametrize(
    ("host", "tls"), [(HOST, Path("/certs")), ("unix:///var/run/docker.sock", None)], ids=["tcp", "unix"]
)
def test_without_secrets_they_are_where_docker_looks(host: str, tls: Path | None, tmp_path: Path) -> None:
    address = read_engine_address(host, Mounted(), {"DOCKER_CERT_PATH": "/certs"}, folder=tmp_path)
    assert address.tls == tls


def test_build_secrets_go_by_the_names_of_policies() -> None:
    text = 'pip_index = "one"\n[fraud]\ntoken = "two"\n'
    assert read_build_secrets(Mounted(build_secrets=text)) == {"pip_index": b"one", "fraud/token": b"two"}
    assert read_build_secrets(Mounted()) == {}


@pytest.mark.parametrize("text", ["canary", "[fraud]\ntoken = 4711", "[[fraud]]\ntoken = 'canary'"])
def test_build_secrets_of_another_form_are_not_quoted(text: str) -> None:
    with pytest.raises(BadUsage) as caught:
        read_build_secrets(Mounted(build_secrets=text))
    assert "canary" not in str(caught.value) and "4711" not in str(caught.value)
