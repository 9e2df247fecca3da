from __future__ import annotations

from pathlib import Path

import pytest

from scripts.sandbox.caller import PrincipalHeader
from scripts.sandbox.options import Options
from scripts.sandbox.state import RuntimeKind

LEAST = ["--state", "/s", "--host", "127.0.0.1", "--port", "0", "--runtime"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (Options(state=Path("/s")), [*LEAST, "process"]),
        (
            Options(
                state=Path("/s"),
                http_port=8080,
                secrets=Path("/secrets"),
                principal=PrincipalHeader.named("x-user"),
                runtime=RuntimeKind.DOCKER,
                default_image="i:1",
                share_engine=("a", "b"),
            ),
            [
                *["--state", "/s", "--host", "127.0.0.1", "--port", "0", "--http-port", "8080"],
                *["--secrets", "/secrets", "--principal-header", "x-user", "--runtime", "docker"],
                *["--default-image", "i:1", "--share-engine", "a", "--share-engine", "b"],
            ],
        ),
    ],
    ids=["none given", "all given"],
)
def test_words_ask_for_the_same(options: Options, words: list[str]) -> None:
    assert options.words() == words
