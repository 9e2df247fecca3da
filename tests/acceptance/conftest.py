"""One sandbox with Taxiway installed and the target project enrolled, for all tests of a worker."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import running
from tests.fixtures.target import Target, build_target
from tests.running import Sandbox


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with running.sandbox(tmp_path_factory.mktemp("sandbox")) as started:
        yield started


@pytest.fixture(scope="session")
def target(tmp_path_factory: pytest.TempPathFactory) -> Target:
    return build_target(tmp_path_factory.mktemp("target") / "fraud.git")


@pytest.fixture(scope="session")
def enrolled(sandbox: Sandbox, target: Target) -> str:
    """The target's name, enrolled on the sandbox."""
    limits = [
        "project=fraud",
        "domain=development",
        "domain=production",
        "image=registry.example.com/risk/fraud",
    ]
    flags = [word for limit in limits for word in (f"--limit-{limit}".split("=", 1))]
    sandbox.install()
    sandbox.taxiway("enroll", target.url, "--name", "fraud", "--create-projects", *flags)
    return "fraud"
