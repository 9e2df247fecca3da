"""What Taxiway asks of whatever builds and keeps images; the adapters are modules of their own."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from tasks._types import Image


class Purpose(str, enum.Enum):
    """What an image is for. A release takes nothing that a preview made; a preview takes either."""

    PREVIEW = "preview"
    RELEASE = "release"


class Action(str, enum.Enum):
    """What was done to have an image."""

    BUILT = "built"
    REUSED = "reused"


@dataclass(frozen=True, kw_only=True)
class Absent:
    """There is no image of a fingerprint; `because` says where it was looked for."""

    because: str


@dataclass(frozen=True, kw_only=True)
class BuildOrder:
    """What to build: `context` is a folder with exactly the files that the fingerprint covers."""

    fingerprint: str
    ingredients: Mapping[str, str]
    repository: str
    context: Path
    files: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Built:
    """An image, and whether this call built it."""

    image: Image
    action: Action
    because: str
    size_bytes: int


@dataclass(frozen=True, kw_only=True)
class StoredImage:
    """An image that is kept, when it was made and last asked for, and what it takes on disk."""

    image: Image
    created: datetime
    used: datetime
    size_bytes: int


class ImageBuilder(Protocol):
    """Builds images, finds them by fingerprint, and keeps them."""

    def traits(self) -> dict[str, str]:
        """Return what the builder itself contributes to a fingerprint, such as the version of Python."""

    def find(self, fingerprint: str, repository: str) -> Image | Absent:
        """Return the image of `fingerprint` in `repository`, and count it as used."""

    def build(self, order: BuildOrder) -> Built:
        """Build an image, or wait for another who is at it and take that one.

        Raises:
            BuildFailed: it cannot be built from these files.
            BuildBusy: the other one took too long.
            DiskFull: there was no room; nothing is left behind.
        """

    def images(self) -> list[StoredImage]:
        """Return all that are kept, the last used first."""

    def prune(self, *, unused_for: timedelta, now: datetime, dry_run: bool) -> list[StoredImage]:
        """Remove what nobody asked for in so long, and return it; on a dry run only return it."""


def home_of(repository: str, purpose: Purpose) -> str:
    """Return the repository that images for `purpose` are built into."""
    return f"{repository}/previews" if purpose is Purpose.PREVIEW else repository


def sources_of(repository: str, purpose: Purpose) -> list[str]:
    """Return the repositories that images for `purpose` may be taken from, the best one first."""
    return list(dict.fromkeys([repository, home_of(repository, purpose)]))
