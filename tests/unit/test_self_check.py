from __future__ import annotations

from pathlib import Path

import pytest

from tasks.self_check import check_engine, check_programs, check_settings
from tests.mounted import Mounted

HOST = "TAXIWAY_DOCKER_HOST"


@pytest.mark.parametrize(
    ("environ", "found"),
    [
        ({HOST: "tcp://builder:2376"}, "images on the engine at tcp://builder:2376"),
        ({HOST: "tcp://b:1", "TAXIWAY_IMAGE_ROOT": "/images"}, "images on the engine at tcp://b:1"),
        ({"TAXIWAY_IMAGE_ROOT": "/images"}, "images in /images"),
        ({}, "no folder of images"),
    ],
    ids=["engine", "engine before folder", "folder", "neither"],
)
def test_settings_say_where_images_are(environ: dict[str, str], found: str) -> None:
    check = check_settings(environ)
    assert (check.ok, check.found) == (True, found)


def test_settings_that_cannot_be_read_are_said_once() -> None:
    environ = {HOST: "tcp://builder:2376", "TAXIWAY_BUILD_TIMEOUT_S": "soon"}
    assert not check_settings(environ).ok
    assert check_engine(environ, Mounted()) == []


def test_no_engine_is_looked_for_where_none_is_named() -> None:
    assert check_engine({}, Mounted()) == []


@pytest.mark.parametrize(
    ("host", "secrets", "said"),
    [
        pytest.param("unix:///nosuch/docker.sock", {}, "does not answer", id="not there"),
        pytest.param("builder:2376", {}, "is not the address", id="no address"),
        pytest.param("tcp://192.0.2.1:2375", {}, "without TLS", id="no TLS"),
        pytest.param("tcp://192.0.2.1:2376", {"docker_ca": "x"}, "taxiway/docker_cert", id="half a client"),
    ],
)
def test_an_engine_that_cannot_be_used_is_missing_with_its_remedy(
    host: str, secrets: dict[str, str], said: str
) -> None:
    [check] = [one for one in check_engine({HOST: host}, Mounted(**secrets)) if "program" not in one.name]
    assert not check.ok
    assert said in check.found
    assert check.remedy


def test_a_program_that_is_not_there_is_missing_with_its_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    [check] = check_programs(["docker"])
    assert (check.name, check.ok, check.found) == ("program docker", False, "not on PATH")
    assert "Install docker" in check.remedy
