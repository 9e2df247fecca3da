"""The demo with real images: every task in a container of its image, with a registry that wants a login."""

from __future__ import annotations

import json
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import pytest
from docker.errors import ImageNotFound

from scripts.contained import made_images
from tasks._run import run
from tests.canary import forms, holding
from tests.engine.building import LOGIN, docker_config
from tests.engine.machine import marked_build_secrets
from tests.registry import docker_registry
from tests.running import clean_environ, program

pytestmark = [pytest.mark.engine, pytest.mark.sandbox_only]

ROOT = Path(__file__).parents[2]
CANARY = "c4n4ry-9dWq3LxZ7bTnYk"
SECRETS = (CANARY, LOGIN[1], ":".join(LOGIN))
FORMS = forms(*(secret.encode() for secret in SECRETS))


@dataclass(frozen=True, kw_only=True)
class Demo:
    """The demo as it went: what it printed, its folder, the images that containers of tasks were made of."""

    said: str
    folder: Path
    registry: Path
    host: str
    given: dict[str, str]
    used: set[str]

    @property
    def own(self) -> str:
        """Taxiway's own image, by digest."""
        [found] = set(re.findall(rf"{self.host}/taxiway-demo/taxiway@sha256:\w+", self.said))
        return str(found)

    def taxiway(self, *words: str) -> Any:
        return json.loads(program("taxiway", *words, "--json", env=self.given).stdout)


@pytest.fixture(scope="module")
def demo(
    engine: docker.APIClient,
    engine_host: str,
    flytekit_image: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Demo]:
    """The demo, whose sandbox is stopped again; what images start from has the target's packages already."""
    place = tmp_path_factory.mktemp("containers")
    folder = place / "demo"
    with docker_registry(place / "registry", login=LOGIN) as registry:
        base = pushed(engine, flytekit_image, registry.host)
        (place / "config.json").write_bytes(docker_config({registry.host: LOGIN}))
        given = {**clean_environ(), "DOCKER_HOST": engine_host, "DOCKER_CONFIG": str(place)}
        secrets = marked_build_secrets(place, CANARY)
        words = [word for name, file in secrets.items() for word in ("--build-secret", f"{name}={file}")]
        words += ["--runtime", "docker", "--registry", registry.host, "--base-image", base]
        words += ["--folder", str(folder), "--keep"]
        try:
            with images_used(engine_host, folder / "state") as used:
                argv = [sys.executable, "-m", "scripts.demo", *words]
                done = run(argv, cwd=ROOT, env=given, timeout_s=1100)
            yield Demo(
                said=done.stdout + done.stderr,
                folder=folder,
                registry=registry.folder,
                host=registry.host,
                given=given,
                used=used,
            )
        finally:
            program("taxiway", "sandbox", "stop", "--state", folder / "state", env=given)
            for image in [*made_images(engine, registry.host), base]:
                with suppress(ImageNotFound):  # it went with another of its names
                    engine.remove_image(image, force=True)


def pushed(engine: docker.APIClient, image: str, host: str) -> str:
    """Push an image, and return what it is called there."""
    repository = f"{host}/python"
    engine.tag(image, repository, "1")
    auth = dict(zip(("username", "password"), LOGIN, strict=True))
    said = engine.push(repository, "1", auth_config=auth, stream=True, decode=True)
    assert not [line for line in said if "error" in line]
    return f"{repository}:1"


@contextmanager
def images_used(engine_host: str, state: Path) -> Iterator[set[str]]:
    """Collect what a sandbox's containers are made of."""
    used: set[str] = set()
    client = docker.APIClient(engine_host, version="auto")
    label = f"taxiway.sandbox={state.resolve()}"
    events = client.events(decode=True, filters={"type": "container", "event": "create", "label": label})
    reader = threading.Thread(target=lambda: used.update(event["from"] for event in events))
    reader.start()
    try:
        yield used
    finally:
        events.close()
        reader.join()
        client.close()


def test_only_the_dependency_change_builds_an_image_and_both_reports_are_there(demo: Demo) -> None:
    assert "A pull request that changes only code: passed; image reused" in demo.said
    assert "A pull request that changes a dependency: passed; image built" in demo.said
    assert "built exactly one image for the dependency change, none for the code change" in demo.said
    pages = [Path(found) for found in re.findall(r"file://(\S+/reports/\S+\.html)", demo.said)]
    assert len(pages) == 2
    for page in pages:
        assert f"{demo.host}/taxiway-demo/fraud/previews@sha256:" in page.read_text()


def test_every_task_runs_in_taxiways_image_or_in_one_of_the_targets_by_digest(demo: Demo) -> None:
    images = demo.taxiway("image", "list", "--repository", f"{demo.host}/taxiway-demo/fraud")["images"]
    assert len(images) == 2
    assert demo.used == {demo.own, *(image["reference"] for image in images)}


def test_flyte_can_use_taxiways_own_image(demo: Demo) -> None:
    found = demo.taxiway("image", "check", demo.own)
    assert (found["usable"], found["user"], found["notes"]) == (True, "1000", [])


def test_no_secret_is_in_an_image_an_execution_or_a_log(demo: Demo, engine: docker.APIClient) -> None:
    kept = demo.folder / "secrets" / "taxiway"
    assert set(holding(kept.iterdir(), FORMS)) == {kept / "build_secrets", kept / "docker_config"}
    files = [file for file in demo.folder.rglob("*") if file.is_file() and kept not in file.parents]
    shown = {file.suffix for file in holding(files, [f"{demo.host}/taxiway-demo".encode()])}
    assert shown >= {".db", ".pb", ".html"}
    assert holding(files, FORMS) == []
    blobs = [file for file in demo.registry.rglob("data") if file.is_file()]
    assert len(blobs) > 10
    assert holding(blobs, FORMS) == []

    names = made_images(engine, demo.host)
    assert len(names) >= 3
    told = json.dumps([(engine.inspect_image(name), engine.history(name)) for name in names])
    assert [form for form in FORMS if form.decode() in told + demo.said] == []
