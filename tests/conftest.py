"""Options of the test suite; without any of them everything runs against what the tests start themselves."""

from __future__ import annotations

import pytest

from tests.ci_job import CiImage


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("flyte", "the Flyte that the conformance tests ask")
    group.addoption(
        "--flyte-endpoint", metavar="HOST:PORT", help="an insecure endpoint; without it, a sandbox"
    )
    group.addoption("--flyte-http", metavar="URL", help="its REST API; without it, that is left out there")
    group.addoption("--task-image", metavar="REF", help="an image with flytekit, where the endpoint is given")
    group.addoption("--other-image", metavar="REF", help="another one, which sets WHICH_IMAGE=other")
    group.addoption(
        "--flyte-wait", metavar="SECONDS", type=float, default=180, help="the most that one wait may take"
    )


@pytest.fixture(scope="session")
def ci_image(tmp_path_factory: pytest.TempPathFactory) -> CiImage:
    """What a CI job has to run `trigger.py` with."""
    return CiImage.build(tmp_path_factory.mktemp("ci-image"))
