"""Have the image that a plan names: take the one that is there, or have it built from the plan's files."""

from __future__ import annotations

import hashlib
import tarfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tasks._builder import Action, BuildOrder, Built, ImageBuilder
from tasks._engine_open import engine_images
from tasks._errors import BuilderMissing, ImageContextChanged
from tasks._secrets import Secrets
from tasks._settings import Settings
from tasks._types import Finding, Image, Record
from tasks._venv import VenvImages
from tasks.plan import ImageContext, Plan, Reuse, blobs_of


class ImageStep(Record):
    """How the image was come by, in how many seconds; `size_bytes` is 0 where it was there already.

    `notes` are what is to be known about it and stops nothing.
    """

    image: Image
    action: Action
    because: str
    seconds: float
    size_bytes: int
    notes: list[Finding] = []


@contextmanager
def image_builder(settings: Settings, environ: Mapping[str, str], secrets: Secrets) -> Iterator[ImageBuilder]:
    """Give the builder of this installation: that of its container engine, where it has one.

    Raises:
        BuilderMissing: the settings name none.
        RegistryCredentialsInvalid: what is known of registries' logins cannot be read.
    """
    if settings.docker_host:
        with engine_images(settings, environ, secrets) as builder:
            yield builder
    elif settings.image_root is not None:
        yield VenvImages(root=settings.image_root, environ=environ, timeout_s=settings.build_timeout_s)
    else:
        raise BuilderMissing(
            "This installation says nowhere how images are built.",
            remedy="Set TAXIWAY_DOCKER_HOST to a container engine (`taxiway install --docker-host`), or "
            "TAXIWAY_IMAGE_ROOT to a folder for venv images, as a sandbox does by itself.",
        )


def ensure_image(
    plan: Plan,
    context: ImageContext,
    *,
    builder: ImageBuilder,
    into: Path,
    labels: Mapping[str, str] | None = None,
) -> ImageStep:
    """Have the image of `plan`; where it has to be built, unpack `context` below the folder `into`.

    An image that was there when the plan was made is taken as it was then, whatever its name means by now,
    and gets the plan's tags, too, if it is kept where this plan's would be; one that has been pruned since
    is built again, with `labels`.

    Raises:
        ImageContextChanged: `context` does not hold the files that the fingerprint covers.
        BuildFailed, BuildBusy, DiskFull: see `ImageBuilder.build`.
    """
    started = time.monotonic()
    if isinstance(plan.decision, Reuse) and builder.holds(plan.decision.image):
        builder.tag(plan.decision.image, plan.tags, home=plan.repository)
        return ImageStep(
            image=plan.decision.image,
            action=Action.REUSED,
            because=plan.decision.because,
            seconds=time.monotonic() - started,
            size_bytes=0,
        )
    built = _build(plan, context, builder, into, labels or {})
    return ImageStep(
        image=built.image,
        action=built.action,
        because=built.because,
        seconds=time.monotonic() - started,
        size_bytes=built.size_bytes,
    )


def _build(
    plan: Plan, context: ImageContext, builder: ImageBuilder, into: Path, labels: Mapping[str, str]
) -> Built:
    blobs = blobs_of(plan.ingredients)
    folder = into / "context"
    unpack_context(Path(context.file.download()), blobs, into=folder)
    return builder.build(
        BuildOrder(
            fingerprint=plan.fingerprint,
            ingredients=plan.ingredients,
            repository=plan.repository,
            context=folder,
            files=tuple(path for path in sorted(blobs) if path in plan.terms.dependencies),
            terms=plan.terms,
            bases=plan.bases,
            labels=labels,
            tags=tuple(plan.tags),
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
            target.chmod(0o755 if member.mode & 0o100 else 0o644)
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
