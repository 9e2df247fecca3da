"""Taxiway's own image: built by `taxiway install` on a real engine, pushed, and looked into."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import pytest

from scripts.own import PACKAGES, source_files
from tasks._run import Done
from tests.engine.machine import marked_build_secrets
from tests.integration.test_engine_images import output
from tests.registry import docker_registry
from tests.running import Sandbox, clean_environ, program

pytestmark = [pytest.mark.engine, pytest.mark.sandbox_only]

ROOT = Path(__file__).parents[2]
CANARY = "canary-5d0f9c1e"
PROGRAMS = ("pyflyte-execute", "pyflyte-fast-execute", "taxiway", "git", "ssh", "docker", "uv", "tar")


@dataclass(frozen=True, kw_only=True)
class Own:
    """The image that `taxiway install` made, what it printed, and how it was asked."""

    reference: str
    base: str
    made: dict[str, Any]
    said: str
    words: tuple[str | Path, ...]


@pytest.fixture(scope="module")
def environ(engine_host: str) -> dict[str, str]:
    """Somebody with docker on the PATH and the engine of the tests."""
    return {**clean_environ(), "DOCKER_HOST": engine_host}


@pytest.fixture(scope="module")
def registry(
    tmp_path_factory: pytest.TempPathFactory, engine: docker.APIClient, python_image: str
) -> Iterator[str]:
    """A registry that holds the base image as `python:1`."""
    with docker_registry(tmp_path_factory.mktemp("registry")) as started:
        base = f"{started.host}/python"
        engine.tag(python_image, base, "1")
        pushed = [json.loads(line) for line in engine.push(base, "1").splitlines()]
        assert not [line for line in pushed if "error" in line]
        yield started.host
        for image in engine.images():
            for tag in image.get("RepoTags") or ():
                if tag.startswith(f"{started.host}/"):
                    engine.remove_image(tag, force=True)


@pytest.fixture(scope="module")
def own(
    registry: str,
    sandbox: Sandbox,
    environ: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Own:
    """Taxiway installed with an image of its own, whose build got a canary among its secrets."""
    secrets = marked_build_secrets(tmp_path_factory.mktemp("secrets"), CANARY)
    words: list[str | Path] = ["install", "--domain", "staging", "--json"]
    words += ["--build-image", f"{registry}/taxiway", "--base-image", f"{registry}/python:1"]
    for name, file in secrets.items():
        words += ["--build-secret", f"{name}={file}"]
    done = taxiway(sandbox, environ, *words)
    made = json.loads(done.stdout)
    return Own(
        reference=made["image"],
        base=f"{registry}/python",
        made=made,
        said=done.stdout + done.stderr,
        words=tuple(words),
    )


def taxiway(sandbox: Sandbox, environ: dict[str, str], *words: str | Path, expect: int = 0) -> Done:
    env = {**environ, "FLYTECTL_CONFIG": str(sandbox.config)}
    return program("taxiway", *words, env=env, expect=[expect], timeout_s=900)


def inspected(engine: docker.APIClient, own: Own) -> dict[str, Any]:
    engine.pull(own.reference)
    found: dict[str, Any] = engine.inspect_image(own.reference)
    return found


def in_image(engine: docker.APIClient, own: Own, script: str) -> str:
    return output(engine, own.reference, "sh", "-c", script)


def saved(engine: docker.APIClient, own: Own, folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield every file of every layer, and the image's own records."""
    whole = folder / "image.tar"
    with whole.open("wb") as stream:
        for chunk in engine.get_image(own.reference):
            stream.write(chunk)
    with tarfile.open(whole) as image:
        for member in image:
            opened = image.extractfile(member) if member.isfile() else None
            if opened is None:
                continue
            if not member.name.endswith("layer.tar"):
                yield member.name, opened.read()
                continue
            with tarfile.open(fileobj=io.BytesIO(opened.read())) as layer:
                for each in layer:
                    held = layer.extractfile(each) if each.isfile() else None
                    yield each.name, held.read() if held else b""


def test_it_is_registered_by_the_digest_that_the_registry_has(
    engine: docker.APIClient, own: Own, sandbox: Sandbox
) -> None:
    repository, _, digest = own.reference.partition("@")
    assert digest.startswith("sha256:")
    assert engine.inspect_distribution(own.reference)["Descriptor"]["digest"] == digest
    assert own.made["created"] > 0
    assert f"Pushed {repository}@{digest}, from {own.base}@sha256:" in own.said
    assert "in all, compressed" in own.said


def test_its_labels_say_what_it_is_and_where_it_comes_from(engine: docker.APIClient, own: Own) -> None:
    labels = inspected(engine, own)["Config"]["Labels"]
    named = {key.removeprefix("org.opencontainers.image."): value for key, value in labels.items()}
    assert named["title"] == "Taxiway"
    assert named["base.name"] == own.base
    assert named["base.digest"].startswith("sha256:")


def test_it_runs_as_somebody_and_finds_what_tasks_need(engine: docker.APIClient, own: Own) -> None:
    config = inspected(engine, own)["Config"]
    assert config["User"] == "1000"
    assert not config.get("Entrypoint")
    missing = f"for name in {' '.join(PROGRAMS)}; do command -v $name >/dev/null || echo $name; done"
    assert in_image(engine, own, f"id -u; {missing}; touch here && pwd") == "1000\n/home/taxiway\n"
    assert "Usage" in in_image(engine, own, "pyflyte-execute --help")
    script = "cd / && python -c 'import tasks.package, workflows.preview; print(tasks.__file__)'"
    assert in_image(engine, own, script) == "/opt/taxiway/code/tasks/__init__.py\n"


def test_its_health_command_passes_as_anybody(engine: docker.APIClient, own: Own) -> None:
    command = inspected(engine, own)["Config"]["Healthcheck"]["Test"]
    assert command[0] == "CMD"
    assert "NOT" not in (said := output(engine, own.reference, *command[1:]))
    assert {line.partition(":")[0] for line in said.splitlines()} >= {"ok  workflows", "ok  program git"}


def test_its_code_is_the_checkouts_and_compiled(engine: docker.APIClient, own: Own) -> None:
    listed = in_image(engine, own, "cd /opt/taxiway/code && sha256sum $(find tasks workflows -type f)")
    held = {name: digest for digest, name in map(str.split, listed.splitlines())}
    ours = {
        path.relative_to(ROOT).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in source_files(ROOT, PACKAGES)
    }
    assert {name: digest for name, digest in held.items() if not name.endswith(".pyc")} == ours
    compiled = {name for name in held if name.endswith(".pyc")}
    assert len(compiled) == sum(name.endswith(".py") for name in ours)


def test_it_holds_the_locked_dependencies_and_nothing_else(engine: docker.APIClient, own: Own) -> None:
    lock = {line.partition(" ")[0] for line in (ROOT / "requirements.lock").read_text().splitlines()}
    held = in_image(engine, own, "uv pip freeze --python /opt/taxiway/bin/python 2>/dev/null").splitlines()
    assert "flytekit" in {line.partition("==")[0] for line in held}
    assert [line for line in held if line not in lock and not line.startswith("taxiway")] == []
    assert not {"pytest", "mypy", "hatchling"} & {line.partition("==")[0] for line in held}


def test_no_layer_and_no_record_holds_what_the_build_was_given(
    engine: docker.APIClient, own: Own, tmp_path: Path
) -> None:
    inspected(engine, own)
    wanted = [CANARY.encode(), base64.b64encode(CANARY.encode())]
    seen = [(name, content) for name, content in saved(engine, own, tmp_path)]
    assert len(seen) > 1000
    assert [name for name, content in seen if any(word in content for word in wanted)] == []
    assert CANARY not in own.said + json.dumps(engine.history(own.reference))
    assert in_image(engine, own, "cat /run/secrets/* /etc/pip.conf 2>/dev/null") == ""


def test_layers_of_an_image_are_shown_without_pulling_it(
    own: Own, sandbox: Sandbox, environ: dict[str, str]
) -> None:
    layers = json.loads(taxiway(sandbox, environ, "image", "layers", own.reference, "--json").stdout)
    assert layers[-1]["made_by"] == "COPY /opt/taxiway/code /opt/taxiway/code"
    assert all(layer["size_bytes"] > 0 for layer in layers)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        pytest.param({"--build-host": "unix:///nowhere.sock"}, "TAXI:EngineUnavailable", id="no-engine"),
        pytest.param({"--base-image": "{registry}/none:1"}, "TAXI:RegistryNotFound", id="no-such-base"),
        pytest.param({"--build-image": "{registry}/Taxiway"}, "TAXI:ReferenceInvalid", id="no-name"),
        pytest.param({"--image": "taxiway:1"}, "TAXI:BadUsage", id="two-images"),
    ],
)
def test_what_cannot_be_built_is_said(
    change: dict[str, str], code: str, registry: str, sandbox: Sandbox, environ: dict[str, str]
) -> None:
    options = {"--build-image": "{registry}/taxiway", "--base-image": "{registry}/python:1", **change}
    words = [word.format(registry=registry) for pair in options.items() for word in pair]
    refused = taxiway(sandbox, environ, "install", "--domain", "staging", *words, expect=2)
    assert code in refused.stderr


def test_a_docker_without_buildkit_is_refused_where_it_gets_secrets(
    own: Own, sandbox: Sandbox, environ: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "docker").write_text("#!/bin/sh\necho 'Usage: docker build'\n")
    (tmp_path / "docker").chmod(0o755)
    poor = {**environ, "PATH": str(tmp_path)}
    refused = taxiway(sandbox, poor, *own.words, expect=2)
    assert "TAXI:EngineUnsuitable" in refused.stderr
