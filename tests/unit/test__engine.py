from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks._engine import EngineAddress, open_engine
from tasks._errors import EngineUnsuitable
from tests.engine.answering import Answering, answering, mislead


@pytest.fixture
def engine() -> Iterator[Answering]:
    with answering() as served:
        yield served


@pytest.mark.parametrize(
    ("components", "buildkit"), [(("Engine", "containerd"), True), (("Podman Engine", "Conmon"), False)]
)
def test_what_answers_says_what_it_is(engine: Answering, components: tuple[str, ...], buildkit: bool) -> None:
    engine.components = components
    with open_engine(EngineAddress(host=engine.host)) as opened:
        assert (opened.platform, opened.buildkit) == ("linux/arm64", buildkit)
        assert opened.client.api_version == "1.41"


def test_one_that_is_too_old_is_unsuitable(engine: Answering) -> None:
    engine.version = "1.39"
    address = EngineAddress(host=engine.host)
    with pytest.raises(EngineUnsuitable, match=r"1\.39 .* 1\.40 is the least"), open_engine(address):
        pass


def test_neither_proxies_nor_logins_of_the_environment_are_taken(
    engine: Answering, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mislead(monkeypatch, tmp_path)
    with open_engine(EngineAddress(host=engine.host)):
        pass
    assert engine.logins == [None, None]
