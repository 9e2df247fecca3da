from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from flyteidl.core.interface_pb2 import TypedInterface
from flyteidl.core.literals_pb2 import LiteralMap
from flyteidl.core.tasks_pb2 import DataLoadingConfig

from scripts.sandbox.runtime import Attempt, Files
from scripts.sandbox.shared_engine import EngineNotShareable, SharedEngine, socket_of


@pytest.mark.parametrize("host", ["tcp://127.0.0.1:2375", "ssh://somebody@build"])
def test_what_has_no_socket_cannot_be_shared(host: str) -> None:
    with pytest.raises(EngineNotShareable, match=rf"the engine at {host} has no socket to share. Leave"):
        socket_of({"DOCKER_HOST": host})


def test_without_an_address_it_is_the_usual_socket() -> None:
    assert socket_of({}) == Path("/var/run/docker.sock").resolve()


def test_it_serves_the_projects_that_were_named(tmp_path: Path) -> None:
    socket = tmp_path / "engine.sock"
    socket.touch()
    shared = SharedEngine.of({"DOCKER_HOST": f"unix://{socket}"}, ["builders"])
    assert (shared.socket, shared.group) == (socket, socket.stat().st_gid)
    assert [shared.serves(attempt(project)) for project in ("builders", "builders-too")] == [True, False]


def test_a_raw_container_has_somebody_elses_code_and_gets_no_engine(tmp_path: Path) -> None:
    shared = SharedEngine(socket=tmp_path / "engine.sock", group=0, projects=frozenset({"builders"}))
    files = Files(
        config=DataLoadingConfig(),
        interface=TypedInterface(),
        inputs=LiteralMap(),
        output_prefix="file:///storage/f9",
        raw_output_prefix="file:///storage/raw",
    )
    assert shared.serves(attempt("builders"))
    assert not shared.serves(replace(attempt("builders"), files=files))


def attempt(project: str) -> Attempt:
    return Attempt(
        name="f9-n0-0",
        namespace=f"{project}-development",
        image="registry.example.com/i:1",
        args=(),
        folder=Path("/attempts/f9-n0-0"),
        log=Path("/logs/f9-n0-0.log"),
        labels=(("project", project),),
    )
