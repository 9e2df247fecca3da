"""Options of the test suite; without any of them everything runs against what the tests start themselves."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from tests import running
from tests.ci_job import CiImage
from tests.running import PRINCIPAL_HEADER, Cluster, Sandbox

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
        "--flyte-wait", metavar="SECONDS", type=float, default=180, help="the most that one wait may take"
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--flyte-endpoint") and not config.getoption("--task-image"):
        raise pytest.UsageError("--flyte-endpoint needs --task-image")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what the Flyte that was named cannot do, or what was not told about it."""
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
