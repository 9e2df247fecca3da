from __future__ import annotations

import os
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from scripts import contained, demo
from scripts.contained import Containers, build_secrets, image_table
from scripts.ground import what_was_built
from tasks._engine_secrets import parse_build_secrets
from tasks.policy import Policy, read_policy
from tests.fixtures.target import build_target

IMAGES = "localhost:5000/taxiway-demo/fraud"


def start(*words: str, path: str, engine: Path) -> Result:
    env = {"PATH": path, "DOCKER_HOST": f"unix://{engine}"}
    return CliRunner().invoke(demo.main, ["--runtime", "docker", *words], env=env)


def test_what_a_machine_lacks_is_said_at_once_and_all_together(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    done = start("--folder", str(folder), path=str(tmp_path), engine=tmp_path / "no.sock")
    assert done.exit_code == 2
    for said in (
        f"No container engine answers at unix://{tmp_path}/no.sock",
        "There is no `docker` on the PATH: install docker's command line",
        "There is no registry: install docker-registry, or give one with --registry, such as localhost:5000 "
        "after `docker run -d -p 5000:5000 registry:2`.",
    ):
        assert said in done.output
    assert not folder.exists()


def test_an_engine_elsewhere_and_a_folder_that_is_closed_are_named() -> None:
    wanted = Containers(
        folder=Path("/root/demo"), environ={"DOCKER_HOST": "tcp://build:2376"}, registry="localhost:5000"
    )
    [elsewhere, *_, closed] = wanted.missing()
    assert elsewhere.startswith("DOCKER_HOST is no socket of this machine")
    assert closed == "/root/demo is closed to the users of images: give another --folder."


def test_options_of_containers_are_refused_with_processes(tmp_path: Path) -> None:
    words = ["--folder", str(tmp_path / "demo"), "--base-image", "debian:12"]
    done = CliRunner().invoke(demo.main, words)
    assert (done.exit_code, (tmp_path / "demo").exists()) == (2, False)
    assert "go with --runtime docker" in done.output


def test_what_is_no_registry_is_named_before_anything_starts(tmp_path: Path) -> None:
    wanted = Containers(folder=tmp_path, environ={}, registry="http://localhost:5000")
    with pytest.raises(click.ClickException, match="http"), wanted.ground(keep=True):
        pass


def test_a_folder_is_made_anew_where_all_in_it_is_an_earlier_demos(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    (folder / "registry").mkdir(parents=True)
    demo._clear(folder, {})
    assert list(folder.iterdir()) == []
    (folder / "reports").mkdir()
    (folder / "mine").touch()
    with pytest.raises(click.ClickException, match="give another --folder"):
        demo._clear(folder, {})
    assert (folder / "mine").exists()


def test_a_secret_of_another_name_is_refused(tmp_path: Path) -> None:
    words = ("--folder", str(tmp_path / "demo"), "--build-secret", "token=/dev/null")
    done = start(*words, path=os.environ["PATH"], engine=tmp_path / "no.sock")
    assert (done.exit_code, (tmp_path / "demo").exists()) == (2, False)
    assert "token=/dev/null is not ca=FILE or pip_conf=FILE" in done.output


def test_the_target_says_what_its_image_starts_from_and_what_it_is_given(tmp_path: Path) -> None:
    base = "localhost:5000/python:1"
    table = image_table(IMAGES, base=base, platform="linux/arm64", secrets=["fraud/ca"])
    target = build_target(tmp_path / "fraud.git", image=table)
    for branch in ("main", "code-only", "dependency"):
        policy = read_policy(target.text(branch, "taxiway.toml").encode())
        assert isinstance(policy, Policy)
        image = policy.image
        assert (image.repository, image.dependencies) == (IMAGES, ["requirements.lock"])
        assert (image.build_args, image.secrets) == ({"BASE_IMAGE": base}, ["fraud/ca"])
        assert image.platform == "linux/arm64"
        assert [stage.name for stage in policy.stage] == ["development", "production"]


def test_the_dockerfiles_own_base_is_left_to_them() -> None:
    assert "build_args" not in image_table(IMAGES, base="", platform="linux/amd64", secrets=[])


def test_secrets_of_builds_are_read_as_they_were(tmp_path: Path) -> None:
    files = {"ca": 'a "quoted"\n\\text\t', "pip_conf": "[global]\nindex-url = https://ü.example.com\n"}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    made = build_secrets({name: tmp_path / name for name in files})
    assert parse_build_secrets(made) == {f"fraud/{name}": text.encode() for name, text in files.items()}


class Engine:
    """Lists images as an engine does."""

    def images(self) -> list[dict[str, list[str] | None]]:
        return [
            {"RepoTags": [f"{IMAGES}/previews:fp-1", "python:3"], "RepoDigests": None},
            {"RepoTags": None, "RepoDigests": [f"{IMAGES}@sha256:1", "localhost:5000/fraud@sha256:2"]},
        ]


def test_only_what_the_demo_made_is_removed() -> None:
    found = contained.made_images(Engine(), "localhost:5000")
    assert found == [f"{IMAGES}/previews:fp-1", f"{IMAGES}@sha256:1"]


def test_it_says_what_was_built() -> None:
    assert what_was_built([1, 1, 2]).startswith("built exactly one image for the dependency change, none")


@pytest.mark.parametrize("counts", [[1, 2, 3], [1, 1, 1], [0, 0, 1], [1, 1, 3]])
def test_any_other_number_of_images_is_a_failure(counts: list[int]) -> None:
    with pytest.raises(Exception, match=r"It should be 1, 0, 1\."):
        what_was_built(counts)
