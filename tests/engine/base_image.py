"""Images for tests, from nothing but Debian packages and wheels: a Python, and the same with flytekit.

    python -m tests.engine.base_image

makes both, on the engine that answers at DOCKER_HOST or on one of its own, and prints their references. It
needs root and debootstrap.

A reference ends in a hash of what the image is made from, and an image that exists is not made again. A copy
is kept below the user's cache folder for the next engine of the tests' own.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import docker
from docker.errors import ImageNotFound
from filelock import FileLock

from tests.engine import recipe
from tests.engine.shared import engine

_RECIPE = Path(recipe.__file__).read_bytes()
_TIMEOUT_S = 1200


def base_image(client: docker.APIClient) -> str:
    """Return the reference of a small Debian with Python and pip, which is made if the engine has it not."""
    return _provided(client, f"taxiway-test/python:{_hash(_RECIPE)}", recipe.make_base)


def flytekit_image(client: docker.APIClient) -> str:
    """Return the reference of the base image with the locked flytekit in it, byte-compiled."""
    base = base_image(client)
    reference = f"taxiway-test/flytekit:{_hash(_RECIPE, recipe.LOCK.read_bytes())}"
    return _provided(client, reference, lambda client, name: recipe.make_flytekit(client, name, base))


def derived(client: docker.APIClient, name: str, dockerfile: str) -> str:
    """Build an image from a Dockerfile alone, which copies nothing, and return its reference.

    A name without a tag gets a hash of the Dockerfile, for other tests may call theirs the same.
    """
    reference = name if ":" in name else f"{name}:{_hash(dockerfile.encode())}"
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "Dockerfile").write_text(dockerfile)
        return recipe.build(client, Path(folder), reference)


def _provided(client: docker.APIClient, reference: str, make: Callable[[docker.APIClient, str], None]) -> str:
    """Return the reference of an image that the engine has, that lies in the cache, or that is made now.

    Of several processes that want one, one makes it.
    """
    copy = _cache() / f"{reference.replace('/', '_').replace(':', '-')}.tar"
    copy.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(copy.with_suffix(".lock")):
        try:
            client.inspect_image(reference)
        except ImageNotFound:
            if not copy.exists():
                make(client, reference)
                _keep(client, reference, copy)
                return reference
            with copy.open("rb") as stream:
                client.load_image(stream)
    return reference


def _keep(client: docker.APIClient, reference: str, copy: Path) -> None:
    draft = copy.with_suffix(f".{os.getpid()}")
    with draft.open("wb") as stream:
        for chunk in client.get_image(reference):
            stream.write(chunk)
    draft.replace(copy)


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "taxiway-tests"


def _hash(*contents: bytes) -> str:
    return hashlib.sha256(b"\0".join(contents)).hexdigest()[:12]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as run_folder, engine(Path(run_folder)) as engine_host:
        engine_client = docker.APIClient(engine_host, version="auto", timeout=_TIMEOUT_S)
        print(base_image(engine_client), flytekit_image(engine_client), sep="\n")  # noqa: T201
