"""Engines with scripted tasks, for the tests that need one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.sandbox.rig import Make, Rig, Step


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Make engines on one state folder; they are stopped in the end."""
    rigs: list[Rig] = []

    def build(**script: list[Step]) -> Rig:
        rigs.append(Rig(tmp_path, script))
        return rigs[-1]

    yield build
    for rig in rigs:
        rig.close()
