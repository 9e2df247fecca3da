"""A secret goes to one command of a build, and to no other place that anybody could look into."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tasks._errors import BuildFailed
from tests.canary import forms, holding
from tests.engine.building import Site, open_site

pytestmark = pytest.mark.engine

CANARY = b"c4n4ry-Kq8vZx2mT7pWn5"
FORMS = forms(CANARY)
DOCKERFILE = """FROM tiny:1
COPY slowly /slowly
RUN --mount=type=secret,id=canary --mount=type=secret,id=absent \\
    cat /run/secrets/canary && sha256sum /run/secrets/canary > /proof && . /slowly
RUN ls /run/secrets || true
"""


@pytest.fixture(scope="module")
def place(engine_host: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with open_site(engine_host, tmp_path_factory.mktemp("site")) as made:
        yield made


class Watch(threading.Thread):
    """Looks at every process of the machine, again and again, until it is told to end."""

    def __init__(self) -> None:
        super().__init__()
        self.over = threading.Event()
        self.found: set[str] = set()
        self.commands: set[str] = set()

    def run(self) -> None:
        while not self.over.wait(0.02):
            for process in psutil.process_iter():
                for name in ("cmdline", "environ"):
                    try:
                        content = Path(f"/proc/{process.pid}/{name}").read_bytes()
                    except OSError:
                        continue
                    self.commands |= {content.decode(errors="replace")} if name == "cmdline" else set()
                    self.found |= {f"{name} of {content!r}" for form in FORMS if form in content}


def test_a_secret_is_in_no_layer_history_label_log_or_process(
    place: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    order = place.order(DOCKERFILE, {"slowly": b"sleep 1"}, secrets={"canary": CANARY})
    watch = Watch()
    watch.start()
    try:
        pushed = place.build(order)
    finally:
        watch.over.set()
        watch.join()

    assert any("sha256sum\0" in words or "slowly" in words for words in watch.commands), "it did not watch"
    client = place.engine.client
    places: dict[str, Any] = {
        "processes": watch.found,
        "the build's log": pushed.log,
        "our log": caplog.text,
        "the order": repr(order),
        "history": client.history(order.reference),
        "inspect": client.inspect_image(order.reference),
        "configuration": place.config(order, pushed),
    }
    assert {
        name: held for name, held in places.items() if holds(json.dumps(held, default=list).encode())
    } == {}
    assert not watch.found
    saved = b"".join(client.get_image(order.reference))
    assert b"proof" in saved
    assert not holds(saved)
    blobs = [path for path in (place.folder / "registry/data").rglob("data") if path.is_file()]
    assert len(blobs) > 3
    assert holding(blobs, FORMS) == []


def test_a_secret_that_a_failing_build_prints_is_masked_in_the_error(place: Site) -> None:
    dockerfile = """FROM tiny:1
RUN --mount=type=secret,id=canary cat /run/secrets/canary; echo https://user:pass@host/; false
"""
    with pytest.raises(BuildFailed) as raised:
        place.build(place.order(dockerfile, secrets={"canary": CANARY}))
    assert "***" in str(raised.value)
    assert not holds(str(raised.value).encode())
    assert "user:pass" not in str(raised.value).replace("echo https://user:pass", "")


def test_nothing_is_left_in_the_temporary_folder(
    place: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    place.build(place.order("FROM tiny:1\n", secrets={"canary": CANARY}))
    with pytest.raises(BuildFailed):
        place.build(place.order("FROM tiny:1\nRUN false\n", secrets={"canary": CANARY}))
    assert list(tmp_path.iterdir()) == []


def holds(content: bytes) -> bool:
    return any(form in content for form in FORMS)
