from __future__ import annotations

from pathlib import Path

import pytest
from flyteidl.core.tasks_pb2 import Resources
from google.protobuf.json_format import ParseDict

from scripts.sandbox.container_spec import ContainerSpec, Mount, container_spec
from scripts.sandbox.runtime import Attempt
from scripts.sandbox.shared_engine import SharedEngine

STATE = Path("/state")


def spec(
    *,
    mounted: tuple[tuple[str, str], ...] = (),
    mounts: tuple[Mount, ...] = (),
    shared: SharedEngine | None = None,
    **fields: object,
) -> ContainerSpec:
    values = {
        "name": "f9-n0-0",
        "namespace": "p-d",
        "image": "registry.example.com/i:1",
        "args": ("pyflyte-execute",),
        "folder": Path("/attempts/f9-n0-0"),
        "log": Path("/logs/f9-n0-0.log"),
    }
    attempt = Attempt(**(values | fields))  # type: ignore[arg-type]
    return container_spec(attempt, sandbox=STATE, mounts=mounts, mounted=mounted, shared=shared)


def resources(limits: dict[str, str], requests: dict[str, str] | None = None) -> Resources:
    def entries(amounts: dict[str, str]) -> list[dict[str, str]]:
        return [{"name": name, "value": value} for name, value in amounts.items()]

    return ParseDict({"limits": entries(limits), "requests": entries(requests or {})}, Resources())


def test_arguments_alone_leave_the_images_entrypoint_in_place() -> None:
    made = spec(args=("pyflyte-execute", "--inputs", "x"))
    assert (made.entrypoint, made.args) == ((), ("pyflyte-execute", "--inputs", "x"))


def test_a_command_is_the_entrypoint() -> None:
    made = spec(command=("sh", "-c"), args=("true",))
    assert (made.entrypoint, made.args) == (("sh", "-c"), ("true",))


def test_words_and_values_refer_to_the_variables_of_the_pod() -> None:
    made = spec(
        command=("echo", "$(A)"),
        args=("$(B)", "$(PATH)", "$$(A)"),
        environment=(("A", "1"), ("A", "2"), ("B", "$(A)$(TOKEN)")),
        mounted=(("TOKEN", "t"),),
    )
    assert made.entrypoint == ("echo", "2")
    assert made.args == ("2$(TOKEN)", "$(PATH)", "$(A)")
    assert made.environment == {"A": "2", "B": "2$(TOKEN)", "TOKEN": "t"}


@pytest.mark.parametrize(
    ("limits", "requests", "memory", "quota"),
    [
        ({}, {}, 0, 0),
        ({"MEMORY": "1Gi", "CPU": "2"}, {"MEMORY": "1Mi", "CPU": "1"}, 1 << 30, 200_000),
        ({}, {"MEMORY": "500M", "CPU": "250m"}, 500_000_000, 25_000),
        ({"MEMORY": "1k", "CPU": "1m"}, {}, 6 << 20, 1_000),
        ({"CPU": "0.5", "GPU": "1"}, {}, 0, 50_000),
    ],
    ids=["none", "limits win", "a request is a limit, too", "no less than the engine takes", "CPU alone"],
)
def test_limits(limits: dict[str, str], requests: dict[str, str], memory: int, quota: int) -> None:
    made = spec(resources=resources(limits, requests))
    assert (made.memory_bytes, made.cpu_quota_us, made.cpu_period_us) == (memory, quota, 100_000)


def test_labels_say_whose_it_is() -> None:
    made = spec(labels=(("execution-id", "f9"), ("node-id", "n0")))
    assert made.labels == {
        "taxiway.sandbox": "/state",
        "namespace": "p-d",
        "execution-id": "f9",
        "node-id": "n0",
    }


def test_the_engine_is_given_with_its_group_to_those_who_may_have_it() -> None:
    shared = SharedEngine(socket=Path("/run/engine.sock"), group=42, projects=frozenset({"builders"}))
    given = spec(labels=(("project", "builders"),), shared=shared)
    assert given.mounts == (Mount(source=Path("/run/engine.sock"), target="/var/run/docker.sock"),)
    assert given.groups == (42,)
    other = spec(labels=(("project", "other"),), shared=shared)
    assert (other.mounts, other.groups) == ((), ())
