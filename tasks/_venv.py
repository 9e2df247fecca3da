"""The `venv` adapter of `ImageBuilder`: an image is a virtual environment that uv made.

For machines without a container engine. Of the files that are listed by name, requirements (`*.txt`, `*.in`,
`*.lock`, and `pylock*.toml`) are installed and `constraints*.txt` constrain; `pyproject.toml` is installed
from only if there is none of these, for a lock decides where there is one. Everything else, the Dockerfile
and what lies in listed folders included, only counts towards the fingerprint.
"""

from __future__ import annotations

import errno
import hashlib
import importlib.metadata
import json
import os
import platform
import re
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath

import uv

from tasks import _run
from tasks._builder import (
    Absent,
    Action,
    BuildOrder,
    Built,
    Checked,
    Examined,
    Recipe,
    StoredImage,
    Usage,
)
from tasks._errors import BuildFailed, CommandFailed, DiskFull, PackageIndexUnavailable, TaxiwayError
from tasks._folder import folder_bytes
from tasks._git_url import masked_urls
from tasks._network import network_environment
from tasks._types import Image
from tasks._venv_store import PREFIX, VenvStore

_SHOWN_LINES = 20
_FOREIGN_LOCKS = frozenset({"uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock", "pixi.lock"})
_NO_ROOM = re.compile(r"No space left on device|os error 28\b|os error 122\b|Disk quota exceeded")
_NO_INDEX = re.compile(
    r"error sending request|dns error|Connection (refused|reset)|operation timed out|status.* (429|5\d\d)\b",
    re.IGNORECASE,
)
# Where packages come from and how patiently; not where uv keeps things or which Python it takes.
_UV_SETTINGS = re.compile(
    r"UV_(DEFAULT_INDEX|INDEX(_\w+)?|EXTRA_INDEX_URL|FIND_LINKS|NO_INDEX|INSECURE_HOST|OFFLINE"
    r"|HTTP_\w+|NATIVE_TLS|SYSTEM_CERTS|CONCURRENT_\w+|EXCLUDE_NEWER|PYTHON_DOWNLOADS|PYTHON_INSTALL_MIRROR)"
)
_FROM_PIP = {"PIP_INDEX_URL": "UV_DEFAULT_INDEX", "PIP_EXTRA_INDEX_URL": "UV_INDEX"}


@dataclass(frozen=True, kw_only=True)
class VenvImages:
    """Builds virtual environments below `root` with uv, for the Python that runs this.

    `environ` gives the network's settings and the package indexes; uv and what it runs see nothing else.
    """

    root: Path
    environ: Mapping[str, str] = field(repr=False)
    timeout_s: float

    @property
    def store(self) -> VenvStore:
        """What is kept on disk."""
        return VenvStore(root=self.root)

    def examine(self, recipe: Recipe) -> Examined:
        """Return its traits; a Dockerfile is not looked at."""
        del recipe
        return Examined(traits=self.traits())

    def traits(self) -> dict[str, str]:
        """Return the builder's kind, Python's version and the machine it is for."""
        major, minor = sys.version_info[:2]
        return {
            "builder": "venv",
            "python": f"{sys.implementation.name} {major}.{minor}",
            "machine": f"{platform.system()} {platform.machine()}".lower(),
        }

    def find(self, fingerprint: str, repository: str) -> Image | Absent:
        """Return the image of `fingerprint` in `repository`, and count it as used."""
        return self.store.find(fingerprint, repository)

    def holds(self, image: Image) -> bool:
        """Say whether exactly this image is still there, and count it as used."""
        return self.store.find(image.fingerprint, image.reference.rpartition("@")[0]) == image

    def tag(self, image: Image, tags: Collection[str], *, home: str) -> None:
        """Do nothing: venv images have no tags."""
        del image, tags, home

    def check(self, image: Image, usage: Usage) -> Checked:
        """Find nothing: a virtual environment has neither a user nor an entrypoint."""
        del image, usage
        return Checked()

    def images(self) -> list[StoredImage]:
        """Return all images, the last used first."""
        return self.store.images()

    def prune(
        self, *, unused_for: timedelta, now: datetime, dry_run: bool, keep: Collection[str] = ()
    ) -> list[StoredImage]:
        """Remove the images that nobody asked for in so long; on a dry run only return them."""
        return self.store.prune(unused_for=unused_for, now=now, dry_run=dry_run, keep=keep)

    def build(self, order: BuildOrder) -> Built:
        """Build the environment, or wait for another who is at it and take that one.

        Raises:
            BuildFailed: uv cannot make it from these files; its last lines are in the message.
            BuildBusy: another one is at it, and takes too long.
            PackageIndexUnavailable: the packages' server cannot be reached.
            DiskFull: there was no room; nothing is left behind.
        """
        arguments = install_arguments(order.context, order.files)
        try:
            with self.store.only_one(order.fingerprint, order.repository, timeout_s=self.timeout_s) as work:
                found = self.store.find(order.fingerprint, order.repository)
                if isinstance(found, Image):
                    return Built(image=found, action=Action.REUSED, because="built meanwhile", size_bytes=0)
                return self._build_in(work, order, arguments)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise _disk_full(self.root, str(error)) from error

    def _build_in(self, work: Path, order: BuildOrder, arguments: Sequence[str]) -> Built:
        prefix = work / PREFIX
        python = prefix / "bin" / "python"
        self._uv(
            work, order, "venv", "--no-project", "--relocatable", "--python", sys.executable, str(prefix)
        )
        # Bytecode comes with the first imports: flytekit's dependencies are 6,000 modules, most of no use.
        self._uv(work, order, "pip", "install", "--python", str(python), *arguments)
        size = folder_bytes(prefix)
        image = self.store.publish(
            work,
            digest=digest_of(order, self.traits(), installed(prefix)),
            repository=order.repository,
            fingerprint=order.fingerprint,
            ingredients=order.ingredients,
        )
        files = ", ".join(word for word in arguments if not word.startswith("-"))
        because = f"a virtual environment from {files}, for no container engine is set up"
        return Built(image=image, action=Action.BUILT, because=because, size_bytes=size)

    def _uv(self, work: Path, order: BuildOrder, *words: str) -> None:
        """Run uv in the context's folder, with its home and temporary files in `work`."""
        temporary = work / "tmp"
        temporary.mkdir(exist_ok=True)
        env = uv_environment(self.environ) | {
            "HOME": str(temporary),
            "TMPDIR": str(temporary),
            "UV_CACHE_DIR": str(self.store.cache(order.repository)),
        }
        try:
            _run.run([uv.find_uv_bin(), *words], timeout_s=self.timeout_s, cwd=order.context, env=env)
        except CommandFailed as failed:
            raise build_error(failed.stderr, self.root) from failed


def uv_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return uv's environment: the network's settings and the indexes, those that pip is told included."""
    indexes = {_FROM_PIP[name]: value for name, value in environ.items() if name in _FROM_PIP}
    told = {name: value for name, value in environ.items() if _UV_SETTINGS.fullmatch(name)}
    fixed = {
        "PATH": environ.get("PATH", os.defpath),
        "LC_ALL": "C.UTF-8",
        "NO_COLOR": "1",
        "UV_NO_PROGRESS": "1",
        "UV_PYTHON_DOWNLOADS": "never",
    }
    return {**fixed, **network_environment(environ), **indexes, **told}


def install_arguments(context: Path, files: Sequence[str]) -> list[str]:
    """Say what `uv pip install` gets of the `files` in the folder `context`.

    Raises:
        BuildFailed: there is nothing in them that it can install from.
    """
    names = {path: PurePosixPath(path).name for path in files}
    foreign = sorted(path for path, name in names.items() if name in _FOREIGN_LOCKS)
    constraints = [path for path, name in names.items() if re.fullmatch(r"constraints.*\.txt", name)]
    listed = [
        path
        for path, name in names.items()
        if re.fullmatch(r".*\.(txt|in|lock)|pylock(\..+)?\.toml", name)
        and path not in foreign
        and path not in constraints
    ]
    if not listed and not foreign:
        listed = [path for path, name in names.items() if name == "pyproject.toml"]
    if not listed:
        why = "none of image.dependencies says what to install"
        if foreign:
            why = f"only its own tool reads {', '.join(foreign)}"
        raise BuildFailed(
            f"A venv image cannot be built: {why}.",
            remedy="List a requirements file by its name, such as `uv export` or `uv pip compile` writes.",
        )
    hashed = all("--hash=" in (context / path).read_text(errors="replace") for path in listed)
    words = ["--require-hashes"] if hashed else []
    words += [word for path in listed for word in ("-r", path)]
    return words + [word for path in constraints for word in ("-c", path)]


def installed(prefix: Path) -> list[str]:
    """Return what is installed in an environment, sorted, as `name==version`."""
    places = [str(path) for path in prefix.glob("lib/python*/site-packages")]
    found = importlib.metadata.distributions(path=places)
    return sorted({f"{each.name.lower().replace('_', '-')}=={each.version}" for each in found})


def digest_of(order: BuildOrder, traits: Mapping[str, str], distributions: Sequence[str]) -> str:
    """Return the image's digest: over what it was asked to be, and what came of it."""
    content = {
        "fingerprint": order.fingerprint,
        "repository": order.repository,
        "traits": dict(traits),
        "distributions": list(distributions),
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def build_error(printed: str, root: Path) -> TaxiwayError:
    """Return the error that uv's words are."""
    last = masked_urls("\n".join(printed.strip().splitlines()[-_SHOWN_LINES:]))
    if _NO_ROOM.search(printed):
        return _disk_full(root, last)
    if _NO_INDEX.search(printed):
        return PackageIndexUnavailable(
            f"The packages of the image could not be fetched:\n{last}\n",
            remedy="It is tried again; see whether the package index can be reached from here.",
        )
    return BuildFailed(
        f"The image could not be built. The last lines of uv:\n{last}\n",
        remedy="Correct the files of image.dependencies; list those that they include, too.",
    )


def _disk_full(root: Path, words: str) -> DiskFull:
    return DiskFull(
        f"There is no room left for an image below {root}: {words}.",
        remedy="Make room, for instance with `taxiway image prune --delete`.",
    )
