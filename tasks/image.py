"""Have the image that a plan names: take the one that is there, or have it built from the plan's files."""

from __future__ import annotations

import hashlib
import tarfile
import time
from collections.abc import Mapping
from pathlib import Path

from tasks._builder import Action, BuildOrder, Built, ImageBuilder
from tasks._errors import BuilderMissing, ImageContextChanged
from tasks._settings import Settings
from tasks._types import Image, Record
from tasks._venv import VenvImages
from tasks.plan import ImageContext, Plan, Reuse, blobs_of


class ImageStep(Record):
    """How the image was come by, in how many seconds; `size_bytes` is 0 where it was there already."""

    image: Image
    action: Action
    because: str
    seconds: float
    size_bytes: int


def image_builder(settings: Settings, environ: Mapping[str, str]) -> ImageBuilder:
    """Return the builder of this installation.

    Raises:
        BuilderMissing: the settings name none.
    """
    if settings.image_root is None:
        raise BuilderMissing(
            "This installation says nowhere where images are kept.",
            remedy="Set TAXIWAY_IMAGE_ROOT to a folder for venv images; a sandbox does so by itself.",
        )
    return VenvImages(root=settings.image_root, environ=environ, timeout_s=settings.build_timeout_s)


def ensure_image(plan: Plan, context: ImageContext, *, builder: ImageBuilder, into: Path) -> ImageStep:
    """Have the image of `plan`; where it has to be built, unpack `context` below the folder `into`.

    An image that was there when the plan was made and has been pruned since is built again.

    Raises:
        ImageContextChanged: `context` does not hold the files that the fingerprint covers.
        BuildFailed, BuildBusy, DiskFull: see `ImageBuilder.build`.
    """
    started = time.monotonic()
    if isinstance(plan.decision, Reuse):
        repository = plan.decision.image.reference.rpartition("@")[0]
        found = builder.find(plan.fingerprint, repository)
        if isinstance(found, Image):
            return ImageStep(
                image=found,
                action=Action.REUSED,
                because=plan.decision.because,
                seconds=time.monotonic() - started,
                size_bytes=0,
            )
    built = _build(plan, context, builder, into)
    return ImageStep(
        image=built.image,
        action=built.action,
        because=built.because,
        seconds=time.monotonic() - started,
        size_bytes=built.size_bytes,
    )


def _build(plan: Plan, context: ImageContext, builder: ImageBuilder, into: Path) -> Built:
    blobs = blobs_of(plan.ingredients)
    folder = into / "context"
    unpack_context(Path(context.file.download()), blobs, into=folder)
    return builder.build(
        BuildOrder(
            fingerprint=plan.fingerprint,
            ingredients=plan.ingredients,
            repository=plan.repository,
            context=folder,
            files=tuple(sorted(blobs)),
        )
    )


def unpack_context(archive: Path, blobs: Mapping[str, str], *, into: Path) -> None:
    """Write the files of `archive` below `into`, which must be exactly the git `blobs`, by path.

    Raises:
        ImageContextChanged: a file is missing, is not listed, or is another blob.
    """
    missing = set(blobs)
    with tarfile.open(archive) as tar:
        for member in tar:
            reader = tar.extractfile(member) if member.isfile() and member.name in missing else None
            content = reader.read() if reader is not None else b""
            if reader is None or blob_name(content, like=blobs[member.name]) != blobs[member.name]:
                raise _changed(member.name)
            missing.discard(member.name)
            target = into / member.name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
    if missing:
        raise _changed(min(missing))


def blob_name(content: bytes, *, like: str) -> str:
    """Return git's name of a blob, in the kind of hash that the name `like` is of."""
    head = b"blob %d\0" % len(content)
    if len(like) == 64:
        return hashlib.sha256(head + content).hexdigest()
    return hashlib.sha1(head + content, usedforsecurity=False).hexdigest()


def _changed(path: str) -> ImageContextChanged:
    return ImageContextChanged(
        f"{path} is not as the plan's fingerprint has it.", remedy="Start the flow again from its first step."
    )
