"""How venv images lie on disk: complete or absent, found by digest, by fingerprint, or by a given name.

Below the root: `sha256/HEX/` is an image (`image.json` and `venv/`), there from one rename on;
`fingerprints/REPOSITORY/HEX` holds the digest of the image of a fingerprint; `refs/REFERENCE.json` gives a
reference to an environment that exists; `locks/`, `work/` and `cache/` are the builder's own.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from filelock import FileLock, Timeout

from tasks._builder import Absent, StoredImage
from tasks._errors import BadUsage, BuildBusy
from tasks._folder import folder_bytes
from tasks._types import Image

PREFIX = "venv"
_DESCRIPTION = "image.json"


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A name that was given by hand to an environment that exists."""

    reference: str
    prefix: Path
    env: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class VenvStore:
    """The images below the folder `root`."""

    root: Path

    def find(self, fingerprint: str, repository: str) -> Image | Absent:
        """Return the image of `fingerprint` in `repository`, and count it as used now."""
        index = self._index(fingerprint, repository)
        try:
            folder = self._folder(index.read_text().strip())
            image = _image(_read(folder / _DESCRIPTION))
            os.utime(folder / _DESCRIPTION)
        except FileNotFoundError:
            return Absent(because=f"{repository} has no image of {fingerprint}")
        return image

    @contextlib.contextmanager
    def only_one(self, fingerprint: str, repository: str, *, timeout_s: float) -> Iterator[Path]:
        """Let one caller at a time, of all processes, build this image; give it an empty folder to work in.

        The folder is gone afterwards, unless it was published. So is what a killed build left.

        Raises:
            BuildBusy: another one has been at it for more than `timeout_s` seconds.
        """
        key = _key(fingerprint, repository)
        lock = self._lock(key)
        try:
            lock.acquire(timeout=timeout_s)
        except Timeout as error:
            raise BuildBusy(
                f"The image {fingerprint} of {repository} has been in the making for over {timeout_s:g} s.",
                remedy="It is tried again; if it takes that long by itself, raise TAXIWAY_BUILD_TIMEOUT_S.",
            ) from error
        try:
            self._sweep(key)
            with tempfile.TemporaryDirectory(
                prefix=f"{key}-", dir=_made(self.root / "work"), ignore_cleanup_errors=True
            ) as work:
                yield Path(work)
        finally:
            lock.release()

    def publish(
        self, work: Path, *, digest: str, repository: str, fingerprint: str, ingredients: Mapping[str, str]
    ) -> Image:
        """Make the environment `work/venv` the image `repository@digest`, by one rename."""
        image = Image(reference=f"{repository}@{digest}", fingerprint=fingerprint)
        folder = self._folder(digest)
        if not folder.exists():
            _made(folder.parent)
            ready = work / "image"
            ready.mkdir()
            (work / PREFIX).rename(ready / PREFIX)
            description = {
                "reference": image.reference,
                "fingerprint": fingerprint,
                "prefix": PREFIX,
                "env": {},
                "created": datetime.now(timezone.utc).isoformat(),
                "ingredients": dict(ingredients),
            }
            (ready / _DESCRIPTION).write_text(json.dumps(description, indent=1))
            ready.rename(folder)
        _replace(self._index(fingerprint, repository), digest + "\n")
        return image

    def images(self) -> list[StoredImage]:
        """Return all images, the last used first."""
        found = []
        for path in (self.root / "sha256").glob(f"*/{_DESCRIPTION}"):
            with contextlib.suppress(FileNotFoundError):
                description = _read(path)
                used = datetime.fromtimestamp(path.stat().st_mtime, timezone.utc)
                found.append(
                    StoredImage(
                        image=_image(description),
                        created=datetime.fromisoformat(description["created"]),
                        used=used,
                        size_bytes=folder_bytes(path.parent),
                    )
                )
        return sorted(found, key=lambda stored: stored.used, reverse=True)

    def prune(
        self, *, unused_for: timedelta, now: datetime, dry_run: bool, keep: Collection[str] = ()
    ) -> list[StoredImage]:
        """Remove the images unused for so long, but for those to `keep` or that somebody builds again."""
        old = [
            stored
            for stored in self.images()
            if now - stored.used >= unused_for and stored.image.digest not in keep
        ]
        if dry_run:
            return old
        removed = [stored for stored in old if self._remove(stored, now - unused_for)]
        kept = {quote(_repository(stored.image), safe="") for stored in self.images()}
        for cache in _made(self.root / "cache").iterdir():
            if cache.name not in kept:
                shutil.rmtree(cache, ignore_errors=True)
        return removed

    def cache(self, repository: str) -> Path:
        """Return the folder of what builds for `repository` downloaded: no other repository's use it."""
        return _made(self.root / "cache" / quote(repository, safe=""))

    def add_reference(self, reference: str, *, prefix: Path, env: Mapping[str, str]) -> Reference:
        """Give `reference` to the environment at `prefix`, in place of an earlier one.

        Raises:
            BadUsage: there is no Python in `prefix`.
        """
        python = prefix / "bin" / "python"
        if not reference or not python.exists():
            raise BadUsage(
                f"{reference!r} cannot be an image: there is no {python}.",
                remedy="Give the prefix of a virtual environment or of a Python installation.",
            )
        added = Reference(reference=reference, prefix=prefix.absolute(), env=dict(env))
        text = json.dumps({"reference": reference, "prefix": str(added.prefix), "env": dict(env)}, indent=1)
        _replace(self.root / "refs" / f"{quote(reference, safe='')}.json", text)
        return added

    def references(self) -> list[Reference]:
        """Return all references that were given by hand, sorted."""
        return [
            Reference(reference=unquote(path.stem), prefix=Path(content["prefix"]), env=content["env"])
            for path in sorted((self.root / "refs").glob("*.json"))
            for content in [_read(path)]
        ]

    def _remove(self, stored: StoredImage, used_before: datetime) -> bool:
        repository = _repository(stored.image)
        key = _key(stored.image.fingerprint, repository)
        lock = self._lock(key)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return False
        try:
            folder = self._folder(stored.image.digest)
            # It may have been asked for since it was listed.
            if datetime.fromtimestamp((folder / _DESCRIPTION).stat().st_mtime, timezone.utc) > used_before:
                return False
            self._index(stored.image.fingerprint, repository).unlink(missing_ok=True)
            self._sweep(key)
            doomed = _made(self.root / "work") / f"{key}-{folder.name}"
            folder.rename(doomed)
            shutil.rmtree(doomed, ignore_errors=True)
        finally:
            lock.release()
        return True

    def _sweep(self, key: str) -> None:
        for left in (self.root / "work").glob(f"{key}-*"):
            shutil.rmtree(left, ignore_errors=True)

    def _lock(self, key: str) -> FileLock:
        return FileLock(_made(self.root / "locks") / f"{key}.lock")

    def _folder(self, digest: str) -> Path:
        return self.root / "sha256" / digest.removeprefix("sha256:")

    def _index(self, fingerprint: str, repository: str) -> Path:
        return self.root / "fingerprints" / quote(repository, safe="") / fingerprint.removeprefix("sha256:")


def _key(fingerprint: str, repository: str) -> str:
    return hashlib.sha256(f"{repository}@{fingerprint}".encode()).hexdigest()[:32]


def _image(description: Mapping[str, Any]) -> Image:
    return Image(reference=description["reference"], fingerprint=description["fingerprint"])


def _repository(image: Image) -> str:
    return image.reference.rpartition("@")[0]


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def _replace(path: Path, text: str) -> None:
    """Write a file that is read whole or not at all, whoever reads it meanwhile."""
    _made(path.parent)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=".", delete=False) as file:
        file.write(text)
    Path(file.name).replace(path)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
