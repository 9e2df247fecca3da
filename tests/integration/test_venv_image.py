"""Building venv images with real uv."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from tasks import _errors
from tasks._builder import Absent, Action, BuildOrder, ImageBuilder
from tasks._types import Image
from tasks._venv import VenvImages
from tasks._venv_store import VenvStore

REPOSITORY = "registry.example.com/fraud/previews"
FINGERPRINT = "sha256:" + "f" * 64
# A package of one module and one that brings a command.
SMALL = "iniconfig==2.0.0\n"
COMMAND = "pyproject-hooks==1.2.0\nbuild==1.2.2\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "images"


@pytest.fixture
def builder(root: Path) -> VenvImages:
    return VenvImages(root=root, environ=os.environ, timeout_s=120)


def order(folder: Path, files: Mapping[str, str], *, fingerprint: str = FINGERPRINT) -> BuildOrder:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    return BuildOrder(
        fingerprint=fingerprint,
        ingredients={"builder": "venv"},
        repository=REPOSITORY,
        context=folder,
        files=tuple(files),
    )


def folder_of(root: Path, image: Image) -> Path:
    return root / "sha256" / image.digest.removeprefix("sha256:")


def leftovers(root: Path) -> list[Path]:
    return [*(root / "work").glob("*"), *(root / "sha256").glob("*")]


def test_image_has_what_is_listed_and_works_where_it_ends_up(
    builder: VenvImages, root: Path, tmp_path: Path
) -> None:
    built = builder.build(order(tmp_path / "context", {"requirements.lock": COMMAND}))

    folder = folder_of(root, built.image)
    description = json.loads((folder / "image.json").read_text())
    assert description["reference"] == built.image.reference == f"{REPOSITORY}@{built.image.digest}"
    assert description["fingerprint"] == FINGERPRINT
    prefix = folder / description["prefix"]
    said = subprocess.run(
        [prefix / "bin" / "pyproject-build", "--version"], capture_output=True, check=True, text=True
    )
    assert "1.2.2" in said.stdout
    where = subprocess.run(
        [prefix / "bin" / "python", "-c", "import build; print(build.__file__)"],
        capture_output=True,
        check=True,
        text=True,
    )
    assert where.stdout.startswith(str(prefix))
    assert built.action is Action.BUILT
    assert "requirements.lock" in built.because and "no container engine" in built.because
    assert list((root / "work").iterdir()) == []


def test_image_is_found_by_fingerprint_and_repository(builder: VenvImages, tmp_path: Path) -> None:
    image = builder.build(order(tmp_path / "context", {"requirements.lock": SMALL})).image

    assert builder.find(FINGERPRINT, REPOSITORY) == image
    assert isinstance(builder.find(FINGERPRINT, "registry.example.com/fraud"), Absent)
    assert isinstance(builder.find("sha256:" + "0" * 64, REPOSITORY), Absent)
    assert [stored.image for stored in builder.images()] == [image]


def test_several_at_once_build_one_image(root: Path, tmp_path: Path) -> None:
    """Processes, as pods are: each asks for the same image at the same time."""
    context = tmp_path / "context"
    order(context, {"requirements.lock": SMALL})
    program = (
        "import os, sys; from pathlib import Path\n"
        "from tests.integration.test_venv_image import VenvImages, order\n"
        "builder = VenvImages(root=Path(sys.argv[1]), environ=os.environ, timeout_s=120)\n"
        f"built = builder.build(order(Path(sys.argv[2]), {{'requirements.lock': {SMALL!r}}}))\n"
        "print(built.action.value, built.image.reference)\n"
    )
    argv = [sys.executable, "-c", program, str(root), str(context)]
    asking = [subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    said = [process.communicate(timeout=120)[0].split() for process in asking]

    assert sorted(action for action, _ in said) == ["built", "reused", "reused"]
    assert len({reference for _, reference in said}) == 1


def test_pyproject_is_installed_from_where_there_is_no_lock(
    builder: VenvImages, root: Path, tmp_path: Path
) -> None:
    text = '[project]\nname = "fraud"\nversion = "1"\ndependencies = ["iniconfig==2.0.0"]\n'
    built = builder.build(order(tmp_path / "context", {"pyproject.toml": text}))
    assert list(folder_of(root, built.image).glob("venv/lib/*/site-packages/iniconfig"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("no-such-package-of-taxiway==1\n", "no-such-package-of-taxiway", id="unknown package"),
        pytest.param("iniconfig==2.0.0 --hash=sha256:" + "0" * 64, "[Hh]ash", id="another hash"),
        pytest.param("-r more.txt\n", r"more\.txt", id="a file that is not listed"),
    ],
)
def test_build_that_fails_shows_uv_and_leaves_nothing(
    text: str, said: str, builder: VenvImages, root: Path, tmp_path: Path
) -> None:
    with pytest.raises(_errors.BuildFailed, match=said):
        builder.build(order(tmp_path / "context", {"requirements.lock": text}))
    assert leftovers(root) == []


def test_index_that_cannot_be_reached_can_be_tried_again(root: Path, tmp_path: Path) -> None:
    environ = {
        "PATH": os.environ["PATH"],
        "UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple",
        "UV_HTTP_RETRIES": "0",
    }
    builder = VenvImages(root=root, environ=environ, timeout_s=60)
    with pytest.raises(_errors.PackageIndexUnavailable):
        builder.build(order(tmp_path / "context", {"requirements.lock": SMALL}))


IN_A_NAMESPACE = ["unshare", "--user", "--map-root-user", "--mount"]


def namespaces() -> bool:
    return (
        bool(shutil.which("unshare"))
        and subprocess.run([*IN_A_NAMESPACE, "true"], check=False).returncode == 0
    )


@pytest.mark.skipif(not namespaces(), reason="this machine lets nobody mount a small disk; see test__venv.py")
def test_full_disk_is_named_and_leaves_nothing(tmp_path: Path) -> None:
    """On a file system of 500 KiB, in a mount namespace of its own."""
    context = tmp_path / "context"
    order(context, {"requirements.lock": COMMAND})
    root = tmp_path / "images"
    root.mkdir()
    program = (
        "import os, sys; from pathlib import Path\n"
        "from tests.integration.test_venv_image import VenvImages, order, leftovers\n"
        "from tasks._errors import DiskFull\n"
        "root = Path(sys.argv[1])\n"
        "builder = VenvImages(root=root, environ=os.environ, timeout_s=120)\n"
        "try:\n"
        f"    builder.build(order(Path(sys.argv[2]), {{'requirements.lock': {COMMAND!r}}}))\n"
        "except DiskFull as error:\n"
        "    print(error.error_code, leftovers(root))\n"
    )
    script = f'mount -t tmpfs -o size=500k none "{root}" && exec "$@"'
    argv = [*IN_A_NAMESPACE, "sh", "-c", script, "sh"]
    done = subprocess.run(
        [*argv, sys.executable, "-c", program, str(root), str(context)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == "TAXI:DiskFull []", done.stderr


def test_builder_that_was_killed_is_cleaned_up_after(builder: VenvImages, root: Path, tmp_path: Path) -> None:
    asked = order(tmp_path / "context", {"requirements.lock": SMALL})
    store = VenvStore(root=root)
    with store.only_one(asked.fingerprint, REPOSITORY, timeout_s=1) as work:
        left = work.with_name(work.name + "-killed")
        left.mkdir()
        (left / "venv").mkdir()

    builder.build(asked)

    assert not left.exists()


def test_image_in_the_making_is_waited_for_so_long(builder: VenvImages, root: Path, tmp_path: Path) -> None:
    asked = order(tmp_path / "context", {"requirements.lock": SMALL})
    hurried = VenvImages(root=root, environ=os.environ, timeout_s=0.2)
    with (
        VenvStore(root=root).only_one(asked.fingerprint, REPOSITORY, timeout_s=1),
        pytest.raises(_errors.BuildBusy),
    ):
        hurried.build(asked)


def test_prune_removes_what_is_long_unused_and_nothing_in_the_making(
    builder: VenvImages, root: Path, tmp_path: Path
) -> None:
    old, locked, used = (
        builder.build(
            order(tmp_path / name, {"requirements.lock": SMALL}, fingerprint="sha256:" + name * 64)
        ).image
        for name in "abc"
    )
    now = datetime.now(timezone.utc)
    long_ago = time.time() - 40 * 86400
    for image in (old, locked, used):
        os.utime(folder_of(root, image) / "image.json", (long_ago, long_ago))
    port: ImageBuilder = builder
    port.find(used.fingerprint, REPOSITORY)

    rehearsed = port.prune(unused_for=timedelta(days=30), now=now, dry_run=True)
    with VenvStore(root=root).only_one(locked.fingerprint, REPOSITORY, timeout_s=1):
        removed = port.prune(unused_for=timedelta(days=30), now=now, dry_run=False)

    assert {stored.image for stored in rehearsed} == {old, locked}
    assert [stored.image for stored in removed] == [old]
    assert {stored.image for stored in port.images()} == {locked, used}
    assert isinstance(port.find(old.fingerprint, REPOSITORY), Absent)


def test_nobody_ever_sees_half_an_image(builder: VenvImages, root: Path, tmp_path: Path) -> None:
    asked = order(tmp_path / "context", {"requirements.lock": COMMAND})
    halves: list[Path] = []
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.001):
            for folder in (root / "sha256").glob("*"):
                if (
                    not (folder / "image.json").exists()
                    or not (folder / "venv" / "bin" / "pyproject-build").exists()
                ):
                    halves.append(folder)

    watching = threading.Thread(target=watch)
    watching.start()
    builder.build(asked)
    done.set()
    watching.join()

    assert halves == []
