"""One sandbox for the integration tests that need no more than a Flyte."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import running
from tests.running import Sandbox


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A sandbox of this run's own, on free ports, with nothing registered."""
    with running.sandbox(tmp_path_factory.mktemp("sandbox") / "state") as started:
        yield started
