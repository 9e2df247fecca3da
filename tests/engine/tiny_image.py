"""An image of a few megabytes with a shell and some commands, made of this machine's own in a moment."""

from __future__ import annotations

import io
import re
import shutil
import tarfile
import tempfile
from pathlib import Path

import docker
import pytest

from tasks._run import run

_COMMANDS = ("sh", "cat", "dd", "head", "ls", "seq", "sha256sum", "sleep", "tr", "touch")
_LIBRARY = re.compile(r"(/\S+) \(0x")


def tiny_image(client: docker.APIClient) -> str:
    """Return the reference of such an image, which is made where the engine has it not."""
    reference = "taxiway-test/tiny:1"
    if not client.images(reference):
        with tempfile.NamedTemporaryFile(suffix=".tar") as file:
            file.write(tiny_root())
            file.flush()
            client.import_image(src=file.name, repository=reference.partition(":")[0], tag="1")
    return reference


def tiny_root() -> bytes:
    """Return its file system as a tar."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for folder in ("bin", "tmp", "proc", "sys", "dev", "etc"):
            made = tarfile.TarInfo(folder)
            made.type, made.mode = tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755
            archive.addfile(made)
        found = {command: shutil.which(command) for command in _COMMANDS}
        missing = [command for command, path in found.items() if path is None]
        if missing:
            pytest.fail(f"this machine has no {' '.join(missing)}", pytrace=False)
        libraries = set()
        for command, path in found.items():
            assert path is not None
            _add(archive, path, f"/bin/{command}")
            said = run(["ldd", path], timeout_s=20, expect=(0, 1)).stdout
            libraries |= set(_LIBRARY.findall(said))
        for library in sorted(libraries):
            _add(archive, library, library)
    return content.getvalue()


def _add(archive: tarfile.TarFile, path: str, name: str) -> None:
    data = Path(path).resolve().read_bytes()
    made = tarfile.TarInfo(name.lstrip("/"))
    made.size, made.mode = len(data), 0o755
    archive.addfile(made, io.BytesIO(data))
