from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.sandbox.container_engine import EngineUnreachable, connect
from tests.engine.answering import Answering, answering, mislead


@pytest.fixture
def engine() -> Iterator[Answering]:
    with answering() as served:
        yield served


def test_neither_proxies_nor_logins_of_the_environment_are_taken(
    engine: Answering, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mislead(monkeypatch, tmp_path)
    client = connect({"DOCKER_HOST": engine.host})
    client.version()
    client.close()
    assert client.api_version == "1.41"
    assert engine.logins == [None, None]


def test_an_engine_that_is_too_old_is_said(engine: Answering) -> None:
    engine.version = "1.39"
    with pytest.raises(EngineUnreachable, match=r"speaks version 1\.39 .* 1\.40 is the least"):
        connect({"DOCKER_HOST": engine.host})
