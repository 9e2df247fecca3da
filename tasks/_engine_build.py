"""Building an image on a container engine, and pushing it.

What the engine gets is the order's context and nothing else of this machine. Secrets go to BuildKit as
mounts. The digest is the registry's own, read back after the push.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from shutil import which

from docker.errors import ImageNotFound

from tasks import _build_faults
from tasks._docker_command import DockerCommand, open_docker
from tasks._engine import ENGINE_FAULTS, Engine, engine_fault
from tasks._errors import (
    BadUsage,
    BuildFailed,
    BuildTooLarge,
    CredentialHelperMissing,
    EngineUnsuitable,
    ImageContextChanged,
    RegistryMismatch,
    RegistryNotFound,
    RegistryUnavailable,
)
from tasks._folder import folder_bytes
from tasks._from_lines import pinned
from tasks._git_url import masked_urls
from tasks._manifests import Manifest
from tasks._references import Reference, parse_reference
from tasks._registry import RegistryClient
from tasks._wait import patiently

NETWORKS = ("default", "none", "host")
"""What a build may reach: as the engine has it, nothing, or what the engine's own machine does."""

_PUSHED = re.compile(r"^\S+: digest: (?P<digest>sha256:[0-9a-f]{64}) size: \d+", re.MULTILINE)
_PUSH_PATIENCE_S = 20
_NO_LIMIT_S = 7 * 24 * 3600


@dataclass(frozen=True, kw_only=True)
class BuildLimits:
    """How long a build may take, and how large its context and its image may be; 0 is no limit."""

    timeout_s: float
    context_bytes: int = 0
    image_bytes: int = 0


@dataclass(frozen=True, kw_only=True)
class EngineOrder:
    """What to build from `context`, and where to push it.

    `bases` gives, for every image as the Dockerfile writes it, what it is pinned to. `reference` is
    `repository:tag`; `tags` are more of them. A build that may not `cache` begins from nothing; else it
    takes the layers of earlier builds for the same repository, on this engine or of `cache_from`.
    """

    context: Path
    dockerfile: str
    bases: Mapping[str, str]
    reference: str
    platform: str
    limits: BuildLimits
    tags: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    build_args: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    cache_from: tuple[str, ...] = ()
    cache: bool = True
    network: str = "default"


@dataclass(frozen=True, kw_only=True)
class Pushed:
    """An image in its registry: its digest there, the bytes of its layers; how long it took, and the log."""

    digest: str
    size_bytes: int
    seconds: float
    log: str = field(repr=False)


def build_and_push(
    order: EngineOrder, *, engine: Engine, registry: RegistryClient, docker_config: bytes | None
) -> Pushed:
    """Build `order` on `engine`, push it, and read back what the registry has.

    `docker_config` is a docker `config.json` with the logins for the push and for the images that the
    Dockerfile starts from.

    Raises:
        BuildFailed: it cannot be built from these files.
        BuildTimedOut, BuildTooLarge: it ran into a limit.
        PackageIndexUnavailable, EngineUnavailable, RegistryUnavailable: it may pass by waiting.
        RegistryDenied, RegistryUntrusted, CredentialHelperMissing: the push, or a base, is not for us.
        RegistryMismatch: the registry has another image under this name than was pushed.
        EngineUnsuitable: this engine cannot build it.
        DiskFull: there was no room.
    """
    began = time.monotonic()
    reference = _checked(order, engine)
    with open_docker(engine, docker_config=docker_config, secrets=order.secrets) as docker:
        _check_helper(docker, reference)
        log = _build(docker, order, engine)
        _check_size(order, engine)
        digest, said = patiently(
            lambda: _push(docker, order, engine), patience_s=_PUSH_PATIENCE_S, passing=RegistryUnavailable
        )
    manifest = _read_back(registry, reference, digest)
    for tag in order.tags:
        if tag != reference.tag:
            registry.put(manifest, reference.repository.tagged(tag))
    return Pushed(
        digest=digest,
        size_bytes=sum(layer.size for layer in manifest.layers),
        seconds=time.monotonic() - began,
        log=masked_urls(f"{log}\n{said}"),
    )


def _read_back(registry: RegistryClient, reference: Reference, digest: str) -> Manifest:
    """Return what was pushed as the registry has it.

    Where its tag names another image by now, it has to be there by its digest: two engines can build the
    same at once, and what comes after goes by digests.
    """
    found = registry.manifest(reference)
    if found.digest == digest:
        return found
    try:
        return registry.manifest(reference.repository.at(digest))
    except (RegistryMismatch, RegistryNotFound):
        raise RegistryMismatch(
            f"{digest} was pushed as {reference}, and the registry has {found.digest} there.",
            remedy="Find out who else pushes there; nothing of it was used.",
        ) from None


def arguments(
    order: EngineOrder, dockerfile: Path, secrets: Mapping[str, Path], *, buildkit: bool
) -> list[str]:
    """Return the words that `docker` gets for a build, the context last."""
    words = ["build", "--file", str(dockerfile), "--tag", order.reference, "--network", order.network]
    words += ["--platform", order.platform] if order.platform else []
    for name, value in sorted(order.labels.items()):
        words += ["--label", f"{name}={value}"]
    for name, value in sorted(order.build_args.items()):
        words += ["--build-arg", f"{name}={value}"]
    if not buildkit:
        # Its cache would mix what different repositories made.
        return [*words, "--no-cache", "--force-rm", str(order.context)]
    words += ["--progress", "plain", *(_cached(order) if order.cache else ["--no-cache"])]
    for name, path in sorted(secrets.items()):
        words += ["--secret", f"id={name},src={path}"]
    return [*words, str(order.context)]


def _cached(order: EngineOrder) -> Iterator[str]:
    """Yield what makes a build share layers with others for its repository, and with those alone.

    A name for an address is part of what a step's result is kept under, and leaves nothing in it.
    """
    repository = str(parse_reference(order.reference).repository)
    scope = hashlib.sha256(repository.encode()).hexdigest()[:32]
    yield from ("--add-host", f"{scope}.invalid:127.0.0.1")
    yield from ("--build-arg", f"BUILDKIT_CACHE_MOUNT_NS={scope}")
    yield from ("--build-arg", "BUILDKIT_INLINE_CACHE=1")
    for source in order.cache_from:
        yield from ("--cache-from", source)


def _checked(order: EngineOrder, engine: Engine) -> Reference:
    """Return the reference to push under, of an order that can be carried out as far as can be seen."""
    reference = parse_reference(order.reference)
    if reference.digest:
        raise BadUsage(f"{reference} names a digest.", remedy="Push under a tag.")
    if order.network not in NETWORKS:
        raise BadUsage(f"{order.network!r} is no network.", remedy=f"Use one of {', '.join(NETWORKS)}.")
    if "," in order.platform:
        raise EngineUnsuitable(
            f"The engine at {engine.address.host} builds for one platform, not for {order.platform}.",
            remedy="Name one in image.platform.",
        )
    size, most = folder_bytes(order.context), order.limits.context_bytes
    if 0 < most < size:
        raise BuildTooLarge(
            f"What the image is built from is {size} bytes; at most {most} are allowed.",
            remedy="List fewer or smaller files in image.dependencies, or raise the limit.",
        )
    return reference


def _check_helper(docker: DockerCommand, reference: Reference) -> None:
    """See that the program is there that a login is to come from; docker itself goes on without it."""
    registry = reference.repository.registry
    helper = docker.config.helpers.get(registry, docker.config.store)
    program = f"docker-credential-{helper}"
    if helper and which(program, path=docker.environ["PATH"]) is None:
        raise CredentialHelperMissing(
            f"The credentials for {registry} are kept by `{program}`, which is not installed.",
            remedy=f"Install {program}, or give the secret taxiway/docker_config with a login.",
        )


def _build(docker: DockerCommand, order: EngineOrder, engine: Engine) -> str:
    dockerfile = docker.folder / "Dockerfile"
    dockerfile.write_text(pinned(_read_dockerfile(order), order.bases))
    words = arguments(order, dockerfile, docker.secrets, buildkit=docker.buildkit)
    timeout_s = order.limits.timeout_s
    printed = docker.run(*words, timeout_s=timeout_s or _NO_LIMIT_S)
    log = masked_urls(printed.text)
    if printed.code is None:
        raise _build_faults.timed_out(log, timeout_s)
    if printed.code:
        raise _build_faults.build_fault(
            log,
            engine=engine.address.host,
            engine_answers=engine.answers(),
            platform=order.platform,
        )
    return log


def _read_dockerfile(order: EngineOrder) -> str:
    path = order.context / order.dockerfile
    outside = ".." in PurePosixPath(order.dockerfile).parts or PurePosixPath(order.dockerfile).is_absolute()
    if outside or not path.resolve().is_relative_to(order.context.resolve()):
        raise BuildFailed(
            f"The Dockerfile {order.dockerfile!r} is a link to, or a path, outside of the repository.",
            remedy="Name a file of the repository in image.dockerfile.",
        )
    try:
        return path.read_text()
    except FileNotFoundError as error:
        raise ImageContextChanged(
            f"There is no {order.dockerfile!r} in what the image is built from.",
            remedy="Correct image.dockerfile.",
        ) from error
    except UnicodeDecodeError as error:
        raise BuildFailed(f"{order.dockerfile!r} is not UTF-8 text.", remedy="Write it as UTF-8.") from error


def _check_size(order: EngineOrder, engine: Engine) -> None:
    """See that what was built may be pushed; else it is removed again."""
    try:
        size: int = engine.client.inspect_image(order.reference)["Size"]
        most = order.limits.image_bytes
        if not 0 < most < size:
            return
        engine.client.remove_image(order.reference)
    except ImageNotFound as error:
        raise BuildFailed(
            f"The engine built {order.reference}, and has it no more.", remedy="See who removes images there."
        ) from error
    except ENGINE_FAULTS as error:
        raise engine_fault(str(error), engine.address) from error
    raise BuildTooLarge(
        f"The image is {size} bytes; at most {most} are allowed.",
        remedy="Install less, in fewer layers, or raise the limit.",
    )


def _push(docker: DockerCommand, order: EngineOrder, engine: Engine) -> tuple[str, str]:
    """Push, and return the digest that docker says it has, and all that it said."""
    timeout_s = order.limits.timeout_s
    printed = docker.run("push", order.reference, timeout_s=timeout_s or _NO_LIMIT_S)
    said = masked_urls(printed.text)
    found = _PUSHED.search(said)
    if printed.code is None:
        raise RegistryUnavailable(
            f"The push of {order.reference} was ended after {timeout_s:g} s.",
            remedy="See whether the registry is well, or raise TAXIWAY_BUILD_TIMEOUT_S.",
        )
    if printed.code or not found:
        raise _build_faults.push_fault(
            said, order.reference, engine=engine.address.host, engine_answers=engine.answers()
        )
    return found["digest"], said
