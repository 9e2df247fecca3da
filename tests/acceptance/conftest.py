"""Taxiway installed and the target project enrolled, once for all tests of a worker."""

from __future__ import annotations

import pytest

from tests.fixtures.target import Target, build_target
from tests.running import Cluster


@pytest.fixture(scope="session")
def target(tmp_path_factory: pytest.TempPathFactory) -> Target:
    return build_target(tmp_path_factory.mktemp("target") / "fraud.git")


@pytest.fixture(scope="session")
def enrolled(cluster: Cluster, target: Target) -> str:
    """The target's name, enrolled where Taxiway is installed."""
    limits = [
        "project=fraud",
        "domain=development",
        "domain=production",
        "image=registry.example.com/risk/fraud",
    ]
    flags = [word for limit in limits for word in (f"--limit-{limit}".split("=", 1))]
    cluster.install()
    cluster.taxiway("enroll", target.url, "--name", "fraud", "--create-projects", *flags)
    return "fraud"
