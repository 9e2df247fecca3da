from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from scripts.commands.image import command
from tasks._venv_store import VenvStore

REPOSITORY = "registry.example.com/fraud"


def image(root: Path, letter: str, *, unused_days: float) -> str:
    """Publish an empty environment, last used so many days ago; return its reference."""
    store = VenvStore(root=root)
    with store.only_one(f"sha256:{letter * 64}", REPOSITORY, timeout_s=1) as work:
        (work / "venv").mkdir()
        made = store.publish(
            work,
            digest=f"sha256:{letter * 64}",
            repository=REPOSITORY,
            fingerprint=f"sha256:{letter * 64}",
            ingredients={},
        )
    when = time.time() - unused_days * 86400
    os.utime(root / "sha256" / (letter * 64) / "image.json", (when, when))
    return made.reference


def taxiway_image(*words: str | Path) -> Result:
    return CliRunner().invoke(
        command, [str(word) for word in words], catch_exceptions=False, env={"HOME": "/"}
    )


def test_list_shows_images_and_references(tmp_path: Path) -> None:
    built = image(tmp_path / "images", "a", unused_days=0)
    taxiway_image("--state", tmp_path, "add", "fraud:dev", "--prefix", sys.prefix, "--env", "MODE=a=b")

    listed = json.loads(taxiway_image("--state", tmp_path, "list", "--json").stdout)

    assert [row["reference"] for row in listed["images"]] == [built]
    assert listed["references"] == [{"reference": "fraud:dev", "prefix": sys.prefix, "env": {"MODE": "a=b"}}]
    assert built in taxiway_image("--state", tmp_path, "list").stdout


@pytest.mark.parametrize("option", ["--state", "--image-root"])
def test_the_folder_may_be_named_after_the_subcommand(option: str, tmp_path: Path) -> None:
    added = taxiway_image("add", "fraud:dev", "--prefix", sys.prefix, option, tmp_path)
    assert added.exit_code == 0, added.output
    root = tmp_path / "images" if option == "--state" else tmp_path
    assert [one.reference for one in VenvStore(root=root).references()] == ["fraud:dev"]
    assert "fraud:dev" in taxiway_image("--state", "/elsewhere", "list", option, tmp_path).stdout


def test_what_is_named_comes_before_the_environment(tmp_path: Path) -> None:
    taxiway_image("--state", tmp_path, "add", "fraud:dev", "--prefix", sys.prefix)
    words = ["--state", str(tmp_path), "list"]
    listed = CliRunner().invoke(command, words, env={"TAXIWAY_IMAGE_ROOT": "/elsewhere"})
    assert "fraud:dev" in listed.stdout


@pytest.mark.parametrize(("option", "left"), [((), 2), (("--delete",), 1)], ids=["dry run", "delete"])
def test_prune_deletes_only_when_told_to(option: tuple[str, ...], left: int, tmp_path: Path) -> None:
    old = image(tmp_path, "a", unused_days=40)
    image(tmp_path, "b", unused_days=1)

    done = taxiway_image("--image-root", tmp_path, "prune", "--json", *option)

    assert [row["reference"] for row in json.loads(done.stdout)["images"]] == [old]
    assert len(VenvStore(root=tmp_path).images()) == left


@pytest.mark.parametrize("variable", ["MODE", "=x"])
def test_variable_without_a_value_is_bad_usage(variable: str, tmp_path: Path) -> None:
    done = taxiway_image("--state", tmp_path, "add", "x", "--prefix", sys.prefix, "--env", variable)
    assert done.exit_code == 2
    assert "KEY=VALUE" in done.stderr
