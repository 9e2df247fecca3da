"""What Taxiway asks of whatever builds and keeps images; the adapters are modules of their own."""

from __future__ import annotations

import enum
from collections.abc import Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from tasks._types import Finding, Image, Record


class Purpose(str, enum.Enum):
    """What an image is for. A release takes nothing that a preview made; a preview takes either."""

    PREVIEW = "preview"
    RELEASE = "release"


class Action(str, enum.Enum):
    """What was done to have an image."""

    BUILT = "built"
    REUSED = "reused"


class BuildTerms(Record):
    """How an image is built, as far as policy and enrolment say: a container engine goes by it.

    `dependencies` are the files and folders that the policy lists. `secrets` are the names of those that the
    build is given, `base_images` the repositories that it may start from. `network_host` says whether a
    single step may ask for the network of the engine's machine. Of the sizes, 0 is no limit.
    """

    dockerfile: str = "Dockerfile"
    dependencies: list[str] = []
    platform: str = "linux/amd64"
    build_args: dict[str, str] = {}
    secrets: list[str] = []
    network: str = "default"
    network_host: bool = False
    base_images: list[str] = ["*"]
    context_bytes: int = 0
    image_bytes: int = 0


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What an image is to be made from: `dockerfile` is the content of that file, None where there is none.

    `listed` are the files that a build gets, `tree` all paths of the revision.
    """

    terms: BuildTerms
    dockerfile: bytes | None
    listed: AbstractSet[str]
    tree: AbstractSet[str]


@dataclass(frozen=True, kw_only=True)
class Examined:
    """What a builder contributes to a fingerprint, and why a recipe cannot be built, if it cannot.

    `bases` are the images from elsewhere, as the Dockerfile has them, and what they are by digest.
    """

    traits: Mapping[str, str]
    bases: Mapping[str, str] = field(default_factory=dict)
    findings: Sequence[Finding] = ()


@dataclass(frozen=True, kw_only=True)
class Absent:
    """There is no image of a fingerprint; `because` says where it was looked for."""

    because: str


@dataclass(frozen=True, kw_only=True)
class BuildOrder:
    """What to build: `context` is a folder with exactly the files that the fingerprint covers.

    `files` are those that the policy lists by name, without those of folders. `labels` say what it is
    built from (see `tasks._engine_record`), `tags` are for people.
    """

    fingerprint: str
    ingredients: Mapping[str, str]
    repository: str
    context: Path
    files: tuple[str, ...]
    terms: BuildTerms = field(default_factory=BuildTerms)
    bases: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Built:
    """An image, and whether this call built it."""

    image: Image
    action: Action
    because: str
    size_bytes: int


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What an image is to be used for: where code is unpacked in it, on what, and whether root is refused."""

    destination: str
    platform: str
    non_root: bool = False


@dataclass(frozen=True, kw_only=True)
class Checked:
    """Why an image cannot be used, if it cannot, and what else is to be known about it."""

    findings: Sequence[Finding] = ()
    notes: Sequence[Finding] = ()


@dataclass(frozen=True, kw_only=True)
class StoredImage:
    """An image that is kept, when it was made and last asked for, and what it takes on disk."""

    image: Image
    created: datetime
    used: datetime
    size_bytes: int


class ImageBuilder(Protocol):
    """Builds images, finds them by fingerprint, and keeps them."""

    def examine(self, recipe: Recipe) -> Examined:
        """Return what the builder makes of a recipe: its own traits, such as the version of Python."""

    def find(self, fingerprint: str, repository: str) -> Image | Absent:
        """Return the image of `fingerprint` in `repository`, and count it as used."""

    def holds(self, image: Image) -> bool:
        """Say whether exactly this image is still there, and count it as used."""

    def build(self, order: BuildOrder) -> Built:
        """Build an image, or wait for another who is at it and take that one.

        Raises:
            BuildFailed: it cannot be built from these files.
            BuildBusy: the other one took too long.
            DiskFull: there was no room; nothing is left behind.
        """

    def tag(self, image: Image, tags: Collection[str], *, home: str) -> None:
        """Have people find an image under these names, too, if it is kept in the repository `home`.

        They are for people, so nothing fails where they cannot be given.
        """

    def check(self, image: Image, usage: Usage) -> Checked:
        """Find out whether Flyte can use an image so."""

    def images(self) -> list[StoredImage]:
        """Return all that are kept, the last used first."""

    def prune(
        self, *, unused_for: timedelta, now: datetime, dry_run: bool, keep: Collection[str] = ()
    ) -> list[StoredImage]:
        """Remove what nobody asked for in so long, but for the digests to `keep`, and return it.

        On a dry run only return it.
        """


def home_of(repository: str, purpose: Purpose) -> str:
    """Return the repository that images for `purpose` are built into."""
    return f"{repository}/previews" if purpose is Purpose.PREVIEW else repository


def sources_of(repository: str, purpose: Purpose) -> list[str]:
    """Return the repositories that images for `purpose` may be taken from, the best one first."""
    return list(dict.fromkeys([repository, home_of(repository, purpose)]))
