"""Options of the test suite; without any of them everything runs against what the tests start themselves."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator

import docker
import pytest

from tests import running
from tests.ci_job import CiImage
from tests.engine import base_image, daemon, shared
from tests.running import PRINCIPAL_HEADER, Cluster, Sandbox

_ENGINE_TIMEOUT_S = 1200

# While everything is loaded nothing becomes garbage, and looking for it took a fifth of each process's start.
gc.disable()


def pytest_collection_finish() -> None:
    """Look for garbage again, but not among what was loaded."""
    gc.freeze()
    gc.enable()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("flyte", "the Flyte that the tests ask")
    group.addoption(
        "--flyte-endpoint", metavar="HOST:PORT", help="an insecure endpoint; without it, a sandbox"
    )
    group.addoption("--flyte-http", metavar="URL", help="its REST API; without it, that is left out there")
    group.addoption("--task-image", metavar="REF", help="an image with flytekit, where the endpoint is given")
    group.addoption("--other-image", metavar="REF", help="another one, which sets WHICH_IMAGE=other")
    group.addoption(
        "--runtime",
        choices=("process", "docker"),
        default="process",
        help="what runs the tasks of the sandbox that tests/conformance starts",
    )
    group.addoption(
        "--flyte-wait", metavar="SECONDS", type=float, default=180, help="the most that one wait may take"
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--flyte-endpoint") and not config.getoption("--task-image"):
        raise pytest.UsageError("--flyte-endpoint needs --task-image")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what the Flyte that was named cannot do, or what was not told about it.

    The first test that needs the engine's images waits until they are made, and so do those beside it.
    """
    for item in items:
        if item.get_closest_marker("engine") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(_ENGINE_TIMEOUT_S))
    if config.getoption("--flyte-endpoint"):
        given = {"rest": "--flyte-http", "other_image": "--other-image"}
        marks = ["sandbox_only", *(mark for mark, option in given.items() if not config.getoption(option))]
        left_out = [item for item in items if any(map(item.get_closest_marker, marks))]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A sandbox of this run's own, on free ports, which begins with nothing registered."""
    state = tmp_path_factory.mktemp("sandbox") / "state"
    with running.sandbox(state, "--principal-header", PRINCIPAL_HEADER) as started:
        yield started


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    """The Flyte under test: the one that was named, else the sandbox."""
    options = request.config.option
    if not options.flyte_endpoint:
        sandbox: Sandbox = request.getfixturevalue("sandbox")
        return sandbox
    config = tmp_path_factory.mktemp("client") / "config.yaml"
    config.write_text(f"admin:\n  endpoint: dns:///{options.flyte_endpoint}\n  insecure: true\n")
    return Cluster(
        endpoint=options.flyte_endpoint,
        http=(options.flyte_http or "").rstrip("/"),
        config=config,
        default_image=options.task_image,
    )


@pytest.fixture(scope="session")
def ci_image(tmp_path_factory: pytest.TempPathFactory) -> CiImage:
    """What a CI job has to run `trigger.py` with."""
    return CiImage.build(tmp_path_factory.mktemp("ci-image"))


@pytest.fixture(scope="session")
def engine_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The DOCKER_HOST of a container engine; whoever needs it is marked `engine`."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent  # where those of all workers lie
    with daemon.needed(shared.engine(folder)) as host:
        yield host


@pytest.fixture(scope="session")
def engine(engine_host: str) -> Iterator[docker.APIClient]:
    """A client of that engine, patient enough for builds."""
    client = docker.APIClient(engine_host, version="auto", timeout=600)
    yield client
    client.close()


@pytest.fixture(scope="session")
def python_image(engine: docker.APIClient) -> str:
    """A small Debian with Python."""
    return base_image.base_image(engine)


@pytest.fixture(scope="session")
def flytekit_image(engine: docker.APIClient) -> str:
    """The same with flytekit."""
    return base_image.flytekit_image(engine)
