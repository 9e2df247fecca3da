from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from scripts.sandbox.images import Images, UnknownImage


def environment(prefix: Path) -> Path:
    (prefix / "bin").mkdir(parents=True)
    (prefix / "bin" / "python").touch()
    return prefix


def test_a_reference_given_by_hand(tmp_path: Path) -> None:
    images = Images(tmp_path / "images")
    images.add("localhost:30000/a:1", environment(tmp_path / "venv"), {"K": "v"})
    image = images.resolve("localhost:30000/a:1")
    assert (image.prefix, image.env) == (tmp_path / "venv", {"K": "v"})


def test_an_image_by_digest(tmp_path: Path) -> None:
    folder = tmp_path / "sha256" / ("a" * 64)
    environment(folder / "venv")
    (folder / "image.json").write_text(json.dumps({"reference": "r@sha256:...", "prefix": "venv", "env": {}}))
    assert Images(tmp_path).resolve(f"r@sha256:{'a' * 64}").bin == folder / "venv" / "bin"


@pytest.mark.parametrize("reference", ["a:1", f"r@sha256:{'b' * 64}", "../../etc", ""])
def test_an_unknown_reference_is_named_with_the_command_that_adds_it(tmp_path: Path, reference: str) -> None:
    with pytest.raises(UnknownImage) as error:
        Images(tmp_path).resolve(reference)
    assert repr(reference) in str(error.value)
    words = shlex.split(str(error.value).rpartition(": ")[2].strip("`"))
    assert words == ["taxiway", "image", "add", reference, "--prefix", "DIR", "--image-root", str(tmp_path)]


def test_a_reference_whose_environment_is_gone(tmp_path: Path) -> None:
    images = Images(tmp_path)
    images.add("a:1", tmp_path / "gone")
    with pytest.raises(UnknownImage, match="holds no bin/python"):
        images.resolve("a:1")
