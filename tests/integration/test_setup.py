"""scripts/_setup.sh, on a small checkout of its own: once, whole, and on machines that lack something."""

from __future__ import annotations

import os
import re
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tasks._run import Done, run

ROOT = Path(__file__).parents[2]
NEEDED = ("uv", "hatchling", "packaging", "pathspec", "pluggy", "tomli", "tomlkit", "trove-classifiers")
PROJECT = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "small"
version = "1"
[tool.hatch.build.targets.wheel]
packages = ["scripts"]
dev-mode-dirs = ["."]
"""
SHOW = "#!/usr/bin/env bash\nset -euo pipefail\n. scripts/_setup.sh\n"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkout")
    (folder / "scripts").mkdir()
    shutil.copy(ROOT / "scripts/_setup.sh", folder / "scripts")
    (folder / "scripts/show").write_text(
        SHOW + '"$venv/bin/python" -c "import scripts, sys; print(sys.prefix)"\n'
    )
    (folder / "pyproject.toml").write_text(PROJECT)
    lock = (ROOT / "requirements.lock").read_text().splitlines()
    pins = [line for line in lock if re.match(rf"({'|'.join(NEEDED)})==", line)]
    (folder / "requirements.lock").write_text("\n".join(pins) + "\n")
    return folder


def start(checkout: Path, *, expect: int = 0, **changed: str) -> Done:
    """Start a script that sets up, with no HOME and this interpreter unless `changed` says otherwise."""
    env = {key: value for key, value in os.environ.items() if key not in {"HOME", "VIRTUAL_ENV"}}
    env |= {"PYTHON": sys.executable, **changed}
    return run(["bash", "scripts/show"], timeout_s=120, cwd=checkout, env=env, expect=[expect])


def test_two_first_starts_at_once_share_one_set_up(checkout: Path) -> None:
    with ThreadPoolExecutor() as pool:
        both = list(pool.map(lambda _: start(checkout), range(2)))
    assert {done.stdout.strip() for done in both} == {str(checkout / ".venv")}
    assert sum("Setting up" in done.stderr for done in both) == 1


def test_a_second_start_installs_nothing(checkout: Path) -> None:
    start(checkout)
    assert "Setting up" not in start(checkout, PIP_INDEX_URL="http://127.0.0.1:1/").stderr


def test_a_changed_lock_is_set_up_anew(checkout: Path) -> None:
    start(checkout)
    with (checkout / "requirements.lock").open("a") as lock:
        lock.write("# a change\n")
    assert "Setting up" in start(checkout).stderr
    assert "Setting up" not in start(checkout).stderr


def test_a_machine_without_a_fitting_python_is_told_what_it_has(checkout: Path, tmp_path: Path) -> None:
    for name in ("bash", "git", "sed", "cat", "cksum", "dirname", "mkdir"):
        (tmp_path / name).symlink_to(shutil.which(name) or "")
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\necho is Python 3.8\n")
    old.chmod(0o755)
    shutil.rmtree(checkout / ".venv", ignore_errors=True)
    refused = start(checkout, expect=2, PATH=str(tmp_path), PYTHON="")
    assert "needs Python 3.10 to 3.13" in refused.stderr
    assert "python3 is Python 3.8" in refused.stderr
