"""The images that tests start from, and builds on top of them that need a package index."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import docker
import pytest

from tasks._run import run
from tests.engine.machine import build_secrets

pytestmark = pytest.mark.engine

DOCKERFILE = """FROM {base}
RUN --mount=type=secret,id=ca --mount=type=secret,id=pip_conf \\
    PIP_CONFIG_FILE=/run/secrets/pip_conf pip install --no-cache-dir --no-deps toml
"""


def output(engine: docker.APIClient, image: str, *words: str) -> str:
    made = engine.create_container(image, list(words))["Id"]
    try:
        engine.start(made)
        engine.wait(made)
        printed: bytes = engine.logs(made)
        return printed.decode()
    finally:
        engine.remove_container(made, force=True)


def test_the_flytekit_image_can_run_tasks(engine: docker.APIClient, flytekit_image: str) -> None:
    found = "for name in pyflyte-execute pyflyte-fast-execute tar; do command -v $name; done"
    script = f"{found}; python -c 'import flytekit; print(1)'"
    assert output(engine, flytekit_image, "sh", "-c", script).splitlines() == [
        "/usr/local/bin/pyflyte-execute",
        "/usr/local/bin/pyflyte-fast-execute",
        "/usr/bin/tar",
        "1",
    ]


def test_a_build_reaches_the_package_index_and_keeps_nothing_of_this_machine(
    engine: docker.APIClient, engine_host: str, python_image: str, tmp_path: Path
) -> None:
    context = tmp_path / "context"
    context.mkdir()
    (context / "Dockerfile").write_text(DOCKERFILE.format(base=python_image))
    given = build_secrets(tmp_path)
    secrets = [word for id_, path in given.items() for word in ("--secret", f"id={id_},src={path}")]
    env = {**os.environ, "DOCKER_HOST": engine_host, "DOCKER_BUILDKIT": "1"}
    words = [docker_with_secrets(env), "build", "--no-cache", *secrets, "--tag", "taxiway-test/toml:1"]
    run([*words, str(context)], timeout_s=300, env=env)

    script = "import toml; print(toml.__name__)"
    assert output(engine, "taxiway-test/toml:1", "python", "-c", script) == "toml\n"
    left = "cat /run/secrets/* /etc/pip.conf ~/.config/pip/* 2>/dev/null"
    assert output(engine, "taxiway-test/toml:1", "sh", "-c", left) == ""
    kept = json.dumps([engine.history("taxiway-test/toml:1"), engine.inspect_image("taxiway-test/toml:1")])
    for line in given["pip_conf"].read_text().splitlines()[1:]:
        assert line not in kept


def docker_with_secrets(env: dict[str, str]) -> str:
    """Return the first docker on PATH whose builds take secrets; not each one comes with BuildKit."""
    for folder in env["PATH"].split(os.pathsep):
        program = shutil.which("docker", path=folder)
        if program is None:
            continue
        if "--secret" in run([program, "build", "--help"], timeout_s=60, env=env, expect=range(256)).stdout:
            return program
    pytest.fail("no docker with BuildKit is installed", pytrace=False)
