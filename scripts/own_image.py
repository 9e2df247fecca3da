"""Taxiway's own image: built on a container engine from the Dockerfile of this checkout, and pushed."""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version as distribution_version
from pathlib import Path

from scripts.own import PACKAGES, ROOT, commit_of, source_files
from tasks._engine import Engine
from tasks._engine_build import BuildLimits, EngineOrder, Pushed, build_and_push
from tasks._errors import BadUsage
from tasks._references import Reference, Repository, parse_reference
from tasks._registry import RegistryClient

DOCKERFILE = "Dockerfile"
FILES = (DOCKERFILE, "LICENSE", "README.md", "pyproject.toml", "requirements.lock")
SECRETS = ("ca", "pip_conf")
"""What the Dockerfile mounts where it is given: certificates to trust, and a configuration of pip."""
_BASE = "${BASE_IMAGE}"
_DEFAULT_BASE = re.compile(r"^ARG BASE_IMAGE=(\S+)$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class OwnImage:
    """What to build and where to push it.

    `name` is `REPOSITORY` or `REPOSITORY:TAG`; a tag that is left out is made from version and content. An
    empty `base` is the Dockerfile's own, an empty `platform` the engine's. `timeout_s` is for the build and
    for the push; 0 is no limit.
    """

    name: str
    base: str = ""
    platform: str = ""
    secrets: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    timeout_s: float = 0


@dataclass(frozen=True, kw_only=True)
class Made:
    """The image in its registry, by digest; what it starts from, by digest, and what the build was like."""

    reference: Reference
    base: Reference
    pushed: Pushed


def build_own_image(
    wanted: OwnImage,
    *,
    engine: Engine,
    registry: RegistryClient,
    docker_config: bytes | None,
    root: Path = ROOT,
) -> Made:
    """Build Taxiway's image from the files at `root`, push it, and return it by the registry's own digest.

    Raises:
        BadUsage: `root` is no checkout of Taxiway, or `wanted.name` names a digest.
        Terminal, Recoverable: see `build_and_push`, and `RegistryClient.resolve` for the base.
    """
    files = context_files(root)
    base = parse_reference(wanted.base or default_base(root))
    base = base.repository.at(base.digest or registry.resolve(base).digest)
    target = target_of(wanted.name, content_of(files, root, base))
    with tempfile.TemporaryDirectory(prefix="taxiway-") as made:
        context = Path(made)
        for file in files:
            copy = context / file.relative_to(root)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, copy)
        order = EngineOrder(
            context=context,
            dockerfile=DOCKERFILE,
            bases={_BASE: str(base)},
            reference=str(target),
            platform=wanted.platform,
            limits=BuildLimits(timeout_s=wanted.timeout_s),
            labels=labels_of(root, base),
            secrets=wanted.secrets,
        )
        pushed = build_and_push(order, engine=engine, registry=registry, docker_config=docker_config)
    return Made(reference=target.repository.at(pushed.digest), base=base, pushed=pushed)


def context_files(root: Path) -> list[Path]:
    """Return the files that the Dockerfile copies, and the Dockerfile: what is sent to the engine.

    Raises:
        BadUsage: they are not here, for an installed Taxiway leaves some of them out.
    """
    named = [root / name for name in FILES]
    missing = [path.name for path in named if not path.is_file()]
    if missing:
        raise BadUsage(
            f"Taxiway's image cannot be built from {root}: there is no {' and no '.join(missing)}.",
            remedy="Run it in a checkout of Taxiway's repository, or give an image that exists with --image.",
        )
    return sorted([*named, *source_files(root, (*PACKAGES, "scripts"))])


def default_base(root: Path) -> str:
    """Return the image that the Dockerfile at `root` starts from unless told otherwise."""
    found = _DEFAULT_BASE.search((root / DOCKERFILE).read_text())
    if found is None:
        raise BadUsage(
            f"{root / DOCKERFILE} has no default for BASE_IMAGE.", remedy="Give one with --base-image."
        )
    return found[1]


def content_of(files: list[Path], root: Path, base: Reference) -> str:
    """Return 12 digits that stand for these files, by path and content, on this base."""
    content = hashlib.sha256(str(base).encode())
    for file in files:
        held = hashlib.sha256(file.read_bytes()).hexdigest()
        content.update(f"\0{file.relative_to(root).as_posix()}\0{held}".encode())
    return content.hexdigest()[:12]


def target_of(name: str, content: str) -> Reference:
    """Return what to push as: `name`, with a tag of version and content where it has none."""
    reference = parse_reference(name)
    if reference.digest:
        raise BadUsage(
            f"{name} names a digest, which only a push gives.", remedy="Give REPOSITORY or REPOSITORY:TAG."
        )
    tagged = ":" in name.rpartition("/")[2]
    repository: Repository = reference.repository
    return reference if tagged else repository.tagged(f"{distribution_version('taxiway')}-{content}")


def labels_of(root: Path, base: Reference) -> dict[str, str]:
    """Return the OCI labels that say where it comes from; the commit where `root` is a clean checkout."""
    prefix = "org.opencontainers.image."
    commit = commit_of(root)
    return {
        f"{prefix}version": distribution_version("taxiway"),
        f"{prefix}base.name": str(base.repository),
        f"{prefix}base.digest": base.digest,
        **({f"{prefix}revision": commit} if commit else {}),
    }
