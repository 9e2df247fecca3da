"""Images for tests, from nothing but Debian packages and wheels: a Python, and the same with flytekit.

    python -m tests.engine.base_image

makes both on the engine that DOCKER_HOST names, and prints their references. It needs root, debootstrap and
apt. Debian comes from the mirror that apt is configured for, wheels from the index that uv is configured
for: both are fetched outside of any container, so that neither a certificate nor an address of this
machine's index gets into an image. (The mirror stays in the image's `sources.list`, so that builds on top
can install packages.)

A reference ends in a hash of what the image is made from, and an image that exists is not made again. A copy
is kept below the user's cache folder for the next engine of the tests' own.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import docker
from docker.errors import ImageNotFound

from tasks._run import run

LOCK = Path(__file__).parents[2] / "requirements.lock"
_RECIPE = Path(__file__).read_bytes()
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


def base_image(client: docker.APIClient) -> str:
    """Return the reference of a small Debian with Python and pip, which is made if the engine has it not."""
    return _provided(client, f"taxiway-test/python:{_hash(_RECIPE)}", _make_base)


def flytekit_image(client: docker.APIClient) -> str:
    """Return the reference of the base image with the locked flytekit in it, byte-compiled."""
    base = base_image(client)
    reference = f"taxiway-test/flytekit:{_hash(_RECIPE, LOCK.read_bytes())}"
    return _provided(client, reference, lambda client, name: _make_flytekit(client, name, base))


def derived(client: docker.APIClient, reference: str, dockerfile: str) -> str:
    """Build an image from a Dockerfile alone, which copies nothing, and return its reference."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "Dockerfile").write_text(dockerfile)
        return _build(client, Path(folder), reference)


def _provided(client: docker.APIClient, reference: str, make: Callable[[docker.APIClient, str], None]) -> str:
    try:
        client.inspect_image(reference)
    except ImageNotFound:
        copy = _cache() / f"{reference.replace('/', '_').replace(':', '-')}.tar"
        if copy.exists():
            with copy.open("rb") as stream:
                client.load_image(stream)
        else:
            make(client, reference)
            _keep(client, reference, copy)
    return reference


def _keep(client: docker.APIClient, reference: str, copy: Path) -> None:
    copy.parent.mkdir(parents=True, exist_ok=True)
    draft = copy.with_suffix(f".{os.getpid()}")
    with draft.open("wb") as stream:
        for chunk in client.get_image(reference):
            stream.write(chunk)
    draft.replace(copy)


def _make_base(client: docker.APIClient, reference: str) -> None:
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


def _make_flytekit(client: docker.APIClient, reference: str, base: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        context = Path(folder)
        _install(context, "flytekit", "pip")
        (context / "Dockerfile").write_text(_DOCKERFILE.format(base=base))
        _build(client, context, reference)


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


def _build(client: docker.APIClient, context: Path, reference: str) -> str:
    for line in client.build(path=str(context), tag=reference, rm=True, decode=True):
        if "error" in line:
            raise RuntimeError(f"{reference} cannot be built: {line['error']}")
    return reference


def _mirror() -> str:
    """Return where apt gets this suite from; empty where that is not known, so that debootstrap chooses."""
    if shutil.which("apt-get") is None:
        return ""
    wanted = "$(CREATED_BY) $(CODENAME) $(REPO_URI)"
    listed = run(["apt-get", "indextargets", "--format", wanted], timeout_s=60, env=os.environ).stdout
    found = (line.split() for line in listed.splitlines())
    return next((words[2] for words in found if words[:2] == ["Packages", SUITE]), "")


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "taxiway-tests"


def _hash(*contents: bytes) -> str:
    return hashlib.sha256(b"\0".join(contents)).hexdigest()[:12]


if __name__ == "__main__":
    engine = docker.APIClient(**docker.utils.kwargs_from_env(), version="auto", timeout=_TIMEOUT_S)
    print(base_image(engine), flytekit_image(engine), sep="\n")  # noqa: T201
