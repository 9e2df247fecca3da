"""How the tests' images are made; whatever changes in here makes new ones.

Debian comes from the mirror that apt is configured for, wheels from the index that uv is configured for. Both
are fetched outside of any container, so that neither a certificate nor an address of this machine's index
gets into an image. (The mirror stays in the image's `sources.list`, so that builds on top can install
packages.)
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

import docker

from tasks._run import run

LOCK = Path(__file__).parents[2] / "requirements.lock"
SUITE, PYTHON, PLATFORM = "bookworm", "3.11", "x86_64-manylinux_2_36"

_LIBRARY, _PROGRAMS = f"usr/local/lib/python{PYTHON}/dist-packages", "usr/local/bin"
_NEEDLESS = ("var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/man", "usr/share/locale")
_TIMEOUT_S = 1200
_DOCKERFILE = f"""\
FROM {{base}}
COPY usr /usr
RUN python -m compileall -q -j 0 /{_LIBRARY}
ENV PYTHONPATH=/root
WORKDIR /root
"""


def make_base(client: docker.APIClient, reference: str) -> None:
    """Make a small Debian with Python and pip."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "root")
        mirror = _mirror()
        words = ["debootstrap", "--variant=minbase", "--include=python3", SUITE, str(root)]
        # It is thrown away if the machine goes down meanwhile, so nothing has to reach the disk in order.
        environ = {**os.environ, "DPKG_FORCE": "unsafe-io"}
        run([*words, *([mirror] if mirror else [])], timeout_s=_TIMEOUT_S, env=environ)
        (root / _PROGRAMS / "python").symlink_to("/usr/bin/python3")
        # As in the images that people build from, pip may install into this Python.
        (root / f"usr/lib/python{PYTHON}/EXTERNALLY-MANAGED").unlink(missing_ok=True)
        _install(root, "pip")
        archive = Path(folder, "root.tar")
        excluded = [f"--exclude=./{path}/*" for path in _NEEDLESS]
        run(["tar", "--numeric-owner", *excluded, "-C", root, "-cf", archive, "."], timeout_s=_TIMEOUT_S)
        name, _, tag = reference.partition(":")
        changes = ["ENV LANG=C.UTF-8", "CMD python3"]
        client.import_image(src=str(archive), repository=name, tag=tag, changes=changes)


def make_flytekit(client: docker.APIClient, reference: str, base: str) -> None:
    """Make the image `base` with the locked flytekit in it, byte-compiled."""
    with tempfile.TemporaryDirectory() as folder:
        context = Path(folder)
        _install(context, "flytekit", "pip")
        (context / "Dockerfile").write_text(_DOCKERFILE.format(base=base))
        build(client, context, reference)


def build(client: docker.APIClient, context: Path, reference: str) -> str:
    """Build the Dockerfile of a folder, and return the reference."""
    for line in client.build(path=str(context), tag=reference, rm=True, decode=True):
        if "error" in line:
            raise RuntimeError(f"{reference} cannot be built: {line['error']}")
    return reference


def _install(root: Path, *names: str) -> None:
    """Put packages where the image's Python looks for them; nothing of them is run here."""
    library = root / _LIBRARY
    words = [str(Path(sys.executable).with_name("uv")), "pip", "install", "--quiet", "--no-build"]
    words += ["--target", str(library), "--python-version", PYTHON, "--python-platform", PLATFORM]
    run([*words, "--constraints", LOCK, *names], timeout_s=_TIMEOUT_S, env=os.environ)
    programs = root / _PROGRAMS
    programs.mkdir(parents=True, exist_ok=True)
    for program in (library / "bin").iterdir():
        _, _, rest = program.read_bytes().partition(b"\n")
        (programs / program.name).write_bytes(b"#!/usr/bin/python3\n" + rest)
        (programs / program.name).chmod(0o755)
    shutil.rmtree(library / "bin")


def _mirror() -> str:
    """Return where apt gets this suite from; empty where that is not known, so that debootstrap chooses."""
    if shutil.which("apt-get") is None:
        return ""
    wanted = "$(CREATED_BY) $(CODENAME) $(REPO_URI)"
    listed = run(["apt-get", "indextargets", "--format", wanted], timeout_s=60, env=os.environ).stdout
    found = (line.split() for line in listed.splitlines())
    return next((words[2] for words in found if words[:2] == ["Packages", SUITE]), "")
